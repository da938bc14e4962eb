//! Settings of a container, from the configuration and the payload.

use crate::aws::provider::aws::{Aws, OpenError};
use crate::aws::provider::environment::variables;
use crate::aws::provider::errors::unbuilt;
use crate::aws::provider::function::{ECS, FunctionRole};
use crate::aws::provider::payload::{bad, text, whole};
use crate::aws::provider::role::{Grants, Service};
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder as Register;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Compatibility, ContainerDefinition, KeyValuePair, LogConfiguration, LogDriver,
    NetworkConfiguration, NetworkMode, PortMapping, TaskDefinition, TransportProtocol,
};
use host_provider_api::names::Rules;
use host_provider_api::{Call, CallOutcome};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Name of the only container of a task.
pub(super) const CONTAINER: &str = "app";
/// Fargate's sizes: CPU units, minimum and maximum memory, and the step between memory sizes, in MB.
const SIZES: [(i32, i32, i32, i32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];
const SIZE_EXPECTED: &str = "a size that Fargate has, such as 256 with 512, or 1024 with 2048 to 8192";
const MEMORY_MB: (i32, i32) = (512, 122_880);
/// Within the range of 256 CPU units, but not one of Fargate's sizes, which are 512, 1024 and 2048 MB there.
const NO_SIZE: (i32, i32) = (256, 1536);
const COUNT: (i32, i32) = (1, 1000);
/// A condition of a rule has at most 128 characters, and a DNS label at most 63.
const DOMAIN: Rules = Rules { what: "domain", shortest: 4, longest: 64, others: b"-." };

/// Size of a container on Fargate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerSize {
    /// CPU units: 1024 are one processor.
    pub cpu: i32,
    /// Memory in MB.
    pub memory_mb: i32,
}

impl Default for ContainerSize {
    /// A quarter of a processor, 512 MB.
    fn default() -> Self {
        ContainerSize { cpu: 256, memory_mb: 512 }
    }
}

impl ContainerSize {
    /// Returns true if Fargate has this size.
    fn is_possible(self) -> bool {
        let fits = |&(cpu, least, most, step): &(i32, i32, i32, i32)| {
            cpu == self.cpu && (least..=most).contains(&self.memory_mb) && (self.memory_mb - least) % step == 0
        };
        (self.cpu, self.memory_mb) != NO_SIZE && SIZES.iter().any(fits)
    }
}

/// Settings that all containers share.
#[derive(Clone, Debug)]
pub struct ContainerConfig {
    /// Name of the ECS cluster.
    pub cluster: String,
    /// The image, for example `123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:7`.
    pub image: String,
    /// Port on which the program in the image serves HTTP.
    pub port: u16,
    /// Size of a container if the payload has the tier `ecs`. The payload's `memory_mb` overrides the memory.
    pub size: ContainerSize,
    /// Sizes by the payload's `tier`.
    pub tiers: BTreeMap<String, ContainerSize>,
    /// Number of tasks of a running service.
    pub count: i32,
    /// Ids of the subnets of the tasks.
    pub subnet_ids: Vec<String>,
    /// Ids of the security groups of the tasks. They must let the load balancer reach `port`.
    pub security_group_ids: Vec<String>,
    /// Whether tasks have public addresses. Without one, the subnets need another way to the image's registry.
    pub assign_public_ip: bool,
    /// ARN of the role with which ECS fetches the image and writes the log.
    pub execution_role_arn: String,
    /// The role of the program in the container.
    pub role: FunctionRole,
    /// ARN of the load balancer's listener that gets a rule for each container.
    pub listener_arn: String,
    /// Id of the network of the load balancer and the tasks.
    pub vpc_id: String,
    /// Domain below which each container has its host. The domain's wildcard record points to the load balancer.
    pub domain: String,
    /// Path that answers the load balancer's health check with 200 to 399.
    pub health_path: String,
    /// Environment variables of every container; not for secrets.
    pub environment: BTreeMap<String, String>,
    /// Whether the variable `DATABASE_SECRET` contains the plain value of the payload's `database_secret`, which is visible to everybody
    /// who may read task definitions. Otherwise, `DATABASE_SECRET_REF` contains the reference.
    pub secret_in_environment: bool,
    /// Name of the log group for the containers' output; none for no log.
    pub log_group: Option<String>,
}

