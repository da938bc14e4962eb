//! Roles of functions, and buckets that are closed to everybody but their tenant.

use crate::aws::rule_proxy::{RuleProxy, answer as respond};
use crate::aws::support::{
    HOST_ARN, TestEnv, WithSecrets, buckets, call, closed_buckets, done, held, other, refused, scope, state, states,
    tenant_roles,
};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Role;
use host_provider_api::{Call, CallOutcome, Provider, ResourceId, conformance};
use host_providers::aws::{Flavor, FunctionConfig, FunctionRole, Functions, MANAGED_BY, OWNER, TenantRoles};
use serde_json::{Value, json};

/// The role of a function, with its only inline policy.
fn role_of(env: &TestEnv, name: &str) -> (Role, Value) {
    let iam = Client::new(&env.sdk());
    let role = env.block_on(iam.get_role().role_name(name).send()).expect("a role").role.expect("a role");
    let names = env.block_on(iam.list_role_policies().role_name(name).send()).expect("a list").policy_names;
    assert_eq!(names.len(), 1, "{names:?}");
    let policy = env.block_on(iam.get_role_policy().role_name(name).policy_name(&names[0]).send()).expect("a policy");
    (role, document(&policy.policy_document))
}

/// Reads a policy, which IAM escapes as in a URL.
fn document(text: &str) -> Value {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| std::str::from_utf8(&after[..2]).expect("two digits"));
        bytes.push(code.map_or(*first, |digits| u8::from_str_radix(digits, 16).expect("a byte")));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    serde_json::from_slice(&bytes).expect("a policy")
}

/// The ARN and the name of the role that a function has.
fn role_on(env: &TestEnv, function: &str) -> (String, String) {
    let lambda = aws_sdk_lambda::Client::new(&env.sdk());
    let there = env.block_on(lambda.get_function_configuration().function_name(function).send()).expect("a function");
    let arn = there.role.expect("a role");
    let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
    (arn, name)
}

fn sids(policy: &Value) -> Vec<&str> {
    policy["Statement"].as_array().expect("statements").iter().filter_map(|one| one["Sid"].as_str()).collect()
}

fn functions(env: &TestEnv) -> WithSecrets<Functions> {
    WithSecrets::new(env.functions_with_roles(&env.aws(), tenant_roles()))
}

/// The ids of an account's listed resources, with their kinds and states.
fn listed(provider: &dyn Provider, account: &str) -> Vec<(String, String)> {
    held(provider, account).into_iter().map(|held| (held.id.to_string(), held.state)).collect()
}

#[test]
fn functions_with_their_own_roles_and_closed_buckets_conform() {
    let env = TestEnv::isolated();
    assert_eq!(conformance::check(&functions(&env), "function", &json!({"tier": "small"})), Ok(()));
    let buckets = closed_buckets(&env.aws(), Flavor::Aws, tenant_roles());
    assert_eq!(conformance::check(&buckets, "bucket", &json!({})), Ok(()));
    assert_eq!(functions(&env).held().expect("an answer").expect("a list"), [], "no role is left");
}

