//! Opens the provider of functions on AWS (Lambda and ECS) with its settings.

use crate::aws::provider::{
    Aws, Code, Compute, ContainerConfig, ContainerSize, Containers, FunctionConfig, FunctionRole, FunctionSize,
    Functions, TenantRoles,
};
use crate::aws::settings::{AwsCode, AwsContainerSize, AwsContainers, AwsFunctions, AwsRoles, AwsSettings, AwsSize};
use crate::builder::OpenError;
use host_provider_api::ProviderName;

const ROLE: &str = "expected `role_arn`, a role that all functions share, or `roles`";

/// Returns the roles of tenants, if functions or containers each have their own role. Both must have the same settings,
/// because tenants' buckets are open to one pattern of roles.
pub(super) fn tenants(name: ProviderName, settings: &AwsSettings) -> Result<Option<TenantRoles>, OpenError> {
    let of_functions = settings.functions.as_ref().and_then(|functions| functions.roles.as_ref());
    let of_containers = settings.containers.as_ref().and_then(|containers| containers.roles.as_ref());
    if let (Some(one), Some(other)) = (of_functions, of_containers)
        && one != other
    {
        return Err(OpenError::settings(name, "expected the same `roles` in `functions` and `containers`"));
    }
    let roles = |roles: &AwsRoles| TenantRoles::new(&roles.path, roles.boundary_arn.as_deref(), &roles.operators);
    of_functions.or(of_containers).map(roles).transpose().map_err(|error| OpenError::settings(name, error))
}

/// Returns the provider of functions; none without settings for functions or containers.
pub(super) fn provider(
    name: ProviderName,
    aws: &Aws,
    settings: &AwsSettings,
    tenants: Option<TenantRoles>,
) -> Result<Option<Compute>, OpenError> {
    let (functions, containers) = (settings.functions.as_ref(), settings.containers.as_ref());
    if let (Some(functions), Some(containers)) = (functions, containers)
        && let Some(tier) =
            containers.tiers.keys().find(|tier| *tier == "lambda" || functions.tiers.contains_key(*tier))
    {
        return Err(OpenError::settings(
            name,
            format!("`containers.tiers` has `{tier}`: expected no tier of functions on Lambda"),
        ));
    }
    let role = |arn: &Option<String>, roles: &Option<AwsRoles>| match (arn, roles, &tenants) {
        (Some(arn), None, _) => Ok(FunctionRole::Shared(arn.clone())),
        (None, Some(_), Some(tenants)) => Ok(FunctionRole::Own(tenants.clone())),
        _ => Err(OpenError::settings(name, ROLE)),
    };
    let functions = functions.map(|functions| {
        let config = on_lambda(functions, role(&functions.role_arn, &functions.roles)?);
        Functions::new(aws, config).map_err(|error| OpenError::settings(name, error))
    });
    let containers = containers.map(|containers| {
        let config = on_ecs(containers, role(&containers.role_arn, &containers.roles)?);
        Containers::new(aws, config).map_err(|error| OpenError::settings(name, error))
    });
    let (functions, containers) = (functions.transpose()?, containers.transpose()?);
    Ok((functions.is_some() || containers.is_some()).then(|| Compute::new(aws, functions, containers)))
}

fn on_lambda(functions: &AwsFunctions, role: FunctionRole) -> FunctionConfig {
    let size = |size: &AwsSize| FunctionSize { memory_mb: size.memory_mb, timeout_s: size.timeout_s };
    FunctionConfig {
        role,
        code: match &functions.code {
            AwsCode::File(file) => Code::File(file.clone()),
            AwsCode::Object { bucket, key, version } => {
                Code::Object { bucket: bucket.clone(), key: key.clone(), version: version.clone() }
            }
        },
        runtime: functions.runtime.clone(),
        handler: functions.handler.clone(),
        size: functions.size.as_ref().map_or_else(FunctionSize::default, size),
        tiers: functions.tiers.iter().map(|(tier, of)| (tier.clone(), size(of))).collect(),
        environment: functions.environment.clone(),
        secret_in_environment: functions.secret_in_environment,
        kms_key_arn: functions.kms_key_arn.clone(),
        subnet_ids: functions.subnet_ids.clone(),
        security_group_ids: functions.security_group_ids.clone(),
    }
}

