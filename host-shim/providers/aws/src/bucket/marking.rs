//! How a bucket says whose it is: by tags on AWS, by an object on B2.

use super::{ABSENT, Buckets, DENIED, Flavor, Whose, tags};
use crate::errors::{Told, Unless, unbuilt};
use crate::marks::Marks;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Tagging;
use host_provider_api::CallOutcome;
use serde_json::{Map, Value};

/// The object in which a bucket of B2 says whose it is.
pub(super) const MARKER: &str = ".provisioner.json";
/// Bytes of that object at most.
const MARKER_MAX: i64 = 64 * 1024;
const UNTAGGED: &[&str] = &["NoSuchTagSet", "NoSuchTagSetError"];
const NO_OBJECT: &[&str] = &["NoSuchKey"];

impl Buckets {
    pub(super) async fn marks(&self, bucket: &str) -> Result<Whose, CallOutcome> {
        match self.config.flavor {
            Flavor::Aws => self.marks_in_tags(bucket).await,
            Flavor::B2 => self.marks_in_object(bucket).await,
        }
    }

    async fn marks_in_tags(&self, bucket: &str) -> Result<Whose, CallOutcome> {
        let asked = self.client.get_bucket_tagging().bucket(bucket).send().await.told("s3:GetBucketTagging");
        match asked {
            Ok(found) => {
                let tags = found.tag_set.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()));
                Ok(Marks::read(tags).map_or(Whose::Unmarked, |marks| Whose::Marked(Box::new(marks))))
            }
            Err(failure) if failure.is(ABSENT) => Ok(Whose::Nobodys),
            Err(failure) if failure.is(UNTAGGED) => Ok(Whose::Unmarked),
            Err(failure) if failure.is(DENIED) => Ok(Whose::Another),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn marks_in_object(&self, bucket: &str) -> Result<Whose, CallOutcome> {
        let asked = self.client.get_object().bucket(bucket).key(MARKER).send().await.told("s3:GetObject");
        match asked {
            Ok(found) if found.content_length.unwrap_or(i64::MAX) > MARKER_MAX => Ok(Whose::Another),
            Ok(found) => {
                let unread = |_| CallOutcome::retry("bad-answer", "s3:GetObject: the answer ended before its end");
                let bytes = found.body.collect().await.map_err(unread)?.into_bytes();
                let members: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
                let texts = members.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
                // An object of this name that says something else is somebody's.
                Ok(Marks::read(texts).map_or(Whose::Another, |marks| Whose::Marked(Box::new(marks))))
            }
            Err(failure) if failure.is(ABSENT) => Ok(Whose::Nobodys),
            Err(failure) if failure.is(NO_OBJECT) => Ok(Whose::Unmarked),
            Err(failure) if failure.is(DENIED) => Ok(Whose::Another),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Writes the marks on a bucket.
    pub(super) async fn mark(&self, bucket: &str, marks: &Marks) -> Result<(), CallOutcome> {
        if self.config.flavor == Flavor::Aws {
            let tagging = Tagging::builder().set_tag_set(Some(tags(marks)?)).build();
            let tagging = tagging.map_err(|error| unbuilt(&error))?;
            let put = self.client.put_bucket_tagging().bucket(bucket).tagging(tagging);
            put.send().await.told("s3:PutBucketTagging")?;
            return Ok(());
        }
        let members: Map<String, Value> =
            marks.tags().into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let body = ByteStream::from(Value::Object(members).to_string().into_bytes());
        let put = self.client.put_object().bucket(bucket).key(MARKER).content_type("application/json").body(body);
        put.send().await.told("s3:PutObject")?;
        Ok(())
    }

    /// True if nothing is in the bucket but what marks it.
    pub(super) async fn is_empty(&self, bucket: &str) -> Result<bool, CallOutcome> {
        let asked = self.client.list_objects_v2().bucket(bucket).max_keys(2).send().await;
        let found = asked.told("s3:ListBucket").unless(ABSENT)?;
        let objects = found.and_then(|page| page.contents).unwrap_or_default();
        Ok(objects.iter().all(|object| object.key.as_deref() == Some(MARKER)))
    }
}
