//! Lets a worker on another machine carry out effects. The outbox lends calls, each under a lease in the store, and
//! accepts the answers later. Unlike [`Outbox::begin`] and [`Outbox::finish`], it keeps nothing in memory between two
//! requests.

use super::agenda::{AgendaState, id_of};
use super::events::result;
use super::queue::EffectTransition;
use super::rooms::in_turn;
use super::{Called, LEASE_MS, Outbox, OutboxError, call_of};
use crate::processor::Report;
use extension_contract::{Account, Payload, Timestamp};
use host_provider_api::{Call, CallOutcome, Reply, SecretAccess};
use host_store::{EFFECT_RESULTS, ERASE, EffectRow, EffectState, Scope};
use std::collections::BTreeMap;

/// Maximum number of due effects that are searched for one that needs no worker.
const SEARCHED_MAX: usize = 1_000;

/// Maximum number of new calls of one account that are lent at a time.
const LENT_OF_ACCOUNT: usize = 4;

/// The result of a round in which the outbox carried out due work that needs no worker.
#[derive(Debug, Default)]
pub struct Delivered {
    /// The reports.
    pub reports: Vec<Report>,
    /// True if only a part of an erasure was carried out, and its rest is due now.
    pub more: bool,
}

/// Calls for a worker.
#[derive(Debug, Default)]
pub struct Lent {
    /// The calls, each under a lease.
    pub calls: Vec<Call>,
    /// Reports of what the outbox itself has carried out.
    pub reports: Vec<Report>,
}

/// An answer of a worker to a call.
#[derive(Debug)]
pub struct LentReply {
    /// Scope that requested the effect.
    pub scope: Scope,
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// Number of the lease under which the call was made.
    pub lease: u64,
    /// The answer.
    pub reply: Reply,
}

