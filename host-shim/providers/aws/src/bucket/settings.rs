//! Settings of a bucket: no public access, encryption, removal of incomplete uploads, CORS and write protection.

use super::{BucketConfig, Buckets, Flavor};
use crate::errors::{InRequest, NoneIf, unbuilt};
use crate::payload::{bad, fingerprint, text};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CorsConfiguration, CorsRule, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use host_provider_api::{Call, CallOutcome};
use serde_json::{Value, json};

/// The tag with the fingerprint of the applied settings.
pub(super) const TAG: &str = "settings";
/// Version of the fixed settings below. Increment it when they change, so that each bucket gets them with its next call
/// that has settings.
const EDITION: u32 = 1;
/// Days after which incomplete uploads are deleted.
const ABORT_DAYS: i32 = 7;
/// Maximum origins in `cors`.
const ORIGINS_MAX: usize = 100;
/// Seconds for which browsers cache a CORS response.
const CORS_AGE_S: i32 = 3600;
const NO_POLICY: &[&str] = &["NoSuchBucketPolicy"];
const NO_CORS: &[&str] = &["NoSuchCORSConfiguration"];

/// The settings in a payload.
pub(super) struct Settings {
    /// Origins whose pages may read and write objects in a browser (CORS).
    origins: Vec<String>,
    refuses_writes: bool,
}

impl Settings {
    pub(super) fn of(call: &Call) -> Result<Settings, CallOutcome> {
        let expected = "a list of at most 100 origins, `https://app.example`";
        let origins = match call.payload.get("cors") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(all)) if all.len() <= ORIGINS_MAX => {
                let texts = all.iter().map(|one| one.as_str().filter(|text| is_origin(text)).map(str::to_owned));
                texts.collect::<Option<Vec<_>>>().ok_or_else(|| bad("cors", Value::Array(all.clone()), expected))?
            }
            Some(other) => return Err(bad("cors", other, expected)),
        };
        let refuses_writes = match text(call, "writes")? {
            None | Some("allowed") => false,
            Some("refused") => true,
            Some(other) => return Err(bad("writes", other, "`allowed` or `refused`")),
        };
        Ok(Settings { origins, refuses_writes })
    }

    pub(super) fn fingerprint(&self, config: &BucketConfig) -> String {
        let all = json!([EDITION, self.origins, self.refuses_writes, config.cdn_account]);
        fingerprint(&all.to_string())
    }
}

fn is_origin(text: &str) -> bool {
    text == "*" || ((text.starts_with("https://") || text.starts_with("http://")) && text.len() <= 256)
}

impl Buckets {
    /// Applies all settings. Each request replaces the whole setting, so repeating it is safe.
    pub(super) async fn apply_settings(&self, bucket: &str, settings: &Settings) -> Result<(), CallOutcome> {
        let is_aws = self.config.flavor == Flavor::Aws;
        if is_aws {
            let block = PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .ignore_public_acls(true)
                .block_public_policy(true)
                .restrict_public_buckets(true)
                .build();
            let put = self.client.put_public_access_block().bucket(bucket).public_access_block_configuration(block);
            put.send().await.in_request("s3:PutBucketPublicAccessBlock")?;
        }
        let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
        let by_default = by_default.map_err(|error| unbuilt(&error))?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
        let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let encryption = encryption.map_err(|error| unbuilt(&error))?;
        let put = self.client.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(encryption);
        put.send().await.in_request("s3:PutEncryptionConfiguration")?;
        self.apply_cors(bucket, settings).await?;
        if is_aws {
            let put = self.client.put_bucket_lifecycle_configuration().bucket(bucket);
            let response = put.lifecycle_configuration(lifecycle()?).send().await;
            response.in_request("s3:PutLifecycleConfiguration")?;
            self.apply_policy(bucket, settings).await?;
        }
        Ok(())
    }

