//! Containers on ECS with Fargate, each behind a load balancer at its own host.

mod find;
mod revision;
mod route;
mod settings;

pub use settings::{ContainerConfig, ContainerSize};

use crate::aws::provider::aws::{Aws, OpenError};
use crate::aws::provider::errors::{InRequest, NoneIf, incomplete, name_taken};
use crate::aws::provider::function::own_role::{LOST, ListedRoles, RoleOf};
use crate::aws::provider::lookup::{Existing, Lookup, names};
use crate::aws::provider::marks::{Marks, RUNNING, SUSPENDED, wanted_state};
use crate::aws::provider::payload::{adopts, check_region, has_settings};
use crate::aws::provider::poll::poll_later;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    Deployment, DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentRolloutState, LaunchType, LoadBalancer,
    PropagateTags, Service, Tag,
};
use aws_sdk_elasticloadbalancingv2::Client as Balancer;
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome, Held};
use serde_json::{Value, json};
use settings::{CONTAINER, CheckedConfig, Settings};
use std::collections::BTreeSet;

/// A container's name is part of its host's name.
const RULES: Rules = Rules { what: "container", shortest: 1, longest: 63, others: b"-" };
/// First delay before a poll, in milliseconds. A deployment takes a minute or more.
const POLL_MS: i64 = 5000;
/// Seconds after the start of a task during which the load balancer's health check does not stop it.
const GRACE_S: i32 = 60;
const DRAINING: &str = "DRAINING";
const ABSENT: &[&str] = &["ServiceNotFoundException", "ServiceNotActiveException"];
/// State of a service that should run but has no running task yet.
const STARTING: &str = "starting";
/// State of a container without a service, which was left by an interrupted call.
const INCOMPLETE: &str = "incomplete";

/// The containers of one cluster: the part of the provider of functions that implements the ECS tiers.
pub struct Containers {
    aws: Aws,
    client: Client,
    balancer: Balancer,
    role: RoleOf,
    checked: CheckedConfig,
}

/// An existing service.
pub(crate) struct ExistingService {
    pub(crate) name: String,
    arn: String,
    marks: Option<Marks>,
    service: Service,
}

impl ExistingService {
    /// Returns true while ECS stops the tasks of the deleted service.
    fn is_draining(&self) -> bool {
        self.service.status.as_deref() == Some(DRAINING)
    }

    fn state(&self) -> &'static str {
        match (self.service.desired_count, self.service.running_count) {
            (0, _) => SUSPENDED,
            (_, 0) => STARTING,
            _ => RUNNING,
        }
    }

    fn primary(&self) -> Option<&Deployment> {
        let deployments = self.service.deployments.as_deref().unwrap_or_default();
        deployments.iter().find(|one| one.status.as_deref() == Some("PRIMARY"))
    }

    fn has_failed(&self) -> bool {
        self.primary().is_some_and(|one| one.rollout_state == Some(DeploymentRolloutState::Failed))
    }

    /// Returns true if all tasks of the newest deployment are running, and no others.
    fn is_deployed(&self) -> bool {
        let is_complete = self.primary().is_none_or(|one| {
            one.rollout_state.as_ref().is_none_or(|state| *state == DeploymentRolloutState::Completed)
        });
        let service = &self.service;
        let deployments = service.deployments.as_ref().map_or(0, Vec::len);
        is_complete && deployments <= 1 && service.running_count == service.desired_count && service.pending_count == 0
    }
}

impl Existing for ExistingService {
    fn marks(&self) -> Option<&Marks> {
        self.marks.as_ref()
    }
}

impl Containers {
    /// Creates the part of the provider with these settings.
    ///
    /// # Errors
    ///
    /// Fails if a setting is invalid.
    pub fn new(aws: &Aws, config: ContainerConfig) -> Result<Containers, OpenError> {
        let checked = config.checked()?;
        let role = RoleOf::new(aws, &checked.config.role);
        let (client, balancer) = (Client::new(aws.sdk()), Balancer::new(aws.sdk()));
        Ok(Containers { aws: aws.clone(), client, balancer, role, checked })
    }

    /// Returns the tiers of containers, sorted.
    pub(crate) fn tiers(&self) -> Vec<String> {
        self.checked.tiers()
    }

    pub(crate) fn role(&self) -> &RoleOf {
        &self.role
    }