impl Outbox {
    /// Carries out one round of what is due and needs no worker: timers, messages, erasures, expired leases and deadlines. An erasure
    /// may take several rounds: see [`Store::erase_part`](host_store::Store::erase_part).
    ///
    /// # Errors
    /// Fails if the store fails, or in an open group.
    pub fn deliver_due(&mut self, now: Timestamp, limit: usize) -> Result<Delivered, OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        let is_past = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        for row in self.queue.running()? {
            let is_over = is_past(row.effect.deadline) || (is_past(row.lease.until) && row.lease.token.is_none());
            if is_over && !self.agenda.has(&row) {
                self.agenda.add(row, AgendaState::Called);
            }
        }
        let ended = self.agenda.first_due(now, |_| true, limit);
        if !ended.is_empty() {
            return Ok(Delivered { reports: self.end_some(ended, now)?.reports, more: false });
        }
        // Without a worker, the calls before them must not hold up timers.
        let due = self.queue.due(now, self.fire_timers, SEARCHED_MAX)?;
        let own: Vec<EffectRow> = due.into_iter().filter(|row| !row.needs_call(now)).take(limit).collect();
        for row in own.iter().filter(|row| row.effect.kind == ERASE) {
            if self.queue.erase_part(row)? {
                return Ok(Delivered { reports: Vec::new(), more: true });
            }
        }
        Ok(Delivered { reports: self.end_without_call(own, now)?.reports, more: false })
    }

    /// Lends calls that are due: polls of providers that still work, and new attempts. Call [`Outbox::deliver_due`] until it returns
    /// no report first.
    ///
    /// # Errors
    /// Fails if the store fails, or in an open group.
    pub fn lend(&mut self, now: Timestamp, limit: usize) -> Result<Lent, OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        let mut lent = Lent::default();
        let is_due = |row: &EffectRow| row.lease.token.is_some() && row.lease.until.is_some_and(|until| until <= now);
        let (owner, until) = (self.owner.clone(), now.saturating_add(LEASE_MS));
        let running = self.queue.running()?;
        let mut of_account: BTreeMap<Account, usize> = BTreeMap::new();
        running.iter().for_each(|row| *of_account.entry(row.scope.account.clone()).or_default() += 1);
        let polls: Vec<EffectRow> = running.into_iter().filter(is_due).take(limit).collect();
        let polls = self.queue.take(polls, |row| {
            row.lease.until = Some(until);
            row.lease.owner = Some(owner.clone());
        })?;
        let mut late = Vec::new();
        for mut row in self.queue.awaited()?.into_iter().filter(is_due) {
            if self.is_worth_polling(&row, now)? && lent.calls.len() + polls.len() < limit {
                lent.calls.extend(call_of(&row, SecretAccess::default()));
                row.lease.until = Some(until);
                late.push((row, EffectTransition::Await));
            }
        }
        self.queue.record(&late, now)?;
        let room = limit.saturating_sub(lent.calls.len() + polls.len());
        let chosen = self.choose_lent(&of_account, now, room)?;
        let leased = self.queue.lease(&self.owner, now, &chosen)?;
        let mut refused = Vec::new();
        for row in polls.into_iter().chain(leased) {
            match call_of(&row, SecretAccess::default()) {
                Ok(call) => lent.calls.push(call),
                Err(failure) => refused.push(super::ended(row, Err(failure))),
            }
        }
        lent.reports = self.apply(refused, now)?;
        Ok(lent)
    }

    /// Chooses due effects that need a call, in turn by account: an account waits behind its own running calls. Returns their numbers.
    fn choose_lent(
        &self,
        running: &BTreeMap<Account, usize>,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<u64>, OutboxError> {
        let mut due = self.queue.due_in_turn(now, false, &[])?;
        due.retain(|row| row.needs_call(now));
        let of = |row: &EffectRow| running.get(&row.scope.account).copied().unwrap_or_default();
        let order = in_turn(due.iter().map(|row| Some((&row.scope.account, of(row)))));
        let mut lent: BTreeMap<&Account, usize> = BTreeMap::new();
        let has_share = |place: &usize| {
            let lent = lent.entry(&due[*place].scope.account).or_default();
            *lent += 1;
            *lent <= LENT_OF_ACCOUNT
        };
        Ok(order.into_iter().filter(has_share).take(limit).map(|place| due[place].seq).collect())
    }

    /// Lends the calls once more that this worker had before it stopped, each under a new lease: nobody knows what became of them.
    ///
    /// # Errors
    /// Fails if the store fails, or in an open group.
    pub fn lend_again(&mut self, now: Timestamp) -> Result<Lent, OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        let (owner, until) = (self.owner.clone(), now.saturating_add(LEASE_MS));
        let is_own = |row: &EffectRow| {
            let is_waiting = row.lease.token.is_some() && row.lease.until.is_some_and(|until| until > now);
            row.lease.owner.as_deref() == Some(&owner) && !is_waiting
        };
        let own = self.queue.running()?.into_iter().filter(is_own).collect();
        let taken = self.queue.take(own, |row| {
            row.lease.number += 1;
            row.lease.until = Some(until);
        })?;
        let calls = taken.iter().filter_map(|row| call_of(row, SecretAccess::default()).ok()).collect();
        Ok(Lent { calls, reports: Vec::new() })
    }

    /// Returns the time after `now` at which something is due next: an effect, a retry of an event, a poll, the end of a lease, or a
    /// deadline.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn next_lent(&self, now: Timestamp) -> Result<Option<Timestamp>, OutboxError> {
        let of_row = |row: EffectRow| [row.lease.until, row.effect.deadline].into_iter().flatten();
        let running = self.queue.running()?.into_iter().flat_map(of_row);
        let late = self.queue.awaited()?.into_iter().filter_map(|row| row.lease.until);
        let due = [self.queue.next_due(now)?, self.processor().next_retry(now)?].into_iter().flatten();
        Ok(running.chain(late).chain(due).filter(|at| *at > now).min())
    }

    /// Returns true if the result of an ended effect is this success: the worker did not learn that its answer was stored.
    fn is_recorded(&self, row: &EffectRow, reply: &Reply) -> Result<bool, OutboxError> {
        let Reply::Answer(CallOutcome::Done(outputs)) = reply else { return Ok(false) };
        let id = result(row, Ok(outputs.clone()), false, row.due_at).id;
        let recorded = self.processor().store().event(&row.scope.partition(), EFFECT_RESULTS, &id)?;
        Ok(recorded.is_some_and(|recorded| match recorded.event.payload {
            Payload::EffectResult(report) => report.answer == Ok(outputs.to_string()),
            _ => false,
        }))
    }

    /// Takes the answers of a worker, as [`Outbox::finish`] does. An answer to an unknown effect is ignored, and so is one that was
    /// taken before.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn take_answers(&mut self, answers: Vec<LentReply>, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        let mut replies = Vec::new();
        for LentReply { scope, key, generation, lease, reply } in answers {
            let Some(row) = self.queue.row(&scope, &key, generation)? else { continue };
            if self.is_recorded(&row, &reply)? {
                continue;
            }
            let Ok(mut call) = call_of(&row, SecretAccess::default()) else { continue };
            call.lease = lease;
            let id = id_of(&call);
            if row.state == EffectState::Running && row.lease.number == lease {
                self.agenda.take(&id);
                self.agenda.add(row.clone(), AgendaState::Called);
            }
            self.called.insert((id, lease), Called { row, provider: None });
            replies.push((call, reply));
        }
        self.finish(replies, now)
    }
}
