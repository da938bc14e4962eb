//! Runs a recorded log, scenarios or raw streams through two components (OLD and NEW) and groups the differences by
//! cause.
//!
//! Both sides get the same events in the same order. A [`Moment`](moment::Moment) holds the results of one event on one
//! side; two moments give [differences](difference), which a [`Grouper`](causes::Grouper) counts by cause.

pub mod allow;
pub mod causes;
pub mod cut;
pub mod difference;
mod form;
pub mod fuel;
mod lockstep;
pub mod log;
pub mod moment;
pub mod paths;
pub mod place;
pub mod report;
mod story;

use allow::Allowed;
use causes::Cause;
use fuel::Fuel;
use host_replay::runners::Runners;
use host_scenario::model::Scenario;
use std::path::PathBuf;

/// How two components are compared.
#[derive(Clone, Debug)]
pub struct Options {
    /// The current component.
    pub old: Runners,
    /// The component that is to replace `old`.
    pub new: Runners,
    /// The folder in which OLD looks up businesses by name, including its subfolders. None if OLD reads the same folders as NEW. Needed
    /// after a change of the catalog language, because OLD cannot read NEW's catalog.
    pub old_businesses: Option<PathBuf>,
    /// Differences that do not fail the comparison.
    pub allow: Vec<Allowed>,
    /// API versions in which scenarios run; empty for all.
    pub only: Vec<String>,
    /// Additional fuel that NEW may use, in percent, in total and per kind of event; None for any amount.
    pub fuel_within: Option<u32>,
}

impl Options {
    /// Creates options that compare all API versions, and allow any difference in fuel but no other difference.
    pub fn new(old: Runners, new: Runners) -> Options {
        Options { old, new, old_businesses: None, allow: Vec::new(), only: Vec::new(), fuel_within: None }
    }
}

/// The result of a comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Name of OLD.
    pub old: String,
    /// Name of NEW.
    pub new: String,
    /// Number of cases: scenarios per API version, raw streams, and logs per business and mode.
    pub cases: u64,
    /// Number of compared runs of events.
    pub runs: u64,
    /// Differences by cause, in the order in which they were found.
    pub causes: Vec<Cause>,
    /// Fuel of the runs.
    pub fuel: Fuel,
    /// Comparison of OLD with the recorded log; None without a log.
    pub record: Option<Record>,
    /// The cases with differences that are not allowed, as scenarios for [`cut`].
    pub stories: Vec<Story>,
}

/// Comparison of the results of OLD with a recorded log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Number of compared events.
    pub events: u64,
    /// Number of events with a different result.
    pub differing: u64,
    /// Description of the first event with a different result.
    pub first: Option<String>,
}

/// A differing case as a scenario, with its first cause that is not allowed.
#[derive(Clone, Debug)]
pub struct Story {
    /// The case.
    pub scenario: Scenario,
    /// The API version in which the case differs; None for a case of a log.
    pub version: Option<String>,
    /// The business.
    pub business: std::sync::Arc<host_scenario::business::BusinessFolder>,
    /// Number of the step after which the case differs, from 0.
    pub step: usize,
    /// Key of the difference.
    pub cause: causes::Key,
}

impl Comparison {
    /// True if there is a difference that is not allowed.
    pub fn differs(&self, options: &Options) -> bool {
        self.causes.iter().any(|cause| !cause.allowed) || !self.fuel.beyond(options).is_empty()
    }
}

/// Receives the progress of a comparison. For scenarios and raw streams, it first receives the total amount of work, then the work done.
/// For a log, the total is unknown.
pub type Progress<'p> = dyn FnMut(Step) + 'p;

/// A step of the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Total amount of work: number of cases.
    Of(u64),
    /// Work done since the last step: number of cases, or of rows of a log.
    Done(u64),
}
