//! Records on Route 53 and certificates of ACM for distributions. moto issues certificates and spreads changes at once;
//! tests of waiting use a rule proxy.

use crate::aws::rule_proxy::{RuleProxy, body_of, with_body};
use crate::aws::support::{CERTIFICATE, TestEnv, aws, call, distributions, done, held, other, refused, state, states};
use aws_sdk_acm::config::{Builder, Region};
use aws_sdk_route53::Client;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, HostedZoneConfig, ResourceRecord, ResourceRecordSet, RrType, Vpc, VpcRegion,
};
use host_provider_api::{Call, CallOutcome, Provider, conformance};
use host_providers::aws::{Aws, CdnConfig, Distributions, MANAGED_BY, OWNER};
use serde_json::{Value, json};

/// Returns the provider without a configured certificate.
pub fn without_certificate(aws: &Aws) -> Distributions {
    Distributions::new(aws, CdnConfig::default())
}

/// Makes a public zone with this name, and returns its id.
pub fn zone(env: &TestEnv, name: &str) -> String {
    let create = Client::new(&env.sdk()).create_hosted_zone().name(name).caller_reference(name).send();
    let made = env.block_on(create).expect("a zone").hosted_zone.expect("a zone");
    made.id.trim_start_matches("/hostedzone/").to_owned()
}

fn records(env: &TestEnv, zone: &str) -> Vec<ResourceRecordSet> {
    let list = Client::new(&env.sdk()).list_resource_record_sets().hosted_zone_id(zone).send();
    let all = env.block_on(list).expect("a list").resource_record_sets.into_iter();
    all.filter(|one| ![RrType::Ns, RrType::Soa].contains(&one.r#type)).collect()
}

/// Name, type and alias of the records of a zone.
fn aliases(env: &TestEnv, zone: &str) -> Vec<(String, RrType, Option<String>)> {
    let all = records(env, zone).into_iter();
    all.map(|one| (one.name, one.r#type, one.alias_target.map(|target| target.dns_name))).collect()
}

fn expected(host: &str, domain: &Value) -> Vec<(String, RrType, Option<String>)> {
    let domain = domain.as_str().map(str::to_owned);
    [RrType::A, RrType::Aaaa].map(|kind| (format!("{host}."), kind, domain.clone())).into()
}

fn change(env: &TestEnv, zone: &str, action: ChangeAction, record: ResourceRecordSet) {
    let change = Change::builder().action(action).resource_record_set(record).build().expect("a change");
    let batch = ChangeBatch::builder().changes(change).build().expect("a batch");
    let change = Client::new(&env.sdk()).change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send();
    env.block_on(change).expect("a change");
}

fn by_hand(env: &TestEnv, zone: &str, name: &str, kind: RrType, value: &str) {
    let value = ResourceRecord::builder().value(value).build().expect("a value");
    let record = ResourceRecordSet::builder().name(name).r#type(kind).ttl(60).resource_records(value);
    change(env, zone, ChangeAction::Create, record.build().expect("a record"));
}

/// ARNs and domains of the certificates in a region.
fn certificates(env: &TestEnv, region: &'static str) -> Vec<(String, String)> {
    let acm = aws_sdk_acm::Client::from_conf(Builder::from(&env.sdk()).region(Region::new(region)).build());
    let found = env.block_on(acm.list_certificates().send()).expect("a list").certificate_summary_list;
    let all = found.unwrap_or_default().into_iter();
    all.filter_map(|one| Some((one.certificate_arn?, one.domain_name?))).collect()
}

fn cdn(account: &str, host: &str, zone: &str) -> Call {
    let payload = json!({"host": host, "origin": "https://one.origin.example", "zone": zone});
    call("cdn.ensure", account, "i_1/cdn", 1, payload)
}

#[test]
fn distributions_with_a_zone_conform() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "conform.example");
    let payload = json!({"host": "a.conform.example", "origin": "https://one.origin.example", "zone": zone});
    for provider in [without_certificate(&env.aws()), distributions(&env.aws())] {
        assert_eq!(conformance::check(&provider, "cdn", &payload), Ok(()));
        assert_eq!(aliases(&env, &zone), [], "no record is left");
    }
}

// covers: SOL-26
#[test]
fn the_host_points_to_the_distribution_until_it_is_destroyed() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "shop.example");
    let provider = distributions(&env.via_proxy());
    let ensure = cdn("pointed", "app.shop.example", &format!("/hostedzone/{zone}"));
    let outputs = done(&provider, &ensure);
    assert_eq!(aliases(&env, &zone), expected("app.shop.example", &outputs["domain"]));
    let target = records(&env, &zone)[0].alias_target.clone().expect("an alias");
    assert_eq!((target.hosted_zone_id.as_str(), target.evaluate_target_health), ("Z2FDTNDATAQYW2", false));
    assert_eq!(certificates(&env, "us-east-1"), [], "the configured certificate is used");
    env.proxy.clear();
    assert_eq!(done(&provider, &ensure), outputs, "the same call again");
    assert!(
        !env.proxy.seen().iter().any(|line| line.contains("/rrset") && line.starts_with("POST")),
        "nothing is written"
    );

    // A suspended distribution keeps its records, and so does one whose payload names no zone any more.
    let alone = |generation, to: &str| Call { payload: json!({"state": to}), ..state(&ensure, generation, to) };
    done(&provider, &alone(2, "suspended"));
    assert_eq!(aliases(&env, &zone), expected("app.shop.example", &outputs["domain"]));
    done(&provider, &alone(3, "running"));

    // Another host of the same distribution gets the records.
    let mut moved = other(&ensure, "change", 4);
    moved.payload = json!({"host": "new.shop.example", "origin": "https://one.origin.example"});
    assert_eq!(done(&provider, &moved), outputs);
    assert_eq!(aliases(&env, &zone), expected("new.shop.example", &outputs["domain"]));

    env.proxy.clear();
    let mut destroy = other(&ensure, "destroy", 5);
    destroy.payload = json!({});
    assert_eq!(done(&provider, &destroy), json!({}));
    assert_eq!(aliases(&env, &zone), []);
    let seen = env.proxy.seen();
    let at = |method: &str, part: &str| seen.iter().position(|line| line.starts_with(method) && line.contains(part));
    let (records, disabled) = (at("POST ", "/rrset"), at("PUT ", "/distribution/"));
    assert!(records.is_some() && records < disabled && disabled < at("DELETE ", "/distribution/"), "{seen:?}");
}

