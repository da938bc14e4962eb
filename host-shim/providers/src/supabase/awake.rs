//! Backups of suspended projects: resumes the project for the backup and suspends it again afterwards, because a
//! suspended project's database accepts no connections.

use crate::http::Client;
use crate::supabase::api::Api;
use crate::supabase::config::Config;
use crate::supabase::failure::Failed;
use crate::supabase::name::Mark;
use crate::supabase::progress::Progress;
use crate::supabase::project::{Project, ProjectState, reference_of};
use host_provider_api::{Call, CallOutcome, Provider, names};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Prefixes of poll tokens, by phase: the project is being resumed, or it is being suspended again.
const RESUMING: &str = "supabase-up ";
const SUSPENDING: &str = "supabase-down ";

/// Lets another provider back up a project's database, and keeps the project running until it is done. A project that
/// is already running is left alone. Passes the call on unchanged if the database is not in one of our Supabase
/// projects.
///
/// If the host is killed after it has sent the resume request but before the poll token is stored, the project is not
/// suspended again and runs until its next change.
pub struct Awake {
    config: Config,
    client: Client,
    inner: Arc<dyn Provider>,
}

/// Phase of a call.
enum Phase {
    /// Resuming the project, then calling the other provider. Contains that provider's token, which is empty before its
    /// first call.
    Resuming(Progress, String),
    /// Suspending the project again, after the other provider has finished.
    Suspending(Progress, InnerOutcome),
}

/// Final outcome of the other provider.
#[derive(Serialize, Deserialize)]
enum InnerOutcome {
    Done(Value),
    Refused { code: String, message: String },
    Retry { after_ms: Option<i64>, code: String, message: String },
}

impl From<InnerOutcome> for CallOutcome {
    fn from(end: InnerOutcome) -> Self {
        match end {
            InnerOutcome::Done(outputs) => CallOutcome::Done(outputs),
            InnerOutcome::Refused { code, message } => CallOutcome::Refused { code, message },
            InnerOutcome::Retry { after_ms, code, message } => CallOutcome::Retry { after_ms, code, message },
        }
    }
}

impl Phase {
    /// Parses a call's token; any other token belongs to the other provider.
    fn read(token: Option<&str>, reference: &str) -> Phase {
        let token = token.unwrap_or_default();
        if let Some((progress, inner)) = token.strip_prefix(RESUMING).and_then(Progress::split) {
            return Phase::Resuming(progress, inner.to_owned());
        }
        let suspend = token.strip_prefix(SUSPENDING).and_then(Progress::split);
        match suspend.and_then(|(progress, end)| Some((progress, serde_json::from_str(end).ok()?))) {
            Some((progress, end)) => Phase::Suspending(progress, end),
            None => Phase::Resuming(Progress::of(reference), token.to_owned()),
        }
    }

    fn token(&self) -> String {
        match self {
            Phase::Resuming(progress, inner) => format!("{RESUMING}{} {inner}", progress.token()),
            Phase::Suspending(progress, end) => {
                // Serializing this type can't fail.
                let end = serde_json::to_string(end).unwrap_or_default();
                format!("{SUSPENDING}{} {end}", progress.token())
            }
        }
    }
}

impl Awake {
    /// Creates the provider. `inner` makes the backups; `config` contains the settings of the management API.
    pub fn new(config: Config, inner: Arc<dyn Provider>) -> Awake {
        let client = Client::new(&config.url, config.limits);
        Awake { config, client, inner }
    }

    fn carry_out(&self, call: &Call, reference: &str) -> Result<CallOutcome, Failed> {
        let api = Api::new(&self.config, &self.client)?;
        let phase = Phase::read(call.token.as_deref(), reference);
        let outcome = match self.project(&api, call, reference) {
            Ok(Some(project)) => match phase {
                Phase::Resuming(progress, inner) => self.resume(&api, call, &project, progress, &inner),
                Phase::Suspending(progress, end) => Ok(self.suspend(&api, call, &project, progress, end)),
            },
            Ok(None) => Ok(match phase {
                Phase::Resuming(_, inner) => self.inner(call, &inner),
                Phase::Suspending(_, end) => end.into(),
            }),
            Err(failed) => Err(failed),
        };
        Ok(api.redacted().outcome(outcome.unwrap_or_else(CallOutcome::from)))
    }

