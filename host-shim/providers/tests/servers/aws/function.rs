//! Functions on Lambda.

use crate::aws::raw::make_role;
use crate::aws::support::{TestEnv, WithSecrets, answer, call, done, held, other, refused, scope, state, states};
use aws_sdk_lambda::Client;
use host_provider_api::{CallOutcome, Provider, Secrets, conformance};
use host_providers::aws::{Code, Functions, MANAGED_BY, OWNER};
use serde_json::json;

// covers: SOL-24
#[test]
fn functions_conform() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    assert_eq!(conformance::check(&provider, "function", &json!({"tier": "small"})), Ok(()));
    assert_eq!(conformance::check(&provider, "function", &json!({"name": "conforming-function"})), Ok(()));
}

#[test]
fn a_function_has_the_settings_of_the_payload_and_a_public_url() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    let secret = provider.secrets.make(&scope("made"), "database/i_1", 32).expect("a secret");
    let payload = json!({
        "name": "made-i_1", "tier": "large", "timeout_s": 45, "database": "host:5432", "database_name": "d_1",
        "database_user": "r_1", "bucket": "files",
        "database_secret": secret.reference,
    });
    let ensure = call("function.ensure", "made", "i_1/compute", 3, payload);
    let outputs = done(&provider, &ensure);

    let client = Client::new(&env.sdk());
    let there = env.block_on(client.get_function().function_name("made-i_1").send()).expect("a function");
    let config = there.configuration.expect("a configuration");
    assert_eq!(outputs["arn"].as_str(), config.function_arn.as_deref());
    assert_eq!((config.memory_size, config.timeout), (Some(1024), Some(45)));
    let variables = config.environment.and_then(|environment| environment.variables).expect("variables");
    let plain = provider.secrets.resolve(&scope("made"), &secret.reference).expect("a value");
    assert_eq!(variables.get("DATABASE_SECRET").map(String::as_str), Some(plain.expose()));
    assert_eq!(variables.get("DATABASE").map(String::as_str), Some("host:5432"));
    let tags = there.tags.expect("tags");
    for (name, value) in [
        (MANAGED_BY, OWNER),
        ("scope", "shop/test/user:made"),
        ("resource-id", "i_1/compute"),
        ("generation", "3"),
        ("state", "running"),
    ] {
        assert_eq!(tags.get(name).map(String::as_str), Some(value), "{name}");
    }

    let url = env.block_on(client.get_function_url_config().function_name("made-i_1").send()).expect("a URL");
    assert_eq!(outputs["url"], url.function_url);
    let policy = env.block_on(client.get_policy().function_name("made-i_1").send()).expect("a policy");
    let policy = policy.policy.expect("a policy");
    assert!(policy.contains("lambda:InvokeFunctionUrl") && policy.contains("\"lambda:InvokeFunction\""), "{policy}");

    assert_eq!(done(&provider, &ensure), outputs, "the same call again");
    let again = env.block_on(client.get_policy().function_name("made-i_1").send()).expect("a policy");
    assert_eq!(again.policy.expect("a policy").matches("\"Sid\"").count(), 2, "no permission is given twice");
}

#[test]
fn suspending_reserves_a_concurrency_of_zero() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    let ensure = call("function.ensure", "suspended", "i_1/compute", 1, json!({"name": "suspended-fn"}));
    let outputs = done(&provider, &ensure);
    let client = Client::new(&env.sdk());
    let reserved = || {
        let result = client.get_function_concurrency().function_name("suspended-fn").send();
        env.block_on(result).expect("a function").reserved_concurrent_executions
    };
    assert_eq!(done(&provider, &state(&ensure, 2, "suspended")), outputs);
    assert_eq!(reserved(), Some(0));
    assert_eq!(states(&provider, "suspended"), [("i_1/compute".to_owned(), "suspended".to_owned())]);
    assert_eq!(done(&provider, &state(&ensure, 3, "running")), outputs);
    assert_eq!(reserved(), None);
    let wrong = answer(&provider, &state(&ensure, 4, "asleep"));
    assert!(matches!(&wrong, CallOutcome::Refused { code, .. } if code == "bad-payload"), "{wrong:?}");
}

