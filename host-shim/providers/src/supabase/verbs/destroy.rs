//! `database.destroy`: deletes the project and its password.

use super::Work;
use crate::supabase::failure::Failed;
use host_provider_api::CallOutcome;
use serde_json::json;

pub(crate) fn destroy(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    let Some(project) = work.project()? else {
        let secret = work.secret()?;
        work.call.forget_secret(&secret.reference)?;
        return Ok(CallOutcome::Done(json!({})));
    };
    work.not_superseded(&project)?;
    if !work.progress.as_ref().is_some_and(|progress| progress.is_pending()) {
        work.api.delete(&project.reference)?;
    }
    // The call is done only when the project no longer exists.
    Ok(work.in_progress(&project, true))
}
