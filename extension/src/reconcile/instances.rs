//! Reconciles the account's instances: the instances of the event at once, and a limited number of outdated instances
//! per decision. A timer continues with the rest.

use super::fingerprint;
use super::instance::{self, context::Context};
use super::limits::{Room, room};
use super::schedule::DesiredSchedule;
use crate::catalog::names::ENABLED;
use crate::catalog::template::places;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::effect::timer;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::records::instance::InstanceRecord;
use crate::model::records::product::ProductRow;
use crate::model::records::record_key;
use crate::model::records::summary::Summary;
use extension_contract::{CatalogKey, ConfigValue, Selection};
use std::collections::BTreeSet;

/// Maximum number of outdated instances that one decision reconciles, in addition to the instances of its event.
const DRIVEN_MAX: u32 = 100;

/// Reconciles the instances.
pub(super) fn reconcile(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    is_continuation: bool,
    desired: &mut DesiredSchedule,
) -> Ruled<()> {
    let Some(first) = desk.account.get::<Summary>(Summary::ID)? else { return Ok(()) };
    if first.count == 0 || desk.catalog.setting(ENABLED)? == Some(ConfigValue::Boolean(false)) {
        return Ok(());
    }
    let mut named: BTreeSet<String> = desk.account.all::<InstanceRecord>()?.into_iter().map(|(id, _)| id).collect();
    loop {
        let mut of_pass = DesiredSchedule::default();
        let room = room(desk, standing, &mut of_pass)?;
        let before = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
        let reached = fingerprint::of(desk, standing, &room, &before)?;
        pass(desk, standing, &room, &reached, &mut named, is_continuation)?;
        let after = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
        // A terminated instance makes room for another instance, so all instances are checked again. The loop ends
        // because no pass restores a terminated instance.
        let made_room = before.consumed.iter().any(|(key, used)| after.consumed.get(key).copied().unwrap_or(0) < *used);
        if !made_room {
            desired.add(of_pass);
            return Ok(());
        }
    }
}

/// Reconciles the event's instances and the instances with another fingerprint.
fn pass(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    room: &Room,
    reached: &str,
    named: &mut BTreeSet<String>,
    is_continuation: bool,
) -> Ruled<()> {
    let context = Context { standing, room, reached };
    let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
    let is_outdated = summary.reached != reached;
    let mut is_rest = false;
    if is_outdated || summary.continues {
        let kind = record_key(InstanceRecord::COLLECTION, "").kind();
        let outdated = desk.account.more(&Selection::Outdated(kind, reached.to_owned()), DRIVEN_MAX)?;
        is_rest = outdated.len() == DRIVEN_MAX as usize;
        desk.account.load::<ProductRow>(&outdated)?;
        named.extend(outdated);
    }
    load_settings(desk, named)?;
    for id in &*named {
        let Some(mut instance) = Instance::find(desk, id)? else { continue };
        if instance.is_adopted {
            instance::reconcile(desk, &mut instance, &context)?;
        }
    }
    if is_outdated || summary.continues {
        let mut summary = desk.account.row::<Summary>(Summary::ID)?.unwrap_or_default();
        // At most one continuation timer is open at a time.
        if is_rest && (is_continuation || !summary.continues) {
            let key = TimerKey::Continue { asked_by: desk.event_hash() };
            if !desk.account.asks_for(&key.to_string()) {
                desk.account.ask(timer(key, desk.now)?);
            }
        }
        summary.continues = is_rest;
        summary.reached = reached.to_owned();
        desk.account.put(Summary::ID, summary);
    }
    Ok(())
}

/// Reads the configuration values that the instances' types name, in one call.
fn load_settings(desk: &mut Desk<'_>, ids: &BTreeSet<String>) -> Ruled<()> {
    let mut types: BTreeSet<String> = BTreeSet::new();
    for id in ids {
        types.extend(desk.account.get::<InstanceRecord>(id)?.map(|record| record.product_type.clone()));
    }
    let mut keys = Vec::new();
    for name in types {
        let Some(decl) = desk.catalog.type_named(&name)? else { continue };
        for resource in &decl.provisions {
            let named = places(&resource.with);
            let named = named.into_iter().filter_map(|place| place.strip_prefix("config.")).map(str::to_owned);
            keys.extend(named.chain(resource.setting().map(str::to_owned)).map(CatalogKey::Setting));
        }
    }
    keys.sort();
    keys.dedup();
    desk.catalog.load(&keys)
}