#[test]
fn one_certificate_for_all_hosts_of_a_parent_is_requested_and_kept() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "sites.example");
    let provider = without_certificate(&env.aws());
    let of = |id: &str, host: &str| Call { key: format!("{id}/cdn/ensure"), ..cdn("shared", host, &zone) };
    let ensures = [("i_1", "one.sites.example"), ("i_2", "two.sites.example"), ("i_3", "a.b.sites.example")];
    let ensures = ensures.map(|(id, host)| of(id, host));
    let outputs = ensures.each_ref().map(|ensure| done(&provider, ensure));
    let made = certificates(&env, "us-east-1");
    let mut domains: Vec<&str> = made.iter().map(|(_, domain)| domain.as_str()).collect();
    domains.sort_unstable();
    assert_eq!(domains, ["*.b.sites.example", "*.sites.example"]);
    assert_eq!(certificates(&env, crate::aws::support::REGION), []);
    let shared = made.iter().find(|(_, domain)| domain == "*.sites.example").expect("the shared one").0.clone();
    for outputs in &outputs[..2] {
        let get =
            aws_sdk_cloudfront::Client::new(&env.sdk()).get_distribution().id(outputs["id"].as_str().expect("an id"));
        let there = env.block_on(get.send()).expect("a distribution").distribution.expect("a distribution");
        let viewer = there.distribution_config.and_then(|config| config.viewer_certificate).expect("a certificate");
        assert_eq!(viewer.acm_certificate_arn.as_ref(), Some(&shared));
    }
    let acm = aws_sdk_acm::Client::from_conf(Builder::from(&env.sdk()).region(Region::new("us-east-1")).build());
    let tags = env.block_on(acm.list_tags_for_certificate().certificate_arn(&shared).send()).expect("a list").tags;
    let tags: Vec<(String, Option<String>)> = tags.expect("tags").into_iter().map(|tag| (tag.key, tag.value)).collect();
    assert!(tags.contains(&(MANAGED_BY.to_owned(), Some(OWNER.to_owned()))), "{tags:?}");

    for ensure in &ensures {
        done(&provider, &other(ensure, "destroy", 2));
    }
    assert_eq!(held(&provider, "shared"), []);
    assert_eq!(certificates(&env, "us-east-1").len(), 2, "other hosts may need them");
    done(&provider, &Call { generation: 3, ..ensures[0].clone() });
    assert_eq!(certificates(&env, "us-east-1").len(), 2, "they are found again");
}

