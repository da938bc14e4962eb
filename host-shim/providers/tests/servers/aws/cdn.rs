//! Distributions on CloudFront. moto accepts any `If-Match`, deletes enabled distributions and deploys at once; tests
//! that depend on CloudFront's real behaviour use a rule proxy.

use crate::aws::rule_proxy::{RuleProxy, answer, body_of, with_body};
use crate::aws::support::{
    CERTIFICATE, HOST, TestEnv, aws, call, distributions, done, held, other, refused, state, states,
};
use aws_sdk_cloudfront::Client;
use host_provider_api::{CallOutcome, Provider, conformance};
use serde_json::json;
use std::collections::BTreeMap;

// covers: SOL-24
#[test]
fn distributions_conform() {
    let env = TestEnv::shared();
    let provider = distributions(&env.aws());
    let payload = json!({"host": "conforming.sites.example", "origin": "https://one.origin.example"});
    assert_eq!(conformance::check(&provider, "cdn", &payload), Ok(()));
}

#[test]
fn a_distribution_serves_the_host_from_the_origin_with_the_certificate() {
    let env = TestEnv::shared();
    let provider = distributions(&env.aws());
    let payload = json!({"host": HOST, "origin": "https://one.origin.example/"});
    let ensure = call("cdn.ensure", "served", "i_1/cdn", 1, payload);
    let outputs = done(&provider, &ensure);
    let client = Client::new(&env.sdk());
    let there = || {
        let id = outputs["id"].as_str().expect("an id");
        let got = env.block_on(client.get_distribution().id(id).send()).expect("a distribution");
        got.distribution.expect("a distribution")
    };
    let config = there().distribution_config.expect("a configuration");
    assert_eq!(outputs["domain"], there().domain_name);
    assert_eq!(config.aliases.and_then(|aliases| aliases.items), Some(vec![HOST.to_owned()]));
    assert_eq!(config.origins.expect("origins").items[0].domain_name, "one.origin.example");
    assert_eq!(config.viewer_certificate.and_then(|has| has.acm_certificate_arn).as_deref(), Some(CERTIFICATE));
    assert!(config.enabled);
    assert_eq!(done(&provider, &ensure), outputs, "the same call again");
    assert_eq!(held(&provider, "served").len(), 1);

    let mut change = other(&ensure, "change", 2);
    change.payload["origin"] = json!("site-files");
    assert_eq!(done(&provider, &change), outputs, "changed in place");
    let origins = there().distribution_config.expect("a configuration").origins.expect("origins");
    assert_eq!(origins.items[0].domain_name, "site-files.s3.eu-central-1.amazonaws.com");
    done(&provider, &state(&ensure, 3, "suspended"));
    assert!(!there().distribution_config.expect("a configuration").enabled);
    assert_eq!(states(&provider, "served"), [("i_1/cdn".to_owned(), "suspended".to_owned())]);
    assert_eq!(refused(&provider, &other(&ensure, "ensure", 2)), "superseded");
}

#[test]
fn a_host_of_another_distribution_is_refused() {
    let env = TestEnv::shared();
    let provider = distributions(&env.aws());
    let payload = json!({"host": "contested.sites.example", "origin": "https://one.origin.example"});
    let first = call("cdn.ensure", "owner", "i_1/cdn", 1, payload.clone());
    let outputs = done(&provider, &first);
    let second = call("cdn.ensure", "rival", "i_1/cdn", 1, payload);
    assert_eq!(refused(&provider, &second), "name-taken");
    assert_eq!(done(&provider, &other(&second, "destroy", 2)), json!({}));
    assert_eq!(held(&provider, "rival"), []);
    let mut adopt = other(&second, "observe", 1);
    adopt.payload = json!({"adopt": true, "outputs": {"id": outputs["id"]}});
    assert_eq!(refused(&provider, &adopt), "name-taken");
    assert_eq!(done(&provider, &first), outputs);
}

/// Makes moto behave like CloudFront: each change has a new ETag, is deployed after some polls, and only disabled
/// distributions can be deleted.
fn strict(env: &TestEnv) -> RuleProxy {
    /// Version, polls until deployment, enabled.
    type Known = (u32, u32, bool);
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let is_enabled = |body: &[u8]| String::from_utf8_lossy(body).contains("<Enabled>true</Enabled>");
    RuleProxy::start(env.address(), move |request, forward| {
        let mut parts = request.line.split(' ');
        let (method, path) = (parts.next()?, parts.next()?);
        let rest = path.strip_prefix("/2020-05-31/distribution")?;
        let id = rest.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default().to_owned();
        let refuse = |status, code: &str| {
            let body =
                format!("<ErrorResponse><Error><Code>{code}</Code><Message>{code}</Message></Error></ErrorResponse>");
            Some(answer(status, "Content-Type: text/xml\r\n", &body))
        };
        let respond = |answer: String, (version, polls, _): Known| {
            let status = if polls == 0 { "Deployed" } else { "InProgress" };
            let body = body_of(&answer).replace("<Status>Deployed</Status>", &format!("<Status>{status}</Status>"));
            let lines: Vec<&str> =
                answer.lines().filter(|line| !line.to_ascii_lowercase().starts_with("etag:")).collect();
            let tagged = lines.join("\r\n").replacen("\r\n", &format!("\r\nETag: E{version}\r\n"), 1);
            Some(with_body(&tagged, &body))
        };
        match (method, id.as_str()) {
            ("POST", "") => {
                let answer = forward();
                let made = body_of(&answer).split("<Id>").nth(1)?.split('<').next()?.to_owned();
                known.insert(made, (1, 3, is_enabled(&request.body)));
                respond(answer, (1, 3, true))
            }
            ("GET", id) if known.contains_key(id) => {
                let this = known.get_mut(id)?;
                this.1 = this.1.saturating_sub(1);
                respond(forward(), *this)
            }
            ("PUT" | "DELETE", id) if known.contains_key(id) => {
                let this = known.get_mut(id)?;
                if request.header("if-match") != Some(&format!("e{}", this.0)) {
                    return refuse(412, "PreconditionFailed");
                }
                if method == "DELETE" {
                    return if this.2 || this.1 > 0 { refuse(409, "DistributionNotDisabled") } else { None };
                }
                *this = (this.0 + 1, 3, is_enabled(&request.body));
                respond(forward(), *this)
            }
            _ => None,
        }
    })
}

