//! The path from the load balancer to a container: a target group, and a listener rule for the container's host.

use super::Containers;
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete, name_taken};
use crate::aws::provider::lookup::PREFIX;
use crate::aws::provider::marks::Marks;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, HostHeaderConditionConfig, Matcher, ProtocolEnum, Rule, RuleCondition, Tag, TargetGroup,
    TargetTypeEnum,
};
use host_provider_api::names::letters;
use host_provider_api::{Call, CallOutcome, ResourceId};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const NO_GROUP: &[&str] = &["TargetGroupNotFound"];
const NO_RULE: &[&str] = &["RuleNotFound"];
const GONE: &[&str] = &["RuleNotFound", "TargetGroupNotFound"];
/// Key of a target group's tag with the name of the container.
pub(super) const NAME: &str = "name";
const HOST_HEADER: &str = "host-header";
/// HTTP statuses of a healthy container.
const HEALTHY: &str = "200-399";
/// Greatest priority of a rule.
const PRIORITY_MAX: u32 = 50_000;
/// Maximum number of resources in one request for tags.
const TAGS_AT_ONCE: usize = 20;

/// A target group with our marks.
pub(super) struct Group {
    pub(super) arn: String,
    pub(super) marks: Marks,
    health_path: Option<String>,
}

/// Returns the name of the target group of a container. Target groups have at most 32 characters.
fn group_name(id: &ResourceId) -> String {
    format!("{PREFIX}{}", letters(id))
}

impl Containers {
    /// Returns the target group of this resource.
    pub(super) async fn group(&self, id: &ResourceId) -> Result<Option<Group>, CallOutcome> {
        let name = group_name(id);
        let response = self.balancer.describe_target_groups().names(&name).send().await;
        let found = response.in_request("elasticloadbalancing:DescribeTargetGroups").none_if(NO_GROUP)?;
        let Some(found) = found.and_then(|found| found.target_groups?.into_iter().next()) else { return Ok(None) };
        match self.marked(vec![found]).await?.pop() {
            Some(group) if group.marks.id == *id => Ok(Some(group)),
            _ => Err(name_taken(&name)),
        }
    }

