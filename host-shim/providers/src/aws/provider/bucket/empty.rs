//! Empties and deletes a bucket. A large bucket takes several calls.

use super::marking::MARKER;
use super::{ABSENT, Buckets, Flavor, POLL_MS};
use crate::aws::provider::errors::{InRequest, NoneIf, unbuilt};
use crate::aws::provider::poll::poll_later;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use host_provider_api::{Call, CallOutcome};
use serde_json::json;

/// Pages of objects that one call deletes: at most 10,000 objects on AWS and 1,000 on B2.
const PAGES: usize = 10;
/// Objects per page if the server needs one request to delete each object, or does not list versions.
const SINGLY: i32 = 100;
const NO_VERSIONS: &[&str] = &["NotImplemented"];
const NOT_EMPTY: &[&str] = &["BucketNotEmpty"];

/// Key and version of an object. Objects of unversioned buckets have no version.
type Version = (String, Option<String>);

impl Buckets {
    /// Deletes all objects, then the bucket. The object with the marks is deleted last, so that the call after an
    /// interrupted deletion finds the bucket again.
    pub(super) async fn destroy(&self, call: &Call, bucket: &str) -> Result<CallOutcome, CallOutcome> {
        for _ in 0..PAGES {
            let Some(page) = self.versions(bucket).await? else { return Ok(CallOutcome::Done(json!({}))) };
            let (marker, others): (Vec<Version>, Vec<Version>) = page.into_iter().partition(|(key, _)| key == MARKER);
            match (others.is_empty(), marker.is_empty()) {
                (false, _) => self.delete(bucket, others).await?,
                (true, false) => self.delete(bucket, marker).await?,
                (true, true) => return self.remove(call, bucket).await,
            }
        }
        Ok(poll_later(call, bucket, POLL_MS))
    }

    /// Returns the first page of the bucket's object versions and delete markers. None if there is no such bucket.
    async fn versions(&self, bucket: &str) -> Result<Option<Vec<Version>>, CallOutcome> {
        let list = self.client.list_object_versions().bucket(bucket);
        let list = if self.config.flavor == Flavor::B2 { list.max_keys(SINGLY) } else { list };
        match list.send().await.in_request("s3:ListBucketVersions") {
            Ok(page) => Ok(Some(all(page))),
            Err(failure) if failure.is(ABSENT) => Ok(None),
            Err(failure) if failure.is(NO_VERSIONS) => {
                let list = self.client.list_objects_v2().bucket(bucket).max_keys(SINGLY);
                let page = list.send().await.in_request("s3:ListBucket").none_if(ABSENT)?;
                Ok(page.map(|page| {
                    let keys = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
                    keys.map(|key| (key, None)).collect()
                }))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn delete(&self, bucket: &str, page: Vec<Version>) -> Result<(), CallOutcome> {
        if self.config.flavor == Flavor::B2 {
            // A request that deletes several objects has one of the newer checksums, which B2 rejects.
            for (key, version) in page {
                let delete = self.client.delete_object().bucket(bucket).key(key).set_version_id(version);
                delete.send().await.in_request("s3:DeleteObjectVersion").none_if(ABSENT)?;
            }
            return Ok(());
        }
        let objects: Result<Vec<_>, _> = page
            .into_iter()
            .map(|(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version).build())
            .collect();
        let objects = objects.map_err(|error| unbuilt(&error))?;
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|error| unbuilt(&error))?;
        let response = self.client.delete_objects().bucket(bucket).delete(delete).send().await;
        let Some(done) = response.in_request("s3:DeleteObjectVersion").none_if(ABSENT)? else { return Ok(()) };
        match done.errors.unwrap_or_default().first() {
            None => Ok(()),
            Some(error) => {
                let code = error.code.as_deref().unwrap_or("no code given");
                let message = format!("objects of `{bucket}` can't be deleted: {code}");
                match code {
                    "AccessDenied" => Err(CallOutcome::refused("access-denied", message)),
                    _ => Err(CallOutcome::retry("not-deleted", message)),
                }
            }
        }
    }

    /// Deletes the empty bucket. If the server refuses, aborts incomplete uploads, which prevent the deletion on some
    /// servers, and asks for a poll.
    async fn remove(&self, call: &Call, bucket: &str) -> Result<CallOutcome, CallOutcome> {
        let response = self.client.delete_bucket().bucket(bucket).send().await.in_request("s3:DeleteBucket");
        match response {
            Ok(_) => Ok(CallOutcome::Done(json!({}))),
            Err(failure) if failure.is(ABSENT) => Ok(CallOutcome::Done(json!({}))),
            Err(failure) if failure.is(NOT_EMPTY) => {
                let list = self.client.list_multipart_uploads().bucket(bucket);
                let uploads =
                    list.send().await.in_request("s3:ListBucketMultipartUploads")?.uploads.unwrap_or_default();
                for upload in uploads {
                    let abort = self.client.abort_multipart_upload().bucket(bucket);
                    let abort = abort.set_key(upload.key).set_upload_id(upload.upload_id);
                    abort.send().await.in_request("s3:AbortMultipartUpload").none_if(&["NoSuchUpload"])?;
                }
                Ok(poll_later(call, bucket, POLL_MS))
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

fn all(page: ListObjectVersionsOutput) -> Vec<Version> {
    let objects = page.versions.unwrap_or_default().into_iter().map(|one| (one.key, one.version_id));
    let deleted = page.delete_markers.unwrap_or_default().into_iter().map(|one| (one.key, one.version_id));
    objects.chain(deleted).filter_map(|(key, version)| Some((key?, version))).collect()
}
