//! The columns of events and their runs.

use crate::decode::{get, json, maybe_account, number, small};
use extension_contract::Event;
use host_store::implementation::json::{Envelope, RunJson, payload_of, state_of};
use host_store::{InboxRow, Stored};
use std::borrow::Cow;
use tokio_postgres::Row;

/// The `SELECT` of every query for events, with its conditions.
macro_rules! select_events {
    ($conditions:literal) => {
        concat!(
            "SELECT e.seq, q.business, q.livemode, e.source, e.id, e.kind, e.received_at, e.envelope::text, ",
            "e.payload_kind, e.payload, e.raw, e.account, e.state, e.at, e.waits_since, e.failures, e.error, ",
            "e.outcome::text, e.run::text, e.erased FROM events e JOIN partitions q ON q.id = e.partition WHERE ",
            $conditions
        )
    };
}
pub(crate) use select_events;

/// Reads an event.
pub(crate) fn read(row: &Row) -> Stored<InboxRow> {
    let envelope: Envelope<'_> = json(get(row, 7)?)?;
    let payload: Vec<u8> = get(row, 9)?;
    let raw: Option<Vec<u8>> = get(row, 10)?;
    let raw = raw.unwrap_or_else(|| payload.clone());
    let payload = payload_of(get(row, 8)?, payload)?;
    let at = get(row, 13)?;
    let run = get::<Option<&str>>(row, 18)?.map(json::<RunJson<'_>>).transpose()?;
    Ok(InboxRow {
        seq: number(row, 0)?,
        event: Event {
            id: get(row, 4)?,
            source: get(row, 3)?,
            kind: get(row, 5)?,
            business: get(row, 1)?,
            account: maybe_account(row, 11)?,
            livemode: envelope.livemode,
            received_at: get(row, 6)?,
            attempt: envelope.attempt,
            actor: envelope.actor.into_owned(),
            reply_to: envelope.reply_to.map(Cow::into_owned),
            payment: envelope.payment.map(Cow::into_owned),
            payload,
        },
        livemode: get(row, 2)?,
        raw,
        state: state_of(get(row, 12)?, at, get(row, 14)?)?,
        failures: small(row, 15)?,
        error: get(row, 16)?,
        outcome: get::<Option<&str>>(row, 17)?.map(json).transpose()?,
        provenance: run.and_then(|run| run.into_run().provenance),
        erased: get(row, 19)?,
    })
}