impl ContainerConfig {
    /// Validates the settings.
    pub(super) fn checked(self) -> Result<CheckedConfig, OpenError> {
        let setting = |field, found: &dyn ToString, expected| {
            Err(OpenError::Setting { field, found: found.to_string(), expected })
        };
        for size in self.tiers.values().chain([&self.size]) {
            if !size.is_possible() {
                return setting("cpu, memory_mb", &format!("{}, {}", size.cpu, size.memory_mb), SIZE_EXPECTED);
            }
        }
        if !(COUNT.0..=COUNT.1).contains(&self.count) {
            return setting("count", &self.count, "1 to 1000");
        }
        if self.port == 0 {
            return setting("port", &self.port, "1 to 65535");
        }
        if self.subnet_ids.is_empty() {
            return setting("subnet_ids", &"", "the ids of one subnet at least");
        }
        if !DOMAIN.check(&self.domain).is_ok_and(|domain| domain.contains('.')) {
            return setting("domain", &self.domain, "a domain of 64 characters at most, such as `apps.example.com`");
        }
        if !self.health_path.starts_with('/') {
            return setting("health_path", &self.health_path, "a path, such as `/health`");
        }
        for (field, value) in [("cluster", &self.cluster), ("image", &self.image), ("vpc_id", &self.vpc_id)] {
            if value.is_empty() {
                return setting(field, value, "a text");
            }
        }
        let shared = match &self.role {
            FunctionRole::Shared(arn) => Some(("role_arn", arn)),
            FunctionRole::Own(_) => None,
        };
        let arns = [("execution_role_arn", &self.execution_role_arn), ("listener_arn", &self.listener_arn)];
        for (field, arn) in arns.into_iter().chain(shared) {
            if !arn.starts_with("arn:") {
                return setting(field, arn, "an ARN");
            }
        }
        Ok(CheckedConfig { config: self })
    }
}

/// A validated configuration.
pub(super) struct CheckedConfig {
    pub(super) config: ContainerConfig,
}

/// Settings of one container. Not `Debug`, because the environment may contain a secret.
pub(super) struct Settings {
    size: ContainerSize,
    environment: BTreeMap<String, String>,
}

impl CheckedConfig {
    /// Returns the tiers of containers, sorted.
    pub(super) fn tiers(&self) -> Vec<String> {
        let known: BTreeSet<&str> = self.config.tiers.keys().map(String::as_str).chain([ECS]).collect();
        known.into_iter().map(str::to_owned).collect()
    }

    /// Returns the host of the container with this name.
    pub(super) fn host(&self, name: &str) -> String {
        format!("{name}.{}", self.config.domain)
    }

    /// Returns the rights of a container, without a bucket.
    pub(super) fn grants<'g>(&self, call: &'g Call, region: &'g str) -> Result<Grants<'g>, CallOutcome> {
        // A container gets the plain secret or a reference that it resolves itself, never both.
        let secret = if self.config.secret_in_environment { None } else { text(call, "database_secret")? };
        Ok(Grants { region, service: Service::Containers, scope: call.scope.as_str(), bucket: None, secret })
    }

    pub(super) fn settings(&self, call: &Call) -> Result<Settings, CallOutcome> {
        let config = &self.config;
        let environment = variables(call, &config.environment, config.secret_in_environment)?;
        Ok(Settings { size: self.size(call)?, environment })
    }

    fn size(&self, call: &Call) -> Result<ContainerSize, CallOutcome> {
        let tier = match text(call, "tier")? {
            None => self.config.size,
            Some(tier) => match self.config.tiers.get(tier) {
                Some(size) => *size,
                None if tier == ECS => self.config.size,
                None => {
                    let (problem, known) = (format!("`tier` is `{tier}`"), self.tiers().join(", "));
                    let problem = format!("{problem}: expected one of {known}, which containers on ECS have");
                    return Err(CallOutcome::refused("unsupported-tier", problem));
                }
            },
        };
        let memory = whole(call, "memory_mb", MEMORY_MB.0, MEMORY_MB.1)?;
        let Some(memory_mb) = memory.or(whole(call, "ram_mb", MEMORY_MB.0, MEMORY_MB.1)?) else { return Ok(tier) };
        let size = ContainerSize { memory_mb, ..tier };
        let expected = format!("{SIZE_EXPECTED}, with {} CPU units", size.cpu);
        if size.is_possible() { Ok(size) } else { Err(bad("memory_mb", memory_mb, &expected)) }
    }

