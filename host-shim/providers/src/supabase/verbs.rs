//! Carries out the verbs. Each verb has its own file; this file contains what they share.

pub mod change;
pub mod destroy;
pub mod ensure;
pub mod observe;

use crate::supabase::api::Api;
use crate::supabase::config::Config;
use crate::supabase::failure::Failed;
use crate::supabase::name::Mark;
use crate::supabase::progress::Progress;
use crate::supabase::project::{Project, is_reference};
use host_provider_api::{Call, CallOutcome, MadeSecret, SECRET_BYTES_MIN};
use serde_json::{Value, json};

/// A call with everything that its verb needs.
pub struct Work<'w> {
    pub(crate) api: Api<'w>,
    config: &'w Config,
    call: &'w Call,
    organization: &'w str,
    mark: Mark,
    progress: Option<Progress>,
}

impl<'w> Work<'w> {
    pub(crate) fn new(api: Api<'w>, config: &'w Config, call: &'w Call) -> Result<Work<'w>, Failed> {
        let wrong = Failed::Payload { member: "organization", expected: "the slug of an organization" };
        let organization = text(call, "organization")?.or(config.organization.as_deref()).ok_or(wrong.clone())?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !organization.bytes().all(plain) {
            return Err(wrong);
        }
        let mark = Mark::new(text(call, "name")?, &call.resource_id(), call.generation);
        let progress = call.token.as_deref().and_then(Progress::read);
        Ok(Work { api, config, call, organization, mark, progress })
    }

    /// Returns the resource's project: the project in the poll token, otherwise the oldest project with the resource's
    /// mark.
    fn project(&self) -> Result<Option<Project>, Failed> {
        let is_ours = |project: &Project| project.mark().is_some_and(|mark| mark.letters == self.mark.letters);
        match &self.progress {
            Some(progress) if is_reference(&progress.reference) => {
                Ok(self.api.project(&progress.reference)?.filter(is_ours))
            }
            _ => self.api.find(self.organization, &is_ours),
        }
    }

    /// Refuses a call whose generation is older than that in the project's name. Records a newer generation in the
    /// name.
    fn admit(&self, project: &Project) -> Result<(), Failed> {
        let mark = self.not_superseded(project)?;
        match mark.generation == self.call.generation {
            true => Ok(()),
            false => {
                let newer = Mark { generation: self.call.generation, ..mark };
                self.api.rename(&project.reference, &newer.name())
            }
        }
    }

    fn not_superseded(&self, project: &Project) -> Result<Mark, Failed> {
        let mark = project.mark().ok_or_else(|| Failed::Taken(project.reference.clone()))?;
        match mark.generation > self.call.generation {
            true => Err(Failed::Superseded { generation: self.call.generation, newest: mark.generation }),
            false => Ok(mark),
        }
    }

    /// Creates the database password, or returns the password that an earlier call created.
    fn secret(&self) -> Result<MadeSecret, Failed> {
        Ok(self.call.make_secret(&format!("supabase/{}", self.mark.letters), SECRET_BYTES_MIN)?)
    }

    /// Returns the outputs of a project. Those of an adopted project have no `secret_ref`, because its creator chose
    /// the password.
    fn outputs(&self, project: &Project) -> Result<Value, Failed> {
        let mark = project.mark().ok_or_else(|| Failed::Taken(project.reference.clone()))?;
        let mut outputs = json!({
            "id": project.reference, "endpoint": format!("db.{}.supabase.co:5432", project.reference),
            "name": mark.lasting(), "database": "postgres", "user": "postgres",
        });
        if !mark.is_adopted {
            outputs["secret_ref"] = json!(self.secret()?.reference);
        }
        Ok(outputs)
    }

    /// Asks for another poll of this project.
    fn in_progress(&self, project: &Project, was_requested: bool) -> CallOutcome {
        let polls = self.progress.as_ref().map_or(0, |progress| progress.polls.saturating_add(1));
        Progress { reference: project.reference.clone(), polls, was_requested }.outcome(self.config.poll)
    }
}

/// Returns a string from the payload; none if it is missing, null or empty.
fn text<'c>(call: &'c Call, member: &'static str) -> Result<Option<&'c str>, Failed> {
    match call.payload.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(Failed::Payload { member, expected: "a text" }),
    }
}
