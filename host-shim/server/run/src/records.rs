//! Reads which resources should exist, for the threads of a business that compare or back them up.
//!
//! The records are read one page at a time by the threads that answer questions, so that neither the writer nor a question
//! waits for long. Records that were read before are kept.

use extension_contract::{Account, Actor, ActorKind, Payload, Question};
use host_api::site::questions::{NotAsked, Questioner};
use host_engine::outbox::{Recorded, ResourceUse, use_of};
use host_engine::processor::{AskError, Questions};
use host_engine::read::product;
use host_engine::view::parsed;
use host_provider_api::{Call, ResourceId};
use host_store::{EFFECT_RESULTS, Partition, Read, Scope, StoreError, Stored};
use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Maximum number of checkouts of an account among which the newest one is searched for.
const CONTACTS_MAX: usize = 1_000;

/// The source of commands.
const COMMANDS: &str = "api";
/// The source of timers that are due.
const TIMERS: &str = "timer";
/// Maximum number of effects between a command and an effect that it led to.
const CAUSES_MAX: usize = 64;

/// The reason why the records were not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadRecords {
    /// The site is busy or has stopped.
    #[error(transparent)]
    NotAsked(#[from] NotAsked),
    /// The store failed.
    #[error("the records cannot be read")]
    Store(#[from] StoreError),
    /// The extension did not answer.
    #[error("an account cannot be read")]
    Account(#[from] AskError),
}

/// The records of one business in one mode. They must be dropped before the site stops, which would otherwise wait for them.
pub(crate) struct Records {
    partition: Partition,
    questioner: Questioner,
    recorded: Mutex<Recorded>,
}

impl Records {
    pub(crate) fn new(partition: Partition, questioner: Questioner) -> Records {
        Records { partition, questioner, recorded: Mutex::default() }
    }

    /// Returns the business and the mode.
    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Reads the records written since the last time.
    pub(crate) fn read(&self) -> Result<MutexGuard<'_, Recorded>, UnreadRecords> {
        let mut recorded = self.recorded();
        while self.read_page(&mut recorded)? {}
        Ok(recorded)
    }

    /// Like [`Records::read`], but returns none if it is stopped before the last page. The pages read so far are kept.
    pub(crate) fn read_unless(
        &self,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Option<MutexGuard<'_, Recorded>>, UnreadRecords> {
        let mut recorded = self.recorded();
        while self.read_page(&mut recorded)? {
            if is_stopped() {
                return Ok(None);
            }
        }
        Ok(Some(recorded))
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        // After a panic of a reader, the records still correspond to some page.
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what refers to each of these resources.
    pub(crate) fn uses(&self, ids: Vec<ResourceId>) -> Result<BTreeMap<ResourceId, ResourceUse>, UnreadRecords> {
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            let found = answerer.read(|store| {
                let found = ids.into_iter().map(|id| Ok(use_of(store, &id)?.map(|used| (id, used))));
                found.filter_map(Result::transpose).collect::<Result<_, StoreError>>()
            });
            // The reader may have ended.
            let _ = sender.send(found);
        })?;
        Ok(answer.recv().map_err(|_| NotAsked::Ended)??)
    }

    /// Returns the name of a product of an account; none if it has none, or if the site is busy.
    pub(crate) fn product_name(&self, account: Account, id: &str) -> Option<String> {
        let (scope, id) = (self.partition.scope(account), id.to_owned());
        let (sender, answer) = sync_channel(1);
        let asked = self.questioner.try_ask(move |answerer| {
            let found = answerer.read(|store| product(store, &scope, &id)).ok().flatten();
            // The reader may have ended.
            let _ = sender.send(found.map(|product| product.values.name));
        });
        asked.ok().and_then(|()| answer.recv().ok()).flatten().filter(|name| !name.is_empty())
    }

    /// Returns the user whose command led to an effect of an account, if need be through earlier effects; none if no user's
    /// command did.
    pub(crate) fn user_behind(&self, account: Account, call: &Call) -> Result<Option<String>, UnreadRecords> {
        let (scope, effect) = (self.partition.scope(account), (call.key.clone(), call.generation));
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            // The reader may have ended.
            let _ = sender.send(answerer.read(|store| user_behind(store, &scope, effect)));
        })?;
        Ok(answer.recv().map_err(|_| NotAsked::Ended)??)
    }

    /// Returns the buyer's address in the newest checkout of an account that was created elsewhere; none if there is none.
    pub(crate) fn buyer(&self, account: Account) -> Result<Option<String>, UnreadRecords> {
        let question = Question { account, actor: Actor::system(), at: 0 };
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            // The reader may have ended.
            let _ = sender.send(answerer.ask_whole_list(&question, "contacts", None, CONTACTS_MAX));
        })?;
        let (rows, _) = answer.recv().map_err(|_| NotAsked::Ended)??;
        let contacts = rows.into_iter().map(|row| (parsed(&row.value), row.id));
        let newest = contacts.max_by_key(|(contact, id)| (contact["at"].as_i64(), id.clone()));
        Ok(newest.and_then(|(contact, _)| contact["email"].as_str().map(str::to_owned)))
    }

    /// Reads the next page of records. Returns false at the end.
    fn read_page(&self, recorded: &mut Recorded) -> Result<bool, UnreadRecords> {
        let (mut so_far, partition) = (std::mem::take(recorded), self.partition.clone());
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            let more = answerer.read(|store| so_far.read_page(store, Some(&partition)));
            // The reader may have ended.
            let _ = sender.send((so_far, more));
        })?;
        let (so_far, more) = answer.recv().map_err(|_| NotAsked::Ended)?;
        *recorded = so_far;
        Ok(more?)
    }
}