    async fn apply_cors(&self, bucket: &str, settings: &Settings) -> Result<(), CallOutcome> {
        if settings.origins.is_empty() {
            let delete = self.client.delete_bucket_cors().bucket(bucket);
            delete.send().await.in_request("s3:PutBucketCORS").none_if(NO_CORS)?;
            return Ok(());
        }
        let rule = CorsRule::builder()
            .set_allowed_origins(Some(settings.origins.clone()))
            .set_allowed_methods(Some(["GET", "HEAD", "PUT", "POST"].map(str::to_owned).to_vec()))
            .allowed_headers("*")
            .expose_headers("ETag")
            .max_age_seconds(CORS_AGE_S)
            .build()
            .map_err(|error| unbuilt(&error))?;
        let cors = CorsConfiguration::builder().cors_rules(rule).build().map_err(|error| unbuilt(&error))?;
        let put = self.client.put_bucket_cors().bucket(bucket).cors_configuration(cors);
        put.send().await.in_request("s3:PutBucketCORS")?;
        Ok(())
    }

    async fn apply_policy(&self, bucket: &str, settings: &Settings) -> Result<(), CallOutcome> {
        match policy(bucket, settings.refuses_writes, self.config.cdn_account.as_deref()) {
            Some(policy) => {
                let put = self.client.put_bucket_policy().bucket(bucket).policy(policy.to_string());
                put.send().await.in_request("s3:PutBucketPolicy")?;
            }
            None => {
                let delete = self.client.delete_bucket_policy().bucket(bucket);
                delete.send().await.in_request("s3:DeleteBucketPolicy").none_if(NO_POLICY)?;
            }
        }
        Ok(())
    }
}

fn lifecycle() -> Result<BucketLifecycleConfiguration, CallOutcome> {
    let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(ABORT_DAYS).build();
    let rule = LifecycleRule::builder()
        .id("abort-incomplete-uploads")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .abort_incomplete_multipart_upload(abort)
        .build()
        .map_err(|error| unbuilt(&error))?;
    BucketLifecycleConfiguration::builder().rules(rule).build().map_err(|error| unbuilt(&error))
}

/// Builds the bucket policy, which applies in addition to IAM roles. None if it has no statements.
///
/// With a `cdn_account`, the distributions of that account may read objects. With `refuses_writes`, nobody may write
/// objects; objects can still be deleted, so that an account can get back under its quota.
fn policy(bucket: &str, refuses_writes: bool, cdn_account: Option<&str>) -> Option<Value> {
    let objects = format!("arn:aws:s3:::{bucket}/*");
    let mut statements = Vec::new();
    if let Some(account) = cdn_account {
        statements.push(json!({
            "Sid": "distributions-read",
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": objects,
            "Condition": {"StringEquals": {"AWS:SourceAccount": account}},
        }));
    }
    if refuses_writes {
        statements.push(json!({
            "Sid": "writes-refused",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": objects,
        }));
    }
    (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(payload: Value) -> Result<Settings, CallOutcome> {
        Settings::of(&Call { payload, ..Call::default() })
    }

    #[test]
    fn a_policy_has_only_the_required_statements() {
        assert_eq!(policy("b", false, None), None);
        let full = policy("b", true, Some("123456789012")).expect("a policy");
        let statements = full["Statement"].as_array().expect("statements");
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[0]["Condition"]["StringEquals"]["AWS:SourceAccount"], "123456789012");
        assert_eq!(
            (&statements[1]["Effect"], &statements[1]["Action"]),
            (&json!("Deny"), &json!("s3:PutObject")),
            "deleting stays allowed"
        );
        assert!(statements.iter().all(|statement| statement["Resource"] == "arn:aws:s3:::b/*"));
    }

    #[test]
    fn origins_and_writes_are_validated() {
        let read = settings(json!({"cors": ["https://a.example"], "writes": "refused"})).expect("settings");
        assert!(read.origins == ["https://a.example"] && read.refuses_writes);
        for payload in [json!({"cors": "https://a.example"}), json!({"cors": ["a.example"]}), json!({"writes": "no"})] {
            assert!(matches!(settings(payload), Err(CallOutcome::Refused { code, .. }) if code == "bad-payload"));
        }
    }

    #[test]
    fn different_settings_have_different_fingerprints() {
        let config = BucketConfig { flavor: Flavor::Aws, cdn_account: None, shared: Vec::new() };
        let print = |payload| settings(payload).expect("settings").fingerprint(&config);
        assert_eq!(print(json!({})), print(json!({"name": "x", "writes": "allowed"})));
        assert_ne!(print(json!({})), print(json!({"writes": "refused"})));
        assert_ne!(print(json!({})), print(json!({"cors": ["*"]})));
    }
}
