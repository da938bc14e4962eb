//! The smallest difference as a scenario that holds with OLD and fails with NEW.

mod said;

use crate::causes::Grouper;
use crate::paths::{both, moments};
use crate::{Comparison, Options, Story};
use host_replay::library::Library;
use host_replay::play::{PlayOptions, play_all};
use host_replay::runners::Runners;
use host_scenario::business::business_above;
use host_scenario::error::ReplayError;
use host_scenario::model::write::{ScenarioText, Unwritable};
use host_scenario::model::{Action, Answers, Expectations, Scenario, Step, Versions};
use std::path::Path;

/// Why there is no such scenario.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// Nothing could be played.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The story can't be written as a file.
    #[error("the difference can't be written as a scenario: {0}")]
    Unwritable(#[from] Unwritable),
    /// No case that differs is a story by itself.
    #[error("no difference can be told as a scenario: {0}")]
    NotAlone(&'static str),
}

/// A scenario that shows a difference.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The file's text.
    pub text: String,
    /// Steps that it has.
    pub steps: usize,
    /// Steps that the case had from which it was cut.
    pub steps_before: usize,
}

/// The smallest of the cases that differ, cut to what its difference needs, with what OLD comes to as its expectations. `file`
/// is where it is to be written; none is returned if nothing differs that is not allowed.
///
/// # Errors
///
/// Says why no case can be told so: its events alone don't differ, or what differs is nothing that a scenario asserts.
pub fn smallest(
    library: &mut Library<'_>,
    comparison: &Comparison,
    options: &Options,
    file: &Path,
) -> Result<Option<Cut>, CutError> {
    let Some(story) = comparison.stories.iter().min_by_key(|story| story.step) else {
        return match comparison.causes.iter().any(|cause| !cause.allowed) {
            true => Err(CutError::NotAlone("only scenarios, and accounts of a log, can be")),
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
    /// The story up to its difference, with nothing expected of it.
    fn bare(&mut self) -> Scenario {
        let mut scenario = self.story.scenario.clone();
        scenario.steps.truncate(self.story.step + 1);
        scenario.steps.retain(|step| !matches!(step.action, Action::Check(_)));
        scenario.steps = scenario.steps.iter().map(Step::without_expectations).collect();
        scenario.expect = Expectations::default();
        (scenario.known_to_fail, scenario.budget) = (None, None);
        scenario.covers.clear();
        let folder = &self.story.business.folder;
        let is_here = self
            .file
            .parent()
            .and_then(|_| business_of_file(self.file))
            .is_some_and(|here| folder.canonicalize().is_ok_and(|folder| folder == here));
        scenario.given.business = if is_here { None } else { Some(self.library.name_of(folder)) };
        scenario
    }

    /// Leaves out whatever the difference does not need; true if something was.
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

    /// Whether the scenario, as it reads once it is written, still shows the difference. One that says something that does
    /// not hold together any more does not.
    fn differs(&mut self, scenario: &Scenario) -> Result<bool, CutError> {
        let Some((scenario, cases)) = self.read(scenario)? else { return Ok(false) };
        let mut grouper = Grouper::new(&self.options.allow);
        for case in &cases {
            grouper.begin_case();
            match both(&scenario, case, &self.story.business, self.options, &mut grouper) {
                Err(error) if error.is_bad_input() => return Ok(false),
                other => other?,
            }
        }
        let (causes, ..) = grouper.into_parts();
        Ok(causes.iter().any(|cause| cause.key == self.story.cause))
    }

    /// The scenario as it reads, with its cases in the version of the story.
    fn read(&mut self, scenario: &Scenario) -> Result<Option<(Scenario, Vec<host_scenario::prepare::Case>)>, CutError> {
        let text = ScenarioText::of(scenario).text()?;
        let Ok(scenario) = Scenario::parse(self.file, &text) else { return Ok(None) };
        let Ok(mut cases) = self.library.cases(&scenario) else { return Ok(None) };
        // Without an event of Stripe's left it is played in the newest version alone.
        if let Some(only) = cases.iter().find(|case| Some(&case.version) == self.story.version.as_ref()).cloned() {
            cases = vec![only];
        }
        Ok(if cases.is_empty() { None } else { Some((scenario, cases)) })
    }

    /// The scenario with what OLD comes to, where NEW comes to something else.
    fn with_expectations(&mut self, scenario: Scenario) -> Result<Scenario, CutError> {
        let Some((read, cases)) = self.read(&scenario)? else {
            return Err(CutError::NotAlone("it can't be read again"));
        };
        let Some(case) = cases.first() else { return Err(CutError::NotAlone("it is played in no version")) };
        let business = &self.story.business;
        let old = moments(&read, case, business, &self.options.old)?;
        let new = moments(&read, case, business, &self.options.new)?;
        let mut scenario = scenario;
        for ((step, old), (_, new)) in old.iter().zip(&new) {
            said::expect(&mut scenario, *step, old, new);
        }
        // What the steps say is enough where it is they that differ.
        if !self.proves(&mut scenario, &case.version)? {
            said::expect_end(&mut scenario, &old, &new);
            if !self.proves(&mut scenario, &case.version)? {
                return Err(CutError::NotAlone("what differs is nothing that a scenario asserts"));
            }
        }
        Ok(scenario)
    }

    /// Whether it holds with OLD and fails with NEW, if need be in this API version alone, which it then says.
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

    /// Whether it holds with OLD and fails with NEW.
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

/// The business of whose folder a file that may not be there yet is.
fn business_of_file(file: &Path) -> Option<std::path::PathBuf> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    business_above(&parent.canonicalize().ok()?.join("x"))
}
