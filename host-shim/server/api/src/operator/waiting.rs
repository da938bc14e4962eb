//! Asks the accounts of a site, on behalf of a request, for whatever waits for an operator.

use super::found::Waiting;
use crate::problem::Problem;
use crate::state::{AppState, HostedSite};
use tokio::sync::MutexGuard;

/// Returns what currently waits in a site. One request at a time asks the accounts.
pub(crate) async fn waiting<'a>(app: &'a AppState, hosted: &HostedSite) -> Result<MutexGuard<'a, Waiting>, Problem> {
    let found = app.waiting.get(hosted.site.partition());
    let mut waiting = found.ok_or_else(|| Problem::not_found("no such site"))?.lock().await;
    waiting.catch_up(&app.changes, &hosted.site).await?;
    Ok(waiting)
}
