//! The size of a bucket: the sum of its current objects.

use super::{Buckets, DENIED};
use crate::aws::provider::errors::{InRequest, NoneIf};
use host_provider_api::CallOutcome;

/// Maximum number of pages that are read, with at most 1000 objects each. A larger bucket is not measured.
const PAGES_MAX: usize = 100;

impl Buckets {
    /// Returns the size of all current objects in bytes. None for a bucket with more objects than are read, or one that
    /// the provider may not list.
    pub(super) async fn bytes(&self, name: &str) -> Result<Option<u64>, CallOutcome> {
        let (mut bytes, mut token) = (0_u64, None);
        for _ in 0..PAGES_MAX {
            let list = self.client.list_objects_v2().bucket(name).set_continuation_token(token);
            let Some(page) = list.send().await.in_request("s3:ListBucket").none_if(DENIED)? else { return Ok(None) };
            for object in page.contents.unwrap_or_default() {
                bytes = bytes.saturating_add(object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default());
            }
            token = page.next_continuation_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}
