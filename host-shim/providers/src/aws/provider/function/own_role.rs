//! The role of a function: the shared one, or its own, which lives as long as the function.

use super::{FunctionRole, Functions};
use crate::aws::provider::aws::Aws;
use crate::aws::provider::bucket::{BucketConfig, Buckets, Flavor};
use crate::aws::provider::payload::text;
use crate::aws::provider::role::{Grants, Roles, name_of};
use host_provider_api::{Call, CallOutcome, Held, ResourceId};
use serde_json::json;
use std::collections::BTreeSet;

/// The resource name of functions.
pub(crate) const FUNCTION: &str = "function";
/// The resource name under which lists contain a role without a function.
pub(crate) const RESOURCE: &str = "function-role";
/// The resource names of the provider of functions.
pub const RESOURCES: [&str; 2] = [FUNCTION, RESOURCE];
/// State of a function whose own role does not exist: the function can't run.
pub(crate) const LOST: &str = "role-lost";

/// The source of the functions' roles.
pub(crate) enum RoleOf {
    /// The ARN of the role of all functions.
    Shared(String),
    /// Individual roles, and the buckets that they may be for.
    Own(Box<(Roles, Buckets)>),
}

/// The names of the existing roles of functions. Empty if the functions share a role.
#[derive(Default)]
pub(crate) struct ListedRoles {
    all: Option<BTreeSet<String>>,
    used: BTreeSet<String>,
}

impl ListedRoles {
    /// Returns true if the functions have individual roles.
    pub(crate) fn are_own(&self) -> bool {
        self.all.is_some()
    }

    /// Returns true if the function's role, which has this ARN, is its own but does not exist. An existing role counts
    /// as used from now on.
    pub(crate) fn lacks(&mut self, function: &ResourceId, arn: Option<&str>) -> bool {
        let name = name_of(function);
        let is_own = arn.is_some_and(|arn| arn.rsplit('/').next() == Some(&name));
        let lacks = is_own && self.all.as_ref().is_some_and(|all| !all.contains(&name));
        self.used.insert(name);
        lacks
    }
}

impl RoleOf {
    pub(crate) fn new(aws: &Aws, role: &FunctionRole) -> RoleOf {
        match role {
            FunctionRole::Shared(arn) => RoleOf::Shared(arn.clone()),
            FunctionRole::Own(roles) => {
                let config = BucketConfig { flavor: Flavor::Aws, cdn_account: None, shared: Vec::new(), tenants: None };
                RoleOf::Own(Box::new((Roles::new(aws, roles.clone()), Buckets::new(aws, config))))
            }
        }
    }

    /// Ensures that the call's function has its role, with these rights plus the right to its own bucket. Returns the
    /// role's ARN.
    pub(crate) async fn ensure<'g>(&self, call: &'g Call, mut grants: Grants<'g>) -> Result<String, CallOutcome> {
        let (roles, buckets) = match self {
            RoleOf::Shared(arn) => return Ok(arn.clone()),
            RoleOf::Own(own) => (&own.0, &own.1),
        };
        // A bucket at another service has no role here, although somebody's bucket on S3 may have its name.
        if let Some(bucket) = text(call, "bucket")?
            && buckets.are_of_one_tenant(bucket, &call.resource_id()).await?
        {
            grants.bucket = Some(bucket);
        }
        roles.ensure(call, &grants).await
    }

    /// Deletes the function's own role.
    pub(crate) async fn remove(&self, call: &Call, function: &ResourceId) -> Result<(), CallOutcome> {
        match self {
            RoleOf::Shared(_) => Ok(()),
            RoleOf::Own(own) => own.0.remove(call, function).await,
        }
    }

    pub(crate) async fn listed(&self) -> Result<ListedRoles, CallOutcome> {
        let all = match self {
            RoleOf::Shared(_) => None,
            RoleOf::Own(own) => Some(own.0.names().await?.into_iter().collect()),
        };
        Ok(ListedRoles { all, used: BTreeSet::new() })
    }

    /// Returns our roles that no function uses.
    pub(crate) async fn unused(&self, listed: ListedRoles) -> Result<Vec<Held>, CallOutcome> {
        let RoleOf::Own(own) = self else { return Ok(Vec::new()) };
        let mut held = Vec::new();
        for name in listed.all.iter().flatten().filter(|name| !listed.used.contains(*name)) {
            if let Some(mut marks) = own.0.marks(name).await? {
                marks.id.resource = RESOURCE.to_owned();
                let state = marks.state.clone();
                held.push(marks.held(name, &state));
            }
        }
        Ok(held)
    }
}

impl Functions {
    /// Ensures that the function with this name has its role, and returns the role's ARN.
    pub(super) async fn role_of(&self, call: &Call, function: &str) -> Result<String, CallOutcome> {
        self.role.ensure(call, self.checked.grants(call, self.aws.region(), function)?).await
    }

    /// Carries out an effect for a role that has no function.
    pub(crate) async fn role_alone(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        if call.verb() != "destroy" {
            return Ok(CallOutcome::unsupported(call));
        }
        let function = ResourceId { resource: FUNCTION.to_owned(), ..call.resource_id() };
        if let Some((found, _)) = self.listed(&function).await? {
            return Err(CallOutcome::refused("in-use", format!("the function `{}` has this role", found.name)));
        }
        self.role.remove(call, &function).await?;
        Ok(CallOutcome::Done(json!({})))
    }
}
