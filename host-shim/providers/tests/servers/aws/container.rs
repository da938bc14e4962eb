//! Containers on ECS. moto deploys at once and never fails to start a task; tests of deployments use a rule proxy.

use crate::aws::raw::{first_of, make_role};
use crate::aws::rule_proxy::{RuleProxy, body_of, with_body};
use crate::aws::support::{
    REGION, TestEnv, WithSecrets, call, done, done_in_the_end, held, other, refused, scope, state, states, tenant_roles,
};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ServiceField, TaskDefinitionStatus};
use aws_sdk_elasticloadbalancingv2::Client as Balancer;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, HostHeaderConditionConfig, ProtocolEnum, Rule, RuleCondition,
};
use counterparts::Fault;
use host_provider_api::{Call, CallOutcome, Provider, Secrets, conformance};
use host_providers::aws::{
    Aws, Compute, ContainerConfig, ContainerSize, Containers, FunctionRole, Functions, MANAGED_BY, OWNER,
};
use serde_json::json;
use std::collections::BTreeMap;

const DOMAIN: &str = "apps.example";

/// A cluster and a load balancer on the server of a test.
pub struct Place {
    cluster: String,
    listener: String,
    vpc: String,
    subnet: String,
}

/// Makes a cluster and a load balancer. Each test has its own name, and so its own listener.
pub fn place(env: &TestEnv, name: &str) -> Place {
    let vpc = first_of(env.address(), "ec2", "DescribeVpcs", "vpcId");
    let subnet = first_of(env.address(), "ec2", "DescribeSubnets", "subnetId");
    let other = first_of(
        env.address(),
        "ec2",
        "DescribeSubnets&Filter.1.Name=availability-zone&Filter.1.Value.1=eu-central-1b",
        "subnetId",
    );
    let (ecs, balancer) = (Client::new(&env.sdk()), Balancer::new(&env.sdk()));
    env.block_on(ecs.create_cluster().cluster_name(name).send()).expect("a cluster");
    let made = balancer.create_load_balancer().name(name).subnets(&subnet).subnets(other).send();
    let made = env.block_on(made).expect("a load balancer").load_balancers.expect("one");
    let nothing = FixedResponseActionConfig::builder().status_code("404").content_type("text/plain").build();
    let action = Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(nothing).build();
    let create = balancer.create_listener().set_load_balancer_arn(made[0].load_balancer_arn.clone());
    let create = create.protocol(ProtocolEnum::Http).port(80).default_actions(action);
    let listeners = env.block_on(create.send()).expect("a listener").listeners.expect("one");
    let listener = listeners[0].listener_arn.clone().expect("an ARN");
    Place { cluster: name.to_owned(), listener, vpc, subnet }
}

impl Place {
    fn config(&self, env: &TestEnv) -> ContainerConfig {
        ContainerConfig {
            cluster: self.cluster.clone(),
            image: "registry.example/app:1".to_owned(),
            port: 8080,
            size: ContainerSize::default(),
            tiers: [("ecs-large".to_owned(), ContainerSize { cpu: 1024, memory_mb: 4096 })].into(),
            count: 1,
            subnet_ids: vec![self.subnet.clone()],
            security_group_ids: Vec::new(),
            assign_public_ip: false,
            execution_role_arn: make_role(env.address(), "execution"),
            role: FunctionRole::Shared(make_role(env.address(), "containers")),
            listener_arn: self.listener.clone(),
            vpc_id: self.vpc.clone(),
            domain: DOMAIN.to_owned(),
            health_path: "/health".to_owned(),
            environment: BTreeMap::from([("LOG".to_owned(), "info".to_owned())]),
            secret_in_environment: true,
            log_group: Some("apps".to_owned()),
        }
    }

    /// Returns the provider of functions and of containers in this place.
    pub fn provider(&self, env: &TestEnv, aws: &Aws) -> WithSecrets<Compute> {
        self.with(env, aws, |_| {})
    }

    fn with(&self, env: &TestEnv, aws: &Aws, change: impl FnOnce(&mut ContainerConfig)) -> WithSecrets<Compute> {
        let mut config = self.config(env);
        change(&mut config);
        let containers = Containers::new(aws, config).expect("valid settings");
        WithSecrets::new(Compute::new(aws, Some(env.functions(aws)), Some(containers)))
    }

    fn rules(&self, env: &TestEnv) -> Vec<Rule> {
        let list = Balancer::new(&env.sdk()).describe_rules().listener_arn(&self.listener).send();
        let rules = env.block_on(list).expect("a list").rules.expect("rules");
        rules.into_iter().filter(|rule| rule.is_default != Some(true)).collect()
    }

