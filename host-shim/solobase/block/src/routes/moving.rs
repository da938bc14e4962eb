//! Moves all data between the platform's tables and a store of `provisioner`, one page at a time. Each line of a page is one part.

use super::{Answered, Failed, service};
use crate::app::{self, BUNDLE, IMPORTING, key};
use crate::http::{Request, Response};
use crate::init::{InitError, load_catalog};
use crate::platform::Platform;
use crate::store::SolobaseStore;
use host_engine::bundle::Bundle;
use host_store::copy::{Cursor, Target, line_of, page, part_of};
use host_store::{Read, Store};
use serde_json::json;

/// Maximum number of parts on a page, because a call has a limited amount of fuel.
const PARTS: usize = 40;
/// Maximum number of rows that a request removes. Without batches, each is a separate call to the service, and an event may be long.
const REMOVED_MAX: usize = 20;

/// Returns a page of all data: its lines, the cursor of the next page (none at the end), and the number of the commit whose state was
/// read.
pub(super) fn export(platform: &Platform<'_>, request: &Request) -> Answered {
    service(platform, request)?;
    let cursor = match request.query("cursor") {
        None => Cursor::START,
        Some(text) => hex::decode(text)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .ok_or_else(|| Response::error(400, "query", "`cursor` is not that of a page before"))?,
    };
    let mut store = crate::store::open(platform.database.clone(), app::settings(platform)?.batches);
    store.begin()?;
    let (parts, next) = page(&store, cursor, PARTS)?;
    if store.backend().is_outrun()? {
        return Err(Failed::Outrun);
    }
    let lines: Vec<String> = parts.iter().map(line_of).collect::<Result<_, _>>()?;
    let next = if next == Cursor::End { None } else { serde_json::to_vec(&next).ok().map(hex::encode) };
    Ok(Response::ok(json!({"lines": lines, "next": next, "commits": store.backend().base()})))
}

/// Writes a page of data into the tables. The first request has `begin=true`: it removes what an interrupted import has left, or the
/// catalog of a block that contains nothing else, and is repeated as long as its answer contains `more`. The last request has
/// `end=true`; afterwards the block works again. Each request may arrive twice.
pub(super) fn import(platform: &Platform<'_>, request: &Request) -> Answered {
    service(platform, request)?;
    let lines: Vec<String> = super::body(request)?;
    let mut parts = Vec::with_capacity(lines.len());
    for line in &lines {
        parts.push(part_of(line).map_err(|error| Response::error(400, "malformed", error.to_string()))?);
    }
    let batches = app::settings(platform)?.batches;
    let mut store = crate::store::open(platform.database.clone(), batches);
    let is_on = |name: &str| request.query(name) == Some("true");
    if is_on("begin") {
        begin(&mut store)?;
        if crate::store::remove_some(&mut store, REMOVED_MAX)? {
            return Ok(Response::ok(json!({"parts": 0, "more": true})));
        }
    }
    store.begin()?;
    if store.backend().setting(IMPORTING)?.is_none() {
        return match is_on("end") && parts.is_empty() {
            // This end has already been handled.
            true => Ok(Response::ok(json!({"parts": 0}))),
            false => Err(Response::error(409, "not-importing", "expected `begin=true` with the first page").into()),
        };
    }
    for part in &parts {
        store.put_part(part)?;
    }
    store.commit()?;
    if is_on("end") {
        load(platform, crate::store::open(platform.database.clone(), batches))?;
        store.begin()?;
        store.backend_mut().clear_setting(IMPORTING)?;
        store.commit()?;
    }
    Ok(Response::ok(json!({"parts": parts.len()})))
}

/// Begins an import into a block that contains only its catalog, or whose import was interrupted.
fn begin(store: &mut SolobaseStore) -> Result<(), Failed> {
    store.begin()?;
    if store.backend().setting(IMPORTING)?.is_none() {
        let accounts = store.scopes(None)?;
        let events = store.inbox_after(None, 0, PARTS)?;
        let is_catalog =
            events.len() < PARTS && events.iter().all(|row| host_engine::catalog::is_load_at_start(&row.event));
        let others = accounts.iter().filter(|scope| scope.account != extension_contract::Account::Platform).count();
        if others > 0 || !is_catalog {
            let text = "the tables have data; expected a block that has only loaded its catalog";
            return Err(Response::error(409, "not-empty", text).into());
        }
        store.backend_mut().set_setting(IMPORTING, "true")?;
    }
    Ok(store.commit()?)
}

/// Loads the catalog if it differs from the imported one.
fn load(platform: &Platform<'_>, store: SolobaseStore) -> Result<(), Failed> {
    let unreadable = || Response::unavailable("the configuration cannot be read");
    let bundle = (platform.config)(&key(BUNDLE)).map_err(|_| unreadable())?;
    let bundle: Bundle = serde_json::from_str(&bundle).map_err(|_| unreadable())?;
    load_catalog(platform, store, &bundle).map_err(|error| match error {
        InitError::Store(error) => Failed::from(error),
        InitError::Refused(text) => Response::error(409, "catalog-refused", text).into(),
    })
}
