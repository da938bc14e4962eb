//! `database.change`: suspends or resumes a project.

use super::{Work, text};
use crate::supabase::failure::Failed;
use crate::supabase::project::{Project, ProjectState};
use host_provider_api::CallOutcome;
use serde_json::json;

/// The desired state of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DesiredState {
    Running,
    Suspended,
}

pub(crate) fn change(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    let desired = match text(work.call, "state")? {
        Some("running") => Some(DesiredState::Running),
        Some("suspended") => Some(DesiredState::Suspended),
        None => None,
        Some(_) => return Err(Failed::Payload { member: "state", expected: "running or suspended" }),
    };
    let project = work.project()?.ok_or(Failed::NotFound)?;
    work.admit(&project)?;
    // An adopted project may be in any region, and suspending does not need it.
    let may_be_elsewhere =
        desired == Some(DesiredState::Suspended) || project.mark().is_some_and(|mark| mark.is_adopted);
    let other = text(work.call, "region")?.filter(|region| *region != project.region && !may_be_elsewhere);
    if let Some(region) = other {
        let (from, to) = (project.region, region.to_owned());
        return Err(Failed::Unchangeable { member: "region", from, to });
    }
    // A change of `plan` or `backups` has no effect: the paid plan belongs to the organization, and Supabase schedules
    // backups itself.
    if let Some(in_progress) = desired.map(|desired| converge(work, &project, desired)).transpose()?.flatten() {
        return Ok(in_progress);
    }
    let mut outputs = work.outputs(&project)?;
    outputs["state"] = json!(observed_state(&project));
    Ok(CallOutcome::Done(outputs))
}

/// Returns the state to report for a project.
pub(super) fn observed_state(project: &Project) -> &'static str {
    match project.state() {
        ProjectState::Suspended => "suspended",
        _ => "running",
    }
}

/// Brings the project to the desired state. None if it is already in that state.
pub(super) fn converge(
    work: &Work<'_>,
    project: &Project,
    desired: DesiredState,
) -> Result<Option<CallOutcome>, Failed> {
    let (state, reference) = (project.state(), &project.reference);
    match (state, desired) {
        (ProjectState::Running, DesiredState::Running) | (ProjectState::Suspended, DesiredState::Suspended) => {
            return Ok(None);
        }
        (ProjectState::NeverCameUp | ProjectState::Gone, _) => return Err(Failed::NeverCameUp(reference.clone())),
        (ProjectState::Changing, _) => {
            let was_requested = work.progress.as_ref().is_some_and(|progress| progress.was_requested);
            return Ok(Some(work.in_progress(project, was_requested)));
        }
        (ProjectState::Running | ProjectState::Suspended | ProjectState::Failed, _) => {}
    }
    // The effect of a request may not be visible immediately.
    if !work.progress.as_ref().is_some_and(|progress| progress.is_pending()) {
        match desired {
            DesiredState::Running => work.api.restore(reference)?,
            DesiredState::Suspended => work.api.pause(reference)?,
        }
    }
    Ok(Some(work.in_progress(project, true)))
}