#[test]
fn a_certificate_of_a_person_is_not_used() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "persons.example");
    let acm = aws_sdk_acm::Client::from_conf(Builder::from(&env.sdk()).region(Region::new("us-east-1")).build());
    env.block_on(acm.request_certificate().domain_name("*.persons.example").send()).expect("a certificate");
    done(&without_certificate(&env.aws()), &cdn("person", "a.persons.example", &zone));
    assert_eq!(certificates(&env, "us-east-1").len(), 2);
}

#[test]
fn a_host_outside_the_zone_is_refused_before_anything_is_made() {
    let env = TestEnv::isolated();
    let inside = zone(&env, "inside.example");
    let vpc = Vpc::builder().vpc_region(VpcRegion::EuCentral1).vpc_id("vpc-1").build();
    let private = HostedZoneConfig::builder().private_zone(true).build();
    let create = Client::new(&env.sdk()).create_hosted_zone().name("private.example").caller_reference("p");
    let private = env.block_on(create.vpc(vpc).hosted_zone_config(private).send()).expect("a zone").hosted_zone;
    let private = private.expect("a zone").id;
    let provider = without_certificate(&env.aws());
    for (host, zone, expected) in [
        ("app.outside.example", inside.as_str(), "bad-payload"),
        ("appinside.example", &inside, "bad-payload"),
        ("app.inside.example", "Z0NOSUCHZONE", "bad-payload"),
        ("app.inside.example", "../zone", "bad-payload"),
        ("app.private.example", &private, "bad-payload"),
        // The record of the wildcard's certificate would lie outside the zone.
        ("inside.example", &inside, "bad-payload"),
        ("app.inside.example", "", "no-certificate"),
    ] {
        assert_eq!(refused(&provider, &cdn("outside", host, zone)), expected, "{host} {zone}");
    }
    assert_eq!((held(&provider, "outside"), certificates(&env, "us-east-1")), (Vec::new(), Vec::new()));
    let apex = cdn("outside", "inside.example", &inside);
    assert!(done(&distributions(&env.aws()), &apex)["id"].is_string(), "with {CERTIFICATE} it is possible");
    let restriction = &provider.restrictions("cdn")[0];
    assert_eq!((restriction.member, restriction.unless), ("host", Some("zone")));
    assert_eq!(distributions(&env.aws()).restrictions("cdn"), []);
}

