//! The settings of AWS and of Backblaze B2.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An AWS account in one region.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSettings {
    /// Region, for example `eu-central-1`.
    pub region: String,
    /// Address of an AWS-compatible service. None for AWS itself.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Id of the access key. None to use the machine's credentials.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Reference to the secret key.
    #[serde(default)]
    pub secret_access_key: Option<String>,
    /// Settings for functions on Lambda. Without these and `containers`, the provider `aws` has no functions.
    #[serde(default)]
    pub functions: Option<AwsFunctions>,
    /// Settings for functions of the tier `ecs`. Without them, the provider `aws` refuses this tier.
    #[serde(default)]
    pub containers: Option<AwsContainers>,
    /// Settings for dedicated databases. Without them, the provider `aws` has no databases.
    #[serde(default)]
    pub databases: Option<AwsDatabases>,
    /// ARN of the distributions' certificate, in `us-east-1`. Without it, each distribution needs a `zone`, in which a
    /// certificate for its host can be validated.
    #[serde(default)]
    pub certificate_arn: Option<String>,
    /// Id of the origin access control that lets distributions read private buckets.
    #[serde(default)]
    pub origin_access_control_id: Option<String>,
    /// `PriceClass_100`, `PriceClass_200` or `PriceClass_All`.
    #[serde(default)]
    pub price_class: Option<String>,
    /// Number of the AWS account whose distributions may read the buckets.
    #[serde(default)]
    pub cdn_account: Option<String>,
    /// Names of the platform's buckets. Every account may get signed URLs for the objects in them.
    #[serde(default)]
    pub shared_buckets: Vec<String>,
}

/// Settings for functions on Lambda.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsFunctions {
    /// ARN of the role that all functions share. Either this or `roles` is required.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// Gives each function its own role, which may use only the function's own resources.
    #[serde(default)]
    pub roles: Option<AwsRoles>,
    /// Location of the code.
    pub code: AwsCode,
    /// Lambda runtime, for example `provided.al2023`.
    pub runtime: String,
    /// Handler, for example `bootstrap`.
    pub handler: String,
    /// Size of a function if the payload has no `tier`, or the tier `lambda`. The payload's `memory_mb` and `timeout_s`
    /// override every size.
    #[serde(default)]
    pub size: Option<AwsSize>,
    /// Sizes by the payload's `tier`. Other tiers except `lambda` are refused.
    #[serde(default)]
    pub tiers: BTreeMap<String, AwsSize>,
    /// Environment variables of every function; not for secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Whether the variable `DATABASE_SECRET` contains the database's plain secret, for functions that have no other means of getting it.
    /// If false, the function gets a reference and must resolve it itself.
    #[serde(default = "yes")]
    pub secret_in_environment: bool,
    /// ARN of the key that encrypts the environment; Lambda's own key if none.
    #[serde(default)]
    pub kms_key_arn: Option<String>,
    /// Ids of the subnets of the functions' network; empty for Lambda's own network.
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    /// Ids of the functions' security groups in that network.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Settings for functions that each have their own role.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsRoles {
    /// Path of the roles, for example `/tenants/`. The credentials of `aws` need rights only to roles at this path.
    pub path: String,
    /// ARN of the policy that is the roles' permissions boundary; none if the roles have no boundary.
    #[serde(default)]
    pub boundary_arn: Option<String>,
    /// ARNs of the operator's own principals, including that of `aws` itself. Tenants' buckets deny every principal except these and the
    /// tenant's own roles. An ARN may contain `*` and `?`.
    pub operators: Vec<String>,
}

/// Location of the functions' code.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum AwsCode {
    /// An object in a bucket of the region.
    Object {
        /// Name of the bucket.
        bucket: String,
        /// Key of the zip file.
        key: String,
        /// Version of the object.
        #[serde(default)]
        version: Option<String>,
    },
    /// A zip file on this machine.
    File(PathBuf),
}

/// Size of a function.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSize {
    /// Memory in MB, 128 to 10240.
    pub memory_mb: i32,
    /// Timeout of a request in seconds, 1 to 900.
    pub timeout_s: i32,
}

