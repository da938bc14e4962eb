//! The catalog of a business's folder: compared with the one that was loaded last, and loaded if it is another.

mod refused;

use crate::StartError;
use crate::business::BusinessFolder;
use crate::outbox::Outbox;
use crate::processor::{Processor, Report};
use extension_contract::{Account, Actor, ActorKind, Event, IgnoreReason, Outcome, Payload, Stored, Timestamp};
use host_store::{InboxRow, Partition, Store};

/// Where loads of a folder's catalog come from.
const SOURCE: &str = "api";
/// Their kind.
const KIND: &str = "catalog.load";
/// Who gives the command.
const SUBJECT: &str = "catalog";

/// Load the catalog unless it is in force: unless the folder's last load was taken, with the same catalog and
/// configuration, by the same component. Returns what that led to; nothing if there was nothing to do.
pub(crate) fn bring_in(
    business: &BusinessFolder,
    outbox: &mut Outbox,
    now: Timestamp,
) -> Result<Vec<Report>, StartError> {
    let processor = outbox.processor();
    let last = last_load(processor.store(), processor.partition(), &business.name)?;
    if last.as_ref().is_some_and(|(_, row)| is_in_force(processor, row)) {
        return Ok(Vec::new());
    }
    let number = last.map_or(1, |(number, _)| number + 1);
    let reports = outbox.accept(load(business, processor.partition(), number, now), Vec::new())?;
    match reports.first() {
        Some(report) if report.result.outcome().is_none() => Err(StartError::Extension {
            business: business.name.clone(),
            reason: report.result.reason().unwrap_or_default(),
        }),
        Some(report) if !was_taken(report.result.outcome()) => {
            Err(StartError::Catalog(refused::mistakes(business, report)))
        }
        _ => Ok(reports),
    }
}

/// Whether an event is the load of a folder's catalog by a host that starts, and nobody's command.
pub fn is_load_at_start(event: &Event) -> bool {
    event.kind == KIND && event.actor.kind == ActorKind::Admin && event.actor.subject == SUBJECT
}

/// Loads are numbered from 1, so that a catalog that comes back after another one is loaded again.
fn load_id(business: &str, number: u64) -> String {
    format!("catalog:{business}:{number}")
}

fn load(business: &BusinessFolder, partition: &Partition, number: u64, now: Timestamp) -> Event {
    Event {
        id: load_id(&business.name, number),
        source: SOURCE.to_owned(),
        kind: KIND.to_owned(),
        business: partition.business.clone(),
        account: Some(Account::Platform),
        livemode: Some(partition.livemode),
        received_at: now,
        attempt: 1,
        actor: Actor { kind: ActorKind::Admin, subject: SUBJECT.to_owned(), roles: Vec::new() },
        reply_to: None,
        provider: None,
        payload: Payload::Command(business.catalog.to_string()),
    }
}

/// The last load, with its number. No row of the inbox ever goes, so it is found in a logarithm of steps.
fn last_load(store: &dyn Store, partition: &Partition, business: &str) -> Stored<Option<(u64, InboxRow)>> {
    let find = |number: u64| store.event(partition, SOURCE, &load_id(business, number));
    let Some(mut last) = find(1)? else { return Ok(None) };
    let (mut there, mut absent) = (1, 2);
    while let Some(row) = find(absent)? {
        (there, absent, last) = (absent, absent * 2, row);
    }
    while absent - there > 1 {
        let middle = there + (absent - there) / 2;
        match find(middle)? {
            Some(row) => (there, last) = (middle, row),
            None => absent = middle,
        }
    }
    Ok(Some((there, last)))
}

fn is_in_force(processor: &Processor, row: &InboxRow) -> bool {
    let same = |provenance: &host_store::Provenance| {
        provenance.catalog_hash == processor.business().catalog_hash
            && provenance.component_hash == processor.runner().hash()
    };
    was_taken(row.outcome.as_ref()) && row.provenance.as_ref().is_some_and(same)
}

fn was_taken(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Applied | Outcome::Duplicate(_) | Outcome::Ignored(IgnoreReason::NoChange)))
}
