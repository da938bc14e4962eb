//! Runs a scenario in one API version and checks its expectations.

mod check;
mod local_stripe;
mod missing_price;
mod snapshot;
pub mod webhook;

use crate::line::{Line, Summary};
use crate::live::LiveProviders;
use crate::rig::{Delivered, Rig, RigSetup, StoreKind};
use crate::runners::Runners;
use crate::shuffle;
use crate::tally::Tally;
use check::{Failures, StepResult};
use extension_contract::Timestamp;
use host_engine::processor::Report;
use host_intake::Decoded;
use host_intake::request::{Taken, WebhookReply};
use host_provider_api::scripted::PassedOver;
use host_scenario::business::BusinessFolder;
use host_scenario::error::{BadInput, Place, ReplayError};
use host_scenario::matcher::Matcher;
use host_scenario::model::budget::{self, ExceededLimit};
use host_scenario::model::{Action, Budget, KnownFailure, Scenario, Step};
use host_scenario::prepare::{Case, PreparedEvent};
use local_stripe::StripeConnection;
use missing_price::MissingPrice;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use check::{Failure, reply_value};

/// Options for running cases.
#[derive(Clone, Debug)]
pub struct PlayOptions {
    /// The extension.
    pub runners: Runners,
    /// The store of each case.
    pub store: StoreKind,
    /// The order of the Stripe events between two steps of other kinds.
    pub order: Order,
    /// The number of deliveries of each Stripe event, at least 1.
    pub repeat: u32,
    /// Rewrites snapshots instead of comparing them, and reports exceeded budgets instead of failing.
    pub bless: bool,
    /// Providers that replace the scripted one for the effects that they handle.
    pub live: Option<LiveProviders>,
}

impl PlayOptions {
    /// Returns options that deliver each event once, in the written order, in memory, with the scripted provider.
    pub fn new(runners: Runners) -> PlayOptions {
        PlayOptions { runners, store: StoreKind::Memory, order: Order::Written, repeat: 1, bless: false, live: None }
    }
}

/// The order in which the Stripe events between two steps of other kinds are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The written order, each event at its own time; all expectations are checked.
    Written,
    /// All these events take place at the newest time among them, in the written order or in a random order with this seed. Only the state
    /// is checked.
    Together(Option<u64>),
}

/// The result of one case: a scenario in one API version.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// Name of the scenario.
    pub name: String,
    /// File of the scenario.
    pub file: PathBuf,
    /// The API version.
    pub version: String,
    /// The failed expectations.
    pub failures: Vec<Failure>,
    /// The limits that events exceeded, in order of the runs. Unless `bless` is set, each is also a failure.
    pub over: Vec<ExceededLimit>,
    /// The known failure that the scenario declares, if the case failed.
    pub known: Option<KnownFailure>,
    /// The scripted answers that calls did not get, because live providers carried out their effects.
    pub passed_over: Vec<PassedOver>,
    /// The lines of all runs, in order.
    pub lines: Vec<Line>,
    /// Final outcomes of the input events, and the hash of the state.
    pub summary: Summary,
    /// The state in the snapshot format.
    pub snapshot: Value,
    /// The requested effects as `account key`, sorted.
    pub effects: Vec<String>,
    /// Number of assertions.
    pub assertions: usize,
    /// The duration.
    pub took: Duration,
}

impl CaseReport {
    /// Returns true if every expectation held and every event has an outcome.
    pub fn held(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns true if expectations failed and live providers carried out effects for which the scenario has answers. The expectations may
    /// need these answers, so the case proves nothing. A failure outside the expectations, such as an event without an outcome, is a
    /// failure with any answers.
    pub fn needs_answers(&self) -> bool {
        let is_of_expectation = |failure: &Failure| failure.line > 0;
        let has_only_failed_expectations = !self.held() && self.failures.iter().all(is_of_expectation);
        self.known.is_none() && !self.passed_over.is_empty() && has_only_failed_expectations
    }

    /// Returns the status of the case in reports: `held`, `failed`, `known` if the scenario declares the failure as
    /// known, or `needs-answers` as in [`CaseReport::needs_answers`].
    pub fn status(&self) -> &'static str {
        match (self.held(), &self.known) {
            (true, _) => "held",
            (false, None) if self.needs_answers() => "needs-answers",
            (false, None) => "failed",
            (false, Some(_)) => "known",
        }
    }