    /// Returns the project, if it exists and belongs to this call's resource.
    fn project(&self, api: &Api<'_>, call: &Call, reference: &str) -> Result<Option<Project>, Failed> {
        let letters = names::letters(&call.resource_id());
        let found = match api.project(reference) {
            Err(Failed::Error { status: 403, .. }) => None,
            found => found?,
        };
        Ok(found.filter(|project| project.mark().is_some_and(|mark| mark.letters == letters)))
    }

    fn resume(
        &self,
        api: &Api<'_>,
        call: &Call,
        project: &Project,
        progress: Progress,
        inner: &str,
    ) -> Result<CallOutcome, Failed> {
        let was_resumed = progress.was_requested;
        match project.state() {
            ProjectState::Running => {}
            ProjectState::NeverCameUp | ProjectState::Gone => {
                return Err(Failed::NeverCameUp(project.reference.clone()));
            }
            ProjectState::Changing => {
                return Ok(self.poll(&Phase::Resuming(progress.next(was_resumed), inner.to_owned())));
            }
            ProjectState::Suspended | ProjectState::Failed => {
                if !progress.is_pending() {
                    api.restore(&project.reference)?;
                }
                return Ok(self.poll(&Phase::Resuming(progress.next(true), inner.to_owned())));
            }
        }
        let outcome = self.inner(call, inner);
        if !was_resumed {
            return Ok(outcome);
        }
        let end = match outcome {
            CallOutcome::InProgress { after_ms, token } => {
                return Ok(CallOutcome::InProgress { after_ms, token: Phase::Resuming(progress, token).token() });
            }
            CallOutcome::Done(outputs) => InnerOutcome::Done(outputs),
            CallOutcome::Refused { code, message } => InnerOutcome::Refused { code, message },
            CallOutcome::Retry { after_ms, code, message } => InnerOutcome::Retry { after_ms, code, message },
        };
        Ok(self.suspend(api, call, project, Progress::of(&project.reference), end))
    }

    /// Suspends the resumed project again, unless a newer call has changed it.
    fn suspend(
        &self,
        api: &Api<'_>,
        call: &Call,
        project: &Project,
        progress: Progress,
        end: InnerOutcome,
    ) -> CallOutcome {
        let is_newer = |mark: Mark| mark.generation > call.generation;
        match project.state() {
            _ if project.mark().is_some_and(is_newer) => end.into(),
            ProjectState::Suspended | ProjectState::NeverCameUp | ProjectState::Gone => end.into(),
            ProjectState::Changing => {
                let was_requested = progress.was_requested;
                self.poll(&Phase::Suspending(progress.next(was_requested), end))
            }
            ProjectState::Running | ProjectState::Failed => {
                if progress.is_pending() {
                    return self.poll(&Phase::Suspending(progress.next(true), end));
                }
                match api.pause(&project.reference).map_err(CallOutcome::from) {
                    // The backup is finished, so its outcome is returned. The project runs until its next change.
                    Err(CallOutcome::Refused { .. }) => end.into(),
                    // After a temporary error, the request is repeated at the next poll.
                    asked => self.poll(&Phase::Suspending(progress.next(asked.is_ok()), end)),
                }
            }
        }
    }

    fn poll(&self, phase: &Phase) -> CallOutcome {
        let (Phase::Resuming(progress, _) | Phase::Suspending(progress, _)) = phase;
        CallOutcome::InProgress { after_ms: progress.after_ms(self.config.poll), token: phase.token() }
    }

    fn inner(&self, call: &Call, token: &str) -> CallOutcome {
        self.inner.call(&Call { token: Some(token.to_owned()).filter(|token| !token.is_empty()), ..call.clone() })
    }
}

impl Provider for Awake {
    fn call(&self, call: &Call) -> CallOutcome {
        let endpoint = call.payload.pointer("/outputs/endpoint").and_then(Value::as_str);
        match endpoint.and_then(reference_of) {
            Some(reference) => self.carry_out(call, reference).unwrap_or_else(CallOutcome::from),
            None => self.inner.call(call),
        }
    }
}
