//! Writes a recording as a scenario: its events at their times, with the providers' answers.

use crate::record::error::ExportError;
use crate::record::recording::{RecordedEvent, Recording};
use crate::record::{answers, claims, events, timers};
use extension_contract::{Outcome, Payload, Timestamp};
use host_engine::processor::is_refused_by_intake;
use host_scenario::model::write::ScenarioText;
use host_scenario::model::{Action, Expectations, Given, Holding, OutcomeExpectation, Scenario, Step};
use host_scenario::prepare::prepare;
use host_scenario::shapes::Shapes;
use host_store::{Declared, InboxRow, InboxState, Read};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The file name of a scenario that has no file yet.
const FILE: &str = "export.yml";
/// Number of failed runs after which an event runs again only if an operator reruns it.
const FAILURES_MAX: usize = host_engine::processor::ATTEMPTS_MAX as usize;

/// Part of the error of a run whose store failed.
const UNAVAILABLE: &str = "store unavailable";

/// The parts of a scenario's `given` that the recorded events do not show.
pub(crate) struct Start<'a> {
    /// Name of the business; none if its folder determines it.
    pub business: Option<String>,
    /// The whole configuration.
    pub config: Vec<(String, String)>,
    /// The extension's declarations.
    pub declared: &'a Declared,
    /// The account's claims before the first event, by short key.
    pub held: &'a [String],
}

