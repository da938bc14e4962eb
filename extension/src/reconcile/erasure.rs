//! What is personal of an account that was given up goes when its time is over: names of its products,
//! what their types call personal, the addresses that it was asked from, and with the host all that was ever sent. Ids,
//! amounts and times stay.

use super::schedule::DesiredSchedule;
use crate::catalog::desk::Desk;
use crate::derive::standing::AccountStanding;
use crate::model::effect::{request, timer};
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::records::closed::{Closed, Erased};
use crate::model::records::instance::{InstanceRecord, InstanceStatus};
use crate::model::records::product::ProductRow;
use crate::model::records::record_key;
use crate::model::records::token::Access;
use extension_contract::{ProductValues, RowKind};
use serde_json::json;

/// Rows that one decision looks at; a timer goes on with the rest.
const PAGE: u32 = 100;

/// How far it came.
enum Reached {
    /// All rows of a kind are done.
    End,
    /// This one is done, and there are more.
    Row(String),
    /// The next one still stands: its end leads here again.
    AccountStanding(Option<String>),
}

/// Erase what is due.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let Some(after) = standing.settings.erase_after else { return Ok(()) };
    let Some(closed) = desk.account.fetch::<Closed>(Closed::ID)? else { return Ok(()) };
    let due = after.after(closed.at);
    if due > desk.now {
        desired.timer(desk.now, TimerKey::Erase { due }, due);
        return Ok(());
    }
    let (erased, goes_on) = match closed.erased.clone() {
        Erased::All => return Ok(()),
        Erased::Products { reached } => match products(desk, reached)? {
            Reached::End => (Erased::Accesses { reached: None }, true),
            Reached::Row(id) => (Erased::Products { reached: Some(id) }, true),
            Reached::AccountStanding(reached) => (Erased::Products { reached }, false),
        },
        Erased::Accesses { reached } => match accesses(desk, reached)? {
            Reached::Row(id) => (Erased::Accesses { reached: Some(id) }, true),
            Reached::End | Reached::AccountStanding(_) => (Erased::All, false),
        },
    };
    if erased == Erased::All {
        desk.account.ask(request("account.erase", &EffectKey::Erase, &json!({}), None)?);
    }
    if goes_on {
        let key = TimerKey::Continue { asked_by: desk.event_hash() };
        if !desk.account.asks_for(&key.to_string()) {
            desk.account.ask(timer(key, desk.now)?);
        }
    }
    if erased != closed.erased {
        desk.account.put(Closed::ID, Closed { erased, ..closed });
    }
    Ok(())
}

/// How far a page of rows leads.
fn reached_by(ids: &[String]) -> Reached {
    match ids.last() {
        Some(id) if ids.len() == PAGE as usize => Reached::Row(id.clone()),
        _ => Reached::End,
    }
}

/// Products that are gone keep their ids and what is not about a person.
fn products(desk: &mut Desk<'_>, reached: Option<String>) -> Ruled<Reached> {
    let ids = desk.account.page(RowKind::Product, reached.clone(), PAGE)?;
    desk.account.load::<InstanceRecord>(&ids)?;
    let mut last = reached;
    for id in &ids {
        let Some(row) = desk.account.get::<ProductRow>(id)? else { continue };
        let (values, metadata) = row.parts(id)?;
        let status = metadata.get("status").and_then(serde_json::Value::as_str);
        let is_ours = desk.account.get::<InstanceRecord>(id)?.is_some_and(|record| !record.foreign);
        if is_ours && status.is_some_and(|status| status != InstanceStatus::Terminated.name()) {
            return Ok(Reached::AccountStanding(last));
        }
        let mut metadata = Object::clone(&metadata);
        if let Some(decl) = desk.catalog.type_named(&values.product_type)? {
            let personal = decl.fields.iter().filter(|field| field.personal);
            personal.for_each(|field| drop(metadata.remove(&field.name)));
        }
        let values = ProductValues { name: id.clone(), description: String::new(), ..ProductValues::clone(&values) };
        desk.account.put(id, ProductRow::with(values.into(), metadata.into()));
        last = Some(id.clone());
    }
    Ok(reached_by(&ids))
}

/// The audit trail keeps who did what, without from where.
fn accesses(desk: &mut Desk<'_>, reached: Option<String>) -> Ruled<Reached> {
    let ids = desk.account.page(record_key(Access::COLLECTION, "").kind(), reached, PAGE)?;
    for id in &ids {
        let Some(access) = desk.account.get::<Access>(id)?.filter(|access| access.ip.is_some()) else { continue };
        desk.account.put(id, Access { ip: None, ..access.as_ref().clone() });
    }
    Ok(reached_by(&ids))
}
