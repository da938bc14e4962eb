//! Presigned URLs of objects.

use super::{Buckets, Ownership};
use crate::aws::provider::payload::{bad, needed, text, whole};
use aws_sdk_s3::presigning::PresigningConfig;
use host_provider_api::{Call, CallOutcome};
use serde_json::json;
use std::time::Duration;

/// Allowed lifetime of a URL in seconds; the signature version allows at most a week.
const TTL_S: (i32, i32) = (1, 7 * 24 * 3600);

impl Buckets {
    /// Signs a URL for an object in a shared bucket or in a bucket of this account. Does not check that the object
    /// exists.
    pub(super) async fn sign(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let bucket = needed(call, "bucket")?;
        let key = match text(call, "key")? {
            Some(key) => key,
            None => needed(call, "object")?,
        };
        let ttl_s = whole(call, "ttl_s", TTL_S.0, TTL_S.1)?;
        let ttl_s = ttl_s.ok_or_else(|| bad("ttl_s", "", "a whole number of seconds from 1 to 604800"))?;
        let is_shared = self.config.shared.iter().any(|shared| shared == bucket);
        if !is_shared {
            self.rules().check(bucket)?;
            let is_own = match self.marks(bucket).await? {
                Ownership::Marked(marks) => marks.id.scope == call.scope,
                _ => false,
            };
            if !is_own {
                return Err(CallOutcome::refused("not-found", format!("the account has no bucket `{bucket}`")));
            }
        }
        let for_how_long = Duration::from_secs(u64::from(ttl_s.unsigned_abs()));
        let signing = PresigningConfig::expires_in(for_how_long);
        let signing = signing.map_err(|error| CallOutcome::refused("bad-payload", error.to_string()))?;
        let signed = self.client.get_object().bucket(bucket).key(key).presigned(signing).await;
        let signed = signed.map_err(|error| {
            // Signing sends no request. It fails only without credentials, which may become available later.
            let reason = aws_sdk_s3::error::DisplayErrorContext(&error).to_string();
            CallOutcome::retry("no-credentials", reason.chars().take(300).collect::<String>())
        })?;
        Ok(CallOutcome::Done(json!({"url": signed.uri()})))
    }
}