#[test]
fn a_function_gets_a_role_that_may_use_its_own_resources_alone() {
    let env = TestEnv::shared();
    let (provider, files) = (functions(&env), buckets(&env.aws(), Flavor::Aws));
    done(&files, &call("bucket.ensure", "roled", "i_1/bucket", 1, json!({"name": "roled-files"})));
    let of = |id: &str, name: &str, bucket: Option<&str>| {
        call("function.ensure", "roled", id, 3, json!({"name": name, "bucket": bucket}))
    };
    let ensure = of("i_1/compute", "roled-fn", Some("roled-files"));
    let outputs = done(&provider, &ensure);

    let (arn, name) = role_on(&env, "roled-fn");
    assert!(arn.starts_with("arn:aws:iam::123456789012:role/tenants/sbp-"), "{arn}");
    let (role, policy) = role_of(&env, &name);
    assert_eq!((role.path.as_str(), role.permissions_boundary), ("/tenants/", None));
    let trust = document(&role.assume_role_policy_document.expect("a policy"));
    assert_eq!(trust["Statement"][0]["Principal"], json!({"Service": "lambda.amazonaws.com"}));
    assert_eq!(trust["Statement"].as_array().map(Vec::len), Some(1));
    let tags: Vec<(String, String)> = role.tags.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect();
    for (name, value) in [
        (MANAGED_BY, OWNER),
        ("scope", "shop/test/user:roled"),
        ("resource", "function"),
        ("resource-id", "i_1/compute"),
        ("generation", "3"),
    ] {
        assert!(tags.contains(&(name.to_owned(), value.to_owned())), "{name}: {tags:?}");
    }
    assert_eq!(sids(&policy), ["OwnLog", "OwnBucket", "OwnObjects"]);
    let log = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/roled-fn";
    assert_eq!(policy["Statement"][0]["Resource"], json!([log, format!("{log}:*")]));
    assert_eq!(policy["Statement"][2]["Resource"], "arn:aws:s3:::roled-files/*");

    // A function without a bucket, and one that names the bucket of another tenant, may use no bucket.
    for (id, name, bucket) in [("i_2/compute", "roled-2", None), ("i_3/compute", "roled-3", Some("roled-files"))] {
        done(&provider, &of(id, name, bucket));
        assert_eq!(sids(&role_of(&env, &role_on(&env, name).1).1), ["OwnLog"], "{name}");
    }
    let names = ["roled-fn", "roled-2", "roled-3"].map(|function| role_on(&env, function).1);
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    assert_eq!(done(&provider, &ensure), outputs);

    // The role lives as long as its function.
    assert_eq!(done(&provider, &other(&ensure, "destroy", 4)), json!({}));
    let iam = Client::new(&env.sdk());
    assert!(env.block_on(iam.get_role().role_name(&name).send()).is_err(), "the role is gone");
    assert_eq!(done(&provider, &other(&ensure, "destroy", 4)), json!({}), "also when nothing is left");
}

#[test]
fn a_repeated_call_leaves_the_role_as_it_is_and_a_change_updates_it() {
    let env = TestEnv::isolated();
    let provider = WithSecrets::new(env.functions_with_roles(&env.via_proxy(), tenant_roles()));
    let ensure = call("function.ensure", "again", "i_1/compute", 1, json!({"name": "again-fn"}));
    done(&provider, &ensure);
    let (arn, name) = role_on(&env, "again-fn");
    env.proxy.clear();
    done(&provider, &ensure);
    let seen = env.proxy.seen();
    let posts = seen.iter().filter(|line| line.starts_with("POST / ")).count();
    assert_eq!(posts, 1, "the role is only read: {seen:?}");

    // The bucket is made later.
    let files = buckets(&env.aws(), Flavor::Aws);
    done(&files, &call("bucket.ensure", "again", "i_1/bucket", 1, json!({"name": "again-files"})));
    let mut change = other(&ensure, "change", 2);
    change.payload["bucket"] = json!("again-files");
    done(&provider, &change);
    let (role, policy) = role_of(&env, &name);
    assert_eq!((role.arn, sids(&policy)), (arn.clone(), vec!["OwnLog", "OwnBucket", "OwnObjects"]));

    // The operator sets a boundary, and takes it away again.
    let boundary = make_policy(&env, "boundary");
    for expected in [Some(boundary.as_str()), None] {
        let roles = TenantRoles::new("/tenants/", expected, &[HOST_ARN.to_owned()]).expect("valid settings");
        let next = provider.also(env.functions_with_roles(&env.aws(), roles));
        done(&next, &change);
        let boundary = role_of(&env, &name).0.permissions_boundary.and_then(|it| it.permissions_boundary_arn);
        assert_eq!(boundary.as_deref(), expected);
    }

    // Another path would be another role.
    let elsewhere = TenantRoles::new("/others/", None, &[HOST_ARN.to_owned()]).expect("valid settings");
    let next = provider.also(env.functions_with_roles(&env.aws(), elsewhere));
    assert_eq!(refused(&next, &change), "bad-settings");
    assert_eq!(role_on(&env, "again-fn").0, arn);
}