    fn hosts(&self, env: &TestEnv) -> Vec<String> {
        let hosts = self.rules(env).into_iter().flat_map(|rule| rule.conditions.unwrap_or_default());
        hosts.filter_map(|one| Some(one.host_header_config?.values?.first()?.clone())).collect()
    }

    fn service(&self, env: &TestEnv, name: &str) -> aws_sdk_ecs::types::Service {
        let describe = Client::new(&env.sdk()).describe_services().cluster(&self.cluster).services(name);
        let found = env.block_on(describe.include(ServiceField::Tags).send()).expect("a response");
        found.services.expect("services").pop().expect("a service")
    }

    fn definition(&self, env: &TestEnv, name: &str) -> aws_sdk_ecs::types::TaskDefinition {
        let arn = self.service(env, name).task_definition.expect("a task definition");
        let describe = Client::new(&env.sdk()).describe_task_definition().task_definition(arn).send();
        env.block_on(describe).expect("a response").task_definition.expect("a task definition")
    }
}

fn definitions(env: &TestEnv, family: &str) -> usize {
    let list = |status: TaskDefinitionStatus| {
        let list = Client::new(&env.sdk()).list_task_definitions().family_prefix(family).status(status).send();
        env.block_on(list).expect("a list").task_definition_arns.unwrap_or_default().len()
    };
    list(TaskDefinitionStatus::Active) + list(TaskDefinitionStatus::Inactive)
}

fn groups(env: &TestEnv) -> usize {
    let list = Balancer::new(&env.sdk()).describe_target_groups().send();
    env.block_on(list).expect("a list").target_groups.unwrap_or_default().len()
}

fn ecs(account: &str, name: &str) -> Call {
    call("function.ensure", account, "i_1/compute", 1, json!({"name": name, "tier": "ecs"}))
}

#[test]
fn containers_conform() {
    let env = TestEnv::isolated();
    let provider = place(&env, "conforming").provider(&env, &env.aws());
    assert_eq!(conformance::check(&provider, "function", &json!({"tier": "ecs"})), Ok(()));
    assert_eq!(conformance::check(&provider, "function", &json!({"tier": "ecs", "name": "conforming-app"})), Ok(()));
    assert_eq!(conformance::check(&provider, "function", &json!({"tier": "lambda"})), Ok(()));
    assert_eq!((groups(&env), definitions(&env, "conforming-app")), (0, 0), "nothing is left");
}

#[test]
fn a_container_has_the_settings_of_the_payload_and_a_host() {
    let env = TestEnv::isolated();
    let place = place(&env, "made");
    let provider = place.provider(&env, &env.aws());
    let secret = provider.secrets.make(&scope("made"), "database/i_1", 32).expect("a secret");
    let payload = json!({
        "name": "made-app", "tier": "ecs-large", "memory_mb": 2048, "database": "host:5432", "database_name": "d_1",
        "database_user": "r_1", "bucket": "files", "database_secret": secret.reference, "region": REGION,
    });
    let ensure = call("function.ensure", "made", "i_1/compute", 3, payload);
    let outputs = done(&provider, &ensure);
    let service = place.service(&env, "made-app");
    assert_eq!(outputs["url"], "https://made-app.apps.example");
    assert_eq!(outputs["arn"].as_str(), service.service_arn.as_deref());
    let definition = place.definition(&env, "made-app");
    assert_eq!((definition.family.as_deref(), definition.cpu.as_deref()), (Some("made-app"), Some("1024")));
    assert_eq!(definition.memory.as_deref(), Some("2048"));
    assert_eq!(definition.task_role_arn.as_deref(), Some("arn:aws:iam::123456789012:role/containers"));
    assert_eq!(definition.execution_role_arn.as_deref(), Some("arn:aws:iam::123456789012:role/execution"));
    let container = &definition.container_definitions.as_ref().expect("containers")[0];
    assert_eq!(container.image.as_deref(), Some("registry.example/app:1"));
    let log = container.log_configuration.as_ref().and_then(|log| log.options.as_ref()).expect("a log");
    assert_eq!(log.get("awslogs-group").map(String::as_str), Some("apps"));
    let pairs = container.environment.clone().expect("an environment").into_iter();
    let variables: BTreeMap<String, String> = pairs.filter_map(|pair| Some((pair.name?, pair.value?))).collect();
    let plain = provider.secrets.resolve(&scope("made"), &secret.reference).expect("a value");
    assert_eq!(variables["DATABASE_SECRET"], plain.expose());
    assert_eq!((variables["BUCKET"].as_str(), variables["LOG"].as_str()), ("files", "info"));
    let tags = service.tags.expect("tags");
    for (name, value) in [
        (MANAGED_BY, OWNER),
        ("scope", "shop/test/user:made"),
        ("resource-id", "i_1/compute"),
        ("generation", "3"),
        ("state", "running"),
    ] {
        let has = |tag: &&aws_sdk_ecs::types::Tag| tag.key.as_deref() == Some(name);
        assert_eq!(tags.iter().find(has).and_then(|tag| tag.value.as_deref()), Some(value), "{name}");
    }
    assert_eq!(place.hosts(&env), ["made-app.apps.example"]);

    assert_eq!(done(&provider, &ensure), outputs, "the same call again");
    assert_eq!((place.rules(&env).len(), groups(&env), definitions(&env, "made-app")), (1, 1, 1));
    assert_eq!(states(&provider, "made"), [("i_1/compute".to_owned(), "running".to_owned())]);
    let region = other(&ensure, "ensure", 3);
    let region = Call { payload: json!({"tier": "ecs", "region": "us-west-2"}), ..region };
    assert_eq!(refused(&provider, &region), "bad-payload");
}

