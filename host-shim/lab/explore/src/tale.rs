//! The input of an exploration: a scenario in one API version, its business and the extension that runs it.

use host_replay::runners::Runners;
use host_scenario::business::BusinessFolder;
use host_scenario::model::Scenario;
use host_scenario::prepare::Case;
use std::sync::Arc;

/// A story to explore.
#[derive(Clone, Debug)]
pub struct Tale {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The events of the scenario in one API version.
    pub case: Case,
    /// The business of the scenario.
    pub business: Arc<BusinessFolder>,
    /// Runners of the extension.
    pub runners: Runners,
}

impl Tale {
    /// Name and API version.
    pub fn name(&self) -> String {
        format!("{} ({})", self.scenario.name, self.case.version)
    }
}