fn make_policy(env: &TestEnv, name: &str) -> String {
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let create = Client::new(&env.sdk()).create_policy().policy_name(name).policy_document(document.to_string());
    let made = env.block_on(create.send()).expect("a policy").policy.expect("a policy");
    made.arn.expect("an ARN")
}

#[test]
fn a_function_with_the_shared_role_gets_its_own_with_the_next_change() {
    let env = TestEnv::isolated();
    let shared = WithSecrets::new(env.functions(&env.aws()));
    let ensure = call("function.ensure", "moving", "i_1/compute", 1, json!({"name": "moving-fn"}));
    done(&shared, &ensure);
    let own = shared.also(env.functions_with_roles(&env.aws(), tenant_roles()));
    assert_eq!(states(&own, "moving"), [("i_1/compute".to_owned(), "running".to_owned())], "nothing is lost");
    done(&own, &other(&ensure, "change", 2));
    assert!(role_on(&env, "moving-fn").0.contains("role/tenants/sbp-"));
}

#[test]
fn a_role_without_a_function_and_a_function_without_its_role_are_listed() {
    let env = TestEnv::isolated();
    let provider = functions(&env);
    let of = |name: &str, id: &str| call("function.ensure", "drifting", id, 1, json!({ "name": name }));
    let (orphan, lost) = (of("orphan-fn", "i_1/compute"), of("lost-fn", "i_2/compute"));
    done(&provider, &orphan);
    done(&provider, &lost);
    let lambda = aws_sdk_lambda::Client::new(&env.sdk());
    let iam = Client::new(&env.sdk());
    let role = role_on(&env, "lost-fn").1;
    env.block_on(lambda.delete_function().function_name("orphan-fn").send()).expect("a deletion");
    env.block_on(iam.delete_role_policy().role_name(&role).policy_name("own-resources").send()).expect("a deletion");
    env.block_on(iam.delete_role().role_name(&role).send()).expect("a deletion");
    let pair = |id: &str, state: &str| (id.to_owned(), state.to_owned());
    let expected = [pair("function:i_2/compute", "role-lost"), pair("function-role:i_1/compute", "running")];
    assert_eq!(listed(&provider, "drifting"), expected);

    // The next call makes the lost role again. An operator removes the orphan.
    done(&provider, &lost);
    let remove =
        |id: &str| Call { kind: "function-role.destroy".to_owned(), ..other(&of("", id), "destroy", u32::MAX) };
    assert_eq!(refused(&provider, &remove("i_2/compute")), "in-use");
    assert_eq!(done(&provider, &remove("i_1/compute")), json!({}));
    assert_eq!(listed(&provider, "drifting"), [pair("function:i_2/compute", "running")]);
    assert_eq!(
        refused(&provider, &call("function-role.ensure", "drifting", "i_1/compute", 1, json!({}))),
        "unsupported"
    );
}

#[test]
fn a_role_of_somebody_else_is_refused_and_left_alone() {
    let env = TestEnv::isolated();
    let provider = functions(&env);
    let ensure = call("function.ensure", "rival", "i_1/compute", 1, json!({"name": "rival-fn"}));
    done(&provider, &ensure);
    let name = role_on(&env, "rival-fn").1;
    let iam = Client::new(&env.sdk());
    env.block_on(iam.untag_role().role_name(&name).tag_keys(MANAGED_BY).send()).expect("an untagged role");
    assert_eq!(refused(&provider, &other(&ensure, "change", 2)), "name-taken");
    done(&provider, &other(&ensure, "destroy", 3));
    assert!(env.block_on(iam.get_role().role_name(&name).send()).is_ok(), "it is not ours to delete");
}