#[test]
fn calls_wait_for_deployment_and_changes_send_the_newest_etag() {
    let env = TestEnv::shared();
    let rule_proxy = strict(&env);
    let provider = distributions(&aws(&rule_proxy.url(), ("test", "test")));
    let payload = json!({"host": "strict.sites.example", "origin": "https://one.origin.example"});
    let ensure = call("cdn.ensure", "strict", "i_1/cdn", 1, payload);
    let CallOutcome::InProgress { after_ms: first, token } = provider.call(&ensure) else {
        panic!("expected progress")
    };
    let seen = done(&provider, &other(&ensure, "observe", 1));
    assert!(seen["outputs"]["domain"].is_string(), "its domain is known before it is deployed: {seen}");
    let look = host_provider_api::Call { token: Some(token), ..ensure.clone() };
    let CallOutcome::InProgress { after_ms: second, .. } = provider.call(&look) else { panic!("expected progress") };
    assert!(second > first, "each poll is delayed longer");
    let outputs = done(&provider, &ensure);
    assert_eq!(seen["outputs"], outputs);

    // Two changes in a row: the second must name the ETag of the first.
    for (generation, origin) in [(2, "https://two.origin.example"), (3, "https://three.origin.example")] {
        let mut change = other(&ensure, "change", generation);
        change.payload["origin"] = json!(origin);
        assert_eq!(done(&provider, &change), outputs);
    }
    assert_eq!(done(&provider, &other(&ensure, "destroy", 4)), json!({}), "it is disabled first");
    assert_eq!(held(&provider, "strict"), []);
}

#[test]
fn an_enabled_distribution_is_disabled_before_it_is_deleted() {
    let env = TestEnv::shared();
    let provider = distributions(&env.via_proxy());
    let payload = json!({"host": "ordered.sites.example", "origin": "https://one.origin.example"});
    let ensure = call("cdn.ensure", "ordered", "i_1/cdn", 1, payload);
    done(&provider, &ensure);
    env.proxy.clear();
    done(&provider, &other(&ensure, "destroy", 2));
    let seen = env.proxy.seen();
    let at = |method: &str| seen.iter().position(|line| line.starts_with(method));
    assert!(at("PUT ").is_some() && at("PUT ") < at("DELETE "), "{seen:?}");
}

#[test]
fn ensure_enables_a_distribution_after_an_abandoned_removal() {
    let env = TestEnv::shared();
    let provider = distributions(&env.aws());
    let payload = json!({"host": "kept.sites.example", "origin": "https://one.origin.example"});
    let ensure = call("cdn.ensure", "kept", "i_1/cdn", 1, payload);
    let outputs = done(&provider, &ensure);
    let CallOutcome::InProgress { .. } = provider.call(&other(&ensure, "destroy", 2)) else {
        panic!("it is disabled first")
    };
    assert_eq!(states(&provider, "kept"), [("i_1/cdn".to_owned(), "suspended".to_owned())]);
    assert_eq!(done(&provider, &other(&ensure, "ensure", 3)), outputs);
    assert_eq!(states(&provider, "kept"), [("i_1/cdn".to_owned(), "running".to_owned())]);
}

#[test]
fn all_pages_of_a_list_are_read() {
    let env = TestEnv::isolated();
    let provider = distributions(&env.via_proxy());
    let client = Client::new(&env.sdk());
    let ensure =
        call("cdn.ensure", "first", "i_1/cdn", 1, json!({"host": HOST, "origin": "https://one.origin.example"}));
    let outputs = done(&provider, &ensure);
    let id = outputs["id"].as_str().expect("an id");
    let got = env.block_on(client.get_distribution().id(id).send()).expect("a distribution");
    let mut config = got.distribution.and_then(|there| there.distribution_config).expect("a configuration");
    config.aliases = None;
    // Many other distributions come before and after in the list.
    env.block_on(async {
        for number in 0..110 {
            config.caller_reference = format!("persons-{number}");
            config.comment = "a person's".to_owned();
            client.create_distribution().distribution_config(config.clone()).send().await.expect("a distribution");
        }
    });
    let last = call(
        "cdn.ensure",
        "last",
        "i_1/cdn",
        1,
        json!({"host": "last.sites.example", "origin": "https://one.origin.example"}),
    );
    let made = done(&provider, &last);
    env.proxy.clear();
    assert_eq!(done(&provider, &last), made, "it is found on the second page");
    let pages = env
        .proxy
        .seen()
        .iter()
        .filter(|line| {
            line.starts_with("GET /2020-05-31/distribution?") || line.starts_with("GET /2020-05-31/distribution ")
        })
        .count();
    assert_eq!(pages, 2);
    assert_eq!((held(&provider, "first").len(), held(&provider, "last").len()), (1, 1));
}
