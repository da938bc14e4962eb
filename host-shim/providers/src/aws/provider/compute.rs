//! The provider of functions on both services: Lambda, and containers on ECS. The payload's `tier` selects the service.

use crate::aws::provider::aws::Aws;
use crate::aws::provider::container::Containers;
use crate::aws::provider::function::own_role::{self, RoleOf};
use crate::aws::provider::function::{FUNCTION_ROLE, Functions};
use crate::aws::provider::payload::{output, text};
use host_provider_api::{Call, CallOutcome, Held, Provider, ResourceId, Restriction, Unlisted};
use serde_json::json;

/// The provider of functions and containers, both of which are the resource `function`.
///
/// A call whose `tier` is one of the container tiers goes to ECS, any other `tier` to Lambda. A call without a `tier` goes to the service
/// that has the resource. Effects, payloads and outputs are those of [`Functions`]; a container's `url` is its host at the load balancer,
/// and a container that a person created can't be adopted. A function does not move from one service to the other: the other tier is
/// another variant of the resource.
pub struct Compute {
    aws: Aws,
    functions: Option<Functions>,
    containers: Option<Containers>,
}

/// The service of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Lambda,
    Ecs,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Lambda => "Lambda",
            Place::Ecs => "ECS",
        }
    }
}

impl Compute {
    /// Creates the provider for the services that have settings.
    pub fn new(aws: &Aws, functions: Option<Functions>, containers: Option<Containers>) -> Compute {
        Compute { aws: aws.clone(), functions, containers }
    }

    async fn carry_out(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        if call.resource() == FUNCTION_ROLE {
            return self.role_alone(call).await;
        }
        match (self.place(call).await?, &self.functions, &self.containers) {
            (Place::Lambda, Some(functions), _) => functions.carry_out(call).await,
            (Place::Ecs, _, Some(containers)) => containers.carry_out(call).await,
            (place, _, _) => {
                let (place, known) = (place.name(), self.tiers().join(", "));
                let problem = format!("there are no settings of functions on {place}: expected a `tier` of {known}");
                Err(CallOutcome::refused("unsupported-tier", problem))
            }
        }
    }

    /// Returns the service that carries out the call.
    async fn place(&self, call: &Call) -> Result<Place, CallOutcome> {
        let wanted = text(call, "tier")?.map(|tier| self.place_of(tier));
        let there = match (output(call, "arn"), wanted) {
            (Some(arn), _) if arn.contains(":ecs:") => Some(Place::Ecs),
            (Some(_), _) => Some(Place::Lambda),
            // The first request of this call has already looked for it.
            (None, Some(_)) if call.token.is_some() => None,
            (None, _) => self.holder(call, wanted.unwrap_or(Place::Lambda)).await?,
        };
        match (wanted, there) {
            (Some(wanted), Some(there)) if wanted != there && matches!(call.verb(), "ensure" | "change") => {
                let problem =
                    format!("the function is on {}, and its `tier` is one of {}", there.name(), wanted.name());
                Err(CallOutcome::refused("other-tier", format!("{problem}: expected another variant of the resource")))
            }
            (_, Some(there)) => Ok(there),
            (Some(wanted), None) => Ok(wanted),
            (None, None) if self.functions.is_some() => Ok(Place::Lambda),
            (None, None) => Ok(Place::Ecs),
        }
    }

    fn place_of(&self, tier: &str) -> Place {
        let containers = self.containers.as_ref().map(Containers::tiers);
        match containers.is_some_and(|tiers| tiers.iter().any(|has| has == tier)) {
            true => Place::Ecs,
            // Without container settings, Lambda refuses the tier `ecs`.
            false => Place::Lambda,
        }
    }

    /// Returns the service that has the call's resource, looking at `first` first.
    async fn holder(&self, call: &Call, first: Place) -> Result<Option<Place>, CallOutcome> {
        let (Some(functions), Some(containers)) = (&self.functions, &self.containers) else { return Ok(None) };
        let order = if first == Place::Lambda { [Place::Lambda, Place::Ecs] } else { [Place::Ecs, Place::Lambda] };
        for place in order {
            let holds = match place {
                Place::Lambda => functions.holds(call).await?,
                Place::Ecs => containers.holds(call).await?,
            };
            if holds {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Carries out an effect of a role that has neither a function nor a container.
    async fn role_alone(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        if call.verb() != "destroy" {
            return Ok(CallOutcome::unsupported(call));
        }
        let function = ResourceId { resource: own_role::FUNCTION.to_owned(), ..call.resource_id() };
        let mut user = None;
        if let Some(functions) = &self.functions {
            user = functions.listed(&function).await?.map(|(found, _)| found.name);
        }
        if let (Some(containers), None) = (&self.containers, &user) {
            user = containers.listed(&function).await?.map(|(found, _)| found.name);
        }
        if let Some(name) = user {
            return Err(CallOutcome::refused("in-use", format!("the function `{name}` has this role")));
        }
        if let Some(role) = self.roles() {
            role.remove(call, &function).await?;
        }
        Ok(CallOutcome::Done(json!({})))
    }

    /// Returns the source of individual roles, if a service has one. Both services have the same one.
    fn roles(&self) -> Option<&RoleOf> {
        let all = self.functions.iter().map(Functions::role).chain(self.containers.iter().map(Containers::role));
        all.into_iter().find(|role| matches!(role, RoleOf::Own(_)))
    }

    fn tiers(&self) -> Vec<String> {
        let lambda = self.functions.iter().flat_map(Functions::tiers);
        let mut tiers: Vec<String> = lambda.chain(self.containers.iter().flat_map(Containers::tiers)).collect();
        tiers.sort();
        tiers.dedup();
        tiers
    }

    async fn all(&self) -> Result<Vec<Held>, CallOutcome> {
        let source = self.roles();
        let mut roles = match source {
            Some(source) => source.listed().await?,
            None => own_role::ListedRoles::default(),
        };
        let mut held = Vec::new();
        if let Some(functions) = &self.functions {
            held.extend(functions.all(&mut roles).await?);
        }
        if let Some(containers) = &self.containers {
            held.extend(containers.all(&mut roles).await?);
        }
        if let Some(source) = source {
            held.extend(source.unused(roles).await?);
        }
        held.sort();
        Ok(held)
    }
}

impl Provider for Compute {
    fn call(&self, call: &Call) -> CallOutcome {
        self.aws.run(self.carry_out(call))
    }

    fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        if resource == FUNCTION_ROLE {
            return Vec::new();
        }
        let region = self.aws.region().to_owned();
        vec![Restriction::one_of("tier", self.tiers()), Restriction::one_of("region", vec![region])]
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.aws.list(self.all()).map(Some)
    }
}
