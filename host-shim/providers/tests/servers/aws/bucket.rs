//! Buckets on S3.

use crate::aws::raw::get;
use crate::aws::support::{TestEnv, buckets, call, done, held, other, refused, state, states};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use counterparts::Fault;
use host_provider_api::{CallOutcome, Provider, conformance};
use host_providers::aws::Flavor;
use serde_json::json;

/// Deletes the bucket's policy, which denies requests without TLS. moto has no TLS.
fn admit_http(env: &TestEnv, bucket: &str) {
    let s3 = env.s3();
    let put = s3.put_object().bucket(bucket).key("a").body(ByteStream::from_static(b"x"));
    assert!(env.block_on(put.send()).is_err(), "the policy denies a request without TLS");
    env.block_on(s3.delete_bucket_policy().bucket(bucket).send()).expect("a deletion");
}

// covers: SOL-24
#[test]
fn buckets_conform_on_both_flavors() {
    let env = TestEnv::isolated();
    for (aws, flavor) in [(env.aws(), Flavor::Aws), (env.b2(), Flavor::B2)] {
        let provider = buckets(&aws, flavor);
        assert_eq!(conformance::check(&provider, "bucket", &json!({})), Ok(()), "{flavor:?}");
        assert_eq!(conformance::check(&provider, "bucket", &json!({"name": "conforming"})), Ok(()), "{flavor:?}");
    }
}

#[test]
fn a_bucket_is_private_encrypted_and_drops_incomplete_uploads() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    let payload = json!({"name": "private-files", "cors": ["https://app.example"]});
    let ensure = call("bucket.ensure", "private", "i_1/bucket", 1, payload);
    let outputs = done(&provider, &ensure);
    assert_eq!(outputs, json!({"id": "private-files", "bucket": "private-files"}));
    let s3 = env.s3();
    let block = env.block_on(s3.get_public_access_block().bucket("private-files").send()).expect("a block");
    let block = block.public_access_block_configuration.expect("a block");
    let all =
        [block.block_public_acls, block.block_public_policy, block.ignore_public_acls, block.restrict_public_buckets];
    assert_eq!(all, [Some(true); 4]);
    let encryption = env.block_on(s3.get_bucket_encryption().bucket("private-files").send()).expect("an encryption");
    assert_eq!(encryption.server_side_encryption_configuration.expect("an encryption").rules.len(), 1);
    let lifecycle = env.block_on(s3.get_bucket_lifecycle_configuration().bucket("private-files").send());
    let rules = lifecycle.expect("a lifecycle").rules.expect("rules");
    let days = rules[0].abort_incomplete_multipart_upload.as_ref().and_then(|abort| abort.days_after_initiation);
    assert_eq!(days, Some(7));
    let cors = || env.block_on(s3.get_bucket_cors().bucket("private-files").send()).map_err(drop);
    assert_eq!(cors().expect("a rule").cors_rules.expect("rules")[0].allowed_origins, ["https://app.example"]);

    // A change in place removes the old settings.
    let mut change = other(&ensure, "change", 2);
    change.payload = json!({"name": "private-files", "writes": "refused"});
    assert_eq!(done(&provider, &change), outputs);
    assert!(cors().is_err(), "no rule is left");
    let policy = || env.block_on(s3.get_bucket_policy().bucket("private-files").send()).map_err(drop);
    assert!(policy().expect("a policy").policy.expect("a policy").contains("writes-refused"));
    change.payload["writes"] = json!("allowed");
    done(&provider, &change);
    let policy = policy().expect("a policy").policy.expect("a policy");
    assert!(policy.contains("aws:SecureTransport") && !policy.contains("writes-refused"), "{policy}");
}

#[test]
fn a_later_change_to_the_old_settings_reverts_an_interrupted_change() {
    let env = TestEnv::shared();
    let provider = buckets(&env.via_proxy(), Flavor::Aws);
    let ensure = call("bucket.ensure", "half", "i_1/bucket", 1, json!({"name": "half-files"}));
    done(&provider, &ensure);
    let mut change = other(&ensure, "change", 2);
    change.payload = json!({"name": "half-files", "cors": ["https://app.example"], "writes": "refused"});
    env.proxy.fail_with("?policy HTTP", Fault::Status(500, None));
    let CallOutcome::Retry { code, .. } = provider.call(&change) else { panic!("expected the policy to fail") };
    assert_eq!((code.as_str(), env.proxy.struck()), ("unavailable", 1));
    let before = other(&ensure, "change", 3);
    done(&provider, &before);
    let cors = env.block_on(env.s3().get_bucket_cors().bucket("half-files").send());
    assert!(cors.is_err(), "the rule of the abandoned settings is gone");
}