#[test]
fn suspending_stops_all_tasks_and_a_change_deletes_the_old_revision() {
    let env = TestEnv::isolated();
    let place = place(&env, "changed");
    let provider = place.provider(&env, &env.aws());
    let ensure = ecs("changed", "changed-app");
    let outputs = done(&provider, &ensure);
    // A change with only a state names no tier: the marks say where the function is.
    let alone = |generation, to: &str| Call { payload: json!({"state": to}), ..state(&ensure, generation, to) };
    assert_eq!(done(&provider, &alone(2, "suspended")), outputs);
    assert_eq!(place.service(&env, "changed-app").desired_count, 0);
    assert_eq!(states(&provider, "changed"), [("i_1/compute".to_owned(), "suspended".to_owned())]);
    assert_eq!(done(&provider, &Call { generation: 2, ..ensure.clone() }), outputs, "`ensure` keeps the state");
    assert_eq!(place.service(&env, "changed-app").desired_count, 0);
    assert_eq!(done(&provider, &alone(3, "running")), outputs);
    assert_eq!(place.service(&env, "changed-app").desired_count, 1);

    let next = place.with(&env, &env.aws(), |config| {
        config.image = "registry.example/app:2".to_owned();
        config.health_path = "/up".to_owned();
    });
    let mut larger = other(&ensure, "change", 4);
    larger.payload["tier"] = json!("ecs-large");
    assert_eq!(done(&next, &larger), outputs, "the same service");
    let definition = place.definition(&env, "changed-app");
    assert_eq!((definition.cpu.as_deref(), definition.revision), (Some("1024"), 2));
    assert_eq!(definition.container_definitions.expect("one")[0].image.as_deref(), Some("registry.example/app:2"));
    assert_eq!(definitions(&env, "changed-app"), 1, "the old revision may have had a secret");
    let list = Balancer::new(&env.sdk()).describe_target_groups().send();
    let group = env.block_on(list).expect("a list").target_groups.expect("one").remove(0);
    assert_eq!(group.health_check_path.as_deref(), Some("/up"));
    for verb in ["ensure", "change", "destroy"] {
        assert_eq!(refused(&provider, &other(&ensure, verb, 3)), "superseded", "{verb}");
    }
    assert_eq!(done(&next, &other(&larger, "destroy", 5)), json!({}));
    assert_eq!((place.rules(&env).len(), groups(&env), definitions(&env, "changed-app")), (0, 0, 0));
    assert_eq!(held(&next, "changed"), []);
}

