//! The role of a function, which defines what the function may do on AWS. Each function has its own role.

mod policy;

pub(crate) use policy::{Grants, Service};

use crate::aws::provider::aws::{Aws, OpenError};
use crate::aws::provider::errors::{InRequest, NoneIf, name_taken, unbuilt};
use crate::aws::provider::marks::Marks;
use crate::aws::provider::payload::fingerprint;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Role, Tag};
use host_provider_api::names::letters;
use host_provider_api::{Call, CallOutcome, ResourceId};
use policy::{policy, trust};
use serde_json::json;

/// Prefix of the roles' names.
const PREFIX: &str = "sbp-";
/// Name of a role's only inline policy.
const POLICY: &str = "own-resources";
/// Key of the tag with the fingerprint of the role's policies.
const SETTINGS: &str = "settings";
/// Value of [`SETTINGS`] while the policies are being changed.
const CHANGING: &str = "being-updated";
/// Version of the policies' fixed parts. Increment it when they change, so that each role gets them with its next call.
const EDITION: u32 = 1;
/// Maximum length of a path in bytes: IAM's limit.
const PATH_MAX: usize = 512;
/// Number of parts of an ARN, separated by colons.
const ARN_PARTS: usize = 6;
const ABSENT: &[&str] = &["NoSuchEntity"];

/// Settings for functions that each have their own role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRoles {
    path: String,
    boundary_arn: Option<String>,
    operators: Vec<String>,
}

impl TenantRoles {
    /// Checks the settings: the path of the roles, for example `/tenants/`; the ARN of the policy that is their
    /// permissions boundary; and the ARNs of the operator's own principals, including the host's, to which tenants'
    /// buckets stay open. The ARN of a principal may contain `*` and `?`.
    ///
    /// # Errors
    ///
    /// Fails if a setting is invalid.
    pub fn new(path: &str, boundary_arn: Option<&str>, operators: &[String]) -> Result<TenantRoles, OpenError> {
        let setting = |field, found: &str, expected| OpenError::Setting { field, found: found.to_owned(), expected };
        let is_path = path.len() <= PATH_MAX
            && path.starts_with('/')
            && path.ends_with('/')
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=,.@-".contains(&byte));
        if !is_path {
            return Err(setting("path", path, "a path of IAM, such as `/tenants/`"));
        }
        let is_arn = |text: &str| text.starts_with("arn:") && text.splitn(ARN_PARTS, ':').count() == ARN_PARTS;
        if let Some(wrong) = boundary_arn.filter(|arn| !is_arn(arn)) {
            return Err(setting("boundary_arn", wrong, "the ARN of a policy"));
        }
        if operators.is_empty() {
            return Err(setting("operators", "", "the ARNs of the operator's principals, with the host's own"));
        }
        if let Some(wrong) = operators.iter().find(|arn| !is_arn(arn)) {
            return Err(setting("operators", wrong, "ARNs of principals"));
        }
        let (path, boundary_arn) = (path.to_owned(), boundary_arn.map(str::to_owned));
        Ok(TenantRoles { path, boundary_arn, operators: operators.to_vec() })
    }

    /// Returns the ARNs of the operator's own principals.
    pub(crate) fn operators(&self) -> &[String] {
        &self.operators
    }

    /// Returns the ARN, with a `*`, of the roles of all functions of the tenant that owns this resource.
    pub(crate) fn of_tenant(&self, id: &ResourceId, partition: &str, account: &str) -> String {
        format!("arn:{partition}:iam::{account}:role{}{}*", self.path, prefix(id))
    }
}

/// Returns the prefix of the names of a tenant's roles. A tenant is the instance that the resource belongs to: the
/// first part of the resource's id.
fn prefix(id: &ResourceId) -> String {
    format!("{PREFIX}{}-", letters(&tenant(id)))
}

fn tenant(id: &ResourceId) -> ResourceId {
    let instance = id.id.split('/').next().unwrap_or_default();
    ResourceId { scope: id.scope.clone(), resource: "tenant".to_owned(), id: instance.to_owned() }
}

/// Returns true if two resources belong to the same tenant.
pub(crate) fn are_of_one_tenant(one: &ResourceId, other: &ResourceId) -> bool {
    tenant(one) == tenant(other)
}

/// Returns the name of the role of this function.
pub(crate) fn name_of(function: &ResourceId) -> String {
    format!("{}{}", prefix(function), letters(function))
}

/// The roles of the functions of one AWS account.
pub(crate) struct Roles {
    client: Client,
    config: TenantRoles,
}