#[test]
fn a_repeated_call_writes_nothing() {
    let env = TestEnv::shared();
    let provider = buckets(&env.via_proxy(), Flavor::Aws);
    let ensure = call("bucket.ensure", "again", "i_1/bucket", 1, json!({"name": "again-files"}));
    done(&provider, &ensure);
    env.proxy.clear();
    done(&provider, &ensure);
    let seen = env.proxy.seen();
    assert!(seen.len() == 1 && seen[0].starts_with("GET "), "{seen:?}");
}

#[test]
fn a_state_is_recorded_and_changes_nothing_else() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    let ensure = call("bucket.ensure", "noted", "i_1/bucket", 1, json!({"name": "noted-files"}));
    let outputs = done(&provider, &ensure);
    done(&provider, &state(&ensure, 2, "suspended"));
    assert_eq!(states(&provider, "noted"), [("i_1/bucket".to_owned(), "suspended".to_owned())]);
    let seen = done(&provider, &other(&ensure, "observe", 2));
    assert_eq!(seen, json!({"exists": true, "state": "suspended", "outputs": outputs, "bytes": 0}));
}

#[test]
fn destroy_deletes_all_objects_and_versions() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    let ensure = call("bucket.ensure", "full", "i_1/bucket", 1, json!({"name": "full-files"}));
    done(&provider, &ensure);
    admit_http(&env, "full-files");
    let s3 = env.s3();
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = s3.put_bucket_versioning().bucket("full-files").versioning_configuration(versioning);
    env.block_on(put.send()).expect("versions");
    env.block_on(async {
        // More than one page of a list.
        for number in 0..1050 {
            let put = s3.put_object().bucket("full-files").key(format!("file-{}", number % 600));
            put.body(ByteStream::from_static(b"x")).send().await.expect("an object");
        }
        for number in 0..5 {
            let delete = s3.delete_object().bucket("full-files").key(format!("file-{number}"));
            delete.send().await.expect("a delete marker");
        }
        let begin = s3.create_multipart_upload().bucket("full-files").key("large");
        begin.send().await.expect("an incomplete upload");
    });
    let destroy = other(&ensure, "destroy", 2);
    assert_eq!(done(&provider, &destroy), json!({}));
    assert_eq!(held(&provider, "full"), []);
    assert!(env.block_on(s3.head_bucket().bucket("full-files").send()).is_err(), "the bucket is gone");
    assert_eq!(done(&provider, &destroy), json!({}), "also when nothing is left");
}

#[test]
fn a_name_of_another_resource_is_refused_and_left_alone() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    let of = |account: &str, name: &str| call("bucket.ensure", account, "i_1/bucket", 1, json!({ "name": name }));
    let outputs = done(&provider, &of("owner", "contested-files"));
    assert_eq!(refused(&provider, &of("rival", "contested-files")), "name-taken");
    assert_eq!(done(&provider, &other(&of("rival", "contested-files"), "destroy", 2)), json!({}));
    assert_eq!(done(&provider, &of("owner", "contested-files")), outputs);
    let s3 = env.s3();
    let location = aws_sdk_s3::types::BucketLocationConstraint::EuCentral1;
    let there = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(location).build();
    let create = s3.create_bucket().bucket("persons-files").create_bucket_configuration(there);
    env.block_on(create.send()).expect("a bucket created by a person");
    assert_eq!(refused(&provider, &of("rival", "persons-files")), "name-taken");
    assert_eq!(done(&provider, &other(&of("rival", "persons-files"), "destroy", 2)), json!({}));
    assert!(env.block_on(s3.head_bucket().bucket("persons-files").send()).is_ok(), "it is still there");
    for name in ["UPPER", "a", "under_score", "-files"] {
        assert_eq!(refused(&provider, &of("rival", name)), "bad-name", "{name}");
    }
}

#[test]
fn a_bucket_created_by_a_person_is_adopted_if_it_is_empty() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    let s3 = env.s3();
    for name in ["handmade-empty", "handmade-full"] {
        let location = aws_sdk_s3::types::BucketLocationConstraint::EuCentral1;
        let there = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(location).build();
        env.block_on(s3.create_bucket().bucket(name).create_bucket_configuration(there).send()).expect("a bucket");
    }
    let put = s3.put_object().bucket("handmade-full").key("a").body(ByteStream::from_static(b"x"));
    env.block_on(put.send()).expect("an object");
    let adopt = |name: &str| {
        let payload = json!({"name": "wanted-files", "adopt": true, "outputs": {"bucket": name}});
        call("bucket.observe", "taking", "i_1/bucket", 1, payload)
    };
    assert_eq!(refused(&provider, &adopt("handmade-full")), "not-empty");
    assert_eq!(refused(&provider, &adopt("handmade-nowhere")), "not-found");
    assert_eq!(done(&provider, &adopt("handmade-empty"))["outputs"]["bucket"], "handmade-empty");
    let ensure = call("bucket.ensure", "taking", "i_1/bucket", 2, json!({"name": "wanted-files"}));
    assert_eq!(done(&provider, &ensure)["bucket"], "handmade-empty", "it is found by its tags");
    assert_eq!(held(&provider, "taking").len(), 1);
}

