//! Exports an account: reads the store, writes the scenario, replays it and compares the states.

use crate::record::claims::asked_for;
use crate::record::compare::{Comparison, compare, hash, value};
use crate::record::draft::{Draft, Start};
use crate::record::error::ExportError;
use crate::record::expected;
use crate::record::personal::{Origin, Personal};
use crate::record::recording::Recording;
use extension_contract::Account;
use host_engine::processor::Processor;
use host_engine::view::account_rows;
use host_replay::play::{PlayOptions, play_and_look};
use host_replay::runners::Runners;
use host_scenario::business::{BusinessFolder, Fixtures};
use host_scenario::error::ReplayError;
use host_scenario::model::Scenario;
use host_scenario::model::write::ScenarioText;
use host_scenario::prepare::prepare;
use host_scenario::shapes::Shapes;
use host_store::{Partition, Scope, Store};
use serde_json::Value;
use std::path::Path;

/// Options of an export.
#[derive(Clone, Debug)]
pub struct Options {
    /// The business, with the name that the store uses.
    pub business: BusinessFolder,
    /// Configuration values of the recording host, which override the folder's.
    pub config: Vec<(String, String)>,
    /// The scenario's reference to its business; none if the scenario is in the business's folder.
    pub named: Option<String>,
    /// The extension.
    pub runners: Runners,
    /// Salt of the stand-ins; none keeps personal data.
    pub salt: Option<[u8; 32]>,
}

/// The result of comparing the replay with the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The account has the same state.
    Same,
    /// The account has the same state except for this number of replaced values.
    SameButReplaced(usize),
    /// The state or an outcome differs.
    Differs(Vec<String>),
    /// The states can't be compared.
    NotCompared(String),
}

/// An exported account.
#[derive(Clone, Debug)]
pub struct Export {
    /// Text of the scenario.
    pub text: String,
    /// The comparison of the scenario's replay with the recording.
    pub verdict: Verdict,
    /// SHA-256 of the account's rows after the replay, in hex.
    pub state: String,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// Number of events in the scenario.
    pub events: usize,
    /// Number of replaced values.
    pub replaced: usize,
}

/// An attempt at an export.
struct Attempt {
    recording: Recording,
    draft: Draft,
    sections: Vec<(&'static str, Value)>,
    comparison: Comparison,
    state: String,
    plan: Plan,
}

/// The parts of an export that do not depend on the plan.
struct Exporter<'a> {
    options: &'a Options,
    scope: &'a Scope,
    /// A processor on the recorded store, for reading.
    recorded: Processor,
    shapes: Shapes,
    /// The recorded rows of the account.
    rows: Value,
}

/// Exports an account of a store, and replays the scenario in memory.
///
/// If the account's own events do not replay to the same state, the events of the platform, which owns the catalog, are
/// tried as well. The result is the scenario with the fewest differences.
///
/// # Errors
///
/// Fails if the store does not contain the account, the business does not match or is invalid, or the store fails.
pub fn export(store: Box<dyn Store>, scope: &Scope, options: &Options) -> Result<Export, ExportError> {
    let exporter = Exporter::new(store, scope, options)?;
    let own = vec![scope.account.clone()];
    let mut plans = vec![Plan { accounts: own.clone(), held: Vec::new(), ids: false }];
    if options.salt.is_some() {
        plans.push(Plan { ids: true, ..plans[0].clone() });
    }
    if scope.account != Account::Platform {
        plans.push(Plan { accounts: [own, vec![Account::Platform]].concat(), ..plans[0].clone() });
    }
    let mut best: Option<Attempt> = None;
    for plan in plans {
        let attempt = exporter.with_claims(exporter.attempt(plan)?)?;
        let is_better = |best: &Attempt| attempt.comparison.differences.len() < best.comparison.differences.len();
        if best.as_ref().is_none_or(is_better) {
            best = Some(attempt);
        }
        if best.as_ref().is_some_and(|best| best.is_same() || best.recording.erased > 0) {
            break;
        }
    }
    let nothing = || ExportError::Nothing {
        what: format!("account `{}`", scope.account),
        expected: "an account with events".to_owned(),
    };
    exporter.finish(best.ok_or_else(nothing)?)
}

/// A plan of an export attempt.
#[derive(Clone, Debug)]
struct Plan {
    /// The accounts that take part, starting with the exported one.
    accounts: Vec<Account>,
    /// The account's claims before its first event, by short key.
    held: Vec<String>,
    /// Whether ids may be derived from personal texts.
    ids: bool,
}

/// The maximum number of claims that are tried as if held before the first event.
const CLAIMS_MAX: usize = 24;

