//! The whole way: a store in, the text of a scenario out, with what it replays to.

use crate::claims::asked_for;
use crate::compare::{Comparison, compare, hash, value};
use crate::draft::{Draft, Start};
use crate::error::ExportError;
use crate::expected;
use crate::personal::{From, Personal};
use crate::recording::Recording;
use extension_contract::Account;
use host::processor::{Business, Processor};
use host::view::account_rows;
use host_replay::play::{PlayOptions, play_and_look};
use host_replay::runners::Runners;
use host_scenario::business::{BusinessFolder, Fixtures};
use host_scenario::error::ReplayError;
use host_scenario::manifest;
use host_scenario::model::Scenario;
use host_scenario::model::write::ScenarioText;
use host_scenario::prepare::prepare;
use host_scenario::shapes::Shapes;
use host_store::{Partition, Scope, Store};
use serde_json::Value;
use std::path::Path;

/// How an account is exported.
#[derive(Clone, Debug)]
pub struct Options {
    /// The business, of the name that the store knows it by.
    pub business: BusinessFolder,
    /// Configuration over that of the business's folder, as the host had it.
    pub config: Vec<(String, String)>,
    /// True if the scenario names its business; else it must lie in the business's folder.
    pub names_business: bool,
    /// The extension.
    pub runners: Runners,
    /// What stand-ins derive from; none leaves personal data as it came.
    pub salt: Option<[u8; 32]>,
}

/// Whether what was written replays to what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the same state of the account.
    Same,
    /// To the same one, but for so many values that were replaced.
    SameButReplaced(usize),
    /// To another one, or an outcome is another.
    Differs(Vec<String>),
    /// It can't be held against what was recorded.
    NotCompared(String),
}

/// An account, exported.
#[derive(Clone, Debug)]
pub struct Export {
    /// The scenario.
    pub text: String,
    /// Whether it replays to what was recorded.
    pub verdict: Verdict,
    /// Hash of the account's rows after the replay, hex.
    pub state: String,
    /// What a person should know, in sentences.
    pub warnings: Vec<String>,
    /// Events that the scenario tells.
    pub events: usize,
    /// Values that were replaced.
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

/// Everything that does not depend on which accounts take part.
struct Exporter<'a> {
    options: &'a Options,
    scope: &'a Scope,
    /// The recorded store, to be read.
    recorded: Processor,
    shapes: Shapes,
    /// The account's rows as they were recorded.
    rows: Value,
}

/// Exports an account of a store, and plays what it wrote in memory.
///
/// The account's own story is told alone if that replays to the same state; else that of the platform, which owns the
/// catalog, is told beside it.
///
/// # Errors
/// [`ExportError`]: nothing of it is in the store, the business is another or wrong, or the store failed.
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
    let nothing =
        || ExportError::Nothing { what: format!("account `{}`", scope.account), expected: "a story".to_owned() };
    exporter.finish(best.ok_or_else(nothing)?)
}

/// How a story is told.
#[derive(Clone, Debug)]
struct Plan {
    /// The accounts that take part, the one that is exported first.
    accounts: Vec<Account>,
    /// Claims that it had before its first event, by short key.
    held: Vec<String>,
    /// Whether ids are taken to have been made of personal texts.
    ids: bool,
}

