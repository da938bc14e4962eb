//! The files in the instance's own bucket.

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use notes::{BODY_MAX, StorageError};

/// Folder of the files in the bucket.
const FOLDER: &str = "notes";

/// A bucket. Region and credentials are those of the function's environment.
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    pub async fn open(name: String) -> Bucket {
        let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(tls.build_https()).load().await;
        Bucket { client: Client::new(&config), name }
    }

    pub async fn put(&self, note: &str, kind: &str, file: Bytes) -> Result<(), StorageError> {
        let put = self.client.put_object().bucket(&self.name).key(key(note));
        let put = put.content_type(kind).body(ByteStream::from(file));
        match put.send().await {
            Ok(_) => Ok(()),
            // The provider's policy denies writing when the plan's limit is reached.
            Err(error) if error.code() == Some("AccessDenied") => {
                eprintln!("error: {}", DisplayErrorContext(&error));
                Err(StorageError::BucketFull)
            }
            Err(error) => Err(failed(&error)),
        }
    }

    pub async fn get(&self, note: &str) -> Result<Option<Bytes>, StorageError> {
        let got = match self.client.get_object().bucket(&self.name).key(key(note)).send().await {
            Ok(got) => got,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let bytes = got.content_length().and_then(|bytes| usize::try_from(bytes).ok());
        if bytes.is_none_or(|bytes| bytes > BODY_MAX) {
            let found = bytes.map_or_else(|| "an unknown number of".to_owned(), |bytes| bytes.to_string());
            let problem = format!("the object `{}` has {found} bytes: expected at most {BODY_MAX}", key(note));
            return Err(StorageError::bucket(problem));
        }
        let file = got.body.collect().await.map_err(|error| failed(&error))?;
        Ok(Some(file.into_bytes()))
    }

    pub async fn delete(&self, note: &str) -> Result<(), StorageError> {
        let deleted = self.client.delete_object().bucket(&self.name).key(key(note)).send().await;
        deleted.map(drop).map_err(|error| failed(&error))
    }
}

fn key(note: &str) -> String {
    format!("{FOLDER}/{note}")
}

fn failed(error: &impl std::error::Error) -> StorageError {
    StorageError::bucket(DisplayErrorContext(error).to_string())
}