    /// Returns the report with exceeded budgets as failures.
    fn with_budgets(mut self) -> CaseReport {
        let failure = |over: &ExceededLimit| Failure {
            file: self.file.clone(),
            line: over.limit.line,
            title: over.to_string(),
            diff: String::new(),
        };
        self.failures.extend(self.over.iter().map(failure));
        self
    }

    /// Returns true if an expectation failed, the failure is not known, and no answers are missing.
    pub fn failed(&self) -> bool {
        self.status() == "failed"
    }
}

/// Runs one case.
///
/// # Errors
///
/// Fails if the case can't be run to its end.
pub fn play(
    scenario: &Scenario,
    case: &Case,
    business: &BusinessFolder,
    options: &PlayOptions,
) -> Result<CaseReport, ReplayError> {
    let report = run(scenario, case, business, options, None)?;
    Ok(if options.bless { report } else { report.with_budgets() })
}

/// A callback for the result of each step. If it returns an error, the case ends.
pub type Watch<'w> = dyn FnMut(Stepped<'_>) -> Result<(), ReplayError> + 'w;

/// The result of a step of a case. The host is idle.
pub struct Stepped<'a> {
    /// Index of the step in its scenario, from 0; none before the first step.
    pub step: Option<usize>,
    /// All runs of events since the previous step, in order. They include the runs that the clock caused before the
    /// event of the step.
    pub reports: &'a [Report],
    /// The host after the step.
    pub host: &'a mut Rig,
}

/// Runs one case and calls `watch` after each step.
///
/// # Errors
///
/// Fails if the case can't be run to its end, or `watch` fails.
pub fn play_watched(
    scenario: &Scenario,
    case: &Case,
    business: &BusinessFolder,
    options: &PlayOptions,
    watch: &mut Watch<'_>,
) -> Result<CaseReport, ReplayError> {
    let report = run(scenario, case, business, options, Some(watch))?;
    Ok(if options.bless { report } else { report.with_budgets() })
}

/// Runs one case. Exceeded budgets are not failures yet.
fn run(
    scenario: &Scenario,
    case: &Case,
    business: &BusinessFolder,
    options: &PlayOptions,
    watch: Option<&mut Watch<'_>>,
) -> Result<CaseReport, ReplayError> {
    let began = Instant::now();
    let mut player = Player::start(scenario, case, business, options)?;
    player.watched = watch.is_some();
    let mut nobody = |_: Stepped<'_>| Ok(());
    let watch = watch.unwrap_or(&mut nobody);
    player.report_step(None, watch)?;
    match options.order {
        Order::Written => player.in_order(watch)?,
        Order::Together(seed) => player.together(seed, watch)?,
    }
    player.finish(began)
}

/// Runs one case in the written order, and calls `look` with the host before it creates the report.
///
/// # Errors
///
/// Fails if the case can't be run to its end, or `look` fails.
pub fn play_and_look(
    scenario: &Scenario,
    case: &Case,
    business: &BusinessFolder,
    options: &PlayOptions,
    look: &mut dyn FnMut(&mut Rig) -> Result<(), ReplayError>,
) -> Result<CaseReport, ReplayError> {
    let began = Instant::now();
    let mut player = Player::start(scenario, case, business, options)?;
    player.in_order(&mut |_| Ok(()))?;
    look(&mut player.host)?;
    player.finish(began)
}

/// Runs a scenario in all its API versions. A final state that differs from that of another version or order is a failure.
///
/// # Errors
///
/// Fails if a case can't be run to its end.
pub fn play_all(
    scenario: &Scenario,
    cases: &[Case],
    business: &BusinessFolder,
    options: &PlayOptions,
) -> Result<Vec<CaseReport>, ReplayError> {
    play_all_watched(scenario, cases, business, options, None)
}

/// Runs a scenario as [`play_all`] does and calls `watch` after each step of each case.
///
/// # Errors
///
/// Fails if a case can't be run to its end, or `watch` fails.
pub fn play_all_watched(
    scenario: &Scenario,
    cases: &[Case],
    business: &BusinessFolder,
    options: &PlayOptions,
    mut watch: Option<&mut Watch<'_>>,
) -> Result<Vec<CaseReport>, ReplayError> {
    let mut reports: Vec<CaseReport> = Vec::new();
    for case in cases {
        let first_version = reports.is_empty();
        let of_case = PlayOptions { bless: options.bless && first_version, ..options.clone() };
        let mut report = run(scenario, case, business, &of_case, watch.as_deref_mut())?;
        if !options.bless {
            report = report.with_budgets();
        }
        if let Order::Together(Some(seed)) = options.order {
            let written = PlayOptions { order: Order::Together(None), ..of_case };
            let written = play(scenario, case, business, &written)?;
            check::same_state(&written, &format!("the written order (seed {seed})"), &mut report);
        }
        if let Some(first) = reports.first() {
            check::same_state(first, &first.version, &mut report);
            if options.order == Order::Written {
                check::same_effects(first, &mut report);
            }
        }
        reports.push(report);
    }
    if let Some(known) = &scenario.known_to_fail {
        mark_known(known, options.order, &mut reports);
    }
    Ok(reports)
}

