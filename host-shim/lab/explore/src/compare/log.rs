//! Feeds the events of a recorded log, in their order, to two processors with empty stores.
//!
//! No effect is carried out: the log contains the results of the effects.

use crate::compare::causes::Grouper;
use crate::compare::lockstep::{Engine, Lockstep, Side};
use crate::compare::place::EventPlace;
use crate::compare::{Comparison, Options, Progress, Record, Step, story};
use extension_contract::{Account, Event, Payload};
use host_business::folder::BusinessFolder;
use host_engine::processor::{Processor, Report, difference_from_record, is_refused_by_intake, is_refused_by_limit};
use host_replay::library::Library;
use host_replay::runners::Runners;
use host_scenario::error::ReplayError;
use host_store::{Changes, EffectChange, EffectState, InboxRow, MemoryStore, Read, Scope};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Number of log rows per page.
const PAGE: usize = 500;

/// A business in one mode, on both sides.
struct Log {
    business: Arc<BusinessFolder>,
    lockstep: Lockstep<Processor>,
    /// Pairs of inbox numbers of the same event: in the log, and in OLD's store.
    recorded: Vec<(u64, u64)>,
    /// Erased accounts: the log lacks the payloads of their events.
    erased: HashSet<Account>,
}

/// Compares two components on a recorded log. The library looks up a business by name in the fixtures, or as it is
/// configured.
///
/// # Errors
///
/// Fails if the store fails or has no event, a business is not found, or its configuration does not match the
/// declarations of a component.
pub fn compare(
    library: &mut Library<'_>,
    recording: &dyn Read,
    options: &Options,
    progress: &mut Progress<'_>,
) -> Result<Comparison, ReplayError> {
    let mut grouper = Grouper::new(&options.allow);
    let mut logs: BTreeMap<(String, bool), Log> = BTreeMap::new();
    let (mut after, mut first) = (0, None);
    loop {
        let page = recording.inbox_after(None, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        progress(Step::Done(page.len() as u64));
        for row in page {
            let key = (row.event.business.clone(), row.livemode);
            if !logs.contains_key(&key) {
                let business = library.business_named(&key.0)?;
                let start = |runners: &Runners| Side::new(runners, |runners| processor(&business, key.1, &runners));
                let lockstep = Lockstep::new(start(&options.old)?, start(&options.new)?);
                let log = Log { business: business.clone(), lockstep, recorded: Vec::new(), erased: HashSet::new() };
                logs.insert(key.clone(), log);
            }
            let Some(log) = logs.get_mut(&key) else { continue };
            let seq = row.seq;
            log.feed(recording, row, &mut grouper)?;
            if first.is_none() {
                let found = grouper.first_of_case().cloned();
                first = found.map(|(_, cause, account)| (key, seq, cause, account));
            }
        }
    }
    if logs.is_empty() {
        return Err(ReplayError::Usage(
            "the store has no event; expected the store of a host or of `replay --store`".to_owned(),
        ));
    }
    let mut record = Record::default();
    for log in logs.values() {
        log.compare_with_record(recording, &mut record)?;
    }
    let mut stories = Vec::new();
    if let Some(((name, livemode), seq, cause, Some(account))) = first
        && let (Ok(account), Some(log)) = (account.parse::<Account>(), logs.get(&(name, livemode)))
    {
        let partition = log.lockstep.old.engine.partition().clone();
        stories.extend(story::of_account(recording, &partition, &account, seq, &log.business, cause)?);
    }
    let (old, new) = (options.old.name().to_owned(), options.new.name().to_owned());
    let (causes, fuel, runs) = grouper.into_parts();
    Ok(Comparison { old, new, cases: logs.len() as u64, runs, causes, fuel, record: Some(record), stories })
}

fn processor(business: &BusinessFolder, livemode: bool, runners: &Runners) -> Result<Processor, ReplayError> {
    let runner = runners.make()?;
    let manifest = runners.manifest(runner.declarations())?.unwrap_or_default();
    Processor::new(Box::new(MemoryStore::new()), runner, business.for_engine(livemode, &[], &manifest))
        .map_err(|error| ReplayError::Config { business: business.name.clone(), error })
}

impl Log {
    fn feed(&mut self, recording: &dyn Read, row: InboxRow, grouper: &mut Grouper<'_>) -> Result<(), ReplayError> {
        if row.erased {
            self.erased.extend(row.event.account);
            return Ok(());
        }
        // Either the intake refused the event before any component ran, or the host refused it because of what was open
        // at that time.
        if is_refused_by_intake(&row) || is_refused_by_limit(&row) {
            return Ok(());
        }
        let (seq, mut event) = (row.seq, row.event);
        if matches!(event.payload, Payload::Payment(_)) {
            event.account = None;
        }
        let place = EventPlace::Log(seq);
        let number = usize::try_from(seq).unwrap_or(usize::MAX);
        let (event, raw) = (event, row.raw);
        let reports = self.lockstep.step(&place, number, grouper, |processor| {
            mark_ended(processor, &event)?;
            Ok(processor.accept(event.clone(), raw.clone())?)
        })?;
        if let Some(report) = reports[0].first() {
            self.recorded.push((seq, report.seq));
        }
        for (side, reports) in [&mut self.lockstep.old, &mut self.lockstep.new].into_iter().zip(&reports) {
            mark_begun(recording, &mut side.engine, reports)?;
        }
        Ok(())
    }

    /// Compares the results of OLD with the recorded results, after the last event.
    fn compare_with_record(&self, recording: &dyn Read, record: &mut Record) -> Result<(), ReplayError> {
        let store = self.lockstep.old.engine.processor().store();
        for (recorded, replayed) in &self.recorded {
            let (Some(recorded), Some(replayed)) = (recording.inbox(*recorded)?, store.inbox(*replayed)?) else {
                continue;
            };
            if recorded.event.account.as_ref().is_some_and(|account| self.erased.contains(account)) {
                continue;
            }
            record.events += 1;
            let Some(first) = difference_from_record(&recorded, &replayed).into_iter().next() else { continue };
            record.differing += 1;
            record.first.get_or_insert_with(|| {
                let (seq, id, field) = (first.seq, &first.event_id, first.field);
                format!("event {seq} ({id}): {field} was {}, is {}", first.recorded, first.replayed)
            });
        }
        Ok(())
    }
}

/// Marks new effects as running if the log shows that they began, so that they can't be cancelled.
fn mark_begun(recording: &dyn Read, processor: &mut Processor, reports: &[Report]) -> Result<(), ReplayError> {
    for report in reports {
        let Some(account) = &report.account else { continue };
        let scope = processor.scope(account.clone());
        for asked in &report.effects {
            let generations = recording.effect(&scope, &asked.key)?;
            let known = generations.iter().find(|row| row.effect.generation == asked.generation);
            if known.is_some_and(|row| row.attempts > 0) {
                set_effect_state(processor, &scope, &asked.key, asked.generation, EffectState::Running)?;
            }
        }
    }
    Ok(())
}

/// Marks an effect as finished if the event is its result, its timer or its message.
fn mark_ended(processor: &mut Processor, event: &Event) -> Result<(), ReplayError> {
    let (account, key, generation) = match &event.payload {
        Payload::EffectResult(report) => (event.account.as_ref(), &report.key, report.generation),
        Payload::Timer(delivery) | Payload::Message(delivery) => {
            (Some(&delivery.sender), &delivery.key, delivery.generation)
        }
        _ => return Ok(()),
    };
    let Some(account) = account else { return Ok(()) };
    let scope = processor.scope(account.clone());
    set_effect_state(processor, &scope, key, generation, EffectState::Finished)
}

fn set_effect_state(
    processor: &mut Processor,
    scope: &Scope,
    key: &str,
    generation: u32,
    state: EffectState,
) -> Result<(), ReplayError> {
    let generations = processor.store().effect(scope, key)?;
    let Some(row) = generations.into_iter().find(|row| row.effect.generation == generation && row.state.is_open())
    else {
        return Ok(());
    };
    let update = EffectChange::Update {
        key: key.to_owned(),
        generation,
        state,
        attempts: row.attempts,
        due_at: row.due_at,
        lease: row.lease,
    };
    let changes =
        Changes { scope: Some(scope.clone()), event_id: "log".to_owned(), effects: vec![update], ..Changes::default() };
    processor.store_mut().apply(&changes)?;
    Ok(())
}
