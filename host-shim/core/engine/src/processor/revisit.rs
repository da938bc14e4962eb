//! Applies a changed catalog to an account that receives no events: the account is decided as if at a timer that nobody requested.
//! The timer becomes an event only if the decision changes anything.

use super::{Processor, Report};
use crate::decision::PreparedDecision;
use extension_contract::{Account, Actor, Delivery, Event, Payload, Timestamp};
use host_store::{Stored, TIMER};

impl Processor {
    /// Decides an account without an event. Returns the report of the timer if the decision changes anything. A decision that fails
    /// changes nothing, so the account waits for its next event.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn revisit(&mut self, account: &Account, now: Timestamp) -> Stored<Vec<Report>> {
        // Another revisit at the same time, as happens when the clock stands still, is a separate event.
        let number = self.store().inbox_newest()?;
        let event = self.timer_of_revisit(account, number, now);
        let (deciding, runner) = (&self.deciding, &mut *self.runner);
        let decided = self.store.lend(|store| deciding.decide(store, runner, &event, now));
        match decided {
            Ok(decided) if changes_anything(&decided.prepared) => self.accept(event, Vec::new()),
            _ => Ok(Vec::new()),
        }
    }

    fn timer_of_revisit(&self, account: &Account, number: u64, now: Timestamp) -> Event {
        let key = format!("revisit:{number}");
        Event {
            id: format!("{}/{key}@1", self.scope(account.clone()).name()),
            source: "timer".to_owned(),
            kind: TIMER.to_owned(),
            business: self.deciding.partition.business.clone(),
            account: Some(account.clone()),
            livemode: Some(self.deciding.partition.livemode),
            received_at: now,
            attempt: 1,
            actor: Actor::system(),
            reply_to: None,
            payment: None,
            payload: Payload::Timer(Delivery { sender: account.clone(), key, generation: 1, payload: "{}".to_owned() }),
        }
    }
}

fn changes_anything(prepared: &PreparedDecision) -> bool {
    let changes = &prepared.changes;
    !(changes.rows.is_empty() && changes.facts.is_empty() && changes.claims.is_empty() && changes.effects.is_empty())
}