#[test]
fn a_record_of_somebody_else_is_refused_and_left_alone() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "taken.example");
    let provider = distributions(&env.aws());
    by_hand(&env, &zone, "a.taken.example", RrType::A, "192.0.2.1");
    by_hand(&env, &zone, "c.taken.example", RrType::Cname, "elsewhere.example");
    by_hand(&env, &zone, "t.taken.example", RrType::Txt, "\"text\"");
    let before = aliases(&env, &zone);
    for host in ["a.taken.example", "c.taken.example"] {
        assert_eq!(refused(&provider, &cdn("taken", host, &zone)), "name-taken", "{host}");
    }
    assert_eq!((held(&provider, "taken"), aliases(&env, &zone)), (Vec::new(), before), "nothing was made");
    let ensure = cdn("taken", "t.taken.example", &zone);
    let outputs = done(&provider, &ensure);
    let mut moved = other(&ensure, "change", 2);
    moved.payload["host"] = json!("a.taken.example");
    assert_eq!(refused(&provider, &moved), "name-taken");
    done(&provider, &other(&ensure, "destroy", 3));
    let left: Vec<RrType> = aliases(&env, &zone).into_iter().map(|(_, kind, _)| kind).collect();
    assert_eq!(left, [RrType::A, RrType::Cname, RrType::Txt], "another type of record is no obstacle");

    // A record that still points to the resource's own lost distribution is ours.
    done(&provider, &Call { generation: 4, ..ensure.clone() });
    let there = records(&env, &zone).into_iter().find(|one| one.alias_target.is_some()).expect("an alias");
    let old = there.alias_target.expect("an alias").dns_name;
    let mut target = aws_sdk_route53::types::AliasTarget::builder().hosted_zone_id("Z2FDTNDATAQYW2");
    target = target.dns_name("dold.cloudfront.net").evaluate_target_health(false);
    let stale = ResourceRecordSet::builder().name("t.taken.example").r#type(RrType::A);
    let stale = stale.alias_target(target.build().expect("a target")).build().expect("a record");
    change(&env, &zone, ChangeAction::Upsert, stale);
    let again = Call { generation: 5, ..ensure.clone() };
    assert_eq!(refused(&provider, &again), "name-taken");
    let mut recorded = again;
    recorded.payload["outputs"] = json!({"id": outputs["id"], "domain": "dold.cloudfront.net"});
    done(&provider, &recorded);
    assert!(aliases(&env, &zone).iter().any(|(_, kind, to)| *kind == RrType::A && to.as_ref() == Some(&old)));
}

#[test]
fn the_records_move_to_another_zone() {
    let env = TestEnv::isolated();
    let (one, two) = (zone(&env, "moved.example"), zone(&env, "sub.moved.example"));
    let provider = distributions(&env.aws());
    let ensure = cdn("moved", "a.sub.moved.example", &one);
    let outputs = done(&provider, &ensure);
    let mut moved = other(&ensure, "change", 2);
    moved.payload["zone"] = json!(two);
    assert_eq!(done(&provider, &moved), outputs);
    assert_eq!(aliases(&env, &one), []);
    assert_eq!(aliases(&env, &two), expected("a.sub.moved.example", &outputs["domain"]));
    done(&provider, &other(&moved, "destroy", 3));
    assert_eq!(aliases(&env, &two), []);
}

#[test]
fn a_missing_record_is_drift_that_the_next_call_repairs() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "lost.example");
    let provider = distributions(&env.aws());
    let ensure = cdn("lost", "a.lost.example", &zone);
    let outputs = done(&provider, &ensure);
    assert_eq!(states(&provider, "lost"), [("i_1/cdn".to_owned(), "running".to_owned())]);
    change(&env, &zone, ChangeAction::Delete, records(&env, &zone).remove(1));
    assert_eq!(states(&provider, "lost"), [("i_1/cdn".to_owned(), "record-lost".to_owned())]);
    assert_eq!(done(&provider, &other(&ensure, "observe", 1))["state"], "record-lost");
    assert_eq!(done(&provider, &ensure), outputs);
    assert_eq!(states(&provider, "lost"), [("i_1/cdn".to_owned(), "running".to_owned())]);
}