    /// Returns the network of the tasks.
    pub(super) fn network(&self) -> Result<NetworkConfiguration, CallOutcome> {
        let config = &self.config;
        let public = if config.assign_public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(config.subnet_ids.clone()))
            .set_security_groups(Some(config.security_group_ids.clone()))
            .assign_public_ip(public)
            .build()
            .map_err(|error| unbuilt(&error))?;
        Ok(NetworkConfiguration::builder().awsvpc_configuration(network).build())
    }

    /// Returns true if the tasks have this network. Without ids of security groups, any group counts, because AWS then returns the
    /// network's own.
    pub(super) fn has_network(&self, there: Option<&NetworkConfiguration>) -> bool {
        let Some(there) = there.and_then(|there| there.awsvpc_configuration.as_ref()) else { return false };
        let (config, set) = (&self.config, |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<_>>());
        let public = there.assign_public_ip == Some(AssignPublicIp::Enabled);
        set(&there.subnets) == set(&config.subnet_ids)
            && (config.security_group_ids.is_empty()
                || set(there.security_groups.as_deref().unwrap_or_default()) == set(&config.security_group_ids))
            && public == config.assign_public_ip
    }

    fn log(&self, aws: &Aws, name: &str) -> Result<Option<LogConfiguration>, CallOutcome> {
        let Some(group) = &self.config.log_group else { return Ok(None) };
        let options =
            [("awslogs-group", group.as_str()), ("awslogs-region", aws.region()), ("awslogs-stream-prefix", name)];
        let options: HashMap<String, String> =
            options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let log = LogConfiguration::builder().log_driver(LogDriver::Awslogs).set_options(Some(options)).build();
        log.map(Some).map_err(|error| unbuilt(&error))
    }
}

impl Settings {
    fn container(&self, aws: &Aws, checked: &CheckedConfig, name: &str) -> Result<ContainerDefinition, CallOutcome> {
        let pair = |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
        let port = i32::from(checked.config.port);
        let ports = PortMapping::builder().container_port(port).host_port(port).protocol(TransportProtocol::Tcp);
        Ok(ContainerDefinition::builder()
            .name(CONTAINER)
            .image(&checked.config.image)
            .essential(true)
            .port_mappings(ports.build())
            .set_environment(Some(self.environment.iter().map(pair).collect()))
            .set_log_configuration(checked.log(aws, name)?)
            .build())
    }

    /// Puts the settings of the container with this name and this role into a request.
    pub(super) fn register(
        &self,
        register: Register,
        aws: &Aws,
        checked: &CheckedConfig,
        name: &str,
        role: &str,
    ) -> Result<Register, CallOutcome> {
        Ok(register
            .family(name)
            .network_mode(NetworkMode::Awsvpc)
            .requires_compatibilities(Compatibility::Fargate)
            .cpu(self.size.cpu.to_string())
            .memory(self.size.memory_mb.to_string())
            .execution_role_arn(&checked.config.execution_role_arn)
            .task_role_arn(role)
            .container_definitions(self.container(aws, checked, name)?))
    }

