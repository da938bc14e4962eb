//! What a bucket is set to: nobody outside reads it, what is in it is encrypted, what was begun and never ended goes.

use super::{BucketConfig, Buckets, Flavor};
use crate::errors::{Told, Unless, unbuilt};
use crate::payload::{bad, fingerprint, text};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CorsConfiguration, CorsRule, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use host_provider_api::{Call, CallOutcome};
use serde_json::{Value, json};

/// The tag that says which settings a bucket has.
pub(super) const TAG: &str = "settings";
/// Raised when the fixed settings below become others, so that buckets get them with their next change.
const EDITION: u32 = 1;
/// Days after which what was uploaded in part is thrown away.
const ABORT_DAYS: i32 = 7;
/// Origins in `cors` at most.
const ORIGINS_MAX: usize = 100;
/// Seconds for which a browser may remember what it was allowed.
const CORS_AGE_S: i32 = 3600;
const NO_POLICY: &[&str] = &["NoSuchBucketPolicy"];
const NO_CORS: &[&str] = &["NoSuchCORSConfiguration"];

/// What a payload says of a bucket's settings.
pub(super) struct Settings {
    /// Origins whose pages may read and write with a browser.
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
    /// Sets all settings; each is a write of the whole, so doing it again is doing it once.
    pub(super) async fn settle(&self, bucket: &str, settings: &Settings) -> Result<(), CallOutcome> {
        let is_aws = self.config.flavor == Flavor::Aws;
        if is_aws {
            let block = PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .ignore_public_acls(true)
                .block_public_policy(true)
                .restrict_public_buckets(true)
                .build();
            let put = self.client.put_public_access_block().bucket(bucket).public_access_block_configuration(block);
            put.send().await.told("s3:PutBucketPublicAccessBlock")?;
        }
        let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
        let by_default = by_default.map_err(|error| unbuilt(&error))?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
        let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let encryption = encryption.map_err(|error| unbuilt(&error))?;
        let put = self.client.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(encryption);
        put.send().await.told("s3:PutEncryptionConfiguration")?;
        self.settle_cors(bucket, settings).await?;
        if is_aws {
            let put = self.client.put_bucket_lifecycle_configuration().bucket(bucket);
            let asked = put.lifecycle_configuration(lifecycle()?).send().await;
            asked.told("s3:PutLifecycleConfiguration")?;
            self.settle_policy(bucket, settings).await?;
        }
        Ok(())
    }

    async fn settle_cors(&self, bucket: &str, settings: &Settings) -> Result<(), CallOutcome> {
        if settings.origins.is_empty() {
            let delete = self.client.delete_bucket_cors().bucket(bucket);
            delete.send().await.told("s3:PutBucketCORS").unless(NO_CORS)?;
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
        put.send().await.told("s3:PutBucketCORS")?;
        Ok(())
    }

    async fn settle_policy(&self, bucket: &str, settings: &Settings) -> Result<(), CallOutcome> {
        match policy(bucket, settings.refuses_writes, self.config.cdn_account.as_deref()) {
            Some(policy) => {
                let put = self.client.put_bucket_policy().bucket(bucket).policy(policy.to_string());
                put.send().await.told("s3:PutBucketPolicy")?;
            }
            None => {
                let delete = self.client.delete_bucket_policy().bucket(bucket);
                delete.send().await.told("s3:DeleteBucketPolicy").unless(NO_POLICY)?;
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

/// Who may do what with the objects, beside whom their own roles allow it; none if nothing is to be said.
///
/// Distributions of an account may read. Writes are refused to everybody; objects can still be deleted, which is how an
/// account comes back under its quota.
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
    fn a_policy_says_no_more_than_it_must() {
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
    fn origins_and_writes_are_read_or_refused() {
        let read = settings(json!({"cors": ["https://a.example"], "writes": "refused"})).expect("settings");
        assert!(read.origins == ["https://a.example"] && read.refuses_writes);
        for payload in [json!({"cors": "https://a.example"}), json!({"cors": ["a.example"]}), json!({"writes": "no"})] {
            assert!(matches!(settings(payload), Err(CallOutcome::Refused { code, .. }) if code == "bad-payload"));
        }
    }

    #[test]
    fn other_settings_have_another_fingerprint() {
        let config = BucketConfig { flavor: Flavor::Aws, cdn_account: None, shared: Vec::new() };
        let print = |payload| settings(payload).expect("settings").fingerprint(&config);
        assert_eq!(print(json!({})), print(json!({"name": "x", "writes": "allowed"})));
        assert_ne!(print(json!({})), print(json!({"writes": "refused"})));
        assert_ne!(print(json!({})), print(json!({"cors": ["*"]})));
    }
}
