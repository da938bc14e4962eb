//! Businesses and scenarios held against what they may say, without anything being played.

use crate::inputs::{Found, Input, find};
use crate::library::{Library, Ready, Sources};
use crate::names::Names;
use crate::runners::Runners;
use host_scenario::error::{BadInput, ReplayError};
use std::path::PathBuf;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Businesses whose folders lie at or below the paths.
    pub businesses: usize,
    /// Scenario files.
    pub scenarios: usize,
    /// Files of raw events.
    pub raw: usize,
    /// What is wrong, in the order of the files; each mistake once.
    pub mistakes: Vec<BadInput>,
}

impl Checked {
    fn note(&mut self, error: ReplayError) -> Result<(), ReplayError> {
        let ReplayError::Input(mistakes) = error else { return Err(error) };
        for mistake in mistakes {
            if !self.mistakes.contains(&mistake) {
                self.mistakes.push(mistake);
            }
        }
        Ok(())
    }
}

/// Checks all that lies at or below these paths: catalogs and configurations are given to the extension, scenarios read,
/// their events built in each API version and their names looked up, raw events read.
pub fn check(paths: &[PathBuf], sources: Sources, runners: &Runners) -> Result<Checked, ReplayError> {
    let Found { businesses, inputs } = find(paths)?;
    let mut library = Library::new(sources, runners.clone(), paths)?;
    let declarations = runners.make()?.declarations().clone();
    let mut checked = Checked { businesses: businesses.len(), ..Checked::default() };
    for folder in &businesses {
        if let Err(error) = library.ready_business(folder) {
            checked.note(error)?;
        }
    }
    for input in &inputs {
        match input {
            Input::Scenario(_) => checked.scenarios += 1,
            Input::Raw(_) | Input::Stdin => checked.raw += 1,
        }
        match library.ready(input, &mut std::io::empty()) {
            Ok(Ready::Scenario { scenario, business, .. }) => {
                let unknown = Names::new(&declarations, &business).unknown(&scenario);
                checked.note(ReplayError::Input(unknown))?;
            }
            Ok(Ready::Raw { .. }) => {}
            Err(error) => checked.note(error)?,
        }
    }
    Ok(checked)
}
