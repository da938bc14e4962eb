//! The policies of a function's role: only the function's service, Lambda or ECS, may use the role, and the role may
//! use only the function's own resources.

use crate::aws::provider::marks::escape;
use serde_json::{Value, json};

/// The prefix of a reference to a secret at AWS, which its function reads itself.
const REFERENCE: &str = "secret:";
/// The actions with which Lambda attaches a function to a network. IAM can't limit them to one function's interfaces.
const NETWORK: [&str; 7] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

/// The service that runs a function.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service<'g> {
    /// A function on Lambda.
    Lambda {
        /// Name of the function.
        function: &'g str,
        /// Whether it is in one of the operator's networks.
        has_network: bool,
        /// ARN of the key that encrypts its environment.
        key: Option<&'g str>,
    },
    /// A container on ECS. Its log and its network are handled by the role with which ECS starts it.
    Containers,
}

/// The resources that a function may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grants<'g> {
    /// Region of the function.
    pub region: &'g str,
    /// The service that runs it.
    pub service: Service<'g>,
    /// Scope of the function: its business, mode and account.
    pub scope: &'g str,
    /// Name of its tenant's bucket.
    pub bucket: Option<&'g str>,
    /// Reference that the function resolves itself.
    pub secret: Option<&'g str>,
}

/// Builds the policy that lets only the function's service use the role.
pub(super) fn trust(service: &Service<'_>) -> Value {
    let (sid, principal) = match service {
        Service::Lambda { .. } => ("LambdaAlone", "lambda.amazonaws.com"),
        Service::Containers => ("ContainersAlone", "ecs-tasks.amazonaws.com"),
    };
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": "sts:AssumeRole",
    }]})
}

/// Builds the policy of the role with this ARN. None for a function that may use nothing, because IAM has no empty
/// policies.
pub(super) fn policy(role_arn: &str, grants: &Grants<'_>) -> Option<Value> {
    let mut parts = role_arn.split(':').skip(1);
    let (partition, account) = (parts.next().unwrap_or("aws"), parts.nth(2).unwrap_or_default());
    let Grants { region, service, scope, bucket, secret } = *grants;
    let mut statements = Vec::new();
    if let Service::Lambda { function, .. } = service {
        let group = format!("arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/{function}");
        statements.push(json!({
            "Sid": "OwnLog",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [group, format!("{group}:*")],
        }));
    }
    if let Some(bucket) = bucket {
        let of_account = json!({"StringEquals": {"aws:ResourceAccount": account}});
        statements.push(json!({
            "Sid": "OwnBucket",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            "Resource": format!("arn:{partition}:s3:::{bucket}"),
            "Condition": of_account,
        }));
        statements.push(json!({
            "Sid": "OwnObjects",
            "Effect": "Allow",
            "Action": [
                "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
            ],
            "Resource": format!("arn:{partition}:s3:::{bucket}/*"),
            "Condition": of_account,
        }));
    }
    if let Some((action, arn)) = secret.and_then(at_aws) {
        // A person may have written the reference, so the secret's tag `scope` must match the function's scope.
        statements.push(json!({
            "Sid": "OwnSecret",
            "Effect": "Allow",
            "Action": action,
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:ResourceTag/scope": escape(scope)}},
        }));
    }
    if let Service::Lambda { function, has_network, key } = service {
        if let Some(key) = key {
            statements.push(json!({
                "Sid": "OwnEnvironment",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": key,
            }));
        }
        if has_network {
            statements.push(json!({"Sid": "Network", "Effect": "Allow", "Action": NETWORK, "Resource": "*"}));
            // Lambda itself uses these actions; the function's code must not use them.
            statements.push(json!({
                "Sid": "NetworkByLambdaAlone",
                "Effect": "Deny",
                "Action": NETWORK,
                "Resource": "*",
                "Condition": {"ArnEquals": {
                    "lambda:SourceFunctionArn": format!("arn:{partition}:lambda:{region}:{account}:function:{function}"),
                }},
            }));
        }
    }
    (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}))
}

