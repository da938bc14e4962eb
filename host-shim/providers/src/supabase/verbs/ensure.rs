//! `database.ensure`: creates a project and waits until it is running.

use super::change::{DesiredState, converge};
use super::{Work, text};
use crate::supabase::api::NewProject;
use crate::supabase::failure::Failed;
use crate::supabase::project::ProjectState;
use host_provider_api::CallOutcome;

pub(crate) fn ensure(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    if let Some(project) = work.project()? {
        work.admit(&project)?;
        if project.state() == ProjectState::NeverCameUp {
            // The project never ran, so it is empty. The next attempt creates another project.
            work.api.delete(&project.reference)?;
            return Err(Failed::NeverCameUp(project.reference));
        }
        return Ok(match converge(work, &project, DesiredState::Running)? {
            None => CallOutcome::Done(work.outputs(&project)?),
            Some(in_progress) => in_progress,
        });
    }
    let plan = text(work.call, "plan")?;
    let secret = work.secret()?;
    let password = work.call.secret(&secret.reference)?;
    let wanted = NewProject {
        name: &work.mark.name(),
        organization: work.organization,
        region: text(work.call, "region")?.unwrap_or(&work.config.region),
        instance_size: plan.and_then(|plan| work.config.instance_sizes.get(plan)).map(String::as_str),
        password: &password,
    };
    let project = work.api.create(&wanted)?;
    Ok(work.in_progress(&project, true))
}
