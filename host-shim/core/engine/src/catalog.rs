//! The events that load a catalog. A load is needed unless the last one was accepted with the same catalog, configuration and
//! component.

use crate::processor::{Processor, Report};
use extension_contract::{Account, Actor, ActorKind, Event, IgnoreReason, Outcome, Payload, Timestamp};
use host_store::{InboxRow, Partition, Read, Stored};

/// Source of the load events.
const SOURCE: &str = "api";
/// Kind of the load events.
const KIND: &str = "catalog.load";
/// Actor of the load events.
const SUBJECT: &str = "catalog";

/// A load of the catalog that is needed.
#[derive(Clone, Debug)]
pub struct NextLoad {
    /// The event that loads the catalog.
    pub event: Event,
    /// The last load; none if this is the first one.
    pub last: Option<InboxRow>,
}

/// Returns the load of a catalog, or none if it is in force.
///
/// # Errors
/// Fails if the store fails.
pub fn next_load(processor: &Processor, name: &str, catalog: &str, now: Timestamp) -> Stored<Option<NextLoad>> {
    let last = last_load(processor.store(), processor.partition(), name)?;
    if last.as_ref().is_some_and(|(_, row)| is_in_force(processor, row)) {
        return Ok(None);
    }
    let (number, last) = last.map_or((1, None), |(number, row)| (number + 1, Some(row)));
    Ok(Some(NextLoad { event: load(name, catalog, processor.partition(), number, now), last }))
}

/// Returns true if the extension accepted a load.
pub fn is_accepted(report: &Report) -> bool {
    was_accepted(report.result.outcome())
}

/// Returns true if a report is about a catalog that was loaded, when the host started or by a command.
pub(crate) fn is_load(report: &Report) -> bool {
    report.kind == KIND && is_accepted(report)
}

/// Returns true if an event is the load of a catalog by a starting host rather than by a command.
pub fn is_load_at_start(event: &Event) -> bool {
    event.kind == KIND && event.actor.kind == ActorKind::Admin && event.actor.subject == SUBJECT
}

/// Returns the id of a load. Loads are numbered from 1, so that an earlier catalog can be loaded again after another
/// catalog.
fn load_id(business: &str, number: u64) -> String {
    format!("catalog:{business}:{number}")
}

fn load(name: &str, catalog: &str, partition: &Partition, number: u64, now: Timestamp) -> Event {
    Event {
        id: load_id(name, number),
        source: SOURCE.to_owned(),
        kind: KIND.to_owned(),
        business: partition.business.clone(),
        account: Some(Account::Platform),
        livemode: Some(partition.livemode),
        received_at: now,
        attempt: 1,
        actor: Actor { kind: ActorKind::Admin, subject: SUBJECT.to_owned(), roles: Vec::new() },
        reply_to: None,
        payment: None,
        payload: Payload::Command(catalog.to_owned()),
    }
}

/// Returns the last load with its number. A binary search finds it, since inbox rows are never deleted.
///
/// # Errors
/// Fails if the store fails.
fn last_load(store: &dyn Read, partition: &Partition, business: &str) -> Stored<Option<(u64, InboxRow)>> {
    let find = |number: u64| store.event(partition, SOURCE, &load_id(business, number));
    let Some(mut last) = find(1)? else { return Ok(None) };
    let (mut present, mut absent) = (1, 2);
    while let Some(row) = find(absent)? {
        (present, absent, last) = (absent, absent * 2, row);
    }
    while absent - present > 1 {
        let middle = present + (absent - present) / 2;
        match find(middle)? {
            Some(row) => (present, last) = (middle, row),
            None => absent = middle,
        }
    }
    Ok(Some((present, last)))
}

fn is_in_force(processor: &Processor, row: &InboxRow) -> bool {
    let same = |provenance: &host_store::Provenance| {
        provenance.catalog_hash == processor.business().catalog_hash
            && provenance.component_hash == processor.runner().hash()
    };
    was_accepted(row.outcome.as_ref()) && row.provenance.as_ref().is_some_and(same)
}

fn was_accepted(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Applied | Outcome::Duplicate(_) | Outcome::Ignored(IgnoreReason::NoChange)))
}