/// An existing role.
struct ExistingRole {
    role: Role,
    marks: Option<Marks>,
}

impl Roles {
    pub(crate) fn new(aws: &Aws, config: TenantRoles) -> Roles {
        Roles { client: Client::new(aws.sdk()), config }
    }

    /// Ensures that the function has a role with these rights, and returns the role's ARN.
    pub(crate) async fn ensure(&self, call: &Call, grants: &Grants<'_>) -> Result<String, CallOutcome> {
        let id = call.resource_id();
        let name = name_of(&id);
        let (role, marks, is_new) = match self.get(&name).await? {
            None => {
                let marks = Marks::of(call)?;
                (self.create(&name, &marks, &grants.service).await?, marks, true)
            }
            Some(ExistingRole { role, marks: Some(marks) }) if marks.id == id => {
                marks.admit(call)?;
                (role, marks, false)
            }
            Some(_) => return Err(name_taken(&name)),
        };
        if role.path != self.config.path {
            let (path, expected) = (&role.path, &self.config.path);
            let problem = format!("the role `{name}` has the path `{path}`: expected `{expected}`; IAM moves no role");
            return Err(CallOutcome::refused("bad-settings", problem));
        }
        let (trust, policy) = (trust(&grants.service).to_string(), policy(&role.arn, grants));
        let policy = policy.map(|policy| policy.to_string());
        let print = fingerprint(
            &json!([EDITION, trust, policy.as_deref().unwrap_or_default(), self.config.boundary_arn]).to_string(),
        );
        if marks.get(SETTINGS) == Some(&print) {
            return Ok(role.arn);
        }
        let after = marks.after(call);
        if !is_new {
            self.tag(&name, &after.clone().with(SETTINGS, CHANGING)).await?;
            let update = self.client.update_assume_role_policy().role_name(&name).policy_document(&trust);
            known(&name, update.send().await.in_request("iam:UpdateAssumeRolePolicy").none_if(ABSENT)?)?;
            self.bound(&name, &role).await?;
        }
        match policy {
            Some(policy) => {
                let put = self.client.put_role_policy().role_name(&name).policy_name(POLICY).policy_document(policy);
                known(&name, put.send().await.in_request("iam:PutRolePolicy").none_if(ABSENT)?)?;
            }
            None => {
                let delete = self.client.delete_role_policy().role_name(&name).policy_name(POLICY);
                delete.send().await.in_request("iam:DeleteRolePolicy").none_if(ABSENT)?;
            }
        }
        self.tag(&name, &after.with(SETTINGS, &print)).await?;
        Ok(role.arn)
    }

    async fn create(&self, name: &str, marks: &Marks, service: &Service<'_>) -> Result<Role, CallOutcome> {
        let create = self.client.create_role().role_name(name).path(&self.config.path);
        let create = create.assume_role_policy_document(trust(service).to_string()).set_tags(Some(tags(marks)?));
        let response = create.set_permissions_boundary(self.config.boundary_arn.clone()).send().await;
        let made = response.in_request("iam:CreateRole")?.role;
        made.ok_or_else(|| crate::aws::provider::errors::incomplete("iam:CreateRole", "a role"))
    }

