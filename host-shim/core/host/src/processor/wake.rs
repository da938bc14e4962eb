//! What a commit wakes: events that wait for a claim, a fact or the end of an effect.

use super::report::Report;
use super::run::{Attempt, Decided};
use super::waiting::{claim_wake_key, connected_account, effect_wake_key, fact_wake_key};
use super::{Processor, WOKEN_MAX};
use extension_contract::{Event, Payload, Stored, Timestamp};
use host_store::{Changes, EffectChange, EffectState, InboxChange, InboxMove, InboxProgress, InboxRow, InboxState};
use std::collections::BTreeSet;

impl Processor {
    /// Run an event, then what it wakes, in order of acceptance, each in a transaction of its own, until nothing is
    /// left or [`WOKEN_MAX`] ran; the others become pending.
    pub(super) fn run_and_wake(
        &mut self,
        attempt: Attempt,
        ahead: Option<Decided>,
        now: Timestamp,
    ) -> Stored<Vec<Report>> {
        let mut awake = BTreeSet::new();
        let connected = connected_account(attempt.event()).map(str::to_owned);
        let mut reports = vec![self.run_one(attempt, ahead, now, &mut awake)?];
        self.bound_parking(connected.as_deref(), &mut reports, now)?;
        while let Some(seq) = awake.pop_first() {
            let Some(row) = self.store().inbox(seq)? else { continue };
            if !matches!(row.state, InboxState::Parked { .. } | InboxState::Deferred { .. }) {
                continue;
            }
            if reports.len() > WOKEN_MAX {
                self.postpone(row, now)?;
                continue;
            }
            let report = self.run_one(Attempt::again(row), None, now, &mut awake)?;
            reports.push(report);
        }
        Ok(reports)
    }

    fn run_one(
        &mut self,
        attempt: Attempt,
        ahead: Option<Decided>,
        now: Timestamp,
        awake: &mut BTreeSet<u64>,
    ) -> Stored<Report> {
        let mut keys = Vec::new();
        let report = self.run(attempt, ahead, now, &mut keys)?;
        let seq = report.seq;
        if !keys.is_empty() {
            // An event that waits for what it brought itself would go on for ever.
            awake.extend(self.store().woken_by(&keys)?.into_iter().filter(|woken| *woken != seq));
        }
        Ok(report)
    }

    fn postpone(&mut self, row: InboxRow, now: Timestamp) -> Stored<()> {
        self.counters.woken_postponed += 1;
        let progress = InboxProgress {
            account: row.event.account,
            state: InboxState::Pending { not_before: now },
            failures: row.failures,
            error: row.error,
            outcome: row.outcome,
            waits_for: Vec::new(),
            run: None,
        };
        let inbox = InboxChange::Move(InboxMove { seq: row.seq, progress });
        let changes = Changes { event_id: row.event.id, inbox: Some(inbox), ..Changes::default() };
        self.store_mut().apply(&changes).map(|_| ())
    }
}

/// Keys of `Store::woken_by` that a commit brings: claims it took, facts it noted, effects it ended.
///
/// An effect has ended for those who wait when its result is decided, not when the outbox says so: only then do they
/// find what it brought.
pub(super) fn keys_of(event: &Event, decided: &Decided) -> Vec<String> {
    let mut keys: Vec<String> = decided.kept.claims_taken.iter().map(|full| claim_wake_key(full)).collect();
    let Some(scope) = &decided.kept.changes.scope else { return keys };
    keys.extend(decided.kept.changes.facts.iter().map(|fact| fact_wake_key(scope, fact)));
    for change in &decided.kept.changes.effects {
        if let EffectChange::Update { key, state: EffectState::Finished | EffectState::Cancelled, .. } = change {
            keys.push(effect_wake_key(scope, key));
        }
    }
    match &event.payload {
        Payload::EffectResult(report) => keys.push(effect_wake_key(scope, &report.key)),
        Payload::Timer(delivery) => keys.push(effect_wake_key(scope, &delivery.key)),
        _ => {}
    }
    keys
}