/// Settings for containers on ECS.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsContainers {
    /// Name of the cluster.
    pub cluster: String,
    /// The image, for example `123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:7`.
    pub image: String,
    /// Port on which the program in the image serves HTTP.
    pub port: u16,
    /// Size of a container of the tier `ecs`. The payload's `memory_mb` overrides the memory of every size.
    #[serde(default)]
    pub size: Option<AwsContainerSize>,
    /// Sizes by the payload's `tier`. A tier belongs either to containers or to functions, not to both.
    #[serde(default)]
    pub tiers: BTreeMap<String, AwsContainerSize>,
    /// Number of tasks of a running service.
    #[serde(default = "one")]
    pub count: i32,
    /// Ids of the subnets of the tasks.
    pub subnet_ids: Vec<String>,
    /// Ids of the security groups of the tasks. They must let the load balancer reach `port`.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Whether the tasks have public addresses.
    #[serde(default)]
    pub assign_public_ip: bool,
    /// ARN of the role with which ECS fetches the image and writes the log.
    pub execution_role_arn: String,
    /// ARN of the role that all programs share. Either this or `roles` is required.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// Gives each program its own role. If functions have `roles`, theirs must be the same.
    #[serde(default)]
    pub roles: Option<AwsRoles>,
    /// ARN of the listener of a load balancer. It gets a rule for each container.
    pub listener_arn: String,
    /// Id of the network of the load balancer and the tasks.
    pub vpc_id: String,
    /// Domain below which each container has its host. Its wildcard points to the load balancer.
    pub domain: String,
    /// Path that answers the load balancer's health check with 200 to 399.
    #[serde(default = "root")]
    pub health_path: String,
    /// Environment variables of every container; not for secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Whether the variable `DATABASE_SECRET` gets the database's plain secret. If false, the container gets a reference
    /// and must resolve it itself.
    #[serde(default = "yes")]
    pub secret_in_environment: bool,
    /// Name of the log group for the containers' output; none for no log.
    #[serde(default)]
    pub log_group: Option<String>,
}

fn one() -> i32 {
    1
}

fn root() -> String {
    "/".to_owned()
}

/// Size of a container; must be one of Fargate's sizes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsContainerSize {
    /// CPU units, 256 to 16384: 1024 are one processor.
    pub cpu: i32,
    /// Memory in MB.
    pub memory_mb: i32,
}

/// Settings for dedicated databases.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsDatabases {
    /// Database engine: `postgres`.
    pub engine: String,
    /// Engine version, for example `17`; AWS's default if none.
    #[serde(default)]
    pub engine_version: Option<String>,
    /// Name of the administrator of each instance.
    pub user: String,
    /// Instance class, for example `db.t4g.micro`.
    pub class: String,
    /// GB of storage if the payload has no `quota_gb`; at least 20.
    #[serde(default = "storage_gb")]
    pub storage_gb: i32,
    /// Days for which AWS keeps its automatic backups if the payload has no `backups.keep_days`, 0 to 35.
    pub keep_days: i32,
    /// Subnet group of instances; the account's default if none.
    #[serde(default)]
    pub subnet_group: Option<String>,
    /// Ids of the security groups of instances; the network's default if none.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Whether each instance has a standby in another zone.
    #[serde(default)]
    pub multi_az: bool,
}

fn storage_gb() -> i32 {
    20
}

/// A Backblaze B2 account.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct B2Settings {
    /// Region in the endpoint's host name, for example `us-east-005`.
    pub region: String,
    /// Address of the service; by default the endpoint of the region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Id of the application key.
    pub key_id: String,
    /// Reference to the secret key.
    pub app_key: String,
    /// Names of the platform's buckets. Every account may get signed URLs for the objects in them.
    #[serde(default)]
    pub shared_buckets: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_have_defaults_and_no_unknown_settings() {
        let yaml = "aws:\n  region: eu-central-1\n  containers:\n    cluster: apps\n    image: registry.example/app:1\n    \
            port: 8080\n    subnet_ids: [subnet-1]\n    execution_role_arn: \"arn:aws:iam::1:role/e\"\n    \
            role_arn: \"arn:aws:iam::1:role/r\"\n    listener_arn: \"arn:aws:l\"\n    vpc_id: vpc-1\n    \
            domain: apps.example\n    tiers: {ecs-large: {cpu: 1024, memory_mb: 4096}}\n";
        let settings: crate::Settings = serde_saphyr::from_str(yaml).expect("settings");
        let containers = settings.aws.and_then(|aws| aws.containers).expect("containers");
        assert_eq!((containers.count, containers.health_path.as_str(), containers.size), (1, "/", None));
        assert_eq!((containers.secret_in_environment, containers.assign_public_ip), (true, false));
        assert_eq!(containers.tiers["ecs-large"], AwsContainerSize { cpu: 1024, memory_mb: 4096 });
        let wrong = yaml.replace("cpu:", "cpus:");
        let told = serde_saphyr::from_str::<crate::Settings>(&wrong).expect_err("an unknown member").to_string();
        assert!(told.contains("cpus"), "{told}");
    }
}
