//! Settings of a bucket: no public access, encryption, removal of incomplete uploads, CORS and its policy.

use super::{Buckets, Flavor};
use crate::aws::provider::errors::{InRequest, NoneIf, unbuilt};
use crate::aws::provider::payload::{bad, fingerprint, text};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CorsConfiguration, CorsRule, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use host_provider_api::{Call, CallOutcome, ResourceId};
use serde_json::{Value, json};

/// The tag with the fingerprint of the applied settings.
pub(super) const TAG: &str = "settings";
/// Version of the fixed settings below. Increment it when they change, so that each bucket gets them with its next call that contains
/// settings.
const EDITION: u32 = 2;
/// Days after which incomplete uploads are deleted.
const ABORT_DAYS: i32 = 7;
/// Maximum number of origins in `cors`.
const ORIGINS_MAX: usize = 100;
/// Seconds for which browsers cache a CORS response.
const CORS_AGE_S: i32 = 3600;
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

    pub(super) fn fingerprint(&self, policy: Option<&Value>) -> String {
        let all = json!([EDITION, self.origins, self.refuses_writes, policy]);
        fingerprint(&all.to_string())
    }
}

fn is_origin(text: &str) -> bool {
    text == "*" || ((text.starts_with("https://") || text.starts_with("http://")) && text.len() <= 256)
}

impl Buckets {
    /// Applies all settings. Each request replaces the whole setting, so repeating it is safe.
    pub(super) async fn apply_settings(
        &self,
        bucket: &str,
        settings: &Settings,
        policy: Option<&Value>,
    ) -> Result<(), CallOutcome> {
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
        }
        if let Some(policy) = policy {
            let put = self.client.put_bucket_policy().bucket(bucket).policy(policy.to_string());
            put.send().await.in_request("s3:PutBucketPolicy")?;
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

    /// Returns the policy of a bucket on AWS. B2 has no policies. Fails if the policy would lock out the host.
    pub(super) async fn policy(
        &self,
        bucket: &str,
        id: &ResourceId,
        settings: &Settings,
    ) -> Result<Option<Value>, CallOutcome> {
        if self.config.flavor == Flavor::B2 {
            return Ok(None);
        }
        let allowed = match &self.config.tenants {
            None => Vec::new(),
            Some(tenants) => {
                let host = self.aws.identity().await?;
                if !host.is_among(tenants.operators()) {
                    let problem = format!("`operators` lacks the host's own principal, `{}`", host.arn);
                    return Err(CallOutcome::refused("bad-settings", problem));
                }
                let roles = tenants.of_tenant(id, &host.partition, &host.account);
                [roles].into_iter().chain(tenants.operators().iter().cloned()).collect()
            }
        };
        let arn = format!("arn:{}:s3:::{bucket}", self.aws.partition());
        Ok(Some(policy(&arn, &allowed, settings.refuses_writes, self.config.cdn_account.as_deref())))
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

/// Builds the policy of the bucket with this ARN, which applies in addition to the policies of the principals. Requests without TLS are
/// denied.
///
/// If `allowed` is not empty, it contains the ARNs of the only principals that may use the bucket; AWS services need a permission in this
/// policy anyway. With a `cdn_account`, the distributions of that account may read objects. With `refuses_writes`, nobody may write
/// objects, but they can still be deleted, so that an account can get back under its quota.
fn policy(arn: &str, allowed: &[String], refuses_writes: bool, cdn_account: Option<&str>) -> Value {
    let objects = format!("{arn}/*");
    let everything = json!([arn, objects]);
    let mut statements = vec![json!({
        "Sid": "tls-alone",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": everything,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })];
    if !allowed.is_empty() {
        statements.push(json!({
            "Sid": "tenant-alone",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": everything,
            "Condition": {
                "ArnNotLike": {"aws:PrincipalArn": allowed},
                "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
            },
        }));
    }
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
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(payload: Value) -> Result<Settings, CallOutcome> {
        Settings::of(&Call { payload, ..Call::default() })
    }

    fn tls_alone() -> Value {
        json!({
            "Sid": "tls-alone", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        })
    }

    #[test]
    fn a_policy_without_settings_denies_requests_without_tls_alone() {
        assert_eq!(
            policy("arn:aws:s3:::b", &[], false, None),
            json!({"Version": "2012-10-17", "Statement": [tls_alone()]})
        );
    }

    #[test]
    fn a_policy_denies_every_principal_but_the_tenants_roles_and_the_operators() {
        let allowed = ["arn:aws:iam::123456789012:role/tenants/sbp-x-*", "arn:aws:iam::123456789012:role/host"]
            .map(str::to_owned);
        let expected = json!({"Version": "2012-10-17", "Statement": [
            tls_alone(),
            {
                "Sid": "tenant-alone", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
                "Condition": {
                    "ArnNotLike": {"aws:PrincipalArn": [
                        "arn:aws:iam::123456789012:role/tenants/sbp-x-*", "arn:aws:iam::123456789012:role/host",
                    ]},
                    "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                },
            },
            {
                "Sid": "distributions-read", "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"},
                "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
                "Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}},
            },
            {
                "Sid": "writes-refused", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::b/*",
            },
        ]});
        assert_eq!(policy("arn:aws:s3:::b", &allowed, true, Some("123456789012")), expected, "deleting stays allowed");
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
        let print = |payload| settings(payload).expect("settings").fingerprint(None);
        assert_eq!(print(json!({})), print(json!({"name": "x", "writes": "allowed"})));
        assert_ne!(print(json!({})), print(json!({"writes": "refused"})));
        assert_ne!(print(json!({})), print(json!({"cors": ["*"]})));
        let other =
            settings(json!({})).expect("settings").fingerprint(Some(&policy("arn:aws:s3:::b", &[], false, None)));
        assert_ne!(print(json!({})), other, "a new policy is applied to buckets that exist");
    }
}
