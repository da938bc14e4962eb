//! `database.destroy`: no project, and no password of one.

use super::Work;
use crate::failure::Failed;
use host_provider_api::CallOutcome;
use serde_json::json;

pub(crate) fn destroy(work: &Work<'_>) -> Result<CallOutcome, Failed> {
    let Some(project) = work.project()? else {
        let secret = work.secret()?;
        work.call.forget_secret(&secret.reference)?;
        return Ok(CallOutcome::Done(json!({})));
    };
    work.not_superseded(&project)?;
    if !work.progress.as_ref().is_some_and(|progress| progress.waits()) {
        work.api.delete(&project.reference)?;
    }
    // It is done when it is gone.
    Ok(work.in_progress(&project, true))
}