#[test]
fn a_name_or_a_host_of_somebody_else_is_refused_and_left_alone() {
    let env = TestEnv::isolated();
    let place = place(&env, "contested");
    let provider = place.provider(&env, &env.aws());
    let first = ecs("owner", "contested-app");
    let outputs = done(&provider, &first);
    let second = ecs("rival", "contested-app");
    assert_eq!(refused(&provider, &second), "name-taken");
    assert_eq!(refused(&provider, &state(&second, 2, "suspended")), "name-taken");
    assert_eq!(done(&provider, &other(&second, "observe", 1)), json!({"exists": false}));
    assert_eq!(done(&provider, &other(&second, "destroy", 2)), json!({}), "an absent container counts as deleted");
    assert_eq!((held(&provider, "rival"), done(&provider, &first)), (Vec::new(), outputs));

    // A person's rule serves the host, and a person's task definition has the family.
    let hosts = HostHeaderConditionConfig::builder().values("byhand-app.apps.example").build();
    let condition = RuleCondition::builder().field("host-header").host_header_config(hosts).build();
    let nothing = FixedResponseActionConfig::builder().status_code("404").content_type("text/plain").build();
    let action = Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(nothing).build();
    let create = Balancer::new(&env.sdk()).create_rule().listener_arn(&place.listener).priority(7);
    env.block_on(create.conditions(condition).actions(action).send()).expect("a rule");
    assert_eq!(refused(&provider, &ecs("rival", "byhand-app")), "name-taken");
    let container = aws_sdk_ecs::types::ContainerDefinition::builder().name("x").image("x").memory(128).build();
    let register = Client::new(&env.sdk()).register_task_definition().family("family-app");
    env.block_on(register.container_definitions(container).send()).expect("a task definition");
    assert_eq!(refused(&provider, &ecs("rival", "family-app")), "name-taken");
    assert_eq!((groups(&env), held(&provider, "rival")), (1, Vec::new()), "nothing was made");
    assert_eq!(done(&provider, &other(&ecs("rival", "family-app"), "destroy", 2)), json!({}));
    assert_eq!(definitions(&env, "family-app"), 1);

    let mut adopt = other(&second, "observe", 1);
    adopt.payload = json!({"adopt": true, "outputs": {"arn": done(&provider, &first)["arn"]}});
    assert_eq!(refused(&provider, &adopt), "cannot-adopt");
}

// covers: SOL-27, D-08
#[test]
fn the_tier_decides_between_lambda_and_ecs_and_does_not_move_a_function() {
    let env = TestEnv::isolated();
    let place = place(&env, "both");
    let provider = place.provider(&env, &env.aws());
    let of = |id: &str, tier: &str| call("function.ensure", "both", id, 1, json!({"name": "both-app", "tier": tier}));
    let (lambda, ecs) = (of("i_1/compute@lambda", "lambda"), of("i_1/compute@ecs", "ecs"));
    let (one, two) = (done(&provider, &lambda), done(&provider, &ecs));
    assert!(one["arn"].as_str().is_some_and(|arn| arn.contains(":lambda:")), "{one}");
    assert!(two["arn"].as_str().is_some_and(|arn| arn.contains(":ecs:")), "{two}");
    let expected = ["i_1/compute@ecs", "i_1/compute@lambda"].map(|id| (id.to_owned(), "running".to_owned()));
    assert_eq!(states(&provider, "both"), expected);
    for (from, tier, outputs) in [(&lambda, "ecs", &one), (&ecs, "lambda", &two)] {
        for recorded in [json!(null), outputs.clone()] {
            let mut moved = other(from, "change", 2);
            moved.payload["tier"] = json!(tier);
            moved.payload["outputs"] = recorded;
            assert_eq!(refused(&provider, &moved), "other-tier", "{tier}");
        }
    }
    assert_eq!(refused(&provider, &of("i_2/compute", "huge")), "unsupported-tier");
    let restrictions = provider.provider.restrictions("function");
    assert_eq!(restrictions[0].allowed, ["ecs", "ecs-large", "lambda", "large", "small"]);
    // Without settings of containers there are none.
    let alone = Compute::new(&env.aws(), Some(env.functions(&env.aws())), None);
    assert_eq!(refused(&alone, &of("i_2/compute", "ecs")), "unsupported-tier");
    assert_eq!(alone.restrictions("function")[0].allowed, ["lambda", "large", "small"]);
    for (ensure, outputs) in [(&lambda, one), (&ecs, two)] {
        let mut destroy = other(ensure, "destroy", 3);
        destroy.payload = json!({ "outputs": outputs });
        assert_eq!(done(&provider, &destroy), json!({}));
    }
    assert_eq!(held(&provider, "both"), []);
}

