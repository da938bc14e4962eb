//! Finds the service of a resource.

use super::{Containers, ExistingService, RULES};
use crate::aws::provider::errors::{InRequest, NoneIf};
use crate::aws::provider::lookup::{Lookup, names, seek};
use crate::aws::provider::marks::Marks;
use crate::aws::provider::payload::output;
use aws_sdk_ecs::types::{Service, ServiceField};
use host_provider_api::{Call, CallOutcome, ResourceId};

/// Status of a deleted service.
const INACTIVE: &str = "INACTIVE";
/// Maximum number of services in one request to describe them.
const AT_ONCE: usize = 10;
const ABSENT: &[&str] = &["ServiceNotFoundException"];

impl Containers {
    /// Returns the service with this name.
    pub(super) async fn get(&self, name: &str) -> Result<Option<ExistingService>, CallOutcome> {
        Ok(self.described(&[name.to_owned()]).await?.pop())
    }

    async fn described(&self, names: &[String]) -> Result<Vec<ExistingService>, CallOutcome> {
        let describe =
            self.client.describe_services().cluster(&self.checked.config.cluster).include(ServiceField::Tags);
        let response = describe.set_services(Some(names.to_vec())).send().await.in_request("ecs:DescribeServices");
        let found = response.none_if(ABSENT)?.and_then(|found| found.services).unwrap_or_default();
        Ok(found.into_iter().filter(|one| one.status.as_deref() != Some(INACTIVE)).filter_map(existing).collect())
    }

    /// Finds the service by the recorded ARN or its names.
    pub(super) async fn seek(&self, call: &Call) -> Result<Lookup<ExistingService>, CallOutcome> {
        let recorded = output(call, "arn").and_then(|arn| self.name_in(arn)).map(str::to_owned);
        let get = async |name: &str| self.get(name).await;
        seek(call, recorded, names(&RULES, call)?, get, async |id: &ResourceId| self.listed(id).await).await
    }

    /// Returns true if the call's resource is a container.
    pub(crate) async fn holds(&self, call: &Call) -> Result<bool, CallOutcome> {
        match self.seek(call).await {
            Ok(Lookup::Ours(..)) => Ok(true),
            // A name that no container can have.
            Ok(_) | Err(CallOutcome::Refused { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Returns the name of the service with this ARN, if it is in our cluster.
    fn name_in<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let (_, path) = arn.split_once(":service/")?;
        let (cluster, name) = path.split_once('/')?;
        let ours = self.checked.config.cluster.rsplit('/').next();
        (Some(cluster) == ours).then_some(name)
    }

    /// Finds the resource's service in the list of all services.
    pub(crate) async fn listed(&self, id: &ResourceId) -> Result<Option<(ExistingService, Marks)>, CallOutcome> {
        let ours = |found: ExistingService| {
            let marks = found.marks.clone().filter(|marks| marks.id == *id)?;
            Some((found, marks))
        };
        Ok(self.services().await?.into_iter().find_map(ours))
    }

    /// Returns all services of the cluster.
    pub(super) async fn services(&self) -> Result<Vec<ExistingService>, CallOutcome> {
        let (mut arns, mut token) = (Vec::new(), None);
        loop {
            let list = self.client.list_services().cluster(&self.checked.config.cluster).set_next_token(token);
            let page = list.send().await.in_request("ecs:ListServices")?;
            arns.extend(page.service_arns.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        let mut found = Vec::new();
        for some in arns.chunks(AT_ONCE) {
            found.extend(self.described(some).await?);
        }
        Ok(found)
    }
}

/// Returns a service with the fields that the provider needs. None if AWS's response lacks its name or ARN.
pub(super) fn existing(service: Service) -> Option<ExistingService> {
    let tags = service.tags.as_deref().unwrap_or_default().iter();
    let pairs = tags.map(|tag| (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default()));
    let marks = Marks::read(pairs);
    Some(ExistingService { name: service.service_name.clone()?, arn: service.service_arn.clone()?, marks, service })
}
