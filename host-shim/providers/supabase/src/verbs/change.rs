//! `database.change`: it stands still or runs again.

use super::{Work, text};
use crate::failure::Failed;
use crate::project::{Project, Stands};
use host_provider_api::CallOutcome;
use serde_json::json;

/// What is wanted of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Running,
    Suspended,
}

pub(crate) fn change(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    let wish = match text(work.call, "state")? {
        Some("running") => Some(Wish::Running),
        Some("suspended") => Some(Wish::Suspended),
        None => None,
        Some(_) => return Err(Failed::Payload { member: "state", expected: "running or suspended" }),
    };
    let project = work.project()?.ok_or(Failed::NotFound)?;
    work.admit(&project)?;
    // A person may have made it anywhere, and what is elsewhere than wished stands still all the same.
    let may_be_elsewhere = wish == Some(Wish::Suspended) || project.mark().is_some_and(|mark| mark.is_adopted);
    let other = text(work.call, "region")?.filter(|region| *region != project.region && !may_be_elsewhere);
    if let Some(region) = other {
        let (from, to) = (project.region, region.to_owned());
        return Err(Failed::Unchangeable { member: "region", from, to });
    }
    // A plan is what its organization pays for, and backups are made at Supabase's own times: nothing to do.
    if let Some(in_progress) = wish.map(|wish| bring(work, &project, wish)).transpose()?.flatten() {
        return Ok(in_progress);
    }
    let mut outputs = work.outputs(&project)?;
    outputs["state"] = json!(state(&project));
    Ok(CallOutcome::Done(outputs))
}

/// How a project is said to stand.
pub(super) fn state(project: &Project) -> &'static str {
    match project.stands() {
        Stands::Suspended => "suspended",
        _ => "running",
    }
}

/// Brings a project to what is wanted; none if it is there.
pub(super) fn bring(work: &Work<'_>, project: &Project, wish: Wish) -> Result<Option<CallOutcome>, Failed> {
    let (stands, reference) = (project.stands(), &project.reference);
    match (stands, wish) {
        (Stands::Running, Wish::Running) | (Stands::Suspended, Wish::Suspended) => return Ok(None),
        (Stands::NeverCameUp | Stands::Gone, _) => return Err(Failed::NeverCameUp(reference.clone())),
        (Stands::Changing, _) => {
            let has_asked = work.progress.as_ref().is_some_and(|progress| progress.has_asked);
            return Ok(Some(work.in_progress(project, has_asked)));
        }
        (Stands::Running | Stands::Suspended | Stands::Failed, _) => {}
    }
    // What was asked for a moment ago may not show yet.
    if !work.progress.as_ref().is_some_and(|progress| progress.waits()) {
        match wish {
            Wish::Running => work.api.restore(reference)?,
            Wish::Suspended => work.api.pause(reference)?,
        }
    }
    Ok(Some(work.in_progress(project, true)))
}
