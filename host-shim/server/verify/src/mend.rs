//! Finds the command that fixes a difference. It refers to the event that was not carried out or did not arrive. If Stripe
//! no longer has such an event, the fix is a change at Stripe that makes it send the object's state again.

use crate::difference::{Found, What};
use crate::error::VerifyError;
use crate::facts::{Kind, text};
use crate::ours::each_transfer;
use extension_contract::{Outcome, Payload, Timestamp};
use host_engine::processor::Answerer;
use host_store::{InboxRow, InboxState, Partition, Read, Stored, Wait};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Maximum number of waiting events that are examined per state.
const WAITING_MAX: usize = 10_000;
/// Source of Stripe's events.
const SOURCE: &str = "stripe";

/// The command that fixes a difference, and why it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mend {
    /// The command for the operator; none if no command can fix it.
    pub command: Option<String>,
    /// The cause of the difference, or the decision that a person must make.
    pub reason: String,
}

/// An object that differs, with the command that fixes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The object and its difference.
    pub found: Found,
    /// The command that fixes it.
    pub mend: Mend,
}

/// Finds the commands.
pub(crate) struct Mender<'a> {
    pub(crate) answerer: &'a mut Answerer,
    pub(crate) partition: &'a Partition,
    /// The events that Stripe still has, newest first.
    pub(crate) events: &'a [Value],
    pub(crate) now: Timestamp,
}

/// The newest event about an object.
#[derive(Clone, Debug)]
enum EventOf {
    /// It is stored under this number, but without the expected result.
    Stored { seq: u64, reason: String },
    /// It is not stored.
    Missed { id: String },
    /// It is stored and was carried out.
    Done,
}

impl Mender<'_> {
    /// Adds the command to each difference.
    pub(crate) fn mend(&mut self, found: Vec<Found>) -> Result<Vec<Difference>, VerifyError> {
        let by_object = self.events_by_object(&found)?;
        found
            .into_iter()
            .map(|found| {
                let mend = match found.kind {
                    Kind::Transfer => self.transfer(&found)?,
                    _ => self.by_event(&found, &by_object),
                };
                Ok(Difference { found, mend })
            })
            .collect()
    }

    fn by_event(&self, found: &Found, by_object: &HashMap<String, EventOf>) -> Mend {
        let mut ids = std::iter::once(&found.id).chain(&found.related);
        let flag = if self.partition.livemode { " --live" } else { "" };
        match ids.find_map(|id| by_object.get(id).filter(|event| !matches!(event, EventOf::Done))) {
            Some(EventOf::Stored { seq, reason }) => {
                mend(format!("POST /api/operator/events/{seq}/redrive"), reason.clone())
            }
            Some(EventOf::Missed { id }) => {
                mend(format!("stripe events resend {id}{flag}"), format!("the event {id} is not in the store"))
            }
            _ if matches!(found.what, What::OnlyOurs(_)) => {
                by_hand("Stripe has no such object with this key; use the key of the account that made it")
            }
            _ => self.touch(found, flag),
        }
    }

    /// Returns a change at Stripe that makes it send the object's state.
    fn touch(&self, found: &Found, flag: &str) -> Mend {
        let path = match found.kind {
            Kind::Subscription => "subscriptions",
            Kind::Invoice => "invoices",
            Kind::Refund => "refunds",
            Kind::Payment | Kind::Transfer => {
                return by_hand("Stripe no longer has an event that would mend it; book the payment by hand");
            }
        };
        let (id, now_s) = (&found.id, self.now.div_euclid(1_000));
        mend(
            format!("stripe {path} update {id} -d \"metadata[verified]={now_s}\"{flag}"),
            "no event of it would mend it; a change makes Stripe send its state".to_owned(),
        )
    }

    /// A transfer is recorded through the result of its effect.
    fn transfer(&mut self, found: &Found) -> Result<Mend, VerifyError> {
        let scope = self.partition.scope(found.account.clone());
        let What::OnlyTheirs(facts) = &found.what else {
            return Ok(by_hand(match found.what {
                What::OnlyOurs(_) => {
                    "Stripe has no such transfer with this key; use the key of the account that made it"
                }
                _ => "the extension does not record later changes of a transfer; correct the payouts by hand",
            }));
        };
        let fits = |payload: &Value| {
            [("amount_minor", "amount"), ("currency", "currency"), ("destination", "destination")]
                .iter()
                .all(|(ours, theirs)| payload.get(ours) == facts.get(*theirs))
        };
        let open = self.answerer.read(|store| {
            let mut open = None;
            each_transfer(store, &scope, &mut |row| {
                let payload: Value = serde_json::from_str(&row.effect.payload).unwrap_or_default();
                open = open.or((row.state.is_open() && fits(&payload)).then_some(row.seq));
                Ok(())
            })?;
            Ok(open)
        })?;
        Ok(match open {
            Some(seq) => mend(
                format!("POST /api/operator/effects/{seq}/adopt {}", json!({"outputs": {"id": found.id}})),
                "the effect that made it has no result yet".to_owned(),
            ),
            None => by_hand("the store has not requested it; reverse it at Stripe unless it is owed"),
        })
    }

    /// Returns the newest event of each object that differs: first those that are stored and have not ended, then those that
    /// Stripe still has.
    fn events_by_object(&mut self, found: &[Found]) -> Result<HashMap<String, EventOf>, VerifyError> {
        let ids = found.iter().flat_map(|one| std::iter::once(&one.id).chain(&one.related));
        let ids: HashSet<&str> = ids.map(String::as_str).collect();
        let wanted = |id: &str| ids.contains(id);
        let partition = self.partition;
        let mut by_object = self.answerer.read(|store| waiting(store, partition, &wanted))?;
        for event in self.events {
            let Some(object) = object_of(event).filter(|id| wanted(id) && !by_object.contains_key(*id)) else {
                continue;
            };
            let Some(id) = text(event, "id") else { continue };
            let row = self.answerer.read(|store| store.event(partition, SOURCE, id))?;
            let event = row.map_or_else(|| EventOf::Missed { id: id.to_owned() }, |row| ended(&row));
            by_object.insert(object.to_owned(), event);
        }
        Ok(by_object)
    }
}

