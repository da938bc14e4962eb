//! Cuts the smallest differing case down to a scenario that passes with OLD and fails with NEW.

mod expectations;

use crate::compare::causes::Grouper;
use crate::compare::paths::{both, moments};
use crate::compare::{Comparison, Options, Story};
use host_replay::library::Library;
use host_replay::play::{PlayOptions, play_all};
use host_replay::runners::Runners;
use host_scenario::business::named_in;
use host_scenario::error::ReplayError;
use host_scenario::model::write::{ScenarioText, Unwritable};
use host_scenario::model::{Action, Answers, Expectations, Scenario, Step, Versions};
use std::path::Path;

/// The reason why no scenario can be written.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// A story could not be run.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The story can't be written as a file.
    #[error("the difference can't be written as a scenario: {0}")]
    Unwritable(#[from] Unwritable),
    /// No differing case can be written as a scenario.
    #[error("no difference can be written as a scenario: {0}")]
    NotAlone(&'static str),
}

/// A scenario that shows a difference.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Text of the file.
    pub text: String,
    /// Number of steps of the scenario.
    pub steps: usize,
    /// Number of steps of the original case.
    pub steps_before: usize,
}

/// Returns the smallest differing case, cut down to the steps that its difference needs, with the results of OLD as
/// expectations. `file` is the path of the scenario, but this function does not write the file. Returns None if all
/// differences are allowed.
///
/// # Errors
///
/// Fails if the case can't be run or written, if its events alone don't differ, or if a scenario can't assert the
/// difference.
pub fn smallest(
    library: &mut Library<'_>,
    comparison: &Comparison,
    options: &Options,
    file: &Path,
) -> Result<Option<Cut>, CutError> {
    let Some(story) = comparison.stories.iter().min_by_key(|story| story.step) else {
        return match comparison.causes.iter().any(|cause| !cause.allowed) {
            true => Err(CutError::NotAlone("only scenarios and accounts of a log can")),
            false => Ok(None),
        };
    };
    let mut cutter = Cutter { library, options, story, file };
    let mut scenario = cutter.bare();
    if !cutter.differs(&scenario)? {
        return Err(CutError::NotAlone("the events of the account alone don't differ"));
    }
    while cutter.shorten(&mut scenario)? {}
    let scenario = cutter.with_expectations(scenario)?;
    let comment = format!("Holds with {}, and fails with {}: {}", comparison.old, comparison.new, story.cause.form);
    let text = ScenarioText::of(&scenario).comment(&comment).text()?;
    Ok(Some(Cut { text, steps: scenario.steps.len(), steps_before: story.scenario.steps.len() }))
}

struct Cutter<'c, 'l> {
    library: &'c mut Library<'l>,
    options: &'c Options,
    story: &'c Story,
    file: &'c Path,
}

impl Cutter<'_, '_> {
    /// The story up to its difference, without expectations.
    fn bare(&mut self) -> Scenario {
        let mut scenario = self.story.scenario.clone();
        scenario.steps.truncate(self.story.step + 1);
        scenario.steps.retain(|step| !matches!(step.action, Action::Check(_)));
        scenario.steps = scenario.steps.iter().map(Step::without_expectations).collect();
        scenario.expect = Expectations::default();
        (scenario.known_to_fail, scenario.budget) = (None, None);
        scenario.covers.clear();
        scenario.given.business = named_in(self.file, &self.story.business.folder);
        scenario
    }