/// Returns the action that reads the secret of a reference, and the secret's ARN. None for a reference to a secret that
/// is not at AWS, or one with a wildcard.
fn at_aws(reference: &str) -> Option<(&'static str, &str)> {
    let arn = reference.strip_prefix(REFERENCE)?;
    let mut parts = arn.split(':');
    let (kind, service) = (parts.next()?, parts.nth(1)?);
    let action = match service {
        "secretsmanager" => "secretsmanager:GetSecretValue",
        "ssm" => "ssm:GetParameter",
        _ => return None,
    };
    (kind == "arn" && !arn.contains(['*', '?', '$'])).then_some((action, arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/tenants/sbp-x";
    const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:acme";

    fn least() -> Grants<'static> {
        let service = Service::Lambda { function: "acme", has_network: false, key: None };
        Grants { region: "eu-central-1", service, scope: "shop/live/user:u", bucket: None, secret: None }
    }

    fn log() -> Value {
        json!({
            "Sid": "OwnLog", "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [
                "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/acme",
                "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/acme:*",
            ],
        })
    }

    #[test]
    fn the_service_of_a_function_alone_may_use_its_role() {
        let expected = |sid: &str, service: &str| {
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": sid, "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole",
            }]})
        };
        assert_eq!(trust(&least().service), expected("LambdaAlone", "lambda.amazonaws.com"));
        assert_eq!(trust(&Service::Containers), expected("ContainersAlone", "ecs-tasks.amazonaws.com"));
    }

    #[test]
    fn a_function_without_resources_may_write_its_own_log_alone() {
        assert_eq!(policy(ROLE, &least()), Some(json!({"Version": "2012-10-17", "Statement": [log()]})));
    }

    #[test]
    fn a_container_may_use_its_own_bucket_and_secret_alone() {
        let container = Grants { service: Service::Containers, ..least() };
        assert_eq!(policy(ROLE, &container), None);
        let secret = "secret:arn:aws:secretsmanager:eu-central-1:123456789012:secret:acme-AbCdEf";
        let whole = Grants { bucket: Some("files"), secret: Some(secret), ..container };
        let policy = policy(ROLE, &whole).expect("a policy");
        let sids = policy["Statement"].as_array().expect("statements").iter().filter_map(|one| one["Sid"].as_str());
        assert_eq!(sids.collect::<Vec<_>>(), ["OwnBucket", "OwnObjects", "OwnSecret"]);
    }

    #[test]
    fn a_function_may_use_its_own_resources_alone() {
        let secret = "secret:arn:aws:secretsmanager:eu-central-1:123456789012:secret:acme-AbCdEf";
        let key = "arn:aws:kms:eu-central-1:123456789012:key/1";
        let service = Service::Lambda { function: "acme", has_network: true, key: Some(key) };
        let grants = Grants { service, bucket: Some("files"), secret: Some(secret), ..least() };
        let network = [
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ];
        let expected = json!({"Version": "2012-10-17", "Statement": [
            log(),
            {
                "Sid": "OwnBucket", "Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
                "Resource": "arn:aws:s3:::files",
                "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
            },
            {
                "Sid": "OwnObjects", "Effect": "Allow",
                "Action": [
                    "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                ],
                "Resource": "arn:aws:s3:::files/*",
                "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
            },
            {
                "Sid": "OwnSecret", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
                "Resource": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:acme-AbCdEf",
                "Condition": {"StringEquals": {"aws:ResourceTag/scope": "shop/live/user:u"}},
            },
            {
                "Sid": "OwnEnvironment", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": key,
            },
            {"Sid": "Network", "Effect": "Allow", "Action": network, "Resource": "*"},
            {
                "Sid": "NetworkByLambdaAlone", "Effect": "Deny", "Action": network, "Resource": "*",
                "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION}},
            },
        ]});
        assert_eq!(policy(ROLE, &grants), Some(expected));
    }

    #[test]
    fn only_a_reference_to_one_secret_at_aws_is_a_right() {
        let parameter = "secret:arn:aws:ssm:eu-central-1:123456789012:parameter/acme";
        assert_eq!(at_aws(parameter).map(|(action, _)| action), Some("ssm:GetParameter"));
        for other in [
            "secret:vault/x",
            "secret:env/ARN",
            "arn:aws:ssm:eu-central-1:1:parameter/acme",
            "secret:arn:aws:s3:::files",
            "secret:arn:aws:secretsmanager:eu-central-1:123456789012:secret:*",
            "secret:arn:aws:ssm:eu-central-1:1:parameter/${aws:username}",
        ] {
            assert_eq!(at_aws(other), None, "{other}");
        }
    }
}