    /// Sets the configured permissions boundary of the role, or removes it.
    async fn bound(&self, name: &str, role: &Role) -> Result<(), CallOutcome> {
        let is = role.permissions_boundary.as_ref().and_then(|boundary| boundary.permissions_boundary_arn.as_deref());
        match (&self.config.boundary_arn, is) {
            (Some(wanted), is) if is != Some(wanted) => {
                let put = self.client.put_role_permissions_boundary().role_name(name).permissions_boundary(wanted);
                put.send().await.in_request("iam:PutRolePermissionsBoundary")?;
            }
            (None, Some(_)) => {
                let delete = self.client.delete_role_permissions_boundary().role_name(name);
                delete.send().await.in_request("iam:DeleteRolePermissionsBoundary").none_if(ABSENT)?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn tag(&self, name: &str, marks: &Marks) -> Result<(), CallOutcome> {
        let tag = self.client.tag_role().role_name(name).set_tags(Some(tags(marks)?));
        known(name, tag.send().await.in_request("iam:TagRole").none_if(ABSENT)?).map(drop)
    }

    /// Deletes the role of this function. A role with other marks is left alone.
    pub(crate) async fn remove(&self, call: &Call, function: &ResourceId) -> Result<(), CallOutcome> {
        let name = name_of(function);
        let Some(ExistingRole { marks: Some(marks), .. }) = self.get(&name).await? else { return Ok(()) };
        if marks.id != *function {
            return Ok(());
        }
        marks.admit(call)?;
        let policy = self.client.delete_role_policy().role_name(&name).policy_name(POLICY);
        policy.send().await.in_request("iam:DeleteRolePolicy").none_if(ABSENT)?;
        self.client.delete_role().role_name(&name).send().await.in_request("iam:DeleteRole").none_if(ABSENT)?;
        Ok(())
    }

    /// Returns the marks of the role with this name.
    pub(crate) async fn marks(&self, name: &str) -> Result<Option<Marks>, CallOutcome> {
        Ok(self.get(name).await?.and_then(|found| found.marks))
    }

    async fn get(&self, name: &str) -> Result<Option<ExistingRole>, CallOutcome> {
        let response = self.client.get_role().role_name(name).send().await;
        let Some(role) = response.in_request("iam:GetRole").none_if(ABSENT)?.and_then(|found| found.role) else {
            return Ok(None);
        };
        let tags = role.tags.iter().flatten().map(|tag| (tag.key.as_str(), tag.value.as_str()));
        let marks = Marks::read(tags);
        Ok(Some(ExistingRole { role, marks }))
    }

    /// Returns the names of all roles at the path that have the prefix of a function's role.
    pub(crate) async fn names(&self) -> Result<Vec<String>, CallOutcome> {
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let list = self.client.list_roles().path_prefix(&self.config.path).set_marker(marker);
            let page = list.send().await.in_request("iam:ListRoles")?;
            names.extend(page.roles.into_iter().map(|role| role.role_name).filter(|name| name.starts_with(PREFIX)));
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(names);
            }
        }
    }
}

/// Returns the response about an existing role. None means that a role that IAM has just returned has not propagated
/// everywhere yet.
fn known<T>(name: &str, response: Option<T>) -> Result<T, CallOutcome> {
    response.ok_or_else(|| CallOutcome::retry("conflict", format!("the role `{name}` is not known everywhere yet")))
}

fn tags(marks: &Marks) -> Result<Vec<Tag>, CallOutcome> {
    let built = marks.tags().into_iter().map(|(name, value)| Tag::builder().key(name).value(value).build());
    built.collect::<Result<_, _>>().map_err(|error| unbuilt(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(scope: &str, id: &str) -> ResourceId {
        ResourceId { scope: scope.into(), resource: "function".into(), id: id.into() }
    }

    fn operators() -> Vec<String> {
        vec!["arn:aws:iam::123456789012:role/host".to_owned()]
    }

    #[test]
    fn all_roles_of_an_instance_and_no_other_roles_fit_the_tenants_pattern() {
        let roles = TenantRoles::new("/tenants/", None, &operators()).expect("valid settings");
        let bucket = ResourceId { resource: "bucket".into(), ..id("s/live/user:u", "i_1/bucket") };
        let pattern = roles.of_tenant(&bucket, "aws", "123456789012");
        let beginning = pattern.strip_suffix('*').expect("a pattern");
        let fits = |function: &ResourceId| {
            format!("arn:aws:iam::123456789012:role/tenants/{}", name_of(function)).starts_with(beginning)
        };
        let own = [id("s/live/user:u", "i_1/compute"), id("s/live/user:u", "i_1/compute@large")];
        assert!(own.iter().all(fits) && name_of(&own[0]) != name_of(&own[1]));
        for other in
            [id("s/live/user:u", "i_12/compute"), id("s/live/user:v", "i_1/compute"), id("s/test/user:u", "i_1/x")]
        {
            assert!(!fits(&other), "{other}");
        }
        assert!(name_of(&own[1]).len() <= 64, "IAM's limit");
    }

    #[test]
    fn invalid_settings_are_reported_with_what_is_expected() {
        let of = |path: &str, boundary: Option<&str>, operators: &[String]| {
            TenantRoles::new(path, boundary, operators).expect_err("invalid").to_string()
        };
        for path in ["", "tenants", "/tenants", "tenants/", "/a b/", "/*/"] {
            assert!(of(path, None, &operators()).starts_with(&format!("`path` is `{path}`: expected")), "{path}");
        }
        assert!(of("/t/", Some("boundary"), &operators()).starts_with("`boundary_arn` is `boundary`"));
        assert!(of("/t/", None, &[]).starts_with("`operators` is ``"));
        assert!(of("/t/", None, &["arn:aws:iam".to_owned()]).starts_with("`operators` is `arn:aws:iam`"));
    }
}
