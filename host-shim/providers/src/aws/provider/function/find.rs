//! Finds the function of a resource.

use super::{ABSENT, ExistingFunction, Functions, RULES, description};
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete};
use crate::aws::provider::lookup::{Lookup, names, seek};
use crate::aws::provider::marks::{Marks, OWNER, SUSPENDED};
use crate::aws::provider::payload::output;
use host_provider_api::{Call, CallOutcome, ResourceId};

impl Functions {
    /// Returns the function with this name or ARN.
    pub(super) async fn get(&self, name: &str) -> Result<Option<ExistingFunction>, CallOutcome> {
        let response = self.client.get_function().function_name(name).send().await;
        let Some(got) = response.in_request("lambda:GetFunction").none_if(ABSENT)? else { return Ok(None) };
        let tags = got.tags.unwrap_or_default();
        let marks = Marks::read(tags.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let reserved = got.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions);
        let config = got.configuration.ok_or_else(|| incomplete("lambda:GetFunction", "a configuration"))?;
        let missing = || incomplete("lambda:GetFunction", "a name");
        let name = config.function_name.clone().ok_or_else(missing)?;
        let arn = config.function_arn.clone().ok_or_else(missing)?;
        let may_be_suspended = marks.as_ref().is_some_and(|marks| marks.state == SUSPENDED);
        let reserved = match reserved {
            // `GetFunction` may omit a concurrency of 0; `GetFunctionConcurrency` does not.
            None if may_be_suspended => {
                let response = self.client.get_function_concurrency().function_name(&name).send().await;
                let found = response.in_request("lambda:GetFunctionConcurrency").none_if(ABSENT)?;
                found.and_then(|found| found.reserved_concurrent_executions)
            }
            other => other,
        };
        Ok(Some(ExistingFunction { name, arn, marks, config, is_suspended: reserved == Some(0) }))
    }

    /// Finds the function by the recorded ARN or its names.
    pub(super) async fn seek(&self, call: &Call) -> Result<Lookup<ExistingFunction>, CallOutcome> {
        let recorded = output(call, "arn").map(str::to_owned);
        let get = async |name: &str| self.get(name).await;
        seek(call, recorded, names(&RULES, call)?, get, async |id: &ResourceId| self.listed(id).await).await
    }

    /// Returns true if the call's resource is a function on Lambda.
    pub(crate) async fn holds(&self, call: &Call) -> Result<bool, CallOutcome> {
        Ok(matches!(self.seek(call).await?, Lookup::Ours(..)))
    }

    /// Finds the resource's function in the list of all functions.
    pub(crate) async fn listed(&self, id: &ResourceId) -> Result<Option<(ExistingFunction, Marks)>, CallOutcome> {
        let wanted = description(id);
        for (name, description) in self.names().await? {
            if description != wanted {
                continue;
            }
            if let Some(found) = self.get(&name).await?
                && let Some(marks) = found.marks.clone().filter(|marks| marks.id == *id)
            {
                return Ok(Some((found, marks)));
            }
        }
        Ok(None)
    }

    /// Returns names and descriptions of all functions whose description begins with [`OWNER`].
    pub(super) async fn names(&self) -> Result<Vec<(String, String)>, CallOutcome> {
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let response = self.client.list_functions().set_marker(marker).send().await;
            let page = response.in_request("lambda:ListFunctions")?;
            for one in page.functions.unwrap_or_default() {
                if let (Some(name), Some(description)) = (one.function_name, one.description)
                    && description.starts_with(OWNER)
                {
                    names.push((name, description));
                }
            }
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(names);
            }
        }
    }
}