fn mend(command: String, reason: String) -> Mend {
    Mend { command: Some(command), reason }
}

fn by_hand(reason: &str) -> Mend {
    Mend { command: None, reason: reason.to_owned() }
}

/// Returns the id of the object in an event.
fn object_of(event: &Value) -> Option<&str> {
    text(event.get("data")?.get("object")?, "id")
}

/// Returns the stored events of the given objects that have not ended, by object.
fn waiting(
    store: &dyn Read,
    partition: &Partition,
    wanted: &impl Fn(&str) -> bool,
) -> Stored<HashMap<String, EventOf>> {
    let mut by_object = HashMap::new();
    let mut look = |row: &InboxRow| {
        let Payload::Payment(bytes) = &row.event.payload else { return };
        let event: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if let Some(object) = object_of(&event).filter(|id| wanted(id)) {
            let error = row.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
            let reason = format!("the event {} is {}{error}", row.event.id, row.state.name());
            by_object.insert(object.to_owned(), EventOf::Stored { seq: row.seq, reason });
        }
    };
    let mut after = 0;
    loop {
        let page = store.failed(partition, after, 100)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        page.iter().for_each(&mut look);
    }
    for wait in [Wait::Parked, Wait::Deferred] {
        for seq in store.waiting_before(partition, wait, Timestamp::MAX, WAITING_MAX)? {
            store.inbox(seq)?.iter().for_each(&mut look);
        }
    }
    Ok(by_object)
}

/// Returns what became of a stored event.
fn ended(row: &InboxRow) -> EventOf {
    let refused = match (&row.state, &row.outcome) {
        (InboxState::Done, Some(outcome @ (Outcome::Rejected(_) | Outcome::Ignored(_)))) => Some(outcome),
        _ => None,
    };
    refused.map_or(EventOf::Done, |outcome| {
        let because = outcome.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        EventOf::Stored { seq: row.seq, reason: format!("the event {} was {}{because}", row.event.id, outcome.name()) }
    })
}