/// Marks the failures of a scenario that is known to fail. If the scenario passes in every version, its marker is outdated, which is a
/// failure. In another order this is not a failure, because only the state is checked.
fn mark_known(known: &KnownFailure, order: Order, reports: &mut [CaseReport]) {
    let holds = reports.iter().all(CaseReport::held);
    if let (Some(first), true, Order::Written) = (reports.first_mut(), holds, order) {
        let title = format!("it holds, though `known_to_fail` says `{known}`: remove the marker");
        first.failures.push(Failure { file: first.file.clone(), line: known.line, title, diff: String::new() });
        return;
    }
    for report in reports.iter_mut().filter(|report| !report.held()) {
        report.known = Some(known.clone());
    }
}

/// Decodes the event that a step delivers, at the host's time. Returns the event and the reply to a webhook. A refused
/// webhook has no event; a step without a webhook has no reply.
///
/// # Errors
///
/// Fails if the event can't be decoded or the business has no such webhook.
pub fn decoded(
    host: &Rig,
    file: &Path,
    step: &Step,
    delivery: &PreparedEvent,
) -> Result<(Option<Decoded>, Option<WebhookReply>), ReplayError> {
    let place = Place::line(file, step.line);
    let business = &host.setup().business;
    let Some(signed) = &delivery.webhook else {
        let read = host_intake::raw::read(delivery.bytes.clone(), &business.name, host.clock());
        let event = read.map_err(|error| BadInput::new(place, error.to_string(), "an event that can be read"))?;
        return Ok((Some(event), None));
    };
    let answer = webhook::deliver(business, place, signed, delivery.bytes.clone(), host.clock())?;
    let event = match &answer.taken {
        Taken::Event(decoded, _) => Some((**decoded).clone()),
        Taken::Quarantined(_) | Taken::Nothing(_) => None,
    };
    Ok((event, Some(answer)))
}

/// Checks the expectations of the state at the end of a scenario. Returns the failures.
///
/// # Errors
///
/// Fails if the state can't be read.
pub fn at_the_end(host: &mut Rig, scenario: &Scenario, case: &Case) -> Result<Vec<Failure>, ReplayError> {
    let mut failures = Failures::new(&scenario.file);
    failures.state(host, scenario, &scenario.expect)?;
    failures.then(host, scenario, &case.happens)?;
    Ok(failures.into_list())
}

struct Player<'a> {
    scenario: &'a Scenario,
    case: &'a Case,
    options: &'a PlayOptions,
    host: Rig,
    /// The local Stripe, if there is one.
    stripe: Option<StripeConnection>,
    failures: Failures<'a>,
    over: Vec<ExceededLimit>,
    /// The budgets of steps, by the id of their event.
    budgets: HashMap<String, Budget>,
    /// True if a watch receives the reports.
    watched: bool,
    /// The reports since the last call of the watch.
    reports: Vec<Report>,
    missing_price: Option<MissingPrice>,
    lines: Vec<Line>,
    tally: Tally,
    /// The inbox number of each event, by id.
    seqs: HashMap<String, u64>,
    /// The expectations of replies that have not arrived, each with the inbox number and the id of its event.
    pending_replies: Vec<(Matcher, u64, String)>,
}