/// A scenario without expectations at its end.
pub(crate) struct Draft {
    /// The scenario.
    pub scenario: Scenario,
    /// Ids of events that could not be written, each with the reason.
    pub left_out: Vec<(String, &'static str)>,
}

/// The order of steps with the same time: the inbox number of an event, and a position before or after that event.
type Rank = (u64, i8);

/// A step with its time.
struct TimedStep {
    at: Timestamp,
    rank: Rank,
    action: Action,
    outcome: Option<OutcomeExpectation>,
    /// Number of the event in the recording.
    event: Option<usize>,
}

impl TimedStep {
    fn new(at: Timestamp, rank: Rank, action: Action) -> TimedStep {
        TimedStep { at, rank, action, outcome: None, event: None }
    }
}

impl Draft {
    /// Writes the draft of a recording.
    pub fn of(
        recording: &Recording,
        store: &dyn Read,
        start: &Start<'_>,
        shapes: &Shapes,
        to_the_byte: bool,
    ) -> Result<Draft, ExportError> {
        // Numbers of the events that are written raw, because their short form differs from the recording.
        let mut raw: BTreeSet<usize> = BTreeSet::new();
        loop {
            let mut left_out = Vec::new();
            let mut timed_steps = event_steps(recording, &raw, &mut left_out);
            timed_steps.extend(redriven(recording));
            let own = start.held.iter().map(|key| (key.clone(), recording.accounts[0].clone()));
            let mut given_claims: Vec<_> = own.collect();
            given_claims.extend(claims_of_others(recording, store, &mut timed_steps)?);
            hold_timers(recording, &mut timed_steps);
            timed_steps.sort_by_key(|timed| (timed.at, timed.rank));
            let (scenario, numbers) = assemble(recording, start, timed_steps, given_claims);
            // The comparison uses the scenario as parsed from its text.
            let text = ScenarioText::of(&scenario).text()?;
            let scenario = Scenario::parse(Path::new(FILE), &text).map_err(host_scenario::error::ReplayError::from)?;
            let differing = differing_events(recording, &scenario, shapes, &numbers, to_the_byte)?;
            if differing.is_subset(&raw) {
                left_out.extend(
                    differing
                        .iter()
                        .map(|at| (recording.events[*at].row.event.id.clone(), "it can't be written unchanged")),
                );
                return Ok(Draft { scenario, left_out });
            }
            raw.extend(differing);
        }
    }
}

/// Returns the steps of the events.
fn event_steps(
    recording: &Recording,
    raw: &BTreeSet<usize>,
    left_out: &mut Vec<(String, &'static str)>,
) -> Vec<TimedStep> {
    let mut timed_steps = Vec::new();
    for (number, recorded) in recording.events.iter().enumerate().filter(|(_, recorded)| recorded.is_step) {
        let event = &recorded.row.event;
        if is_refused_by_intake(&recorded.row) && !matches!(event.payload, Payload::Payment(_)) {
            left_out.push((event.id.clone(), "the intake refused it and kept no body"));
            continue;
        }
        let action = match raw.contains(&number) {
            true => events::raw(event),
            false => events::short(event, &recording.accounts[0]),
        };
        let timed = TimedStep::new(event.received_at, (recorded.row.seq, 0), action);
        timed_steps.push(TimedStep { outcome: expected(recorded), event: Some(number), ..timed });
    }
    timed_steps
}

/// Returns the expected outcome: the outcome of the first run.
fn expected(recorded: &RecordedEvent) -> Option<OutcomeExpectation> {
    // A replay does not repeat a failure of the store.
    let first =
        recorded.runs.first().filter(|run| !run.error.as_ref().is_some_and(|error| error.contains(UNAVAILABLE)))?;
    let outcome = first.outcome.as_ref().map_or("failed", Outcome::name).to_owned();
    Some(OutcomeExpectation { line: 0, outcome, reason: None, quota: None, account: None, then: None })
}

/// Returns the redrives of an operator: further runs of events that were rejected or had failed too often.
fn redriven(recording: &Recording) -> Vec<TimedStep> {
    let mut timed_steps = Vec::new();
    for recorded in recording.events.iter().filter(|recorded| recorded.is_step) {
        let mut failures = 0;
        for pair in recorded.runs.windows(2) {
            let [before, run] = pair else { continue };
            failures = if before.outcome.is_none() { failures + 1 } else { 0 };
            let was_given_up = matches!(before.outcome, Some(Outcome::Rejected(_))) || failures >= FAILURES_MAX;
            if was_given_up {
                failures = 0;
                let before = recording.events.iter().filter(|other| other.row.event.received_at <= run.at);
                let seq = before.map(|other| other.row.seq).max().unwrap_or_default();
                timed_steps.push(TimedStep::new(run.at, (seq, 2), Action::Redrive(recorded.row.event.id.clone())));
            }
        }
    }
    timed_steps
}

/// Returns the claims that other accounts held at the start, and adds steps for later changes.
fn claims_of_others(
    recording: &Recording,
    store: &dyn Read,
    timed_steps: &mut Vec<TimedStep>,
) -> Result<Vec<(String, extension_contract::Account)>, ExportError> {
    let mut given: Vec<(String, extension_contract::Account)> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for change in claims::changes(recording, store)? {
        let is_first = seen.insert(change.key.clone());
        match change.holding {
            Holding::By(holder) if is_first => given.push((change.key, holder)),
            holding => {
                let recorded =
                    recording.events.iter().rfind(|recorded| recorded.is_step && recorded.row.seq <= change.seq);
                // A change at the same time as an event goes before the event's step.
                let (at, rank) = match recorded {
                    Some(recorded) if change.is_step || recorded.row.event.received_at == change.at => {
                        (recorded.row.event.received_at, (recorded.row.seq, -1))
                    }
                    Some(recorded) => (recorded.row.event.received_at, (recorded.row.seq, 1)),
                    None => (change.at, (0, -1)),
                };
                timed_steps.push(TimedStep::new(at, rank, Action::Claims(vec![(change.key, holding)])));
            }
        }
    }
    Ok(given)
}

/// Adds steps that stop the timers shortly before a timer was due but did not fire, and that start them when it fired.
fn hold_timers(recording: &Recording, timed_steps: &mut Vec<TimedStep>) {
    for hold in timers::holds(recording) {
        let begins =
            recording.began.into_iter().chain(recording.events.first().map(|recorded| recorded.row.event.received_at));
        let before = hold.from.saturating_sub(1).max(begins.min().unwrap_or(hold.from).min(hold.from));
        timed_steps.push(TimedStep::new(before, (0, -2), Action::Timers(false)));
        if let Some((at, seq)) = hold.until {
            timed_steps.push(TimedStep::new(at, (seq, 1), Action::Timers(true)));
        }
    }
}

/// Returns the scenario of these steps, and the number of each step's event in the recording.
fn assemble(
    recording: &Recording,
    start: &Start<'_>,
    timed_steps: Vec<TimedStep>,
    claims: Vec<(String, extension_contract::Account)>,
) -> (Scenario, Vec<Option<usize>>) {
    let first = timed_steps.first().map(|timed| timed.at);
    let clock = recording.began.into_iter().chain(first).min().unwrap_or_default();
    let account = &recording.accounts[0];
    let given = Given {
        business: start.business.clone(),
        clock,
        livemode: recording.partition.livemode,
        config: start.config.clone(),
        account: Some(account.clone()),
        by: None,
        accounts: recording.accounts.clone(),
        claims,
        answers: answers::answers(recording, start.declared),
    };
    let (mut steps, mut numbers, mut now) = (Vec::new(), Vec::new(), clock);
    let mut push = |action: Action, outcome: Option<OutcomeExpectation>, number: Option<usize>| {
        steps.push(Step { outcome, ..Step::new(action) });
        numbers.push(number);
    };
    for timed in timed_steps {
        if timed.at > now {
            now = timed.at;
            push(Action::Until(now), None, None);
        }
        push(timed.action, timed.outcome, timed.event);
    }
    if let Some(ended) = recording.ended().filter(|ended| *ended > now) {
        push(Action::Until(ended), None, None);
    }
    if steps.is_empty() {
        // If the events are erased or only timers ran, the scenario has one step that sets the clock.
        steps.push(Step::new(Action::Until(clock)));
        numbers.push(None);
    }
    let scenario = Scenario {
        file: PathBuf::from(FILE),
        name: format!("the story of {account}"),
        covers: Vec::new(),
        known_to_fail: None,
        versions: None,
        budget: None,
        given,
        steps,
        expect: Expectations::default(),
    };
    (scenario, numbers)
}

/// Returns the events that the scenario would deliver differently from the recording.
fn differing_events(
    recording: &Recording,
    scenario: &Scenario,
    shapes: &Shapes,
    numbers: &[Option<usize>],
    to_the_byte: bool,
) -> Result<BTreeSet<usize>, ExportError> {
    let cases = prepare(scenario, shapes).map_err(host_scenario::error::ReplayError::from)?;
    let Some(case) = cases.first() else { return Ok(BTreeSet::new()) };
    let mut differing = BTreeSet::new();
    for (number, delivery) in numbers.iter().zip(&case.deliveries) {
        let (Some(number), Some(delivery)) = (number, delivery) else { continue };
        let event = &recording.events[*number].row.event;
        if !events::is_same(&delivery.bytes, event, delivery.clock, to_the_byte) {
            differing.insert(*number);
        }
    }
    Ok(differing)
}

/// Returns the last outcome of an event, or `failed` if there is none.
pub(crate) fn last_outcome(row: &InboxRow) -> &'static str {
    match (&row.state, &row.outcome) {
        (InboxState::Pending { .. } | InboxState::Dead, _) | (_, None) => "failed",
        (_, Some(outcome)) => outcome.name(),
    }
}
