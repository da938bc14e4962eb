//! A recording as a scenario: its events at their times, with what answered them.

use crate::error::ExportError;
use crate::recording::{Recording, Told};
use crate::{answers, claims, events, timers};
use extension_contract::{Outcome, Payload, Timestamp};
use host::processor::is_refused_by_intake;
use host_scenario::model::write::ScenarioText;
use host_scenario::model::{Action, Expectations, Given, Holding, OutcomeExpectation, Scenario, Step};
use host_scenario::prepare::prepare;
use host_scenario::shapes::Shapes;
use host_store::{Declared, InboxRow, InboxState, Store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The file that a scenario says it stands in until it has one.
const FILE: &str = "export.yml";
/// Failed runs after which nobody but an operator runs an event again.
const FAILURES_MAX: usize = host::processor::ATTEMPTS_MAX as usize;

/// What the error of a store that failed says.
const UNAVAILABLE: &str = "store unavailable";

/// What a scenario begins with that no event tells.
pub(crate) struct Start<'a> {
    /// Name of the business; none where its folder says it.
    pub business: Option<String>,
    /// The configuration, whole.
    pub config: Vec<(String, String)>,
    /// What the extension declares.
    pub declared: &'a Declared,
    /// Claims that the account had before the first event, by short key.
    pub held: &'a [String],
}