impl<'a> Player<'a> {
    fn start(
        scenario: &'a Scenario,
        case: &'a Case,
        business: &BusinessFolder,
        options: &'a PlayOptions,
    ) -> Result<Self, ReplayError> {
        let given = &scenario.given;
        let local_stripe = options.live.as_ref().and_then(LiveProviders::stripe);
        let begin = |stripe| StripeConnection::begin(stripe, &business.name, &case.version, given.clock);
        let stripe = local_stripe.map(begin).transpose()?;
        let mut host = Rig::start(RigSetup {
            business: business.clone(),
            livemode: given.livemode,
            config: given.config.clone(),
            runners: if scenario.limits_memory() { options.runners.fresh() } else { options.runners.clone() },
            store: options.store.clone(),
            clock: given.clock,
            live: options.live.clone(),
        })?;
        host.forget_asked()?;
        host.script(&given.answers);
        host.hold_claims(&given.claims)?;
        host.set_accounts(&given.accounts);
        let mut player = Player {
            scenario,
            case,
            options,
            host,
            stripe,
            failures: Failures::new(&scenario.file),
            over: Vec::new(),
            budgets: HashMap::new(),
            watched: false,
            reports: Vec::new(),
            missing_price: None,
            lines: Vec::new(),
            tally: Tally::default(),
            seqs: HashMap::new(),
            pending_replies: Vec::new(),
        };
        player.receive_webhooks()?;
        Ok(player)
    }

    fn in_order(&mut self, watch: &mut Watch<'_>) -> Result<(), ReplayError> {
        for (at, step) in self.scenario.steps.iter().enumerate() {
            if self.case.happens[at] {
                self.step(step, self.case.deliveries[at].as_ref(), self.case.clocks[at])?;
                self.report_step(Some(at), watch)?;
            }
        }
        self.check_end()
    }

    /// Calls the watch with the reports since its last call.
    fn report_step(&mut self, step: Option<usize>, watch: &mut Watch<'_>) -> Result<(), ReplayError> {
        let reports = std::mem::take(&mut self.reports);
        watch(Stepped { step, reports: &reports, host: &mut self.host })
    }