/// Most claims of an account that are tried as such that it had before.
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
        let manifest = manifest::of(&runner.declarations().name).map_err(ReplayError::from)?;
        let of_host = Business {
            name: business.name.clone(),
            livemode: scope.livemode,
            config: business.config_with(config),
            own: business.own.clone(),
            catalog_hash: business.hash(config),
            not_state: manifest.map(|manifest| manifest.not_state).unwrap_or_default(),
        };
        let recorded = Processor::new(store, runner, of_host)
            .map_err(|error| ReplayError::Config { business: business.name.clone(), error })?;
        let shapes = Fixtures::built_in().map_err(ReplayError::from)?.shapes;
        let rows = value(&account_rows(&recorded, &scope.account)?);
        Ok(Exporter { options, scope, recorded, shapes, rows })
    }

    fn partition(&self) -> Partition {
        self.scope.partition()
    }

    /// An attempt with the claims that the account must have had of before: no event tells of them, so each of those that it
    /// has is tried, and stays if less differs with it.
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

    /// A story, played.
    fn attempt(&self, plan: Plan) -> Result<Attempt, ExportError> {
        let mut recording = Recording::read(self.recorded.store(), &self.partition(), plan.accounts.clone())?;
        let personal = self.options.salt.map(|salt| replaced(&mut recording, salt, plan.ids));
        let start = Start {
            business: self.options.names_business.then(|| self.scope.business.clone()),
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

    /// Plays a scenario in memory; what of it does not hold.
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

    /// The scenario with what is expected at its end, played once more as a reader would.
    fn finish(&self, attempt: Attempt) -> Result<Export, ExportError> {
        let Attempt { recording, draft, sections, comparison, state, plan: _ } = attempt;
        let mut scenario = draft.scenario;
        let told: Vec<String> =
            scenario.steps.iter().filter_map(|step| step.action.event_id().map(str::to_owned)).collect();
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        scenario.expect = expected::expectations(&recording, sections, &told);
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
        let (warnings, events) = (self.warnings(&recording, &draft.left_out), told.len());
        let mut writer = ScenarioText::of(&scenario);
        for line in self.head(&recording, &draft.left_out, &verdict, &state) {
            writer = writer.comment(&line);
        }
        let text = writer.text()?;
        let replaced = comparison.replaced;
        Ok(Export { text, verdict, state, warnings, events, replaced })
    }

    /// What a person should know of the export.
    fn warnings(&self, recording: &Recording, left_out: &[(String, &'static str)]) -> Vec<String> {
        let mut warnings = Vec::new();
        let own = self.options.business.hash(&self.options.config);
        let recorded = recording.catalogs();
        let others: Vec<String> = recorded.iter().filter(|hash| **hash != own).map(|hash| short(hash)).collect();
        if !others.is_empty() {
            warnings.push(format!(
                "the events were decided by catalog and configuration {}; those of the folder are {}: decisions may differ",
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

    /// What stands above the scenario.
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
                Some(_) => "Exported from a store. Personal data is replaced by made-up values; ids are as they were.",
                None => "Exported from a store. Personal data is in it as it came.",
            }
            .to_owned(),
        ];
        lines.push(format!("Business {}, catalog and configuration {own}.", self.scope.business));
        lines.extend(self.warnings(recording, left_out).into_iter().map(|warning| format!("Note: {warning}.")));
        lines.push(match verdict {
            Verdict::Same => format!("Replays to the same state: {state}."),
            Verdict::SameButReplaced(_) => format!("Replays to the same state but for what was replaced: {state}."),
            Verdict::Differs(differences) => {
                format!("Replays to another state, {} differences: {state}.", differences.len())
            }
            Verdict::NotCompared(reason) => format!("Replays to {state}, not compared: {reason}."),
        });
        lines
    }
}

/// The first digits of a hash, enough to tell two apart.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// Replaces what is personal in a recording.
fn replaced(recording: &mut Recording, salt: [u8; 32], ids: bool) -> Personal {
    let mut personal = Personal::new(salt);
    for told in &recording.events {
        personal.learn_event(&told.row.event);
    }
    for row in &recording.effects {
        personal.learn_text(&row.effect.key);
    }
    personal.ready(ids);
    for told in &mut recording.events {
        personal.event(&mut told.row.event);
        for provenance in told.runs.iter_mut().filter_map(|run| run.provenance.as_mut()) {
            let lines = provenance.claim_answers.lines().map(|line| match line.rsplit_once('=') {
                Some((key, answer)) => format!("{}={answer}\n", personal.text(key)),
                None => format!("{line}\n"),
            });
            provenance.claim_answers = lines.collect();
        }
    }
    for row in &mut recording.effects {
        row.effect.key = personal.text(&row.effect.key);
        row.effect.payload = personal.json(&row.effect.payload, From::Business);
        row.scope.account = personal.account(&row.scope.account);
        row.caused_by = personal.text(&row.caused_by);
    }
    for account in &mut recording.accounts {
        *account = personal.account(account);
    }
    personal
}
