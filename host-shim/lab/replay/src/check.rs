//! Checks businesses, scenarios and raw events without playing them.

use crate::inputs::{FoundPaths, Input, find};
use crate::library::{Library, Ready, Sources};
use crate::names::Names;
use crate::runners::Runners;
use host_scenario::error::{BadInput, ReplayError};
use std::path::PathBuf;

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Number of businesses at or below the paths.
    pub businesses: usize,
    /// Number of scenario files.
    pub scenarios: usize,
    /// Number of files with raw events.
    pub raw: usize,
    /// The mistakes, in the order of the files, each once.
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

/// Checks everything at or below these paths: loads catalogs and configurations into the extension, reads scenarios,
/// builds their events in each API version and looks up their names, and reads raw events.
///
/// # Errors
///
/// Fails if the check can't be completed. Mistakes in the files are not an error, but part of the result.
pub fn check(paths: &[PathBuf], sources: Sources, runners: &Runners) -> Result<Checked, ReplayError> {
    let FoundPaths { businesses, inputs } = find(paths)?;
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
            Ok(Ready::Scenario(story)) => {
                let unknown = Names::new(&declarations, &story.business).unknown(&story.scenario);
                checked.note(ReplayError::Input(unknown))?;
            }
            Ok(Ready::Raw { .. }) => {}
            Err(error) => checked.note(error)?,
        }
    }
    Ok(checked)
}