fn on_ecs(containers: &AwsContainers, role: FunctionRole) -> ContainerConfig {
    let size = |size: &AwsContainerSize| ContainerSize { cpu: size.cpu, memory_mb: size.memory_mb };
    ContainerConfig {
        cluster: containers.cluster.clone(),
        image: containers.image.clone(),
        port: containers.port,
        size: containers.size.as_ref().map_or_else(ContainerSize::default, size),
        tiers: containers.tiers.iter().map(|(tier, of)| (tier.clone(), size(of))).collect(),
        count: containers.count,
        subnet_ids: containers.subnet_ids.clone(),
        security_group_ids: containers.security_group_ids.clone(),
        assign_public_ip: containers.assign_public_ip,
        execution_role_arn: containers.execution_role_arn.clone(),
        role,
        listener_arn: containers.listener_arn.clone(),
        vpc_id: containers.vpc_id.clone(),
        domain: containers.domain.clone(),
        health_path: containers.health_path.clone(),
        environment: containers.environment.clone(),
        secret_in_environment: containers.secret_in_environment,
        log_group: containers.log_group.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Config, Credentials, Timeouts};
    use host_provider_api::Provider;

    const FUNCTIONS: &str = "code: {bucket: b, key: k}, runtime: r, handler: h, role_arn: \"arn:aws:iam::1:role/f\"";
    const CONTAINERS: &str = "cluster: c, image: i, port: 80, subnet_ids: [s], vpc_id: v, domain: a.example, \
        execution_role_arn: \"arn:aws:iam::1:role/e\", listener_arn: \"arn:aws:l\", role_arn: \"arn:aws:iam::1:role/c\"";

    fn opened(functions: Option<&str>, containers: Option<&str>) -> Result<Option<Compute>, String> {
        let member = |name: &str, of: Option<&str>| of.map(|of| format!(", {name}: {{{of}}}")).unwrap_or_default();
        let (functions, containers) = (member("functions", functions), member("containers", containers));
        let settings = serde_saphyr::from_str(&format!("{{region: eu-central-1{functions}{containers}}}"));
        let settings: AwsSettings = settings.expect("settings");
        let config = Config {
            region: "eu-central-1".to_owned(),
            endpoint: None,
            credentials: Credentials::Chain,
            timeouts: Timeouts::default(),
        };
        let aws = Aws::open(&config).expect("an account");
        let tenants = tenants(ProviderName::Aws, &settings).map_err(|error| error.to_string())?;
        provider(ProviderName::Aws, &aws, &settings, tenants).map_err(|error| error.to_string())
    }

    #[test]
    fn the_tiers_follow_from_the_settings() {
        let tiers = |functions, containers| {
            let opened = opened(functions, containers).expect("valid settings").expect("a provider");
            opened.restrictions("function")[0].allowed.clone()
        };
        assert_eq!(tiers(Some(FUNCTIONS), None), ["lambda"]);
        assert_eq!(tiers(None, Some(CONTAINERS)), ["ecs"]);
        assert_eq!(tiers(Some(FUNCTIONS), Some(CONTAINERS)), ["ecs", "lambda"]);
        assert!(opened(None, None).expect("valid settings").is_none());
    }

    #[test]
    fn settings_that_contradict_each_other_are_reported() {
        let problem =
            |functions: &str, containers: &str| opened(Some(functions), Some(containers)).err().expect("a problem");
        let sized = format!("{FUNCTIONS}, tiers: {{large: {{memory_mb: 512, timeout_s: 9}}}}");
        let same = format!("{CONTAINERS}, tiers: {{large: {{cpu: 256, memory_mb: 512}}}}");
        assert!(problem(&sized, &same).contains("`containers.tiers` has `large`"));
        let lambda = same.replace("large", "lambda");
        assert!(problem(FUNCTIONS, &lambda).contains("`containers.tiers` has `lambda`"));
        let both = format!("{CONTAINERS}, roles: {{path: /t/, operators: [\"arn:aws:iam::1:role/h\"]}}");
        assert!(problem(FUNCTIONS, &both).contains(ROLE));
        let own = |of: &str, path: &str| {
            let role = of.rfind("role_arn").expect("a role");
            format!("{}roles: {{path: {path}, operators: [\"arn:aws:iam::1:role/h\"]}}", &of[..role])
        };
        assert!(problem(&own(FUNCTIONS, "/a/"), &own(CONTAINERS, "/b/")).contains("the same `roles`"));
        let same = opened(Some(&own(FUNCTIONS, "/a/")), Some(&own(CONTAINERS, "/a/")));
        assert!(same.is_ok_and(|opened| opened.is_some()));
        let small = format!("{CONTAINERS}, size: {{cpu: 256, memory_mb: 4096}}");
        assert!(problem(FUNCTIONS, &small).contains("`cpu, memory_mb` is `256, 4096`"));
    }
}
