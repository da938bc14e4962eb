//! Answers, at an instance's own address, for an instance that is not running.
//!
//! Such requests come from the local provider, and from proxies or wildcard records that direct the host names of instances to this server.
//! The first request to an instance that was archived for lack of use restores it (ORC-42).

pub(crate) mod hosts;

use crate::accept::accept;
use crate::api::Api;
use crate::ask::read;
use crate::away::hosts::InstanceHost;
use crate::command;
use crate::lists::List;
use crate::pages::away::{Away, answer};
use crate::problem::Problem;
use crate::state::HostedSite;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use extension_contract::{Account, Actor, Question};
use host_intake::Decoded;
use host_store::Partition;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The command that restores an instance that was archived for lack of use.
const RESUME: &str = "instance.resume";

/// Answers a request to an instance that is not running. `scope` is `BUSINESS/MODE/ACCOUNT`.
pub(crate) async fn of_scope(api: &Api, scope: &str, instance: &str, request: Parts) -> Response {
    let mut sites = api.app.sites.iter();
    match sites.find_map(|site| Some((site, account_in(site.site.partition(), scope)?))) {
        Some((site, account)) => {
            let wanted = instance.to_owned();
            let found = look(site, account, move |instance| instance["id"] == *wanted).await;
            answer(api, site, &request, found).await
        }
        None => Problem::not_found("no such instance").into_response(),
    }
}

/// Answers a request to the host name of an instance. Returns none if no instance has the name and the site has no host names of its own,
/// because the name may then be the site's.
pub(crate) async fn at_its_host(
    api: &Api,
    site: &Arc<HostedSite>,
    host: InstanceHost,
    request: Parts,
) -> Option<Response> {
    let key = format!("{}//{}", site.site.partition().name(), host.claim);
    let claims = read(&site.site, move |store| store.claims(std::slice::from_ref(&key))).await;
    let found = match claims.map(|claims| claims.into_iter().find_map(|claim| claim?.holder)) {
        Ok(Some(account)) => {
            look(site, account, move |instance| instance["metadata"][&host.field] == *host.value).await
        }
        Ok(None) if site.names.is_empty() => return None,
        Ok(None) => Ok(None),
        Err(problem) => Err(problem),
    };
    Some(answer(api, site, &request, found).await)
}

/// Returns the account of a scope that belongs to a partition.
fn account_in(partition: &Partition, scope: &str) -> Option<Account> {
    scope.strip_prefix(&partition.name())?.strip_prefix('/')?.parse().ok()
}

/// Finds an instance of an account. Restores it if it was archived for lack of use.
async fn look(
    site: &Arc<HostedSite>,
    account: Account,
    is_wanted: impl Fn(&Value) -> bool + Clone + Send + 'static,
) -> Result<Option<Away>, Problem> {
    let Some((away, revision)) = find(site, account.clone(), is_wanted.clone()).await? else { return Ok(None) };
    if !away.is_asleep() {
        return Ok(Some(away));
    }
    wake(site, &account, &away, revision).await;
    Ok(find(site, account, is_wanted).await?.map(|(away, _)| away))
}

/// Returns an instance and the revision of its account.
async fn find(
    site: &Arc<HostedSite>,
    account: Account,
    is_wanted: impl Fn(&Value) -> bool + Send + 'static,
) -> Result<Option<(Away, u64)>, Problem> {
    let (at, scope) = (site.site.clock().now(), site.site.partition().scope(account.clone()));
    let question = Question { account, actor: Actor::system(), at };
    let found = List::new(question, "instances").each(site, None::<Value>, move |found, (_, instance)| {
        // A deleted instance may have had the name before.
        let is_deleted = instance["status"] == "terminated";
        match is_wanted(&instance) {
            true if !is_deleted => {
                *found = Some(instance);
                return Ok(ControlFlow::Break(()));
            }
            true if found.is_none() => *found = Some(instance),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    });
    let Some(instance) = found.await? else { return Ok(None) };
    let account = read(&site.site, move |store| store.account(&scope)).await?;
    Ok(Some((Away::of(&instance), account.revision)))
}

/// Restores an instance. Requests that see the same state of the account send the same command.
async fn wake(site: &Arc<HostedSite>, account: &Account, away: &Away, revision: u64) {
    let id = format!("wake:{}:{revision}", away.id);
    let payload = json!({"id": away.id}).to_string();
    let event = command::event(site, id, Actor::system(), account.clone(), RESUME, payload);
    if let Err(problem) = accept(&site.site, Decoded::from(event), Vec::new()).await {
        tracing::error!(
            error = problem.detail(),
            instance = away.id,
            "an archived instance cannot be restored for a visitor"
        );
    }
}