/// Changes the descriptions of certificates with `edit`, which gets the number of the description.
fn acm(env: &TestEnv, mut edit: impl FnMut(usize, String) -> String + Send + 'static) -> RuleProxy {
    let mut number = 0;
    RuleProxy::start(env.address(), move |request, forward| {
        if !request.header("x-amz-target")?.ends_with("describecertificate") {
            return None;
        }
        number += 1;
        let answer = forward();
        Some(with_body(&answer, &edit(number, body_of(&answer).to_owned())))
    })
}

#[test]
fn a_distribution_waits_for_its_certificate_and_its_records() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "wait.example");
    let rule_proxy = acm(&env, |number, body| match number {
        1 => body.replace("\"ISSUED\"", "\"PENDING_VALIDATION\"").replace("\"ResourceRecord\"", "\"Later\""),
        2 | 3 => body.replace("\"ISSUED\"", "\"PENDING_VALIDATION\""),
        _ => body,
    });
    let provider = without_certificate(&aws(&rule_proxy.url(), ("test", "test")));
    let ensure = cdn("wait", "a.wait.example", &zone);
    let mut token = None;
    let mut delays = Vec::new();
    for poll in 0..3 {
        let CallOutcome::InProgress { after_ms, token: next } = provider.call(&Call { token, ..ensure.clone() }) else {
            panic!("expected progress")
        };
        delays.push(after_ms);
        token = Some(next);
        let of_validation = records(&env, &zone);
        assert_eq!(of_validation.len(), usize::from(poll > 0), "{of_validation:?}");
        assert!(of_validation.iter().all(|one| one.r#type == RrType::Cname && one.name.ends_with(".wait.example.")));
        assert_eq!(held(&provider, "wait"), [], "there is no distribution yet");
    }
    assert!(delays[0] < delays[1] && delays[1] < delays[2], "{delays:?}");
    let outputs = done(&provider, &Call { token, ..ensure });
    let mut there = aliases(&env, &zone);
    there.retain(|(_, kind, _)| *kind != RrType::Cname);
    assert_eq!(there, expected("a.wait.example", &outputs["domain"]));
}

#[test]
fn a_certificate_that_is_not_issued_is_refused_with_the_reason() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "failed.example");
    let rule_proxy = acm(&env, |_, body| {
        body.replace("\"Status\": \"ISSUED\"", "\"FailureReason\": \"CAA_ERROR\", \"Status\": \"FAILED\"")
    });
    let provider = without_certificate(&aws(&rule_proxy.url(), ("test", "test")));
    let ensure = cdn("failed", "a.failed.example", &zone);
    let CallOutcome::Refused { code, message } = provider.call(&ensure) else { panic!("expected a refusal") };
    assert_eq!(code, "no-certificate");
    assert!(message.contains("FAILED, CAA_ERROR") && message.contains("arn:aws:acm:us-east-1"), "{message}");
    assert_eq!(held(&provider, "failed"), []);
}

#[test]
fn a_call_is_done_only_when_all_name_servers_have_its_records() {
    let env = TestEnv::isolated();
    let zone = zone(&env, "sync.example");
    let mut looks = 0;
    let rule_proxy = RuleProxy::start(env.address(), move |request, forward| {
        if !request.line.starts_with("GET /2013-04-01/change/") {
            return None;
        }
        looks += 1;
        let answer = forward();
        let body = body_of(&answer).replace("INSYNC", if looks < 3 { "PENDING" } else { "INSYNC" });
        Some(with_body(&answer, &body))
    });
    let provider = distributions(&aws(&rule_proxy.url(), ("test", "test")));
    let ensure = cdn("sync", "a.sync.example", &zone);
    let mut token = None;
    for _ in 0..2 {
        let CallOutcome::InProgress { token: next, .. } = provider.call(&Call { token, ..ensure.clone() }) else {
            panic!("expected progress")
        };
        token = Some(next);
    }
    let CallOutcome::Done(outputs) = provider.call(&Call { token, ..ensure }) else { panic!("expected outputs") };
    assert!(outputs["id"].is_string());
}
