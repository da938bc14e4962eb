//! Functions on Lambda, each with its own URL.

mod find;
pub(crate) mod own_role;
mod settings;
mod url;

pub(crate) use own_role::RESOURCE as FUNCTION_ROLE;
pub use own_role::RESOURCES;
pub(crate) use settings::ECS;
pub use settings::{Code, FunctionConfig, FunctionRole, FunctionSize};

use crate::aws::provider::aws::{Aws, OpenError};
use crate::aws::provider::errors::{Failure, InRequest, NoneIf, incomplete, name_taken};
use crate::aws::provider::lookup::{Existing, Lookup};
use crate::aws::provider::marks::{Marks, OWNER, RUNNING, SUSPENDED, wanted_state};
use crate::aws::provider::payload::{adopts, check_region, has_settings, output};
use crate::aws::provider::poll::poll_later;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, State};
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome, Held, Provider, ResourceId, Restriction, Unlisted};
use own_role::{ListedRoles, RoleOf};
use serde_json::{Value, json};
use settings::{CheckedConfig, Settings};

const RULES: Rules = Rules { what: "function", shortest: 1, longest: 64, others: b"-_" };
const ABSENT: &[&str] = &["ResourceNotFoundException"];
/// First delay before a poll, in milliseconds. An update takes seconds.
const POLL_MS: i64 = 1000;
/// Key of the tag with the id of the code.
const CODE: &str = "code";

/// The provider of functions on Lambda.
///
/// | effect | payload | outputs |
/// |---|---|---|
/// | `ensure` | `name`, `tier`, `region`, `memory_mb` (or `ram_mb`), `timeout_s`, `database` with `database_name`, `database_user` and `database_secret`, `bucket` | `arn`, `url` |
/// | `change` | `state` (`suspended` reserves a concurrency of 0) and the members of `ensure` | `arn`, `url` |
/// | `observe` | as `ensure`; with `adopt` and `outputs.arn` | `exists`, `state`, `outputs` |
/// | `destroy` | as `ensure` | none |
///
/// With [`FunctionRole::Own`], each function has its own role, which is created before the function and deleted after it.
/// [`Provider::held`] also lists the roles that have no function, as the resource `function-role`, which supports only the effect
/// `destroy`.
pub struct Functions {
    aws: Aws,
    client: Client,
    role: RoleOf,
    checked: CheckedConfig,
}

/// An existing function.
pub(crate) struct ExistingFunction {
    pub(crate) name: String,
    arn: String,
    marks: Option<Marks>,
    config: FunctionConfiguration,
    is_suspended: bool,
}

impl Existing for ExistingFunction {
    fn marks(&self) -> Option<&Marks> {
        self.marks.as_ref()
    }
}

impl Functions {
    /// Creates the provider with these settings.
    ///
    /// # Errors
    ///
    /// Fails if a setting is invalid or the code file can't be read.
    pub fn new(aws: &Aws, config: FunctionConfig) -> Result<Functions, OpenError> {
        let checked = config.checked()?;
        let role = RoleOf::new(aws, checked.role());
        Ok(Functions { aws: aws.clone(), client: Client::new(aws.sdk()), role, checked })
    }

    /// Returns the tiers of functions on Lambda, sorted.
    pub(crate) fn tiers(&self) -> Vec<String> {
        self.checked.tiers()
    }

    pub(crate) fn role(&self) -> &RoleOf {
        &self.role
    }

