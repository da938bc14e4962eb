//! The rights at AWS are listed once, in the document of the providers. The table follows from the requests of the provider `aws`, which
//! name the right that each needs. `UPDATE_GOLDEN=1` writes it.

use super::{Document, files, root};
use std::collections::{BTreeMap, BTreeSet};

/// First line of the table.
const HEAD: &str = "| service | actions | also |";
/// Rights that no request is named after, with what they are for.
const ALSO: [(&str, &str); 9] = [
    ("acm:AddTagsToCertificate", "for a new certificate with tags"),
    ("ec2:Describe*", "with subnets"),
    ("iam:CreateServiceLinkedRole", "for the first service of the account in ECS"),
    (
        "iam:PassRole",
        "on the roles that functions and containers get: `role_arn`, `execution_role_arn`, or those at `roles.path`",
    ),
    ("lambda:ListTags", "without which `GetFunction` shows no tags"),
    ("rds:ListTagsForResource", "for the tags in lists"),
    ("s3:DeleteObject", "which `DeleteObjects` needs beside the right for versions"),
    ("s3:GetObject", "also on the code of functions"),
    ("s3:TagResource", "for a new bucket with tags"),
];
/// The request that needs no right.
const FREE: &str = "sts:GetCallerIdentity";

/// Returns the rights after which the requests of the provider are named, such as `s3:GetObject`.
pub fn requested() -> BTreeSet<String> {
    let mut rights = BTreeSet::new();
    for file in files("host-shim/providers/src/aws", ".rs") {
        let text = Document::read(file).text;
        // What is in quotes, and has the form of a right.
        for quoted in text.split('"').skip(1).step_by(2) {
            let is_right = quoted.split_once(':').is_some_and(|(service, name)| {
                let is_service = service.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
                is_service && name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric)
            });
            let is_named = is_right && text.contains(&format!("in_request(\"{quoted}\")"));
            rights.extend(is_named.then(|| quoted.to_owned()));
        }
    }
    rights.remove(FREE);
    rights
}

/// Returns all rights: those of requests, and those beside them.
pub fn all(requested: &BTreeSet<String>) -> BTreeSet<String> {
    requested.iter().cloned().chain(ALSO.map(|(right, _)| right.to_owned())).collect()
}

/// Returns the lines of the table.
fn table(requested: &BTreeSet<String>) -> Vec<String> {
    let mut services: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for right in requested {
        let (service, name) = right.split_once(':').expect("a service");
        services.entry(service.to_owned()).or_default().0.push(format!("`{name}`"));
    }
    for (right, what) in ALSO {
        let (service, name) = right.split_once(':').expect("a service");
        services.entry(service.to_owned()).or_default().1.push(format!("`{name}`, {what}"));
    }
    let rows = services.into_iter().map(|(service, (named, also))| match (named.join(", "), also.join("; ")) {
        (named, also) if also.is_empty() => format!("| `{service}` | {named} | – |"),
        (named, also) if named.is_empty() => format!("| `{service}` | – | {also} |"),
        (named, also) => format!("| `{service}` | {named} | {also} |"),
    });
    [HEAD.to_owned(), "|---|---|---|".to_owned()].into_iter().chain(rows).collect()
}

#[test]
fn the_table_of_rights_follows_from_the_requests() {
    let requested = requested();
    assert!(requested.len() > 60, "{requested:?}");
    let document = Document::read("docs/reference/providers.md");
    let (before, rest) = document.text.split_once(HEAD).expect("the table");
    let (_, after) = rest.split_once("\n\n").expect("its end");
    let expected = format!("{before}{}\n\n{after}", table(&requested).join("\n"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(root().join(&document.path), expected).expect("written");
    } else {
        assert!(document.text == expected, "docs/reference/providers.md: UPDATE_GOLDEN=1 rewrites the table of rights");
    }
}

#[test]
fn the_policy_of_the_document_grants_what_containers_records_and_certificates_need() {
    let document = Document::read("docs/reference/providers.md");
    let (_, policy) = document.text.split_once("```json\n{\n  \"Version\"").expect("a policy");
    let policy = policy.split("```").next().unwrap_or_default();
    let of_policy = |right: &&String| {
        let (service, _) = right.split_once(':').expect("a service");
        ["acm", "ecs", "elasticloadbalancing", "route53"].contains(&service)
            || ["iam:CreateServiceLinkedRole", "iam:PassRole"].contains(&right.as_str())
    };
    let all = all(&requested());
    let granted: BTreeSet<&str> = policy.split('"').skip(1).step_by(2).filter(|text| all.contains(*text)).collect();
    assert_eq!(granted, all.iter().filter(of_policy).map(String::as_str).collect());
}
