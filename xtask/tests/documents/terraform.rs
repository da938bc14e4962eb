//! Terraform's files describe the machine of a server, with exactly the rights at AWS that the provider's requests need. A test of
//! `workflows.rs` lets a parser of the language read them.

use super::permissions;
use super::{Document, files};

/// The resources that a server at AWS needs.
const RESOURCES: [(&str, &str); 6] = [
    ("aws_instance", "server"),
    ("aws_ebs_volume", "data"),
    ("aws_db_instance", "database"),
    ("aws_s3_bucket", "backups"),
    ("aws_secretsmanager_secret", "server"),
    ("aws_iam_role_policy", "provider"),
];

/// Returns the rights in the lists `actions` of a block of Terraform.
fn granted(text: &str, block: &str) -> Vec<String> {
    let (_, text) = text.split_once(block).expect("the block");
    let text = text.split("\n}\n").next().unwrap_or(text);
    let lists = text.split("actions").skip(1).filter_map(|rest| rest.split_once('[')?.1.split(']').next());
    let mut rights: Vec<String> =
        lists.flat_map(|list| list.split('"').skip(1).step_by(2)).map(str::to_owned).collect();
    rights.sort();
    rights.dedup();
    rights
}

/// Returns the rights that a block of Terraform grants for everything in the account.
fn granted_for_all(text: &str, block: &str) -> Vec<String> {
    let (_, text) = text.split_once(block).expect("the block");
    let text = text.split("\n}\n").next().unwrap_or(text);
    let all = text.split("statement").filter(|statement| statement.contains("resources = [\"*\"]"));
    all.flat_map(|statement| granted(&format!("x {{{statement}"), "x {")).collect()
}

#[test]
fn the_role_of_the_server_changes_only_what_the_server_makes_and_keeps_the_backups() {
    let iam = Document::read("deploy/terraform/iam.tf").text;
    let [provider, own] = ["provider", "own"].map(|name| format!("data \"aws_iam_policy_document\" \"{name}\" {{"));
    let for_all = granted_for_all(&iam, &provider);
    assert!(for_all.len() > 10, "{for_all:?}");
    for right in &for_all {
        let (_, name) = right.split_once(':').expect("a service");
        // AWS knows no resources for the last three, and none of them destroys what somebody else has.
        let allowed = ["List", "Describe", "RegisterTaskDefinition", "DeregisterTaskDefinition", "RequestCertificate"];
        assert!(allowed.iter().any(|allowed| name.starts_with(allowed)), "{right} for everything in the account");
    }
    assert!(granted_for_all(&iam, &own).is_empty());
    for right in ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration", "rds:DeleteDBInstance"] {
        let denied = iam
            .split("statement {")
            .filter(|statement| statement.contains("effect    = \"Deny\"") || statement.contains("effect = \"Deny\""));
        assert!(denied.into_iter().any(|statement| statement.contains(&format!("\"{right}\""))), "{right} is denied");
    }
}

// covers: SOL-48
#[test]
fn terraform_describes_the_server_with_the_rights_that_the_requests_need() {
    let all: String = files("deploy/terraform", ".tf").iter().map(|file| Document::read(file).text).collect();
    for (of, name) in RESOURCES {
        assert!(all.contains(&format!("resource \"{of}\" \"{name}\" {{")), "{of}.{name}");
    }
    // Roles of tenants have a policy of their own: whoever makes roles can give rights.
    let requested = permissions::requested();
    let is_of_roles = |right: &String| requested.contains(right) && right.starts_with("iam:");
    let needed: Vec<String> = permissions::all(&requested).into_iter().filter(|right| !is_of_roles(right)).collect();
    assert_eq!(granted(&all, "data \"aws_iam_policy_document\" \"provider\" {"), needed);
}

#[test]
fn rights_are_read_from_the_lists_of_a_block() {
    let block = "x {\n  actions = [\n \"s3:GetObject\",\n ]\n  actions = [\"a:B\"]\n}\ny {\n  actions = [\"c:D\"]\n}\n";
    assert_eq!(granted(block, "x {"), ["a:B", "s3:GetObject"]);
}
