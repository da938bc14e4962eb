//! Task definitions: each change to a container's settings registers a revision. Old revisions are deleted, because
//! they may contain a secret and ECS would show them forever.

use super::settings::Settings;
use super::{Containers, tags};
use crate::aws::provider::errors::{Failure, InRequest, incomplete};
use crate::aws::provider::marks::{Marks, are_variants};
use aws_sdk_ecs::types::{TaskDefinition, TaskDefinitionField, TaskDefinitionStatus};
use host_provider_api::{CallOutcome, ResourceId};

/// Maximum number of task definitions in one request to delete them.
const AT_ONCE: usize = 10;

/// A task definition and its marks.
pub(super) struct Revision {
    pub(super) arn: String,
    pub(super) definition: TaskDefinition,
    pub(super) marks: Option<Marks>,
}

impl Revision {
    /// Returns true if the revision was registered by this resource or another variant of it.
    pub(super) fn is_of(&self, id: &ResourceId) -> bool {
        self.marks.as_ref().is_some_and(|marks| marks.id == *id || are_variants(&marks.id, id))
    }
}

impl Containers {
    /// Returns the newest active revision of this family.
    pub(super) async fn newest(&self, family: &str) -> Result<Option<Revision>, CallOutcome> {
        match self.revisions(family, TaskDefinitionStatus::Active).await?.pop() {
            Some(arn) => self.revision(&arn).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn revision(&self, arn: &str) -> Result<Revision, CallOutcome> {
        let describe = self.client.describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags);
        let found = describe.send().await.in_request("ecs:DescribeTaskDefinition")?;
        let found_tags = found.tags.unwrap_or_default();
        let pairs = found_tags
            .iter()
            .map(|tag| (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default()));
        let (marks, definition) = (Marks::read(pairs), found.task_definition);
        let definition = definition.ok_or_else(|| incomplete("ecs:DescribeTaskDefinition", "a task definition"))?;
        Ok(Revision { arn: arn.to_owned(), definition, marks })
    }

    /// Returns the ARNs of a family's revisions with this status, in the order of their numbers.
    async fn revisions(&self, family: &str, status: TaskDefinitionStatus) -> Result<Vec<String>, CallOutcome> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let list = self.client.list_task_definitions().family_prefix(family).status(status.clone());
            let page = list.set_next_token(token).send().await.in_request("ecs:ListTaskDefinitions")?;
            for arn in page.task_definition_arns.unwrap_or_default() {
                let number = arn.rsplit('/').next().and_then(|name| name.split_once(':'));
                if let Some((_, number)) = number.filter(|(of, _)| *of == family)
                    && let Ok(number) = number.parse::<u64>()
                {
                    found.push((number, arn));
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                found.sort();
                return Ok(found.into_iter().map(|(_, arn)| arn).collect());
            }
        }
    }

    /// Returns the ARN of a revision with these settings: the newest, or a new one.
    pub(super) async fn registered(
        &self,
        name: &str,
        newest: Option<Revision>,
        wanted: &Settings,
        role: &str,
        marks: &Marks,
    ) -> Result<String, CallOutcome> {
        if let Some(newest) = newest.filter(|newest| newest.is_of(&marks.id))
            && wanted.are_set_on(&newest.definition, &self.aws, &self.checked, role)?
        {
            return Ok(newest.arn);
        }
        let register = self.client.register_task_definition().set_tags(Some(tags(marks)));
        let register = wanted.register(register, &self.aws, &self.checked, name, role)?;
        let response = register.send().await.in_request("ecs:RegisterTaskDefinition");
        let made = response.map_err(Failure::without_aws_message)?.task_definition;
        let arn = made.and_then(|made| made.task_definition_arn);
        arn.ok_or_else(|| incomplete("ecs:RegisterTaskDefinition", "an ARN"))
    }

    /// Deletes all of our revisions in this family except `kept`.
    pub(super) async fn delete_revisions(
        &self,
        family: &str,
        id: &ResourceId,
        kept: Option<&str>,
    ) -> Result<(), CallOutcome> {
        let mut ours = Vec::new();
        for status in [TaskDefinitionStatus::Active, TaskDefinitionStatus::Inactive] {
            for arn in self.revisions(family, status.clone()).await? {
                if kept == Some(arn.as_str()) || self.revision(&arn).await?.marks.is_none_or(|marks| marks.id != *id) {
                    continue;
                }
                if status == TaskDefinitionStatus::Active {
                    let response = self.client.deregister_task_definition().task_definition(&arn).send().await;
                    response.in_request("ecs:DeregisterTaskDefinition")?;
                }
                ours.push(arn);
            }
        }
        for some in ours.chunks(AT_ONCE) {
            let delete = self.client.delete_task_definitions().set_task_definitions(Some(some.to_vec()));
            delete.send().await.in_request("ecs:DeleteTaskDefinitions")?;
        }
        Ok(())
    }
}
