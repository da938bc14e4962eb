//! Checks businesses, scenarios and raw events without running them.

use crate::inputs::{FoundPaths, Input, find};
use crate::library::{Library, Ready, Sources};
use crate::live::LiveProviders;
use crate::names::Names;
use crate::outputs::unknown_outputs;
use crate::runners::Runners;
use crate::unmakeable::{unmade, unmakeable};
use host_business::folder::BusinessFolder;
use host_business::yaml::Node;
use host_business::yaml::bad_input::read_text;
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
    /// Findings that are not mistakes but may be unintended.
    pub notes: Vec<String>,
}

impl Checked {
    /// Records the resources that the providers can't create. The scenario's configuration may lead to others.
    fn note_unmakeable(
        &mut self,
        business: &BusinessFolder,
        config: &[(String, String)],
        live: Option<&LiveProviders>,
    ) {
        let Some(live) = live else { return };
        let config = business.config_with(config);
        let mistakes = unmakeable(business, &config, live).into_iter().chain(unmade(business, &config, live));
        for mistake in mistakes {
            if !self.mistakes.contains(&mistake) {
                self.mistakes.push(mistake);
            }
        }
    }

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

/// Returns a note about a business that has prices but sets no currency.
fn usual_currency(business: &BusinessFolder) -> Option<String> {
    let has_prices = business.catalog["products"].as_array()?.iter().any(|product| !product["prices"].is_null());
    (has_prices && business.catalog["policies"]["currency"].is_null()).then(|| {
        let folder = business.folder.display();
        format!("{folder}: prices are in usd; `currency: eur` in catalog.yml changes that")
    })
}

/// Checks everything at or below these paths: loads catalogs and configurations into the extension, reads scenarios, builds their events in
/// each API version and looks up their names, and reads raw events. Compares the resources of the businesses with those that `live` can
/// create.
///
/// # Errors
///
/// Fails if the check can't be completed. Mistakes in the files are not errors but part of the result.
pub fn check(
    paths: &[PathBuf],
    sources: Sources,
    runners: &Runners,
    live: Option<&LiveProviders>,
) -> Result<Checked, ReplayError> {
    let FoundPaths { businesses, inputs } = find(paths)?;
    let mut library = Library::new(sources, runners.clone(), paths)?;
    let declarations = runners.make()?.declarations().clone();
    let mut checked = Checked { businesses: businesses.len(), ..Checked::default() };
    for folder in &businesses {
        match library.ready_business(folder) {
            Ok(()) => {
                let business = library.business_in(folder)?;
                checked.note(ReplayError::Input(unknown_outputs(&business)))?;
                checked.notes.extend(usual_currency(&business));
                checked.note_unmakeable(&business, &[], live);
            }
            Err(error) => checked.note(error)?,
        }
    }
    for input in &inputs {
        match input {
            Input::Scenario(_) => checked.scenarios += 1,
            Input::Raw(_) | Input::Stdin => checked.raw += 1,
        }
        match library.ready(input, &mut std::io::empty()) {
            Ok(Ready::Scenario(story)) => {
                let loaded = library.loaded(&story.business, &story.scenario.given.config);
                let names = Names::new(&declarations, &story.business, loaded);
                let document = Node::parse(&story.scenario.file, &read_text(&story.scenario.file)?)?;
                checked.note(ReplayError::Input(names.unknown(&story.scenario, &document)))?;
                checked.note_unmakeable(&story.business, &story.scenario.given.config, live);
            }
            Ok(Ready::Raw { .. }) => {}
            Err(error) => checked.note(error)?,
        }
    }
    Ok(checked)
}