#[test]
fn an_older_generation_is_superseded() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    let ensure = call("bucket.ensure", "older", "i_1/bucket", 5, json!({}));
    done(&provider, &ensure);
    for verb in ["ensure", "change", "destroy"] {
        assert_eq!(refused(&provider, &other(&ensure, verb, 4)), "superseded", "{verb}");
    }
}

// covers: PLG-46
#[test]
fn an_object_is_signed_for_its_account_and_can_be_fetched() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    done(&provider, &call("bucket.ensure", "signing", "i_1/bucket", 1, json!({"name": "signed-files"})));
    admit_http(&env, "signed-files");
    let s3 = env.s3();
    let put = s3.put_object().bucket("signed-files").key("a b/é.txt").body(ByteStream::from_static(b"in it"));
    env.block_on(put.send()).expect("an object");
    let sign = |account: &str, bucket: &str, ttl_s: i64| {
        let payload =
            json!({"bucket": bucket, "key": "a b/é.txt", "ttl_s": ttl_s, "expires_at": "2026-01-01T00:15:00Z"});
        call("object.sign", account, "redeem:tok_1", 1, payload)
    };
    let url = done(&provider, &sign("signing", "signed-files", 900));
    let url = url["url"].as_str().expect("an address");
    assert!(url.contains("X-Amz-Expires=900") && url.contains("X-Amz-Signature="), "{url}");
    assert_eq!(get(url), (200, "in it".to_owned()));
    assert_eq!(refused(&provider, &sign("rival", "signed-files", 900)), "not-found", "another account's");
    assert_eq!(refused(&provider, &sign("signing", "nobodys-files", 900)), "not-found");
    assert!(done(&provider, &sign("rival", "platform-images", 900))["url"].is_string(), "the platform's own");
    assert_eq!(refused(&provider, &sign("signing", "signed-files", 604_801)), "bad-payload");
    assert_eq!(refused(&provider, &sign("signing", "signed-files", 0)), "bad-payload");
}

#[test]
fn observe_reports_the_bytes_of_the_current_objects() {
    let env = TestEnv::shared();
    let provider = buckets(&env.aws(), Flavor::Aws);
    let ensure = call("bucket.ensure", "measured", "i_1/bucket", 1, json!({"name": "measured-files"}));
    done(&provider, &ensure);
    let bytes = || done(&provider, &other(&ensure, "observe", 1))["bytes"].clone();
    admit_http(&env, "measured-files");
    assert_eq!(bytes(), 0);
    let s3 = env.s3();
    let put = |key: &str, body: &'static [u8]| {
        let put = s3.put_object().bucket("measured-files").key(key).body(ByteStream::from_static(body));
        env.block_on(put.send()).expect("an object");
    };
    put("a", b"12345");
    put("b/c", b"123");
    assert_eq!(bytes(), 8);
    put("a", b"1");
    assert_eq!(bytes(), 4, "an object counts once");
}

#[test]
fn all_pages_of_a_bucket_are_measured_and_a_huge_one_is_not() {
    let env = TestEnv::shared();
    let pages = |count: usize| {
        let mut page = 0;
        crate::aws::rule_proxy::RuleProxy::start(env.address(), move |request, _| {
            if !request.line.contains("list-type=2") {
                return None;
            }
            page += 1;
            let more = match page % count {
                0 => String::new(),
                next => {
                    format!("<IsTruncated>true</IsTruncated><NextContinuationToken>t{next}</NextContinuationToken>")
                }
            };
            let object = "<Contents><Key>k</Key><Size>10</Size></Contents>";
            let body = format!("<ListBucketResult>{more}{object}{object}</ListBucketResult>");
            Some(crate::aws::rule_proxy::answer(200, "Content-Type: application/xml\r\n", &body))
        })
    };
    let ensure = call("bucket.ensure", "paged", "i_1/bucket", 1, json!({"name": "paged-files"}));
    done(&buckets(&env.aws(), Flavor::Aws), &ensure);
    for (count, expected) in [(1, json!(20)), (100, json!(2000)), (101, json!(null))] {
        let proxy = pages(count);
        let provider = buckets(&crate::aws::support::aws(&proxy.url(), ("test", "test")), Flavor::Aws);
        let seen = done(&provider, &other(&ensure, "observe", 1));
        assert_eq!((&seen["exists"], &seen["bytes"]), (&json!(true), &expected), "{count} pages");
    }
}