    pub(crate) async fn carry_out(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        match call.verb() {
            _ if call.resource() == own_role::RESOURCE => self.role_alone(call).await,
            "ensure" => {
                check_region(call, self.aws.region())?;
                self.ensure(call).await
            }
            "change" => self.change(call).await,
            "observe" if adopts(call) => self.adopt(call).await,
            "observe" => match self.seek(call).await? {
                Lookup::Ours(found, _) => self.observed(&found).await,
                Lookup::Taken(_) | Lookup::Absent(_) => Ok(CallOutcome::Done(json!({"exists": false}))),
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
                self.apply(call, &found, &marks, Some(&wanted), marks.state.as_str()).await
            }
            Lookup::Absent(name) => {
                let marks = Marks::of(call)?.with(CODE, self.checked.code_id());
                let role = self.role_of(call, &name).await?;
                let mut create = self.client.create_function().function_name(&name);
                create = create.description(description(&marks.id)).set_tags(Some(marks.tags().into_iter().collect()));
                let response = wanted.create(create, &self.checked, &role).send().await;
                let made = response.in_request("lambda:CreateFunction").map_err(Failure::without_aws_message)?;
                let arn = made.function_arn.clone();
                if made.state != Some(State::Active) {
                    return Ok(poll_later(call, &name, POLL_MS));
                }
                let arn = arn.ok_or_else(|| incomplete("lambda:CreateFunction", "an ARN"))?;
                Ok(CallOutcome::Done(json!({"arn": arn, "url": self.open(&name).await?})))
            }
        }
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
                self.apply(call, &found, &marks, wanted.as_ref(), state.unwrap_or(&marks.state)).await
            }
            Lookup::Taken(name) => Err(name_taken(&name)),
            Lookup::Absent(name) => Err(CallOutcome::refused("not-found", format!("there is no function `{name}`"))),
        }
    }

    /// Applies these settings and this state to our function. The generation is recorded first, after which calls of older generations are
    /// refused.
    async fn apply(
        &self,
        call: &Call,
        found: &ExistingFunction,
        marks: &Marks,
        wanted: Option<&Settings>,
        state: &str,
    ) -> Result<CallOutcome, CallOutcome> {
        if found.config.state == Some(State::Failed) {
            let reason = found.config.state_reason_code.as_ref().map_or("no reason given", |reason| reason.as_str());
            return Err(CallOutcome::refused("failed", format!("function `{}`: {reason}", found.name)));
        }
        if is_busy(&found.config) {
            return Ok(poll_later(call, &found.name, POLL_MS));
        }
        let after = Marks { state: state.to_owned(), ..marks.after(call) };
        if after != *marks {
            self.tag(&found.arn, &after).await?;
        }
        if let Some(wanted) = wanted {
            let role = self.role_of(call, &found.name).await?;
            let must_update = !wanted.are_set_on(&found.config, &self.checked, &role)
                || (found.config.last_update_status == Some(LastUpdateStatus::Failed) && call.token.is_none());
            if must_update {
                let update = self.client.update_function_configuration().function_name(&found.name);
                let response = wanted.update(update, &self.checked, &role).send().await;
                let made =
                    response.in_request("lambda:UpdateFunctionConfiguration").map_err(Failure::without_aws_message)?;
                if made.last_update_status == Some(LastUpdateStatus::InProgress) {
                    return Ok(poll_later(call, &found.name, POLL_MS));
                }
            }
            // An adopted function keeps its code.
            if marks.get(CODE).is_some_and(|has| has != self.checked.code_id()) {
                // From here on, the function has either the old or the new code.
                self.tag(&found.arn, &after.clone().with(CODE, "being-updated")).await?;
                let update = self.client.update_function_code().function_name(&found.name);
                let made = self.checked.update_code(update).send().await.in_request("lambda:UpdateFunctionCode")?;
                self.tag(&found.arn, &after.clone().with(CODE, self.checked.code_id())).await?;
                if made.last_update_status == Some(LastUpdateStatus::InProgress) {
                    return Ok(poll_later(call, &found.name, POLL_MS));
                }
            }
        }
        match (state, found.is_suspended) {
            (SUSPENDED, false) => {
                let put = self.client.put_function_concurrency().function_name(&found.name);
                put.reserved_concurrent_executions(0).send().await.in_request("lambda:PutFunctionConcurrency")?;
            }
            (RUNNING, true) => {
                let delete = self.client.delete_function_concurrency().function_name(&found.name);
                delete.send().await.in_request("lambda:DeleteFunctionConcurrency")?;
            }
            _ => {}
        }
        Ok(CallOutcome::Done(json!({"arn": found.arn, "url": self.open(&found.name).await?})))
    }

    async fn tag(&self, arn: &str, marks: &Marks) -> Result<(), CallOutcome> {
        let tags = marks.tags().into_iter().collect();
        self.client.tag_resource().resource(arn).set_tags(Some(tags)).send().await.in_request("lambda:TagResource")?;
        Ok(())
    }

    async fn observed(&self, found: &ExistingFunction) -> Result<CallOutcome, CallOutcome> {
        let url = self.url(&found.name).await?.map_or(Value::Null, Value::String);
        let outputs = json!({"arn": found.arn, "url": url});
        Ok(CallOutcome::Done(json!({"exists": true, "state": state_of(found), "outputs": outputs})))
    }

    /// Adopts a function that a person created: it must exist and not belong to another resource.
    async fn adopt(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let arn = output(call, "arn")
            .ok_or_else(|| crate::aws::provider::payload::bad("outputs.arn", "", "the ARN of a function"))?;
        let Some(found) = self.get(arn).await? else {
            return Err(CallOutcome::refused("not-found", format!("there is no function `{arn}`")));
        };
        let marks = match &found.marks {
            Some(marks) => {
                marks.check_owner(call, &found.name)?;
                marks.admit(call)?;
                marks.after(call)
            }
            None => Marks { state: state_of(&found).to_owned(), ..Marks::of(call)? },
        };
        self.tag(&found.arn, &marks).await?;
        let wanted = description(&marks.id);
        if found.config.description.as_deref() != Some(&wanted) {
            let update = self.client.update_function_configuration().function_name(&found.name);
            update.description(wanted).send().await.in_request("lambda:UpdateFunctionConfiguration")?;
        }
        self.observed(&found).await
    }

    async fn destroy(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        if let Lookup::Ours(found, marks) = self.seek(call).await? {
            marks.admit(call)?;
            // Lambda deletes the URL and its permissions with the function.
            let response = self.client.delete_function().function_name(&found.name).send().await;
            response.in_request("lambda:DeleteFunction").none_if(ABSENT)?;
        }
        // An interrupted call may have left the role without a function.
        self.role.remove(call, &call.resource_id()).await?;
        Ok(CallOutcome::Done(json!({})))
    }

    /// Lists the functions. Marks their roles as used.
    pub(crate) async fn all(&self, roles: &mut ListedRoles) -> Result<Vec<Held>, CallOutcome> {
        let mut held = Vec::new();
        for (name, _) in self.names().await? {
            if let Some(found) = self.get(&name).await?
                && let Some(marks) = &found.marks
            {
                let lacks_role = roles.lacks(&marks.id, found.config.role.as_deref());
                let state = if lacks_role { own_role::LOST } else { state_of(&found) };
                held.push(marks.clone().held(&name, state));
            }
        }
        Ok(held)
    }

    async fn all_with_roles(&self) -> Result<Vec<Held>, CallOutcome> {
        let mut roles = self.role.listed().await?;
        let mut held = self.all(&mut roles).await?;
        held.extend(self.role.unused(roles).await?);
        held.sort();
        Ok(held)
    }
}

impl Provider for Functions {
    fn call(&self, call: &Call) -> CallOutcome {
        self.aws.run(self.carry_out(call))
    }

    fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        if resource == own_role::RESOURCE {
            return Vec::new();
        }
        let region = self.aws.region().to_owned();
        vec![Restriction::one_of("tier", self.tiers()), Restriction::one_of("region", vec![region])]
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.aws.list(self.all_with_roles()).map(Some)
    }
}

/// Returns the description of a function, which identifies its resource in lists.
fn description(id: &ResourceId) -> String {
    format!("{OWNER} {}", letters(id))
}

fn state_of(found: &ExistingFunction) -> &'static str {
    if found.is_suspended { SUSPENDED } else { RUNNING }
}

/// Returns true while Lambda is changing the function and refuses other changes.
fn is_busy(config: &FunctionConfiguration) -> bool {
    config.state == Some(State::Pending) || config.last_update_status == Some(LastUpdateStatus::InProgress)
}