impl Attempt {
    fn is_same(&self) -> bool {
        self.comparison.differences.is_empty()
    }
}

impl<'a> Exporter<'a> {
    fn new(store: Box<dyn Store>, scope: &'a Scope, options: &'a Options) -> Result<Self, ExportError> {
        let Options { business, config, runners, .. } = options;
        if business.name != scope.business {
            return Err(ExportError::Nothing {
                what: format!("business `{}`", business.name),
                expected: format!("`{}`, the name of the business's folder", scope.business),
            });
        }
        let runner = runners.make()?;
        let manifest = runners.manifest(runner.declarations()).map_err(ReplayError::from)?;
        let of_host = business.for_engine(scope.livemode, config, &manifest.unwrap_or_default());
        let recorded = Processor::new(store, runner, of_host)
            .map_err(|error| ReplayError::Config { business: business.name.clone(), error })?;
        let shapes = Fixtures::built_in().map_err(ReplayError::from)?.shapes;
        let rows = value(&account_rows(&recorded, &scope.account)?);
        Ok(Exporter { options, scope, recorded, shapes, rows })
    }

    fn partition(&self) -> Partition {
        self.scope.partition()
    }

    /// Improves an attempt by adding claims that the account may have held before its first event. No event shows these
    /// claims, so each claim that the account holds now is tried, and kept if it reduces the differences. Skips claims
    /// that the account did not hold when it first requested them.
    fn with_claims(&self, mut best: Attempt) -> Result<Attempt, ExportError> {
        if best.is_same() {
            return Ok(best);
        }
        let recording = Recording::read(self.recorded.store(), &self.partition(), vec![self.scope.account.clone()])?;
        let asked_for = asked_for(&recording);
        let held = self.rows["claims"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
        let claims: Vec<String> = held.filter(|key| !asked_for.contains(key)).collect();
        for claim in claims.into_iter().take(CLAIMS_MAX) {
            if best.is_same() || best.recording.erased > 0 {
                break;
            }
            let mut plan = best.plan.clone();
            plan.held.push(claim);
            let next = self.attempt(plan)?;
            if next.comparison.differences.len() < best.comparison.differences.len() {
                best = next;
            }
        }
        Ok(best)
    }

    /// Writes and replays the scenario of a plan.
    fn attempt(&self, plan: Plan) -> Result<Attempt, ExportError> {
        let mut recording = Recording::read(self.recorded.store(), &self.partition(), plan.accounts.clone())?;
        let personal = self.options.salt.map(|salt| replaced(&mut recording, salt, plan.ids));
        let start = Start {
            business: self.options.named.clone(),
            config: self.options.business.config_with(&self.options.config).into_iter().collect(),
            declared: self.recorded.declared(),
            held: &plan
                .held
                .iter()
                .map(|key| personal.as_ref().map_or(key.clone(), |it| it.text(key)))
                .collect::<Vec<_>>(),
        };
        let draft = Draft::of(&recording, self.recorded.store(), &start, &self.shapes, self.options.salt.is_none())?;
        let account = recording.accounts[0].clone();
        let (mut sections, mut rows) = (Vec::new(), Value::Null);
        let unmet = self.play(&draft.scenario, &mut |host| {
            rows = value(&account_rows(host.processor(), &account)?);
            sections = expected::sections(host, &account)?;
            Ok(())
        })?;
        let mut comparison = compare(&self.rows, &rows, personal.as_ref());
        comparison.differences.extend(unmet);
        Ok(Attempt { recording, draft, sections, comparison, state: hash(&rows), plan })
    }

    /// Replays a scenario in memory and returns its failures.
    fn play(
        &self,
        scenario: &Scenario,
        look: &mut dyn FnMut(&mut host_replay::rig::Rig) -> Result<(), ReplayError>,
    ) -> Result<Vec<String>, ExportError> {
        let cases = prepare(scenario, &self.shapes).map_err(ReplayError::from)?;
        let options = PlayOptions::new(self.options.runners.clone());
        let Some(case) = cases.first() else { return Ok(Vec::new()) };
        let report = play_and_look(scenario, case, &self.options.business, &options, look)?;
        Ok(report.failures.into_iter().map(|failure| failure.title).collect())
    }

    /// Adds the expectations at the end and replays the written scenario once more.
    fn finish(&self, attempt: Attempt) -> Result<Export, ExportError> {
        let Attempt { recording, draft, sections, comparison, state, plan: _ } = attempt;
        let mut scenario = draft.scenario;
        let ids: Vec<String> =
            scenario.steps.iter().filter_map(|step| step.action.event_id().map(str::to_owned)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        scenario.expect = expected::expectations(&recording, sections, &ids);
        let text = ScenarioText::of(&scenario).text()?;
        let scenario = Scenario::parse(Path::new("export.yml"), &text).map_err(ReplayError::from)?;
        let mut differences = comparison.differences;
        for unmet in self.play(&scenario, &mut |_| Ok(()))? {
            if !differences.contains(&unmet) {
                differences.push(unmet);
            }
        }
        let verdict = match (recording.erased, differences.is_empty(), comparison.replaced) {
            (1.., ..) => Verdict::NotCompared(format!("{} of its events were erased", recording.erased)),
            (0, false, _) => Verdict::Differs(differences),
            (0, true, 0) => Verdict::Same,
            (0, true, replaced) => Verdict::SameButReplaced(replaced),
        };
        let (warnings, events) = (self.warnings(&recording, &draft.left_out), ids.len());
        let mut writer = ScenarioText::of(&scenario);
        for line in self.head(&recording, &draft.left_out, &verdict, &state) {
            writer = writer.comment(&line);
        }
        let text = writer.text()?;
        let replaced = comparison.replaced;
        Ok(Export { text, verdict, state, warnings, events, replaced })
    }

    /// Returns the warnings of an export.
    fn warnings(&self, recording: &Recording, left_out: &[(String, &'static str)]) -> Vec<String> {
        let mut warnings = Vec::new();
        let own = self.options.business.hash(&self.options.config);
        let recorded = recording.catalogs();
        let others: Vec<String> = recorded.iter().filter(|hash| **hash != own).map(|hash| short(hash)).collect();
        if !others.is_empty() {
            warnings.push(format!(
                "the events were decided by catalog and configuration {}; the folder has {}: decisions may differ",
                others.join(", "),
                short(&own)
            ));
        }
        if !left_out.is_empty() {
            let each: Vec<String> = left_out.iter().map(|(id, reason)| format!("{id} ({reason})")).collect();
            warnings.push(format!("left out: {}", each.join(", ")));
        }
        if recording.erased > 0 {
            warnings.push(format!("{} events were erased and are left out", recording.erased));
        }
        warnings
    }

    /// Returns the comment above the scenario.
    fn head(
        &self,
        recording: &Recording,
        left_out: &[(String, &'static str)],
        verdict: &Verdict,
        state: &str,
    ) -> Vec<String> {
        let own = self.options.business.hash(&self.options.config);
        let mut lines = vec![
            match self.options.salt {
                Some(_) => "Exported from a store. Personal data is replaced by made-up values; ids are unchanged.",
                None => "Exported from a store. It contains personal data.",
            }
            .to_owned(),
        ];
        lines.push(format!("Business {}, catalog and configuration {own}.", self.scope.business));
        lines.extend(self.warnings(recording, left_out).into_iter().map(|warning| format!("Note: {warning}.")));
        lines.push(match verdict {
            Verdict::Same => format!("Replays to the same state: {state}."),
            Verdict::SameButReplaced(_) => format!("Replays to the same state except for replaced values: {state}."),
            Verdict::Differs(differences) => {
                format!("Replays to another state, {} differences: {state}.", differences.len())
            }
            Verdict::NotCompared(reason) => format!("Replays to {state}, not compared: {reason}."),
        });
        lines
    }
}

/// Returns the first 12 digits of a hash.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// Replaces the personal data of a recording.
fn replaced(recording: &mut Recording, salt: [u8; 32], ids: bool) -> Personal {
    let mut personal = Personal::new(salt);
    for recorded in &recording.events {
        personal.learn_event(&recorded.row.event);
    }
    for row in &recording.effects {
        personal.learn_text(&row.effect.key);
    }
    personal.ready(ids);
    for recorded in &mut recording.events {
        personal.event(&mut recorded.row.event);
        for provenance in recorded.runs.iter_mut().filter_map(|run| run.provenance.as_mut()) {
            let lines = provenance.claim_answers.lines().map(|line| match line.rsplit_once('=') {
                Some((key, answer)) => format!("{}={answer}\n", personal.text(key)),
                None => format!("{line}\n"),
            });
            provenance.claim_answers = lines.collect();
        }
    }
    for row in &mut recording.effects {
        row.effect.key = personal.text(&row.effect.key);
        row.effect.payload = personal.json(&row.effect.payload, Origin::Business);
        row.scope.account = personal.account(&row.scope.account);
        row.caused_by = personal.text(&row.caused_by);
    }
    for account in &mut recording.accounts {
        *account = personal.account(account);
    }
    personal
}