    /// Runs the steps as described for [`Order::Together`]: delivers all Stripe events between two steps of other kinds at the newest time
    /// among them, in the random order of the seed or, without a seed, in the written order.
    fn together(&mut self, seed: Option<u64>, watch: &mut Watch<'_>) -> Result<(), ReplayError> {
        let steps = &self.scenario.steps;
        let mut random = seed.map(shuffle::Random::new);
        let mut at = 0;
        while at < steps.len() {
            let segment: Vec<usize> = (at..steps.len()).take_while(|i| steps[*i].action.is_payment_event()).collect();
            if segment.is_empty() {
                if self.case.happens[at] && !matches!(steps[at].action, Action::Check(_)) {
                    self.step(
                        &steps[at].without_expectations(),
                        self.case.deliveries[at].as_ref(),
                        self.case.clocks[at],
                    )?;
                    self.report_step(Some(at), watch)?;
                }
                at += 1;
                continue;
            }
            at += segment.len();
            let mut happening: Vec<usize> = segment.into_iter().filter(|i| self.case.happens[*i]).collect();
            let clock = happening.iter().map(|i| self.case.clocks[*i]).max().unwrap_or(self.host.clock());
            if let Some(random) = &mut random {
                random.shuffle(&mut happening);
                shuffle::keep_order_of_same(&mut happening, |at| steps[at].action.event_id());
            }
            for index in happening {
                self.step(&steps[index].without_expectations(), self.case.deliveries[index].as_ref(), clock)?;
                self.report_step(Some(index), watch)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, delivery: Option<&PreparedEvent>, clock: Timestamp) -> Result<(), ReplayError> {
        let before = match step.unchanged {
            Some(line) => Some((line, self.host.state()?, crate::state::snapshot(self.host.processor())?)),
            None => None,
        };
        self.time_at_stripe(clock)?;
        self.time(step, clock)?;
        self.receive_webhooks()?;
        match &step.action {
            Action::Advance(_) | Action::Until(_) => {}
            Action::Answers(answers) => self.host.script(answers),
            Action::Claims(claims) => {
                claims.iter().try_for_each(|(key, holding)| self.host.hold_claim(key, holding))?;
            }
            Action::Timers(fire) => {
                self.host.set_fire_timers(*fire);
                let reports = self.host.settle()?;
                self.following(&reports)?;
            }
            Action::Restart => {
                let reports = self.host.restart()?;
                self.following(&reports)?;
            }
            Action::Check(expectations) => self.failures.state(&mut self.host, self.scenario, expectations)?,
            Action::Redrive(id) => self.redrive(step, id)?,
            Action::AtStripe(call) => self.at_stripe(step, call)?,
            Action::Stripe(_)
            | Action::Command(_)
            | Action::Fact(_)
            | Action::Product(_)
            | Action::Usage(_)
            | Action::Webhook(_)
            | Action::Raw(_)
            | Action::Same(_) => {
                let Some(delivery) = delivery else { return Ok(()) };
                self.deliver(step, delivery)?;
            }
        }
        self.receive_webhooks()?;
        if let Some((line, state, snapshot)) = before
            && state != self.host.state()?
        {
            self.failures.changed(line, &snapshot, &crate::state::snapshot(self.host.processor())?);
        }
        Ok(())
    }

    /// Advances the clock to the time of the step. If the step only advances the clock, its `kill` applies here.
    fn time(&mut self, step: &Step, clock: Timestamp) -> Result<(), ReplayError> {
        let kill = step.kill.filter(|_| matches!(step.action, Action::Advance(_) | Action::Until(_)));
        if self.host.clock() >= clock && kill.is_none() {
            return Ok(());
        }
        let mut reports = Vec::new();
        let mut advance = |host: &mut Rig| {
            reports.extend(host.advance_to(clock)?);
            Ok(())
        };
        let of_start = match kill {
            Some(kill) => self.host.killed(kill, advance)?,
            None => {
                advance(&mut self.host)?;
                Vec::new()
            }
        };
        self.following(&of_start)?;
        self.following(&reports)
    }

    /// Accepts an event, and runs its effects unless the step has `hold`.
    fn take_in(&mut self, step: &Step, decoded: Decoded) -> Result<Delivered, ReplayError> {
        let clock = self.host.clock();
        let mut delivered = None;
        let mut deliver = |host: &mut Rig| {
            delivered = Some(match step.hold {
                true => host.accept(decoded.clone(), clock)?,
                false => host.deliver(decoded.clone(), clock)?,
            });
            Ok(())
        };
        let of_start = match step.kill {
            Some(kill) => self.host.killed(kill, deliver)?,
            None => {
                deliver(&mut self.host)?;
                Vec::new()
            }
        };
        let mut delivered = delivered.ok_or_else(|| ReplayError::Host("an event was not delivered".to_owned()))?;
        delivered.following.splice(0..0, of_start);
        Ok(delivered)
    }

    fn deliver(&mut self, step: &Step, delivery: &PreparedEvent) -> Result<(), ReplayError> {
        self.budget_of(step);
        let repeats = if step.action.is_payment_event() { self.options.repeat.max(1) } else { 1 };
        for time in 0..repeats {
            let Some(decoded) = self.decode(step, delivery)? else { return Ok(()) };
            let delivered = self.take_in(step, decoded)?;
            self.first(&delivered.first)?;
            self.following(&delivered.following)?;
            if time == 0 {
                self.seqs.entry(delivered.first.event_id.clone()).or_insert(delivered.first.seq);
                let result = self.step_result(&delivered)?;
                self.compare(step, &result);
            } else {
                self.failures.repeated(step.line, &delivered.first);
            }
        }
        Ok(())
    }

    /// Decodes the event of a delivery; none for a refused webhook.
    fn decode(&mut self, step: &Step, delivery: &PreparedEvent) -> Result<Option<Decoded>, ReplayError> {
        let (decoded, answer) = decoded(&self.host, &self.scenario.file, step, delivery)?;
        if let Some(answer) = answer {
            self.failures.answer(step, &answer);
        }
        Ok(decoded)
    }

    /// Stores the budget of the step under the id of its event.
    fn budget_of(&mut self, step: &Step) {
        if let (Some(id), Some(budget)) = (step.action.event_id(), &step.budget) {
            self.budgets.insert(id.to_owned(), budget.clone());
        }
    }

    fn redrive(&mut self, step: &Step, id: &str) -> Result<(), ReplayError> {
        self.budget_of(step);
        let Some(seq) = self.seqs.get(id).copied() else { return Ok(()) };
        let before = self.host.store().inbox(seq)?.and_then(|row| row.outcome.map(|outcome| outcome.name()));
        self.tally.reopen(seq, before.unwrap_or("failed"));
        let mut reports = self.host.redrive(seq)?;
        if reports.is_empty() {
            return Ok(());
        }
        let first = reports.remove(0);
        let delivered = Delivered { first, following: reports };
        let mut all = vec![delivered.first.clone()];
        all.extend(delivered.following.iter().cloned());
        self.following(&all)?;
        let result = self.step_result(&delivered)?;
        self.compare(step, &result);
        Ok(())
    }

    /// Compares a result with the step's expectations. A missing reply may still arrive before the scenario ends.
    fn compare(&mut self, step: &Step, result: &StepResult) {
        self.failures.step(step, result);
        let Some(matcher) = &step.reply else { return };
        let (event, waits) = (&result.first.event_id, result.first.reply_to.is_some());
        if !self.failures.reply(matcher, event, result.reply.as_ref(), !waits) {
            self.pending_replies.push((matcher.clone(), result.first.seq, event.clone()));
        }
    }

    /// Collects the result of a step: its first report, its effects with their payloads, and the reply.
    fn step_result(&self, delivered: &Delivered) -> Result<StepResult, ReplayError> {
        let first = &delivered.first;
        let mut effects = Vec::new();
        if let Some(account) = &first.account {
            let scope = self.host.processor().scope(account.clone());
            for effect in &first.effects {
                let row = self.host.store().effect(&scope, &effect.key)?.pop();
                let payload = row.map_or(Value::Null, |row| crate::state::parsed(&row.effect.payload));
                effects.push(serde_json::json!({"kind": effect.kind, "key": effect.key, "payload": payload}));
            }
        }
        let waits = first.reply_to.as_ref();
        let answered = |report: &&Report| report.reply.is_some() && report.reply_to.as_ref() == waits;
        let reply = delivered.following.iter().rev().chain([first]).find(answered).and_then(|r| r.reply.clone());
        Ok(StepResult { first: first.clone(), effects: Value::Array(effects), reply })
    }

    /// Collects the report for the watch, and checks the run against the budget of its step or scenario. Does so only in the written order,
    /// because another order may use more.
    fn check_budget(&mut self, report: &Report) {
        if self.watched {
            self.reports.push(report.clone());
        }
        if self.options.order == Order::Written {
            let of_step = self.budgets.get(&report.event_id);
            self.over.extend(budget::over(of_step, self.scenario.budget.as_ref(), report));
        }
    }

    fn first(&mut self, report: &Report) -> Result<(), ReplayError> {
        self.check_budget(report);
        self.look_for_missing_price(report)?;
        self.lines.push(Line::input(report));
        self.tally.arrived(report);
        if report.result.outcome().is_none() {
            self.failures.failed(report);
        }
        Ok(())
    }

    fn following(&mut self, reports: &[Report]) -> Result<(), ReplayError> {
        for report in reports {
            self.check_budget(report);
            self.look_for_missing_price(report)?;
            self.lines.push(Line::following(report));
            if crate::rig::is_input(report) {
                self.tally.again(report);
            } else if report.result.outcome().is_none() {
                self.failures.failed(report);
            }
        }
        Ok(())
    }

    /// Checks the expectations at the end of a scenario in its written order.
    fn check_end(&mut self) -> Result<(), ReplayError> {
        self.failures.state(&mut self.host, self.scenario, &self.scenario.expect)?;
        self.failures.then(&mut self.host, self.scenario, &self.case.happens)?;
        for (matcher, seq, event) in std::mem::take(&mut self.pending_replies) {
            let told = self.host.processor().told_again(seq)?;
            self.failures.reply(&matcher, &event, told.and_then(|report| report.reply).as_ref(), true);
        }
        self.failures.unused_answers(&self.host, self.scenario);
        let asserts_snapshot = self.scenario.expect.snapshot;
        if let Some(line) = asserts_snapshot {
            let actual = crate::state::snapshot(self.host.processor())?;
            snapshot::compare(&self.scenario.file, line, &actual, self.options.bless, &mut self.failures)?;
        }
        Ok(())
    }

    fn finish(mut self, began: Instant) -> Result<CaseReport, ReplayError> {
        self.failures.ledgers(&self.host)?;
        if let Some(missing) = self.missing_price.take() {
            missing.replace_failures(&mut self.failures);
        }
        let mut summary = self.tally.summary().clone();
        summary.state = self.host.state()?;
        let mut effects: Vec<String> = self.host.asked().map(|(account, key)| format!("{account} {key}")).collect();
        effects.sort();
        Ok(CaseReport {
            name: self.scenario.name.clone(),
            file: self.scenario.file.clone(),
            version: self.case.version.clone(),
            failures: self.failures.into_list(),
            over: self.over,
            known: None,
            passed_over: self.host.scripted().passed_over(),
            lines: self.lines,
            snapshot: crate::state::snapshot(self.host.processor())?,
            effects,
            assertions: self.scenario.assertions(),
            took: began.elapsed(),
            summary,
        })
    }
}

/// Returns the snapshot file of a scenario.
pub fn snapshot_file(scenario: &Path) -> PathBuf {
    scenario.with_extension("snap.json")
}