/// Returns the user whose command led to an effect, through the results and timers of the effects before it.
fn user_behind(store: &dyn Read, scope: &Scope, mut effect: (String, u32)) -> Stored<Option<String>> {
    let partition = Partition { business: scope.business.clone(), livemode: scope.livemode };
    for _ in 0..CAUSES_MAX {
        let (key, generation) = &effect;
        let all = store.effect(scope, key)?;
        let Some(row) = all.into_iter().find(|row| row.effect.generation == *generation) else { return Ok(None) };
        if let Some(command) = store.event(&partition, COMMANDS, &row.caused_by)? {
            let actor = command.event.actor;
            return Ok((actor.kind == ActorKind::User).then_some(actor.subject));
        }
        let result = match store.event(&partition, EFFECT_RESULTS, &row.caused_by)? {
            Some(result) => Some(result),
            None => store.event(&partition, TIMERS, &row.caused_by)?,
        };
        effect = match result.map(|row| row.event.payload) {
            Some(Payload::EffectResult(report)) => (report.key, report.generation),
            Some(Payload::Timer(timer)) => (timer.key, timer.generation),
            _ => return Ok(None),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{Delivery, EffectReport, Event};
    use host_store::testing::samples::{accepted, changes, effect, insert, new_event, partition, queued};
    use host_store::{Changes, EffectRow, MemoryStore, NewInbox, Store};
    use std::sync::Arc;

    /// Stores an event, and an effect that it has requested in the account of the choir.
    fn leads_to(store: &mut MemoryStore, event: Event, key: &str) {
        let scope = partition().scope(Account::Organization("choir".into()));
        let row = EffectRow { caused_by: event.id.clone(), ..queued(&scope, effect("user.invite", key), 0) };
        let id = event.id.clone();
        let new = NewInbox { event: Arc::new(event), ..new_event(&id) };
        store.apply(&accepted(new)).expect("stored");
        store.apply(&Changes { effects: vec![insert(row)], ..changes(&scope, &id) }).expect("stored");
    }

    fn event(source: &str, id: &str, payload: Payload) -> Event {
        Event { source: source.into(), payload, ..(*new_event(id).event).clone() }
    }

    #[test]
    fn the_user_behind_a_step_is_found_also_behind_other_steps_and_timers() {
        for (kind, expected) in [(ActorKind::User, Some("ada".to_owned())), (ActorKind::Service, None)] {
            let mut store = MemoryStore::new();
            let actor = Actor { kind, subject: "ada".into(), roles: Vec::new() };
            let command = event(COMMANDS, "cmd_1", Payload::Command("{}".into()));
            leads_to(&mut store, Event { actor, ..command }, "first");
            let report = EffectReport {
                key: "first".into(),
                generation: 1,
                attempts: 1,
                context: "{}".into(),
                answer: Ok("{}".into()),
            };
            leads_to(&mut store, event(EFFECT_RESULTS, "result_1", Payload::EffectResult(report)), "second");
            let (sender, payload) = (Account::Organization("choir".into()), "{}".into());
            let timer = Delivery { sender, key: "second".into(), generation: 1, payload };
            leads_to(&mut store, event(TIMERS, "timer_1", Payload::Timer(timer)), "third");
            leads_to(&mut store, new_event("evt_1").event.as_ref().clone(), "of Stripe");
            let behind = |account: &str, key: &str, generation| {
                let scope = partition().scope(account.parse().expect("an account"));
                user_behind(&store, &scope, (key.to_owned(), generation)).expect("read")
            };
            for key in ["first", "second", "third"] {
                assert_eq!(behind("organization:choir", key, 1), expected, "{key}");
            }
            assert_eq!(behind("organization:choir", "of Stripe", 1), None);
            assert_eq!((behind("organization:choir", "first", 2), behind("user:ada", "first", 1)), (None, None));
        }
    }
}
