//! Functions on Lambda, each with a URL of its own.

mod find;
mod settings;
mod url;

pub use settings::{Code, FunctionConfig, FunctionSize};

use crate::aws::{Aws, OpenError};
use crate::errors::{Failure, Told, Unless, incomplete, name_taken};
use crate::look::later;
use crate::marks::{Marks, OWNER, RUNNING, SUSPENDED, wanted_state};
use crate::payload::{adopts, has_settings, output};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, State};
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome, Held, Provider, ResourceId, Unlisted};
use serde_json::{Value, json};
use settings::{Ready, Settings};

const RULES: Rules = Rules { what: "function", shortest: 1, longest: 64, others: b"-_" };
/// Before a derived name.
const PREFIX: &str = "sbp-";
const ABSENT: &[&str] = &["ResourceNotFoundException"];
/// A first look comes after this long: an update takes seconds.
const LOOK_MS: i64 = 1000;
/// The tag with what the code is.
const CODE: &str = "code";

/// The provider of functions.
///
/// | effect | payload | outputs |
/// |---|---|---|
/// | `ensure` | `name`, `tier`, `memory_mb` (or `ram_mb`), `timeout_s`, `database`, `database_name`, `database_user`, `database_secret`, `bucket` | `arn`, `url` |
/// | `change` | `state`: suspended is a reserved concurrency of 0; and what `ensure` takes | `arn`, `url` |
/// | `observe` | as `ensure`; with `adopt` and `outputs.arn` | `exists`, `state`, `outputs` |
/// | `destroy` | as `ensure` | none |
pub struct Functions {
    aws: Aws,
    client: Client,
    ready: Ready,
}

/// A function that is there.
struct Found {
    name: String,
    arn: String,
    marks: Option<Marks>,
    config: FunctionConfiguration,
    is_suspended: bool,
}

/// What became of looking for a resource's function.
enum Sought {
    Ours(Box<Found>, Marks),
    /// Others have the wanted name.
    Taken(String),
    /// It is to be made under this name.
    Absent(String),
}

impl Functions {
    /// Functions with these settings; an error if one of them can't be.
    pub fn new(aws: &Aws, config: FunctionConfig) -> Result<Functions, OpenError> {
        Ok(Functions { aws: aws.clone(), client: Client::new(aws.sdk()), ready: config.ready()? })
    }

