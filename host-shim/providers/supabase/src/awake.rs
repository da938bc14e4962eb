//! Backups of projects that stand still: nobody comes into their database, so a project is taken up for its backup, and stands
//! still again when that has ended.

use crate::api::Api;
use crate::config::Config;
use crate::failure::Failed;
use crate::name::Mark;
use crate::progress::Progress;
use crate::project::{Project, Stands, reference_of};
use host_http::Client;
use host_provider_api::{Call, CallOutcome, Provider, names};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What tokens of these calls begin with.
const UP: &str = "supabase-up ";
const DOWN: &str = "supabase-down ";

/// Backups by another provider, which comes into databases, with the project taken up for as long as it takes. A project that runs
/// is left alone, and so is every database that is none of ours at Supabase.
///
/// What was taken up is not known any more if the host is killed before it is stored that the API was asked; the project then
/// runs until the next change of it.
pub struct Awake {
    config: Config,
    client: Client,
    inner: Arc<dyn Provider>,
}

/// How far a call has come.
enum Step {
    /// The project is to run; behind it the other provider's token, empty before it was called.
    Up(Progress, String),
    /// The other provider has ended, and the project is to stand still again.
    Down(Progress, End),
}

/// How the other provider has ended.
#[derive(Serialize, Deserialize)]
enum End {
    Done(Value),
    Refused { code: String, message: String },
    Retry { after_ms: Option<i64>, code: String, message: String },
}

impl From<End> for CallOutcome {
    fn from(end: End) -> Self {
        match end {
            End::Done(outputs) => CallOutcome::Done(outputs),
            End::Refused { code, message } => CallOutcome::Refused { code, message },
            End::Retry { after_ms, code, message } => CallOutcome::Retry { after_ms, code, message },
        }
    }
}

impl Step {
    /// As a call's token says; one without a token of ours has just begun.
    fn read(token: Option<&str>, reference: &str) -> Step {
        let token = token.unwrap_or_default();
        if let Some((progress, inner)) = token.strip_prefix(UP).and_then(Progress::split) {
            return Step::Up(progress, inner.to_owned());
        }
        let down = token.strip_prefix(DOWN).and_then(Progress::split);
        match down.and_then(|(progress, end)| Some((progress, serde_json::from_str(end).ok()?))) {
            Some((progress, end)) => Step::Down(progress, end),
            None => Step::Up(Progress::of(reference), token.to_owned()),
        }
    }

    fn token(&self) -> String {
        match self {
            Step::Up(progress, inner) => format!("{UP}{} {inner}", progress.token()),
            Step::Down(progress, end) => {
                // Nothing in it can't be written as JSON.
                let end = serde_json::to_string(end).unwrap_or_default();
                format!("{DOWN}{} {end}", progress.token())
            }
        }
    }
}

impl Awake {
    /// Backups by this provider, with projects that these settings reach.
    pub fn new(config: Config, inner: Arc<dyn Provider>) -> Awake {
        let client = Client::new(&config.url, config.limits);
        Awake { config, client, inner }
    }

    fn carry_out(&self, call: &Call, reference: &str) -> Result<CallOutcome, Failed> {
        let api = Api::new(&self.config, &self.client)?;
        let step = Step::read(call.token.as_deref(), reference);
        let answer = match self.project(&api, call, reference) {
            Ok(Some(project)) => match step {
                Step::Up(progress, inner) => self.up(&api, call, &project, progress, &inner),
                Step::Down(progress, end) => Ok(self.down(&api, call, &project, progress, end)),
            },
            Ok(None) => Ok(match step {
                Step::Up(_, inner) => self.inner(call, &inner),
                Step::Down(_, end) => end.into(),
            }),
            Err(failed) => Err(failed),
        };
        Ok(api.redacted().answer(answer.unwrap_or_else(CallOutcome::from)))
    }

    /// The project, if it is there and of this call's resource.
    fn project(&self, api: &Api<'_>, call: &Call, reference: &str) -> Result<Option<Project>, Failed> {
        let letters = names::letters(&call.resource_id());
        let found = match api.project(reference) {
            Err(Failed::Error { status: 403, .. }) => None,
            found => found?,
        };
        Ok(found.filter(|project| project.mark().is_some_and(|mark| mark.letters == letters)))
    }

    fn up(
        &self,
        api: &Api<'_>,
        call: &Call,
        project: &Project,
        progress: Progress,
        inner: &str,
    ) -> Result<CallOutcome, Failed> {
        let was_woken = progress.has_asked;
        match project.stands() {
            Stands::Running => {}
            Stands::NeverCameUp | Stands::Gone => return Err(Failed::NeverCameUp(project.reference.clone())),
            Stands::Changing => return Ok(self.look(&Step::Up(progress.next(was_woken), inner.to_owned()))),
            Stands::Suspended | Stands::Failed => {
                if !progress.waits() {
                    api.restore(&project.reference)?;
                }
                return Ok(self.look(&Step::Up(progress.next(true), inner.to_owned())));
            }
        }
        let answer = self.inner(call, inner);
        if !was_woken {
            return Ok(answer);
        }
        let end = match answer {
            CallOutcome::InProgress { after_ms, token } => {
                return Ok(CallOutcome::InProgress { after_ms, token: Step::Up(progress, token).token() });
            }
            CallOutcome::Done(outputs) => End::Done(outputs),
            CallOutcome::Refused { code, message } => End::Refused { code, message },
            CallOutcome::Retry { after_ms, code, message } => End::Retry { after_ms, code, message },
        };
        Ok(self.down(api, call, project, Progress::of(&project.reference), end))
    }

    /// What was taken up stands still again, unless somebody has changed it since.
    fn down(&self, api: &Api<'_>, call: &Call, project: &Project, progress: Progress, end: End) -> CallOutcome {
        let is_newer = |mark: Mark| mark.generation > call.generation;
        match project.stands() {
            _ if project.mark().is_some_and(is_newer) => end.into(),
            Stands::Suspended | Stands::NeverCameUp | Stands::Gone => end.into(),
            Stands::Changing => {
                let has_asked = progress.has_asked;
                self.look(&Step::Down(progress.next(has_asked), end))
            }
            Stands::Running | Stands::Failed => {
                if progress.waits() {
                    return self.look(&Step::Down(progress.next(true), end));
                }
                match api.pause(&project.reference).map_err(CallOutcome::from) {
                    // Asking again changes nothing: the backup is made, and the project runs until its next change.
                    Err(CallOutcome::Refused { .. }) => end.into(),
                    // An API that has no time for it is asked again with the next look.
                    asked => self.look(&Step::Down(progress.next(asked.is_ok()), end)),
                }
            }
        }
    }

    fn look(&self, step: &Step) -> CallOutcome {
        let (Step::Up(progress, _) | Step::Down(progress, _)) = step;
        CallOutcome::InProgress { after_ms: progress.after_ms(self.config.poll), token: step.token() }
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