    /// Returns true if the task definition already has these settings and this role.
    pub(super) fn are_set_on(
        &self,
        there: &TaskDefinition,
        aws: &Aws,
        checked: &CheckedConfig,
        role: &str,
    ) -> Result<bool, CallOutcome> {
        let wanted = self.container(aws, checked, there.family.as_deref().unwrap_or_default())?;
        let [has] = there.container_definitions.as_deref().unwrap_or_default() else { return Ok(false) };
        let variables = |of: &ContainerDefinition| -> BTreeMap<String, String> {
            let pairs = of.environment.clone().unwrap_or_default().into_iter();
            pairs.filter_map(|pair| Some((pair.name?, pair.value?))).collect()
        };
        let port = |of: &ContainerDefinition| of.port_mappings.as_ref()?.first()?.container_port;
        let log = |of: &ContainerDefinition| of.log_configuration.as_ref().map(|log| log.options.clone());
        Ok(has.name == wanted.name
            && has.image == wanted.image
            && port(has) == port(&wanted)
            && variables(has) == variables(&wanted)
            && log(has) == log(&wanted)
            && there.cpu == Some(self.size.cpu.to_string())
            && there.memory == Some(self.size.memory_mb.to_string())
            && there.task_role_arn.as_deref() == Some(role)
            && there.execution_role_arn.as_deref() == Some(checked.config.execution_role_arn.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config() -> ContainerConfig {
        ContainerConfig {
            cluster: "apps".to_owned(),
            image: "registry.example/app:1".to_owned(),
            port: 8080,
            size: ContainerSize::default(),
            tiers: [("ecs-large".to_owned(), ContainerSize { cpu: 1024, memory_mb: 4096 })].into(),
            count: 1,
            subnet_ids: vec!["subnet-1".to_owned()],
            security_group_ids: Vec::new(),
            assign_public_ip: false,
            execution_role_arn: "arn:aws:iam::1:role/execution".to_owned(),
            role: FunctionRole::Shared("arn:aws:iam::1:role/r".to_owned()),
            listener_arn: "arn:aws:elasticloadbalancing:eu-central-1:1:listener/app/l/1/2".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            domain: "apps.example".to_owned(),
            health_path: "/".to_owned(),
            environment: BTreeMap::new(),
            secret_in_environment: false,
            log_group: None,
        }
    }

    #[test]
    fn only_sizes_of_fargate_are_possible() {
        let is_possible = |cpu, memory_mb| ContainerSize { cpu, memory_mb }.is_possible();
        for (cpu, memory_mb) in [(256, 512), (256, 1024), (256, 2048), (512, 3072), (1024, 8192), (8192, 20_480)] {
            assert!(is_possible(cpu, memory_mb), "{cpu}, {memory_mb}");
        }
        for (cpu, memory_mb) in
            [(256, 256), (256, 1536), (256, 4096), (512, 512), (1024, 2500), (300, 512), (8192, 17_408)]
        {
            assert!(!is_possible(cpu, memory_mb), "{cpu}, {memory_mb}");
        }
    }

    #[test]
    fn a_tier_sets_the_size_and_the_payload_the_memory() {
        let size = |payload: Value| {
            let checked = config().checked().expect("valid settings");
            checked.size(&Call { payload, ..Call::default() }).map(|size| (size.cpu, size.memory_mb))
        };
        assert_eq!(size(json!({})), Ok((256, 512)));
        assert_eq!(size(json!({"tier": "ecs"})), Ok((256, 512)));
        assert_eq!(size(json!({"tier": "ecs-large"})), Ok((1024, 4096)));
        assert_eq!(size(json!({"tier": "ecs-large", "memory_mb": 2048})), Ok((1024, 2048)));
        for (payload, expected) in [
            (json!({"tier": "lambda"}), "unsupported-tier"),
            (json!({"tier": "ecs", "memory_mb": 4096}), "bad-payload"),
            (json!({"tier": "ecs", "ram_mb": 100}), "bad-payload"),
        ] {
            assert!(matches!(size(payload), Err(CallOutcome::Refused { code, .. }) if code == expected), "{expected}");
        }
    }

    #[test]
    fn invalid_settings_are_reported_with_what_is_expected() {
        let problem = |change: &dyn Fn(&mut ContainerConfig)| {
            let mut config = config();
            change(&mut config);
            config.checked().err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(problem(&|_| {}), "");
        let size = ContainerSize { cpu: 256, memory_mb: 4096 };
        assert!(problem(&|config| config.size = size).starts_with("`cpu, memory_mb` is `256, 4096`: expected"));
        assert!(problem(&|config| config.count = 0).starts_with("`count` is `0`"));
        assert!(problem(&|config| config.port = 0).starts_with("`port` is `0`"));
        assert!(problem(&|config| config.subnet_ids.clear()).starts_with("`subnet_ids` is ``"));
        assert!(problem(&|config| config.domain = "localhost".to_owned()).starts_with("`domain` is `localhost`"));
        assert!(problem(&|config| config.health_path = "up".to_owned()).starts_with("`health_path` is `up`"));
        assert!(problem(&|config| config.listener_arn = "l".to_owned()).starts_with("`listener_arn` is `l`"));
        assert!(problem(&|config| config.role = FunctionRole::Shared("r".to_owned())).starts_with("`role_arn` is `r`"));
        assert!(problem(&|config| config.image.clear()).starts_with("`image` is ``"));
    }
}