#[test]
fn a_container_has_a_role_of_its_own_for_ecs_that_lives_as_long() {
    let env = TestEnv::isolated();
    let place = place(&env, "roled");
    let mut config = place.config(&env);
    config.role = FunctionRole::Own(tenant_roles());
    let containers = Containers::new(&env.aws(), config).expect("valid settings");
    let functions: Functions = env.functions_with_roles(&env.aws(), tenant_roles());
    let provider = WithSecrets::new(Compute::new(&env.aws(), Some(functions), Some(containers)));
    let ensure = ecs("roled", "roled-app");
    done(&provider, &ensure);
    let arn = place.definition(&env, "roled-app").task_role_arn.expect("a role");
    assert!(arn.starts_with("arn:aws:iam::123456789012:role/tenants/sbp-"), "{arn}");
    let name = arn.rsplit('/').next().expect("a name");
    let iam = aws_sdk_iam::Client::new(&env.sdk());
    let role = env.block_on(iam.get_role().role_name(name).send()).expect("a role").role.expect("a role");
    assert!(role.assume_role_policy_document.expect("a policy").contains("ecs-tasks.amazonaws.com"));
    let policies = env.block_on(iam.list_role_policies().role_name(name).send()).expect("a list").policy_names;
    assert_eq!(policies, [""; 0], "without a bucket it may use nothing");
    assert_eq!(states(&provider, "roled"), [("i_1/compute".to_owned(), "running".to_owned())], "the role is used");
    let alone = Call { kind: "function-role.destroy".to_owned(), ..other(&ensure, "destroy", u32::MAX) };
    assert_eq!(refused(&provider, &alone), "in-use");

    env.block_on(iam.delete_role().role_name(name).send()).expect("a deletion");
    assert_eq!(states(&provider, "roled"), [("i_1/compute".to_owned(), "role-lost".to_owned())]);
    done(&provider, &other(&ensure, "change", 2));
    assert_eq!(states(&provider, "roled"), [("i_1/compute".to_owned(), "running".to_owned())]);
    done(&provider, &other(&ensure, "destroy", 3));
    assert!(env.block_on(iam.get_role().role_name(name).send()).is_err(), "the role is gone");
}

#[test]
fn what_an_interrupted_ensure_has_left_is_listed_and_continued_or_destroyed() {
    let env = TestEnv::isolated();
    let place = place(&env, "half");
    let provider = place.provider(&env, &env.via_proxy());
    let direct = place.provider(&env, &env.aws());
    let ensure = Call { generation: 3, ..ecs("half", "half-app") };
    env.proxy.clear();
    done(&provider, &ensure);
    let requests = env.proxy.seen().len();
    done(&direct, &other(&ensure, "destroy", 3));
    let mut was_incomplete = 0;
    for number in 0..requests {
        env.proxy.clear();
        env.proxy.fail_nth(number, Fault::Status(500, None));
        let CallOutcome::Retry { .. } = provider.call(&ensure) else { continue };
        let there = states(&direct, "half");
        was_incomplete += usize::from(there == [("i_1/compute".to_owned(), "incomplete".to_owned())]);
        env.proxy.clear();
        if number % 2 == 0 {
            done(&provider, &ensure);
            assert_eq!((place.rules(&env).len(), groups(&env)), (1, 1), "{number}");
        }
        done(&direct, &other(&ensure, "destroy", 3));
        assert_eq!(held(&direct, "half"), [], "{number}");
        assert_eq!((place.rules(&env).len(), groups(&env), definitions(&env, "half-app")), (0, 0, 0), "{number}");
    }
    assert!(was_incomplete >= 4, "a target group without a service is listed: {was_incomplete} of {requests}");
}

#[test]
fn an_interrupted_destroy_is_continued() {
    let env = TestEnv::isolated();
    let place = place(&env, "undone");
    let (provider, direct) = (place.provider(&env, &env.via_proxy()), place.provider(&env, &env.aws()));
    let ensure = ecs("undone", "undone-app");
    let mut number = 0;
    loop {
        let generation = 2 * number as u32 + 1;
        done(&direct, &Call { generation, ..ensure.clone() });
        env.proxy.clear();
        env.proxy.fail_nth(number, Fault::Status(500, None));
        let destroy = other(&ensure, "destroy", generation + 1);
        let (_, before) = done_in_the_end(&provider, &destroy);
        assert_eq!(held(&direct, "undone"), [], "{number}");
        assert_eq!((place.rules(&env).len(), groups(&env), definitions(&env, "undone-app")), (0, 0, 0), "{number}");
        if env.proxy.struck() == 0 {
            break;
        }
        assert_eq!(before.len(), 1, "{number}");
        number += 1;
    }
    assert!(number >= 8, "{number}");
}

