//! `database.observe`: reports the project, or, with `adopt`, adopts a project that a person created.

use super::Work;
use super::change::observed_state;
use crate::supabase::failure::Failed;
use crate::supabase::name::Mark;
use crate::supabase::project::{Project, ProjectState, reference_of};
use host_provider_api::CallOutcome;
use serde_json::{Value, json};

pub(crate) fn observe(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    match work.call.payload.get("adopt") {
        Some(Value::Bool(true)) => adopt(work),
        _ => look(work),
    }
}

fn look(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    let Some(project) = work.project()? else { return Ok(CallOutcome::Done(json!({"exists": false}))) };
    match project.state() {
        // The state is unknown until the change is complete.
        ProjectState::Changing => Ok(work.in_progress(&project, false)),
        ProjectState::NeverCameUp => Err(not_running(&project)),
        _ => Ok(seen(&project, &work.outputs(&project)?)),
    }
}

fn adopt(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    let told = work.call.payload.get("outputs").unwrap_or(&Value::Null);
    let member = |name: &str| told.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let endpoint = member("endpoint").and_then(reference_of);
    let reference = endpoint.ok_or(Failed::Payload { member: "outputs", expected: "`endpoint` db.REF.supabase.co" })?;
    let secret = member("secret_ref");
    let secret = secret.ok_or(Failed::Payload { member: "outputs", expected: "`secret_ref`" })?;
    // Checks only that the secret exists. Its value is not used.
    work.call.secret(secret)?;
    // A project that this token may not read counts as absent.
    let project = match work.api.project(reference) {
        Ok(project) => project.ok_or(Failed::NotFound)?,
        Err(Failed::Error { status: 403, .. }) => return Err(Failed::NotFound),
        Err(failed) => return Err(failed),
    };
    let taken = || Failed::Taken(reference.to_owned());
    if project.organization_slug.as_deref() != Some(work.organization) {
        return Err(taken());
    }
    let project = match project.mark() {
        Some(mark) if mark.letters == work.mark.letters => project,
        Some(_) => return Err(taken()),
        None => {
            match project.state() {
                ProjectState::Running => {}
                ProjectState::Changing => return Ok(work.in_progress(&project, false)),
                _ => return Err(not_running(&project)),
            }
            let tables = work.api.tables(reference)?;
            if tables > 0 {
                return Err(Failed::NotEmpty { reference: reference.to_owned(), tables });
            }
            let name = Mark { is_adopted: true, ..work.mark.clone() }.name();
            work.api.rename(reference, &name)?;
            Project { name, ..project }
        }
    };
    let mut outputs = work.outputs(&project)?;
    outputs["secret_ref"] = json!(secret);
    Ok(seen(&project, &outputs))
}

fn seen(project: &Project, outputs: &Value) -> CallOutcome {
    CallOutcome::Done(json!({"exists": true, "state": observed_state(project), "outputs": outputs}))
}

fn not_running(project: &Project) -> Failed {
    Failed::NotRunning { reference: project.reference.clone(), status: project.status.clone() }
}