    /// Returns all of our target groups.
    pub(super) async fn groups(&self) -> Result<Vec<Group>, CallOutcome> {
        let (mut groups, mut marker) = (Vec::new(), None);
        loop {
            let response = self.balancer.describe_target_groups().set_marker(marker).send().await;
            let page = response.in_request("elasticloadbalancing:DescribeTargetGroups")?;
            let ours = |one: &TargetGroup| one.target_group_name.as_ref().is_some_and(|name| name.starts_with(PREFIX));
            groups.extend(page.target_groups.unwrap_or_default().into_iter().filter(ours));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return self.marked(groups).await;
            }
        }
    }

    async fn marked(&self, groups: Vec<TargetGroup>) -> Result<Vec<Group>, CallOutcome> {
        let arns: Vec<String> = groups.iter().filter_map(|group| group.target_group_arn.clone()).collect();
        let mut marks = self.marks_of(&arns).await?;
        let ours = groups.into_iter().filter_map(|group| {
            let arn = group.target_group_arn?;
            Some(Group { marks: marks.remove(&arn)?, arn, health_path: group.health_check_path })
        });
        Ok(ours.collect())
    }

    /// Returns the marks of these target groups and rules, for those that have marks.
    async fn marks_of(&self, arns: &[String]) -> Result<BTreeMap<String, Marks>, CallOutcome> {
        let mut found = BTreeMap::new();
        for some in arns.chunks(TAGS_AT_ONCE) {
            let response = self.balancer.describe_tags().set_resource_arns(Some(some.to_vec())).send().await;
            // In the meantime, another call has deleted one of them; the next attempt does not ask for it.
            let response = response.in_request("elasticloadbalancing:DescribeTags").none_if(GONE)?;
            let response = response
                .ok_or_else(|| CallOutcome::retry("conflict", "a target group or a rule has just been deleted"));
            for one in response?.tag_descriptions.unwrap_or_default() {
                let tags = one.tags.unwrap_or_default();
                let tags = tags
                    .iter()
                    .map(|tag| (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default()));
                if let (Some(arn), Some(marks)) = (one.resource_arn, Marks::read(tags)) {
                    found.insert(arn, marks);
                }
            }
        }
        Ok(found)
    }

    /// Returns the rule for the host of this resource's container. Refuses a host that another rule serves.
    pub(super) async fn rule(&self, host: &str, id: &ResourceId) -> Result<Option<Rule>, CallOutcome> {
        let rules = self.rules().await?.into_iter().filter(|rule| serves(rule, host)).collect::<Vec<_>>();
        let arns: Vec<String> = rules.iter().filter_map(|rule| rule.rule_arn.clone()).collect();
        let marks = self.marks_of(&arns).await?;
        let is_ours =
            |rule: &Rule| rule.rule_arn.as_ref().and_then(|arn| marks.get(arn)).is_some_and(|marks| marks.id == *id);
        match rules.iter().all(is_ours) {
            true => Ok(rules.into_iter().next()),
            false => Err(name_taken(host)),
        }
    }

    async fn rules(&self) -> Result<Vec<Rule>, CallOutcome> {
        let (mut rules, mut marker) = (Vec::new(), None);
        loop {
            let list =
                self.balancer.describe_rules().listener_arn(&self.checked.config.listener_arn).set_marker(marker);
            let page = list.send().await.in_request("elasticloadbalancing:DescribeRules")?;
            rules.extend(page.rules.unwrap_or_default());
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(rules);
            }
        }
    }

    /// Ensures that the listener forwards requests for the container's host to its target group, and returns the ARN of
    /// the group.
    pub(super) async fn open(&self, call: &Call, name: &str, marks: &Marks) -> Result<String, CallOutcome> {
        let (id, host) = (call.resource_id(), self.checked.host(name));
        let rule = self.rule(&host, &id).await?;
        let group = match self.group(&id).await? {
            Some(group) => {
                group.marks.admit(call)?;
                self.update_group(&group).await?;
                group.arn
            }
            None => self.create_group(&id, &marks.clone().with(NAME, name)).await?,
        };
        match rule {
            Some(rule) if forwards(&rule, &group) => {}
            Some(rule) => {
                let modify = self.balancer.modify_rule().set_rule_arn(rule.rule_arn).actions(forward(&group));
                modify.send().await.in_request("elasticloadbalancing:ModifyRule")?;
            }
            None => self.create_rule(&id, &host, &group, marks).await?,
        }
        Ok(group)
    }

    async fn create_group(&self, id: &ResourceId, marks: &Marks) -> Result<String, CallOutcome> {
        let config = &self.checked.config;
        let create = self
            .balancer
            .create_target_group()
            .name(group_name(id))
            .protocol(ProtocolEnum::Http)
            .port(i32::from(config.port))
            .vpc_id(&config.vpc_id)
            .target_type(TargetTypeEnum::Ip)
            .health_check_path(&config.health_path)
            .matcher(Matcher::builder().http_code(HEALTHY).build())
            .set_tags(Some(tags(marks)));
        let made = create.send().await.in_request("elasticloadbalancing:CreateTargetGroup")?;
        let arn = made.target_groups.and_then(|groups| groups.into_iter().next()?.target_group_arn);
        arn.ok_or_else(|| incomplete("elasticloadbalancing:CreateTargetGroup", "an ARN"))
    }

    /// Gives the target group the configured health check. Its port stays unchanged, because ECS registers each task
    /// with the task's own port.
    async fn update_group(&self, group: &Group) -> Result<(), CallOutcome> {
        let wanted = &self.checked.config.health_path;
        if group.health_path.as_ref() != Some(wanted) {
            let modify = self.balancer.modify_target_group().target_group_arn(&group.arn).health_check_path(wanted);
            modify.send().await.in_request("elasticloadbalancing:ModifyTargetGroup")?;
        }
        Ok(())
    }

    /// Creates the rule with the first free priority, starting from one that is derived from the resource, so that
    /// concurrent calls for different resources rarely choose the same one.
    async fn create_rule(&self, id: &ResourceId, host: &str, group: &str, marks: &Marks) -> Result<(), CallOutcome> {
        let used: BTreeSet<u32> =
            self.rules().await?.iter().filter_map(|rule| rule.priority.as_ref()?.parse().ok()).collect();
        let hash = Sha256::digest(letters(id).as_bytes());
        let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % PRIORITY_MAX;
        let free = (0..PRIORITY_MAX).map(|step| (first + step) % PRIORITY_MAX + 1).find(|one| !used.contains(one));
        let full = || CallOutcome::refused("quota-exceeded", "the listener has no free priority for a rule");
        let priority = i32::try_from(free.ok_or_else(full)?).unwrap_or(i32::MAX);
        let hosts = HostHeaderConditionConfig::builder().values(host).build();
        let condition = RuleCondition::builder().field(HOST_HEADER).host_header_config(hosts).build();
        let create = self.balancer.create_rule().listener_arn(&self.checked.config.listener_arn).priority(priority);
        let create = create.conditions(condition).actions(forward(group)).set_tags(Some(tags(marks)));
        create.send().await.in_request("elasticloadbalancing:CreateRule")?;
        Ok(())
    }

    /// Records the generation of the call in the target group, which outlives the service.
    pub(super) async fn mark_group(&self, call: &Call, group: &Group) -> Result<(), CallOutcome> {
        if group.marks.generation < call.generation {
            let tags = tags(&group.marks.after(call));
            let add = self.balancer.add_tags().resource_arns(&group.arn).set_tags(Some(tags));
            add.send().await.in_request("elasticloadbalancing:AddTags")?;
        }
        Ok(())
    }

    /// Deletes the rules that forward to the target group. After that, nobody can reach the container.
    pub(super) async fn close(&self, group: &Group) -> Result<(), CallOutcome> {
        for rule in self.rules().await?.into_iter().filter(|rule| forwards(rule, &group.arn)) {
            let response = self.balancer.delete_rule().set_rule_arn(rule.rule_arn).send().await;
            response.in_request("elasticloadbalancing:DeleteRule").none_if(NO_RULE)?;
        }
        Ok(())
    }

    pub(super) async fn delete_group(&self, group: &Group) -> Result<(), CallOutcome> {
        let response = self.balancer.delete_target_group().target_group_arn(&group.arn).send().await;
        response.in_request("elasticloadbalancing:DeleteTargetGroup").none_if(NO_GROUP)?;
        Ok(())
    }
}

fn forward(group: &str) -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group).build()
}

/// Returns true if the rule forwards to this target group.
fn forwards(rule: &Rule, group: &str) -> bool {
    let actions = rule.actions.as_deref().unwrap_or_default();
    actions.iter().any(|action| {
        let several =
            action.forward_config.as_ref().and_then(|config| config.target_groups.as_deref()).unwrap_or_default();
        action.target_group_arn.as_deref() == Some(group)
            || several.iter().any(|one| one.target_group_arn.as_deref() == Some(group))
    })
}

/// Returns true if a condition of the rule contains this host.
fn serves(rule: &Rule, host: &str) -> bool {
    let of_hosts = rule.conditions.iter().flatten().filter(|one| one.field.as_deref() == Some(HOST_HEADER));
    of_hosts
        .flat_map(|one| {
            let config = one.host_header_config.as_ref().and_then(|config| config.values.as_deref());
            config.unwrap_or_default().iter().chain(one.values.as_deref().unwrap_or_default())
        })
        .any(|value| value.eq_ignore_ascii_case(host))
}

fn tags(marks: &Marks) -> Vec<Tag> {
    marks.tags().into_iter().map(|(name, value)| Tag::builder().key(name).value(value).build()).collect()
}
