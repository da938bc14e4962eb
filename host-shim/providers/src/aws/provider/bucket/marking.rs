//! Reads and writes the ownership marks of a bucket: tags on AWS, an object on B2.

use super::{ABSENT, Buckets, DENIED, Flavor, Ownership, tags};
use crate::aws::provider::errors::{InRequest, NoneIf, unbuilt};
use crate::aws::provider::marks::Marks;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Tagging;
use host_provider_api::CallOutcome;
use serde_json::{Map, Value};

/// The object with the marks of a B2 bucket.
pub(super) const MARKER: &str = ".provisioner.json";
/// Maximum size of the object `MARKER` in bytes.
const MARKER_MAX: i64 = 64 * 1024;
const UNTAGGED: &[&str] = &["NoSuchTagSet", "NoSuchTagSetError"];
const NO_OBJECT: &[&str] = &["NoSuchKey"];

impl Buckets {
    pub(super) async fn marks(&self, bucket: &str) -> Result<Ownership, CallOutcome> {
        match self.config.flavor {
            Flavor::Aws => self.marks_in_tags(bucket).await,
            Flavor::B2 => self.marks_in_object(bucket).await,
        }
    }

    async fn marks_in_tags(&self, bucket: &str) -> Result<Ownership, CallOutcome> {
        let response = self.client.get_bucket_tagging().bucket(bucket).send().await.in_request("s3:GetBucketTagging");
        match response {
            Ok(found) => {
                let tags = found.tag_set.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()));
                Ok(Marks::read(tags).map_or(Ownership::Unmarked, |marks| Ownership::Marked(Box::new(marks))))
            }
            Err(failure) if failure.is(ABSENT) => Ok(Ownership::NoBucket),
            Err(failure) if failure.is(UNTAGGED) => Ok(Ownership::Unmarked),
            Err(failure) if failure.is(DENIED) => Ok(Ownership::Inaccessible),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn marks_in_object(&self, bucket: &str) -> Result<Ownership, CallOutcome> {
        let response = self.client.get_object().bucket(bucket).key(MARKER).send().await.in_request("s3:GetObject");
        match response {
            Ok(found) if found.content_length.unwrap_or(i64::MAX) > MARKER_MAX => Ok(Ownership::Inaccessible),
            Ok(found) => {
                let unread = |_| CallOutcome::retry("bad-answer", "s3:GetObject: the response body is incomplete");
                let bytes = found.body.collect().await.map_err(unread)?.into_bytes();
                let members: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
                let texts = members.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
                // An object of this name with different contents belongs to somebody else.
                Ok(Marks::read(texts).map_or(Ownership::Inaccessible, |marks| Ownership::Marked(Box::new(marks))))
            }
            Err(failure) if failure.is(ABSENT) => Ok(Ownership::NoBucket),
            Err(failure) if failure.is(NO_OBJECT) => Ok(Ownership::Unmarked),
            Err(failure) if failure.is(DENIED) => Ok(Ownership::Inaccessible),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Writes the marks of a bucket.
    pub(super) async fn mark(&self, bucket: &str, marks: &Marks) -> Result<(), CallOutcome> {
        if self.config.flavor == Flavor::Aws {
            let tagging = Tagging::builder().set_tag_set(Some(tags(marks)?)).build();
            let tagging = tagging.map_err(|error| unbuilt(&error))?;
            let put = self.client.put_bucket_tagging().bucket(bucket).tagging(tagging);
            put.send().await.in_request("s3:PutBucketTagging")?;
            return Ok(());
        }
        let members: Map<String, Value> =
            marks.tags().into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let body = ByteStream::from(Value::Object(members).to_string().into_bytes());
        let put = self.client.put_object().bucket(bucket).key(MARKER).content_type("application/json").body(body);
        put.send().await.in_request("s3:PutObject")?;
        Ok(())
    }

    /// Returns true if the bucket contains nothing but the marks.
    pub(super) async fn is_empty(&self, bucket: &str) -> Result<bool, CallOutcome> {
        let response = self.client.list_objects_v2().bucket(bucket).max_keys(2).send().await;
        let found = response.in_request("s3:ListBucket").none_if(ABSENT)?;
        let objects = found.and_then(|page| page.contents).unwrap_or_default();
        Ok(objects.iter().all(|object| object.key.as_deref() == Some(MARKER)))
    }
}