    pub(crate) async fn carry_out(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        match call.verb() {
            "ensure" => {
                check_region(call, self.aws.region())?;
                self.ensure(call).await
            }
            "change" => self.change(call).await,
            "observe" if adopts(call) => {
                let problem = "a service on ECS that a person created can't be adopted: create it by `ensure`";
                Err(CallOutcome::refused("cannot-adopt", problem))
            }
            "observe" => match self.seek(call).await? {
                Lookup::Ours(found, _) if !found.is_draining() => Ok(self.observed(&found)),
                _ => Ok(CallOutcome::Done(json!({"exists": false}))),
            },
            "destroy" => self.destroy(call).await,
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    async fn ensure(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let wanted = self.checked.settings(call)?;
        match self.seek(call).await? {
            Lookup::Taken(name) => Err(name_taken(&name)),
            Lookup::Ours(found, marks) => {
                marks.admit(call)?;
                self.apply(call, *found, &marks, Some(&wanted), marks.state.as_str()).await
            }
            Lookup::Absent(name) => self.create(call, &name, &wanted).await,
        }
    }

    async fn create(&self, call: &Call, name: &str, wanted: &Settings) -> Result<CallOutcome, CallOutcome> {
        let marks = Marks::of(call)?;
        let newest = self.newest(name).await?;
        if newest.as_ref().is_some_and(|newest| !newest.is_of(&marks.id)) {
            return Err(name_taken(name));
        }
        // ECS accepts only a target group that a load balancer uses, so the service is created last.
        let group = self.open(call, name, &marks).await?;
        let role = self.role_of(call).await?;
        let definition = self.registered(name, newest, wanted, &role, &marks).await?;
        let config = &self.checked.config;
        let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(false).build();
        let target = LoadBalancer::builder()
            .target_group_arn(group)
            .container_name(CONTAINER)
            .container_port(i32::from(config.port))
            .build();
        let create = self
            .client
            .create_service()
            .cluster(&config.cluster)
            .service_name(name)
            .client_token(format!("{}-{}", letters(&marks.id), marks.generation))
            .task_definition(definition)
            .desired_count(config.count)
            .launch_type(LaunchType::Fargate)
            .network_configuration(self.checked.network()?)
            .load_balancers(target)
            .health_check_grace_period_seconds(GRACE_S)
            .deployment_configuration(DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build())
            .propagate_tags(PropagateTags::Service)
            .set_tags(Some(tags(&marks)));
        let made = create.send().await.in_request("ecs:CreateService")?.service.and_then(find::existing);
        let made = made.ok_or_else(|| incomplete("ecs:CreateService", "a service"))?;
        self.progress(call, &made).await
    }

    async fn role_of(&self, call: &Call) -> Result<String, CallOutcome> {
        self.role.ensure(call, self.checked.grants(call, self.aws.region())?).await
    }

    async fn change(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let state = wanted_state(call)?;
        match self.seek(call).await? {
            Lookup::Ours(found, marks) => {
                marks.admit(call)?;
                let wanted = match has_settings(call) {
                    true => Some(self.checked.settings(call)?),
                    false => None,
                };
                self.apply(call, *found, &marks, wanted.as_ref(), state.unwrap_or(&marks.state)).await
            }
            Lookup::Taken(name) => Err(name_taken(&name)),
            Lookup::Absent(name) => Err(CallOutcome::refused("not-found", format!("there is no container `{name}`"))),
        }
    }

    /// Applies these settings and this state to our service. The generation is recorded first, after which calls of
    /// older generations are refused.
    async fn apply(
        &self,
        call: &Call,
        found: ExistingService,
        marks: &Marks,
        wanted: Option<&Settings>,
        state: &str,
    ) -> Result<CallOutcome, CallOutcome> {
        // A service that an abandoned removal has deleted can't be changed; once it is gone, `ensure` creates another
        // one.
        if found.is_draining() {
            return Ok(poll_later(call, &found.name, POLL_MS));
        }
        let after = Marks { state: state.to_owned(), ..marks.after(call) };
        if after != *marks {
            let tag = self.client.tag_resource().resource_arn(&found.arn).set_tags(Some(tags(&after)));
            tag.send().await.in_request("ecs:TagResource")?;
        }
        let update = self.client.update_service().cluster(&self.checked.config.cluster).service(&found.name);
        let (mut update, mut is_same) = (update, true);
        if let Some(wanted) = wanted {
            self.open(call, &found.name, &after).await?;
            let role = self.role_of(call).await?;
            let newest = self.newest(&found.name).await?;
            let definition = self.registered(&found.name, newest, wanted, &role, &after).await?;
            if found.service.task_definition.as_ref() != Some(&definition) {
                (update, is_same) = (update.task_definition(definition), false);
            }
            if !self.checked.has_network(found.service.network_configuration.as_ref()) {
                (update, is_same) = (update.network_configuration(self.checked.network()?), false);
            }
        }
        let count = if state == SUSPENDED { 0 } else { self.checked.config.count };
        if found.service.desired_count != count {
            (update, is_same) = (update.desired_count(count), false);
        }
        // A failed deployment is retried by each new call, but not by its polls.
        if is_same && found.has_failed() && call.token.is_none() && count > 0 {
            (update, is_same) = (update.force_new_deployment(true), false);
        }
        if is_same {
            return self.progress(call, &found).await;
        }
        let updated = update.send().await.in_request("ecs:UpdateService")?.service.and_then(find::existing);
        let updated = updated.ok_or_else(|| incomplete("ecs:UpdateService", "a service"))?;
        self.progress(call, &updated).await
    }

    /// Asks for polls until the deployment is complete, and then deletes the revisions that no task uses any longer.
    async fn progress(&self, call: &Call, found: &ExistingService) -> Result<CallOutcome, CallOutcome> {
        if found.has_failed() {
            let reason = found.primary().and_then(|one| one.rollout_state_reason.as_deref());
            let problem = format!("container `{}`: {}", found.name, reason.unwrap_or("no reason given"));
            return Err(CallOutcome::refused("failed", problem));
        }
        if !found.is_deployed() {
            return Ok(poll_later(call, &found.name, POLL_MS));
        }
        let kept = found.service.task_definition.as_deref();
        self.delete_revisions(&found.name, &call.resource_id(), kept).await?;
        Ok(CallOutcome::Done(self.outputs(found)))
    }

    fn outputs(&self, found: &ExistingService) -> Value {
        json!({"arn": found.arn, "url": format!("https://{}", self.checked.host(&found.name))})
    }

    fn observed(&self, found: &ExistingService) -> CallOutcome {
        CallOutcome::Done(json!({"exists": true, "state": found.state(), "outputs": self.outputs(found)}))
    }

    /// Deletes the rule, the service, the target group, the task definitions and the role. Each call continues where an
    /// earlier one was interrupted.
    async fn destroy(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let id = call.resource_id();
        let mut families: BTreeSet<String> = names(&RULES, call)?.into_iter().collect();
        let service = match self.seek(call).await? {
            Lookup::Ours(found, marks) => {
                marks.admit(call)?;
                Some(found)
            }
            Lookup::Taken(_) | Lookup::Absent(_) => None,
        };
        let group = self.group(&id).await?;
        if let Some(group) = &group {
            group.marks.admit(call)?;
            self.mark_group(call, group).await?;
            self.close(group).await?;
            families.extend(group.marks.get(route::NAME).map(str::to_owned));
        }
        if let Some(found) = service {
            if found.is_draining() {
                return Ok(poll_later(call, &found.name, POLL_MS));
            }
            let delete = self.client.delete_service().cluster(&self.checked.config.cluster).service(&found.name);
            let deleted = delete.force(true).send().await.in_request("ecs:DeleteService").none_if(ABSENT)?;
            let status = deleted.and_then(|deleted| deleted.service?.status);
            if status.as_deref() == Some(DRAINING) {
                return Ok(poll_later(call, &found.name, POLL_MS));
            }
            families.insert(found.name);
        }
        // This comes before the target group, which holds the name.
        for family in families {
            self.delete_revisions(&family, &id, None).await?;
        }
        if let Some(group) = group {
            self.delete_group(&group).await?;
        }
        self.role.remove(call, &id).await?;
        Ok(CallOutcome::Done(json!({})))
    }

    /// Lists the containers, including those without a service. Marks their roles as used.
    pub(crate) async fn all(&self, roles: &mut ListedRoles) -> Result<Vec<Held>, CallOutcome> {
        let (mut held, mut seen) = (Vec::new(), BTreeSet::new());
        for found in self.services().await? {
            let Some(marks) = &found.marks else { continue };
            seen.insert(marks.id.clone());
            if found.is_draining() {
                continue;
            }
            let role = match (&found.service.task_definition, roles.are_own()) {
                (Some(definition), true) => self.revision(definition).await?.definition.task_role_arn,
                _ => None,
            };
            let state = if roles.lacks(&marks.id, role.as_deref()) { LOST } else { found.state() };
            held.push(marks.clone().held(&found.name, state));
        }
        for group in self.groups().await?.into_iter().filter(|group| !seen.contains(&group.marks.id)) {
            roles.lacks(&group.marks.id, None);
            let name = group.marks.get(route::NAME).unwrap_or_default().to_owned();
            held.push(group.marks.held(&name, INCOMPLETE));
        }
        Ok(held)
    }
}

fn tags(marks: &Marks) -> Vec<Tag> {
    marks.tags().into_iter().map(|(name, value)| Tag::builder().key(name).value(value).build()).collect()
}