#[test]
fn a_new_role_that_lambda_does_not_know_yet_is_retried() {
    let env = TestEnv::shared();
    let mut refusals = [
        "The role defined for the function cannot be assumed by Lambda.",
        "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
    ]
    .into_iter();
    let rule_proxy = RuleProxy::start(env.address(), move |request, _| {
        let is_create = request.line.starts_with("POST /2015-03-31/functions ");
        let message = is_create.then(|| refusals.next()).flatten()?;
        let body = format!("{{\"Type\": \"User\", \"message\": \"{message}\"}}");
        Some(respond(400, "x-amzn-ErrorType: InvalidParameterValueException\r\n", &body))
    });
    let aws = crate::aws::support::aws(&rule_proxy.url(), ("test", "test"));
    let provider = WithSecrets::new(env.functions_with_roles(&aws, tenant_roles()));
    let ensure = call("function.ensure", "early", "i_1/compute", 1, json!({"name": "early-fn"}));
    for _ in 0..2 {
        let outcome = provider.call(&ensure);
        assert!(matches!(&outcome, CallOutcome::Retry { code, .. } if code == "conflict"), "{outcome:?}");
    }
    done(&provider, &ensure);
    let of_account: Vec<_> = held(&provider, "early").into_iter().map(|held| held.id).collect();
    let id = ResourceId { scope: scope("early"), resource: "function".to_owned(), id: "i_1/compute".to_owned() };
    assert_eq!(of_account, [id]);
}

#[test]
fn a_bucket_is_closed_to_everybody_but_its_tenants_roles_and_the_operators() {
    let env = TestEnv::shared();
    let (provider, files) = (functions(&env), closed_buckets(&env.aws(), Flavor::Aws, tenant_roles()));
    let ensure = call("bucket.ensure", "closed", "i_1/bucket", 1, json!({"name": "closed-files"}));
    done(&files, &ensure);
    let payload = json!({"name": "closed-fn", "bucket": "closed-files"});
    done(&provider, &call("function.ensure", "closed", "i_1/compute@small", 1, payload));
    let arn = role_on(&env, "closed-fn").0;

    let policy = env.block_on(env.s3().get_bucket_policy().bucket("closed-files").send()).expect("a policy");
    let policy: Value = serde_json::from_str(&policy.policy.expect("a policy")).expect("JSON");
    assert_eq!(sids(&policy), ["tls-alone", "tenant-alone"]);
    let allowed = &policy["Statement"][1]["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
    assert_eq!(allowed[1], HOST_ARN);
    let roles = allowed[0].as_str().and_then(|roles| roles.strip_suffix('*')).expect("a pattern");
    assert!(arn.starts_with(roles), "{arn} fits {roles}*");

    // Settings that would lock the host out are refused before the policy is written.
    let others = ["arn:aws:iam::123456789012:role/admin".to_owned()];
    let without_host = TenantRoles::new("/tenants/", None, &others).expect("valid settings");
    let wrong = closed_buckets(&env.aws(), Flavor::Aws, without_host.clone());
    assert_eq!(refused(&wrong, &other(&ensure, "change", 2)), "bad-settings");

    // B2 has no policies, so the provider sends none.
    let b2 = closed_buckets(&env.b2(), Flavor::B2, without_host);
    done(&b2, &call("bucket.ensure", "closed", "i_2/bucket", 1, json!({"name": "closed-at-b2"})));
    assert!(env.block_on(env.s3().get_bucket_policy().bucket("closed-at-b2").send()).is_err());
}

#[test]
fn a_secret_at_aws_is_a_right_of_the_function_that_resolves_it_itself() {
    let env = TestEnv::shared();
    let config = FunctionConfig {
        role: FunctionRole::Own(tenant_roles()),
        secret_in_environment: false,
        ..env.function_config()
    };
    let provider = WithSecrets::new(Functions::new(&env.aws(), config).expect("valid settings"));
    let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:acme-AbCdEf";
    let payload = json!({
        "name": "reading-fn", "database": "host:5432", "database_name": "d", "database_user": "u",
        "database_secret": format!("secret:{secret}"),
    });
    let ensure = call("function.ensure", "reading", "i_1/compute", 1, payload);
    done(&provider, &ensure);
    let policy = role_of(&env, &role_on(&env, "reading-fn").1).1;
    assert_eq!(sids(&policy), ["OwnLog", "OwnSecret"]);
    assert_eq!(policy["Statement"][1]["Resource"], secret);
    let scope = &policy["Statement"][1]["Condition"]["StringEquals"]["aws:ResourceTag/scope"];
    assert_eq!(scope, "shop/test/user:reading");
    done(&provider, &state(&ensure, 2, "suspended"));
}