/// A story in the making.
pub(crate) struct Draft {
    /// The scenario, with nothing expected at its end.
    pub scenario: Scenario,
    /// Events that could not be told, by id, each with the reason.
    pub left_out: Vec<(String, &'static str)>,
}

/// Where a step stands among those of its time: after which event of the inbox, and before or after that itself.
type Rank = (u64, i8);

struct Moment {
    at: Timestamp,
    rank: Rank,
    action: Action,
    outcome: Option<OutcomeExpectation>,
    /// The event, by its number in the recording.
    event: Option<usize>,
}

impl Moment {
    fn new(at: Timestamp, rank: Rank, action: Action) -> Moment {
        Moment { at, rank, action, outcome: None, event: None }
    }
}

impl Draft {
    /// The story of a recording.
    pub fn of(
        recording: &Recording,
        store: &dyn Store,
        start: &Start<'_>,
        shapes: &Shapes,
        to_the_byte: bool,
    ) -> Result<Draft, ExportError> {
        // Events that have no shorter form than the one in which they came.
        let mut raw: BTreeSet<usize> = BTreeSet::new();
        loop {
            let mut left_out = Vec::new();
            let mut moments = told(recording, &raw, &mut left_out);
            moments.extend(redriven(recording));
            let own = start.held.iter().map(|key| (key.clone(), recording.accounts[0].clone()));
            let mut given_claims: Vec<_> = own.collect();
            given_claims.extend(claims_of_others(recording, store, &mut moments)?);
            hold_timers(recording, &mut moments);
            moments.sort_by_key(|moment| (moment.at, moment.rank));
            let (scenario, numbers) = assemble(recording, start, moments, given_claims);
            // What is compared is what a reader makes of the file.
            let text = ScenarioText::of(&scenario).text()?;
            let scenario = Scenario::parse(Path::new(FILE), &text).map_err(host_scenario::error::ReplayError::from)?;
            let others = others(recording, &scenario, shapes, &numbers, to_the_byte)?;
            if others.is_subset(&raw) {
                left_out.extend(
                    others
                        .iter()
                        .map(|at| (recording.events[*at].row.event.id.clone(), "it can't be written as it came")),
                );
                return Ok(Draft { scenario, left_out });
            }
            raw.extend(others);
        }
    }
}

/// The events that must be told.
fn told(recording: &Recording, raw: &BTreeSet<usize>, left_out: &mut Vec<(String, &'static str)>) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (number, told) in recording.events.iter().enumerate().filter(|(_, told)| told.is_told) {
        let event = &told.row.event;
        if is_refused_by_intake(&told.row) && !matches!(event.payload, Payload::Provider(_)) {
            left_out.push((event.id.clone(), "the intake refused it, and keeps no body"));
            continue;
        }
        let action = match raw.contains(&number) {
            true => events::raw(event),
            false => events::short(event, &recording.accounts[0]),
        };
        let moment = Moment::new(event.received_at, (told.row.seq, 0), action);
        moments.push(Moment { outcome: expected(told), event: Some(number), ..moment });
    }
    moments
}

/// The outcome of the first run.
fn expected(told: &Told) -> Option<OutcomeExpectation> {
    // A store that failed then does not fail again.
    let first = told.runs.first().filter(|run| !run.error.as_ref().is_some_and(|error| error.contains(UNAVAILABLE)))?;
    let outcome = first.outcome.as_ref().map_or("failed", Outcome::name).to_owned();
    Some(OutcomeExpectation { line: 0, outcome, reason: None, quota: None, account: None, then: None })
}

/// Runs that an operator asked for: of what was rejected, or had failed too often.
fn redriven(recording: &Recording) -> Vec<Moment> {
    let mut moments = Vec::new();
    for told in recording.events.iter().filter(|told| told.is_told) {
        let mut failures = 0;
        for pair in told.runs.windows(2) {
            let [before, run] = pair else { continue };
            failures = if before.outcome.is_none() { failures + 1 } else { 0 };
            let was_given_up = matches!(before.outcome, Some(Outcome::Rejected(_))) || failures >= FAILURES_MAX;
            if was_given_up {
                failures = 0;
                let before = recording.events.iter().filter(|other| other.row.event.received_at <= run.at);
                let seq = before.map(|other| other.row.seq).max().unwrap_or_default();
                moments.push(Moment::new(run.at, (seq, 2), Action::Redrive(told.row.event.id.clone())));
            }
        }
    }
    moments
}

/// Claims that others had from the start; those that changed hands later become steps.
fn claims_of_others(
    recording: &Recording,
    store: &dyn Store,
    moments: &mut Vec<Moment>,
) -> Result<Vec<(String, extension_contract::Account)>, ExportError> {
    let mut given: Vec<(String, extension_contract::Account)> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for change in claims::changes(recording, store)? {
        let is_first = seen.insert(change.key.clone());
        match change.holding {
            Holding::By(holder) if is_first => given.push((change.key, holder)),
            holding => {
                let told = recording.events.iter().rfind(|told| told.is_told && told.row.seq <= change.seq);
                // What an event brings about at its own time happens within its step.
                let (at, rank) = match told {
                    Some(told) if change.is_told || told.row.event.received_at == change.at => {
                        (told.row.event.received_at, (told.row.seq, -1))
                    }
                    Some(told) => (told.row.event.received_at, (told.row.seq, 1)),
                    None => (change.at, (0, -1)),
                };
                moments.push(Moment::new(at, rank, Action::Claims(vec![(change.key, holding)])));
            }
        }
    }
    Ok(given)
}

/// Steps that stop the timers shortly before one was due that did not fire, and let them go on when it did.
fn hold_timers(recording: &Recording, moments: &mut Vec<Moment>) {
    for hold in timers::holds(recording) {
        let begins = recording.began.into_iter().chain(recording.events.first().map(|told| told.row.event.received_at));
        let before = hold.from.saturating_sub(1).max(begins.min().unwrap_or(hold.from).min(hold.from));
        moments.push(Moment::new(before, (0, -2), Action::Timers(false)));
        if let Some((at, seq)) = hold.until {
            moments.push(Moment::new(at, (seq, 1), Action::Timers(true)));
        }
    }
}

/// The scenario of these steps, with the number of the event that each step tells.
fn assemble(
    recording: &Recording,
    start: &Start<'_>,
    moments: Vec<Moment>,
    claims: Vec<(String, extension_contract::Account)>,
) -> (Scenario, Vec<Option<usize>>) {
    let first = moments.first().map(|moment| moment.at);
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
    for moment in moments {
        if moment.at > now {
            now = moment.at;
            push(Action::Until(now), None, None);
        }
        push(moment.action, moment.outcome, moment.event);
    }
    if let Some(ended) = recording.ended().filter(|ended| *ended > now) {
        push(Action::Until(ended), None, None);
    }
    if steps.is_empty() {
        // Of an account whose events are all gone, or that only timers moved, nothing is told but the clock.
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

/// Events that the scenario tells otherwise than they were recorded.
fn others(
    recording: &Recording,
    scenario: &Scenario,
    shapes: &Shapes,
    numbers: &[Option<usize>],
    to_the_byte: bool,
) -> Result<BTreeSet<usize>, ExportError> {
    let cases = prepare(scenario, shapes).map_err(host_scenario::error::ReplayError::from)?;
    let Some(case) = cases.first() else { return Ok(BTreeSet::new()) };
    let mut others = BTreeSet::new();
    for (number, delivery) in numbers.iter().zip(&case.deliveries) {
        let (Some(number), Some(delivery)) = (number, delivery) else { continue };
        let event = &recording.events[*number].row.event;
        if !events::is_same(&delivery.bytes, event, delivery.clock, to_the_byte) {
            others.insert(*number);
        }
    }
    Ok(others)
}

/// The last outcome of an event, `failed` where there is none.
pub(crate) fn last_outcome(row: &InboxRow) -> &'static str {
    match (&row.state, &row.outcome) {
        (InboxState::Pending { .. } | InboxState::Dead, _) | (_, None) => "failed",
        (_, Some(outcome)) => outcome.name(),
    }
}