#[test]
fn a_change_is_made_in_place_and_updates_the_code() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    let ensure = call("function.ensure", "changed", "i_1/compute", 1, json!({"name": "changed-fn", "tier": "small"}));
    let outputs = done(&provider, &ensure);
    let client = Client::new(&env.sdk());
    let sha = || {
        let there = env.block_on(client.get_function_configuration().function_name("changed-fn").send());
        let there = there.expect("a function");
        (there.memory_size, there.code_sha256)
    };
    let (memory, code) = sha();
    assert_eq!(memory, Some(256));

    let mut other_code = tempfile::NamedTempFile::new().expect("a file");
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0x";
    std::io::Write::write_all(&mut other_code, zip).expect("a file that is written");
    let mut config = env.function_config();
    config.code = Code::File(other_code.path().to_owned());
    let next = provider.also(Functions::new(&env.aws(), config).expect("valid settings"));
    let mut larger = other(&ensure, "change", 2);
    larger.payload["tier"] = json!("large");
    assert_eq!(done(&next, &larger), outputs, "the same function");
    let (memory, other_code) = sha();
    assert_eq!(memory, Some(1024));
    assert_ne!(other_code, code);
    // A payload with only a state changes only the state.
    let mut alone = state(&ensure, 3, "running");
    alone.payload = json!({"state": "running"});
    done(&next, &alone);
    assert_eq!(sha(), (Some(1024), other_code));
}

#[test]
fn a_name_of_another_resource_is_refused_and_left_alone() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    let payload = json!({"name": "contested-fn"});
    let first = call("function.ensure", "owner", "i_1/compute", 1, payload.clone());
    let outputs = done(&provider, &first);
    let second = call("function.ensure", "rival", "i_1/compute", 1, payload);
    assert_eq!(refused(&provider, &second), "name-taken");
    assert_eq!(refused(&provider, &state(&second, 2, "suspended")), "name-taken");
    assert_eq!(done(&provider, &other(&second, "observe", 1)), json!({"exists": false}));
    assert_eq!(done(&provider, &other(&second, "destroy", 2)), json!({}), "an absent function counts as deleted");
    assert_eq!(held(&provider, "rival"), []);
    assert_eq!(done(&provider, &first), outputs);
}

#[test]
fn two_variants_of_one_resource_coexist_under_one_wanted_name() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    let of = |id: &str| call("function.ensure", "variant", id, 1, json!({"name": "variant-fn"}));
    let (one, two) = (of("i_1/compute@small"), of("i_1/compute@large"));
    let (first, second) = (done(&provider, &one), done(&provider, &two));
    assert_ne!(first["arn"], second["arn"]);
    done(&provider, &other(&one, "destroy", 2));
    assert_eq!(done(&provider, &two), second, "the name is free again, and the second one stays where it is");
    assert_eq!(held(&provider, "variant").len(), 1);
}

#[test]
fn an_older_generation_is_superseded() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    let ensure = call("function.ensure", "older", "i_1/compute", 5, json!({}));
    done(&provider, &ensure);
    for verb in ["ensure", "change", "destroy"] {
        assert_eq!(refused(&provider, &other(&ensure, verb, 4)), "superseded", "{verb}");
    }
    assert_eq!(held(&provider, "older").len(), 1);
}

#[test]
fn a_function_created_by_a_person_is_adopted_once() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(env.functions(&env.aws()));
    let role = make_role(env.address(), "functions");
    let client = Client::new(&env.sdk());
    let code = aws_sdk_lambda::types::FunctionCode::builder().zip_file(aws_sdk_lambda::primitives::Blob::new("zip"));
    let create = client.create_function().function_name("by-hand").role(role).code(code.build());
    let create = create.runtime(aws_sdk_lambda::types::Runtime::Providedal2023).handler("bootstrap");
    let arn = env.block_on(create.send()).expect("a function").function_arn.expect("an ARN");

    let ensure = call("function.ensure", "adopting", "i_1/compute", 1, json!({"name": "by-hand"}));
    assert_eq!(refused(&provider, &ensure), "name-taken", "nobody asked for the adoption");
    let mut adopt = other(&ensure, "observe", 1);
    adopt.payload = json!({"adopt": true, "outputs": {"arn": arn}});
    assert_eq!(done(&provider, &adopt)["outputs"]["arn"], json!(arn));
    assert_eq!(held(&provider, "adopting").len(), 1);
    let mut rival = call("function.observe", "adopting2", "i_1/compute", 1, adopt.payload.clone());
    assert_eq!(refused(&provider, &rival), "name-taken");
    rival.payload["outputs"]["arn"] = json!("arn:aws:lambda:eu-central-1:123456789012:function:nowhere");
    assert_eq!(refused(&provider, &rival), "not-found");
    let code = || {
        let there = env.block_on(client.get_function_configuration().function_name("by-hand").send()).map_err(drop);
        there.expect("a function").code_sha256
    };
    let before = code();
    done(&provider, &state(&ensure, 2, "suspended"));
    assert_eq!(code(), before, "an adopted function keeps its code");
    done(&provider, &other(&ensure, "destroy", 3));
    assert_eq!(held(&provider, "adopting"), []);
}