    /// Removes everything that the difference does not need. Returns true if something was removed.
    fn shorten(&mut self, scenario: &mut Scenario) -> Result<bool, CutError> {
        let mut changed = false;
        for at in (0..scenario.steps.len()).rev() {
            let mut shorter = scenario.clone();
            shorter.steps.remove(at);
            changed |= self.take(scenario, shorter)?;
        }
        for pattern in patterns(&scenario.given.answers) {
            let mut shorter = scenario.clone();
            shorter.given.answers.retain(|answers| answers.pattern != pattern);
            changed |= self.take(scenario, shorter)?;
        }
        for key in scenario.given.config.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let mut shorter = scenario.clone();
            shorter.given.config.retain(|(known, _)| *known != key);
            changed |= self.take(scenario, shorter)?;
        }
        for claim in scenario.given.claims.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let mut shorter = scenario.clone();
            shorter.given.claims.retain(|(known, _)| *known != claim);
            changed |= self.take(scenario, shorter)?;
        }
        Ok(changed)
    }

    fn take(&mut self, scenario: &mut Scenario, shorter: Scenario) -> Result<bool, CutError> {
        if shorter.steps.is_empty() || !self.differs(&shorter)? {
            return Ok(false);
        }
        *scenario = shorter;
        Ok(true)
    }

    /// True if the scenario still shows the difference after it is written and parsed; false for an invalid scenario.
    fn differs(&mut self, scenario: &Scenario) -> Result<bool, CutError> {
        let Some((scenario, cases)) = self.read(scenario)? else { return Ok(false) };
        let mut grouper = Grouper::new(&self.options.allow);
        for case in &cases {
            grouper.begin_case();
            let business = &*self.story.business;
            match both(&scenario, case, [business, business], self.options, &mut grouper) {
                Err(error) if error.is_bad_input() => return Ok(false),
                other => other?,
            }
        }
        let (causes, ..) = grouper.into_parts();
        Ok(causes.iter().any(|cause| cause.key == self.story.cause))
    }

    /// The scenario after writing and parsing, with its cases in the version of the story; None if it is invalid.
    fn read(&mut self, scenario: &Scenario) -> Result<Option<(Scenario, Vec<host_scenario::prepare::Case>)>, CutError> {
        let text = ScenarioText::of(scenario).text()?;
        let Ok(scenario) = Scenario::parse(self.file, &text) else { return Ok(None) };
        let Ok(mut cases) = self.library.cases(&scenario) else { return Ok(None) };
        // A scenario without Stripe events has a case only in the newest version.
        if let Some(only) = cases.iter().find(|case| Some(&case.version) == self.story.version.as_ref()).cloned() {
            cases = vec![only];
        }
        Ok(if cases.is_empty() { None } else { Some((scenario, cases)) })
    }

    /// Adds the results of OLD as expectations where NEW differs.
    fn with_expectations(&mut self, scenario: Scenario) -> Result<Scenario, CutError> {
        let Some((read, cases)) = self.read(&scenario)? else {
            return Err(CutError::NotAlone("the written scenario can't be parsed"));
        };
        let Some(case) = cases.first() else { return Err(CutError::NotAlone("it has no case in any API version")) };
        let business = &self.story.business;
        let old = moments(&read, case, business, &self.options.old)?;
        let new = moments(&read, case, business, &self.options.new)?;
        let mut scenario = scenario;
        for ((step, old), (_, new)) in old.iter().zip(&new) {
            expectations::expect(&mut scenario, *step, old, new);
        }
        // Expectations of steps are enough if the difference is in steps.
        if !self.proves(&mut scenario, &case.version)? {
            expectations::expect_end(&mut scenario, &old, &new);
            if !self.proves(&mut scenario, &case.version)? {
                return Err(CutError::NotAlone("a scenario can't assert the difference"));
            }
        }
        Ok(scenario)
    }

    /// True if the scenario passes with OLD and fails with NEW. If it does so only in this API version, restricts the
    /// scenario to that version.
    fn proves(&mut self, scenario: &mut Scenario, version: &str) -> Result<bool, CutError> {
        if self.is_proof(scenario)? {
            return Ok(true);
        }
        let because = "the difference was found there".to_owned();
        let mut in_one =
            Scenario { versions: Some(Versions { only: vec![version.to_owned()], because }), ..scenario.clone() };
        let proves = self.is_proof(&in_one)?;
        if proves {
            std::mem::swap(scenario, &mut in_one);
        }
        Ok(proves)
    }

    /// True if the scenario passes with OLD and fails with NEW.
    fn is_proof(&mut self, scenario: &Scenario) -> Result<bool, CutError> {
        let text = ScenarioText::of(scenario).text()?;
        let Ok(scenario) = Scenario::parse(self.file, &text) else { return Ok(false) };
        let Ok(cases) = self.library.cases(&scenario) else { return Ok(false) };
        let holds = |runners: &Runners| {
            let options = PlayOptions::new(runners.clone());
            let played = play_all(&scenario, &cases, &self.story.business, &options);
            played.is_ok_and(|reports| reports.iter().all(|report| report.held()))
        };
        Ok(holds(&self.options.old) && !holds(&self.options.new))
    }
}

fn patterns(answers: &[Answers]) -> Vec<String> {
    answers.iter().map(|answers| answers.pattern.clone()).collect()
}
