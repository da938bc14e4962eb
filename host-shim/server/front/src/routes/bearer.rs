//! The bearer of a token that the command `token.issue` has made. The extension judges the token; here it only leads to an account.
//!
//! A token is `ID.SECRET`. Only the SHA-256 of the secret goes to the extension.

use crate::access::{bearer, unauthorized};
use crate::front::{AppState, HostedSite};
use crate::problem::Problem;
use crate::query::read;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use extension_contract::{Actor, ActorKind};
use host::read::holder;
use host_access::{Caller, Reach};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Beginning of the claim of a token's account.
const CLAIM: &str = "token:";
/// Maximum length of an id in bytes.
const ID_BYTES_MAX: usize = 100;

/// Returns the id and the secret of a token.
fn parts_of(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let is_id =
        !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    (is_id && !secret.is_empty()).then_some((id, secret))
}

/// Returns id and SHA-256 of a token.
pub(crate) fn id_and_hash(token: &str) -> Option<(&str, String)> {
    let (id, secret) = parts_of(token)?;
    Some((id, hex::encode(Sha256::digest(secret.as_bytes()))))
}

/// Returns id and SHA-256 of the token in a request, for the expressions of a route.
pub(super) fn shown(headers: &HeaderMap) -> Option<Value> {
    let (id, sha256) = id_and_hash(bearer(headers)?)?;
    Some(json!({"id": id, "sha256": sha256}))
}

/// Returns the caller of a request with a token as `Authorization: Bearer TOKEN`.
pub(super) async fn caller(app: &AppState, hosted: &HostedSite, parts: &Parts) -> Result<Caller, Problem> {
    caller_with(app, hosted, parts, bearer(&parts.headers)).await
}

/// Returns the caller of a request with a token: a service that reaches only the token's account.
pub(crate) async fn caller_with(
    app: &AppState,
    hosted: &HostedSite,
    parts: &Parts,
    token: Option<&str>,
) -> Result<Caller, Problem> {
    let unknown = || {
        app.rates.stranger(parts.extensions.get().copied(), &parts.headers)?;
        Err(unauthorized("the token is unknown"))
    };
    let Some((id, _)) = token.and_then(parts_of) else { return unknown() };
    let (partition, claim) = (hosted.site.partition().clone(), format!("{CLAIM}{id}"));
    let found = read(hosted, move |store| holder(store, &partition, &claim)).await?;
    let Some(account) = found else { return unknown() };
    let key = format!("{CLAIM}{id}");
    app.rates.key(&key)?;
    let actor = Actor { kind: ActorKind::Service, subject: id.to_owned(), roles: Vec::new() };
    let (partition, reach) = (hosted.site.partition().clone(), Reach::Accounts(vec![account]));
    Ok(Caller { key, partition, actor, reach, in_accounts: BTreeMap::new() })
}