#[test]
fn a_secret_repeated_in_an_aws_error_is_not_reported() {
    // Lambda's error messages quote rejected values; a rule proxy does so here.
    let env = TestEnv::shared();
    let rule_proxy = crate::aws::rule_proxy::RuleProxy::start(env.address(), |request, _| {
        let is_create = request.line.starts_with("POST /2015-03-31/functions ");
        is_create.then(|| {
            let quoted = String::from_utf8_lossy(&request.body).replace('"', "'");
            let body = format!("{{\"Message\": \"Value '{quoted}' failed to satisfy constraint\"}}");
            crate::aws::rule_proxy::answer(400, "x-amzn-ErrorType: InvalidParameterValueException\r\n", &body)
        })
    });
    let provider = WithSecrets::new(env.functions(&crate::aws::support::aws(&rule_proxy.url(), ("test", "test"))));
    let secret = provider.secrets.make(&scope("told"), "database/i_1", 32).expect("a secret");
    let plain = provider.secrets.resolve(&scope("told"), &secret.reference).expect("a value");
    let ensure = call("function.ensure", "told", "i_1/compute", 1, json!({"database_secret": secret.reference}));
    let outcome = provider.call(&ensure);
    assert!(matches!(&outcome, CallOutcome::Refused { code, .. } if code == "rejected"), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains(plain.expose()), "{outcome:?}");
}

#[test]
fn calls_are_done_only_when_the_function_is_active_and_updated() {
    // moto's functions are active at once; a rule proxy delays them.
    let env = TestEnv::shared();
    let (mut making, mut updating) = (0, 0);
    let rule_proxy = crate::aws::rule_proxy::RuleProxy::start(env.address(), move |request, forward| {
        let is_make = request.line.starts_with("POST /2015-03-31/functions ");
        let is_look = request.line.starts_with("GET /2015-03-31/functions/slow-fn ");
        let is_update = request.line.starts_with("PUT /2015-03-31/functions/slow-fn/configuration ");
        match (is_make, is_update, is_look) {
            (true, _, _) => making = 3,
            (_, true, _) => updating = 3,
            (_, _, true) => (making, updating) = (i32::max(making - 1, 0), i32::max(updating - 1, 0)),
            _ => {
                let is_early = making > 0 && !request.line.starts_with("GET ");
                return is_early.then(|| {
                    crate::aws::rule_proxy::answer(409, "x-amzn-ErrorType: ResourceConflictException\r\n", "{}")
                });
            }
        }
        let answer = forward();
        let mut body = crate::aws::rule_proxy::body_of(&answer).to_owned();
        if making > 0 {
            body = body.replace("\"State\": \"Active\"", "\"State\": \"Pending\"");
        }
        if updating > 0 {
            body = body.replace("\"LastUpdateStatus\": \"Successful\"", "\"LastUpdateStatus\": \"InProgress\"");
        }
        Some(crate::aws::rule_proxy::with_body(&answer, &body))
    });
    let provider = WithSecrets::new(env.functions(&crate::aws::support::aws(&rule_proxy.url(), ("test", "test"))));
    let ensure = call("function.ensure", "slow", "i_1/compute", 1, json!({"name": "slow-fn", "tier": "small"}));
    let CallOutcome::InProgress { .. } = provider.call(&ensure) else { panic!("expected progress") };
    let outputs = done(&provider, &ensure);
    assert!(outputs["url"].is_string(), "{outputs}");
    let mut change = other(&ensure, "change", 2);
    change.payload["tier"] = json!("large");
    let CallOutcome::InProgress { .. } = provider.call(&change) else { panic!("expected progress") };
    assert_eq!(done(&provider, &change), outputs);
}
