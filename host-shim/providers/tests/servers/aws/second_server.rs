//! Buckets on a server that supports only object requests, like another vendor's S3.

use crate::aws::raw::get;
use crate::aws::support::{aws, buckets, call};
use counterparts::S3rver;
use host_provider_api::{CallOutcome, Provider};
use host_providers::aws::Flavor;
use serde_json::json;

#[test]
fn a_signed_url_is_accepted_by_another_server() {
    let server = S3rver::start();
    let aws = aws(&server.url(), server.key());
    let key = aws_sdk_s3::config::Credentials::new(server.key().0, server.key().1, None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .http_client(host_providers::aws::https())
        .region(aws_sdk_s3::config::Region::new(crate::aws::support::REGION))
        .credentials_provider(key)
        .endpoint_url(server.url())
        .force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        s3.create_bucket().bucket("platform-images").send().await.expect("a bucket");
        let put = s3.put_object().bucket("platform-images").key("image");
        put.body(aws_sdk_s3::primitives::ByteStream::from_static(b"layers")).send().await.expect("an object");
    });
    let provider = buckets(&aws, Flavor::B2);
    let payload = json!({"bucket": "platform-images", "object": "image", "ttl_s": 60});
    let CallOutcome::Done(signed) = provider.call(&call("object.sign", "reader", "redeem:tok_1", 1, payload)) else {
        panic!("expected a signed URL");
    };
    let url = signed["url"].as_str().expect("an address");
    assert_eq!(get(url), (200, "layers".to_owned()));
    let (status, body) = get(&url.replace("Credential=S3RVER", "Credential=NOBODY"));
    assert!(status == 403 && body.contains("InvalidAccessKeyId"), "{status} {body}");
}

#[test]
fn an_unsupported_request_is_reported() {
    let server = S3rver::start();
    let provider = buckets(&aws(&server.url(), server.key()), Flavor::B2);
    let made = provider.call(&call("bucket.ensure", "lacking", "i_1/bucket", 1, json!({"name": "wanted-files"})));
    let outcome = format!("{made:?}");
    assert!(outcome.contains("s3:PutEncryptionConfiguration"), "the missing request is named: {outcome}");
}
