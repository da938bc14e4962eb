//! The bearer of a token created by the command `token.issue`. The secret is compared with the hash in the token's record before
//! anything else is read, so the id alone gives no access.
//!
//! A token is `ID.SECRET`. Only the SHA-256 of the secret is passed to the extension.

use crate::access::{bearer, unauthorized};
use crate::ask::read;
use crate::problem::Problem;
use crate::state::{AppState, HostedSite};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use extension_contract::{Actor, ActorKind};
use host_engine::read::{holder, record};
use host_identity::access::{Caller, Reach};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// Prefix of the claim of a token's account.
const CLAIM: &str = "token:";
/// Collection of the token records, and the status of a token that can be redeemed.
const TOKENS: &str = "tokens";
const ISSUED: &str = "issued";
/// Maximum length of an id in bytes.
const ID_BYTES_MAX: usize = 100;

/// A token with the right secret, and its bearer.
pub(crate) struct Bearer {
    /// A service that can access only the token's account.
    pub(crate) caller: Caller,
    pub(crate) id: String,
    /// SHA-256 of the secret.
    pub(crate) sha256: String,
    /// False for a token that has expired, was revoked or was redeemed.
    is_valid: bool,
}

impl Bearer {
    /// Returns the caller of a token that can still be redeemed.
    pub(crate) fn valid(self) -> Result<Caller, Problem> {
        match self.is_valid {
            true => Ok(self.caller),
            false => Err(refused()),
        }
    }
}

/// One answer for every token that is not accepted, so that nobody learns from it which ids exist.
fn refused() -> Problem {
    unauthorized("the token is unknown, has ended, or was redeemed")
}

/// Returns the id and the secret of a token.
fn parts_of(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let is_id =
        !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    (is_id && !secret.is_empty()).then_some((id, secret))
}

/// Returns the id and the SHA-256 of a token.
fn id_and_hash(token: &str) -> Option<(&str, String)> {
    let (id, secret) = parts_of(token)?;
    Some((id, hex::encode(Sha256::digest(secret.as_bytes()))))
}

/// Returns the id and the SHA-256 of the token in a request, for the expressions of a route.
pub(super) fn shown(headers: &HeaderMap) -> Option<Value> {
    let (id, sha256) = id_and_hash(bearer(headers)?)?;
    Some(json!({"id": id, "sha256": sha256}))
}

/// Finds the bearer of a token. Fails unless the secret is right, even if the token has expired.
pub(crate) async fn find(
    app: &AppState,
    hosted: &HostedSite,
    parts: &Parts,
    token: Option<&str>,
) -> Result<Bearer, Problem> {
    let stranger = || {
        app.rates.stranger(parts.extensions.get().copied(), &parts.headers)?;
        Err(refused())
    };
    let Some((id, sha256)) = token.and_then(id_and_hash) else { return stranger() };
    let (partition, claim, wanted) = (hosted.site.partition().clone(), format!("{CLAIM}{id}"), id.to_owned());
    let found = read(&hosted.site, move |store| {
        let Some(account) = holder(store, &partition, &claim)? else { return Ok(None) };
        let row = record(store, &partition.scope(account.clone()), TOKENS, &wanted)?;
        Ok(row.map(|row| (account, row.value)))
    });
    let Some((account, row)) = found.await? else { return stranger() };
    let row: Value = serde_json::from_str(&row).unwrap_or_default();
    let kept = row["sha256"].as_str().unwrap_or_default();
    if !bool::from(kept.as_bytes().ct_eq(sha256.as_bytes())) {
        return stranger();
    }
    let is_valid =
        row["status"] == ISSUED && row["expires_at"].as_i64().is_some_and(|end| end > hosted.site.clock().now());
    let key = format!("{CLAIM}{id}");
    let actor = Actor { kind: ActorKind::Service, subject: id.to_owned(), roles: Vec::new() };
    let (partition, reach) = (hosted.site.partition().clone(), Reach::Accounts(vec![account]));
    let caller = Caller { key, partition, actor, reach, in_accounts: BTreeMap::new() };
    app.called(&caller)?;
    Ok(Bearer { caller, id: id.to_owned(), sha256, is_valid })
}