/// Changes the descriptions of services.
fn services(env: &TestEnv, mut edit: impl FnMut(String) -> String + Send + 'static) -> RuleProxy {
    RuleProxy::start(env.address(), move |request, forward| {
        let target = request.header("x-amz-target")?.rsplit('.').next()?.to_owned();
        if !["describeservices", "createservice", "updateservice", "deleteservice"].contains(&target.as_str()) {
            return None;
        }
        let answer = forward();
        Some(with_body(&answer, &edit(body_of(&answer).to_owned())))
    })
}

#[test]
fn a_service_without_a_running_task_is_not_yet_running() {
    let env = TestEnv::isolated();
    let place = place(&env, "slow");
    let mut polls = 0;
    let rule_proxy = services(&env, move |body| {
        polls += 1;
        match polls {
            // The first call looks four times and creates the service; then come an observation and a poll.
            0..=8 => body
                .replace("\"runningCount\": 1", "\"runningCount\": 0")
                .replace("\"pendingCount\": 0", "\"pendingCount\": 1")
                .replace("COMPLETED", "IN_PROGRESS"),
            _ => body,
        }
    });
    let aws = crate::aws::support::aws(&rule_proxy.url(), ("test", "test"));
    let provider = place.provider(&env, &aws);
    let ensure = ecs("slow", "slow-app");
    let CallOutcome::InProgress { token, after_ms } = provider.call(&ensure) else { panic!("expected progress") };
    let seen = done(&provider, &other(&ensure, "observe", 1));
    assert_eq!((&seen["exists"], &seen["state"]), (&json!(true), &json!("starting")), "{seen}");
    assert!(seen["outputs"]["url"].is_string(), "{seen}");
    let look = Call { token: Some(token), ..ensure.clone() };
    let CallOutcome::InProgress { after_ms: second, .. } = provider.call(&look) else { panic!("expected progress") };
    assert!(second > after_ms, "each poll is delayed longer");
    let outputs = done(&provider, &ensure);
    assert_eq!(seen["outputs"], outputs);
    assert_eq!(done(&provider, &other(&ensure, "observe", 1))["state"], "running");
}

#[test]
fn a_task_that_never_starts_is_refused_with_the_reason() {
    let env = TestEnv::isolated();
    let place = place(&env, "broken");
    let rule_proxy = services(&env, |body| {
        body.replace("\"runningCount\": 1", "\"runningCount\": 0")
            .replace("\"rolloutState\": \"COMPLETED\"", "\"rolloutState\": \"FAILED\"")
            .replace(" completed.\"", " failed: tasks failed to start.\"")
    });
    let aws = crate::aws::support::aws(&rule_proxy.url(), ("test", "test"));
    let provider = place.provider(&env, &aws);
    let ensure = ecs("broken", "broken-app");
    let CallOutcome::Refused { code, message } = provider.call(&ensure) else { panic!("expected a refusal") };
    assert_eq!(code, "failed");
    assert!(message.contains("broken-app") && message.contains("tasks failed to start"), "{message}");
    assert_eq!(states(&provider, "broken"), [("i_1/compute".to_owned(), "starting".to_owned())]);
    // The next call, with the error removed, deploys again.
    assert!(done(&place.provider(&env, &env.aws()), &ensure)["url"].is_string());
    done(&place.provider(&env, &env.aws()), &other(&ensure, "destroy", 2));
}

#[test]
fn a_service_is_gone_only_when_its_tasks_have_stopped() {
    let env = TestEnv::isolated();
    let place = place(&env, "draining");
    let mut left = 6;
    let rule_proxy = services(&env, move |body| {
        let is_deleted = body.contains("\"status\": \"INACTIVE\"");
        if !is_deleted || left == 0 {
            return body;
        }
        left -= 1;
        body.replace("\"status\": \"INACTIVE\"", "\"status\": \"DRAINING\"")
    });
    let aws = crate::aws::support::aws(&rule_proxy.url(), ("test", "test"));
    let provider = place.provider(&env, &aws);
    let ensure = ecs("draining", "draining-app");
    done(&provider, &ensure);
    let destroy = other(&ensure, "destroy", 2);
    let CallOutcome::InProgress { .. } = provider.call(&destroy) else { panic!("expected progress") };
    assert_eq!(place.rules(&env).len(), 0, "nobody reaches it any more");
    assert_eq!(groups(&env), 1);
    assert_eq!(done(&provider, &other(&ensure, "observe", 2)), json!({"exists": false}));
    assert_eq!(held(&provider, "draining"), []);
    assert_eq!(done(&provider, &destroy), json!({}));
    assert_eq!((groups(&env), definitions(&env, "draining-app")), (0, 0));
}