    async fn carry_out(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        match call.verb() {
            "ensure" => self.ensure(call).await,
            "change" => self.change(call).await,
            "observe" if adopts(call) => self.adopt(call).await,
            "observe" => match self.seek(call).await? {
                Sought::Ours(found, _) => self.seen(&found).await,
                Sought::Taken(_) | Sought::Absent(_) => Ok(CallOutcome::Done(json!({"exists": false}))),
            },
            "destroy" => self.destroy(call).await,
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    async fn ensure(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let wanted = self.ready.settings(call)?;
        match self.seek(call).await? {
            Sought::Taken(name) => Err(name_taken(&name)),
            Sought::Ours(found, marks) => {
                marks.admit(call)?;
                self.bring(call, &found, &marks, Some(&wanted), marks.state.as_str()).await
            }
            Sought::Absent(name) => {
                let marks = Marks::of(call)?.with(CODE, self.ready.code_id());
                let mut create = self.client.create_function().function_name(&name);
                create = create.description(description(&marks.id)).set_tags(Some(marks.tags().into_iter().collect()));
                let asked = wanted.create(create, &self.ready).send().await;
                let made = asked.told("lambda:CreateFunction").map_err(Failure::without_words)?;
                let arn = made.function_arn.clone();
                if made.state != Some(State::Active) {
                    return Ok(later(call, &name, LOOK_MS));
                }
                let arn = arn.ok_or_else(|| incomplete("lambda:CreateFunction", "an ARN"))?;
                Ok(CallOutcome::Done(json!({"arn": arn, "url": self.open(&name).await?})))
            }
        }
    }

    async fn change(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let state = wanted_state(call)?;
        match self.seek(call).await? {
            Sought::Ours(found, marks) => {
                marks.admit(call)?;
                let wanted = match has_settings(call) {
                    true => Some(self.ready.settings(call)?),
                    false => None,
                };
                self.bring(call, &found, &marks, wanted.as_ref(), state.unwrap_or(&marks.state)).await
            }
            Sought::Taken(name) => Err(name_taken(&name)),
            Sought::Absent(name) => Err(CallOutcome::refused("not-found", format!("there is no function `{name}`"))),
        }
    }

    /// Brings a function of ours to these settings and this state. The generation is marked first, so that an older call is
    /// refused from then on.
    async fn bring(
        &self,
        call: &Call,
        found: &Found,
        marks: &Marks,
        wanted: Option<&Settings>,
        state: &str,
    ) -> Result<CallOutcome, CallOutcome> {
        if found.config.state == Some(State::Failed) {
            let reason = found.config.state_reason_code.as_ref().map_or("no reason given", |reason| reason.as_str());
            return Err(CallOutcome::refused("failed", format!("function `{}`: {reason}", found.name)));
        }
        if is_busy(&found.config) {
            return Ok(later(call, &found.name, LOOK_MS));
        }
        let after = Marks { state: state.to_owned(), ..marks.after(call) };
        if after != *marks {
            self.tag(&found.arn, &after).await?;
        }
        if let Some(wanted) = wanted {
            let must_update = !wanted.are_of(&found.config, &self.ready)
                || (found.config.last_update_status == Some(LastUpdateStatus::Failed) && call.token.is_none());
            if must_update {
                let update = self.client.update_function_configuration().function_name(&found.name);
                let asked = wanted.update(update, &self.ready).send().await;
                let made = asked.told("lambda:UpdateFunctionConfiguration").map_err(Failure::without_words)?;
                if made.last_update_status == Some(LastUpdateStatus::InProgress) {
                    return Ok(later(call, &found.name, LOOK_MS));
                }
            }
            // The code of what a person made is theirs.
            if marks.says(CODE).is_some_and(|has| has != self.ready.code_id()) {
                // From here on it has one or the other.
                self.tag(&found.arn, &after.clone().with(CODE, "being-updated")).await?;
                let update = self.client.update_function_code().function_name(&found.name);
                let made = self.ready.update_code(update).send().await.told("lambda:UpdateFunctionCode")?;
                self.tag(&found.arn, &after.clone().with(CODE, self.ready.code_id())).await?;
                if made.last_update_status == Some(LastUpdateStatus::InProgress) {
                    return Ok(later(call, &found.name, LOOK_MS));
                }
            }
        }
        match (state, found.is_suspended) {
            (SUSPENDED, false) => {
                let put = self.client.put_function_concurrency().function_name(&found.name);
                put.reserved_concurrent_executions(0).send().await.told("lambda:PutFunctionConcurrency")?;
            }
            (RUNNING, true) => {
                let delete = self.client.delete_function_concurrency().function_name(&found.name);
                delete.send().await.told("lambda:DeleteFunctionConcurrency")?;
            }
            _ => {}
        }
        Ok(CallOutcome::Done(json!({"arn": found.arn, "url": self.open(&found.name).await?})))
    }

    async fn tag(&self, arn: &str, marks: &Marks) -> Result<(), CallOutcome> {
        let tags = marks.tags().into_iter().collect();
        self.client.tag_resource().resource(arn).set_tags(Some(tags)).send().await.told("lambda:TagResource")?;
        Ok(())
    }

    async fn seen(&self, found: &Found) -> Result<CallOutcome, CallOutcome> {
        let url = self.url(&found.name).await?.map_or(Value::Null, Value::String);
        let outputs = json!({"arn": found.arn, "url": url});
        Ok(CallOutcome::Done(json!({"exists": true, "state": state_of(found), "outputs": outputs})))
    }

    /// Takes in what a person made: it must be there, and nobody else's.
    async fn adopt(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let arn = output(call, "arn").ok_or_else(|| crate::payload::bad("outputs.arn", "", "the ARN of a function"))?;
        let Some(found) = self.get(arn).await? else {
            return Err(CallOutcome::refused("not-found", format!("there is no function `{arn}`")));
        };
        let marks = match &found.marks {
            Some(marks) => {
                marks.belongs(call, &found.name)?;
                marks.admit(call)?;
                marks.after(call)
            }
            None => Marks { state: state_of(&found).to_owned(), ..Marks::of(call)? },
        };
        self.tag(&found.arn, &marks).await?;
        let wanted = description(&marks.id);
        if found.config.description.as_deref() != Some(&wanted) {
            let update = self.client.update_function_configuration().function_name(&found.name);
            update.description(wanted).send().await.told("lambda:UpdateFunctionConfiguration")?;
        }
        self.seen(&found).await
    }

    async fn destroy(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        if let Sought::Ours(found, marks) = self.seek(call).await? {
            marks.admit(call)?;
            // The URL and its permissions go with it.
            let asked = self.client.delete_function().function_name(&found.name).send().await;
            asked.told("lambda:DeleteFunction").unless(ABSENT)?;
        }
        Ok(CallOutcome::Done(json!({})))
    }

    async fn all(&self) -> Result<Vec<Held>, CallOutcome> {
        let mut held = Vec::new();
        for (name, _) in self.names().await? {
            if let Some(found) = self.get(&name).await?
                && let Some(marks) = &found.marks
            {
                held.push(marks.clone().held(&name, state_of(&found)));
            }
        }
        held.sort();
        Ok(held)
    }
}

impl Provider for Functions {
    fn call(&self, call: &Call) -> CallOutcome {
        self.aws.run(self.carry_out(call))
    }

    fn held(&self) -> Result<Vec<Held>, Unlisted> {
        self.aws.list(self.all())
    }
}

/// What a list shows of a function: that it is from here, and of which resource.
fn description(id: &ResourceId) -> String {
    format!("{OWNER} {}", letters(id))
}

fn state_of(found: &Found) -> &'static str {
    if found.is_suspended { SUSPENDED } else { RUNNING }
}

/// True while Lambda works on it and refuses another change.
fn is_busy(config: &FunctionConfiguration) -> bool {
    config.state == Some(State::Pending) || config.last_update_status == Some(LastUpdateStatus::InProgress)
}
