//! A recorded log, scenarios or raw streams through two components: what differs, grouped by cause.
//!
//! Both sides get the same events in the same order. A [`Moment`](moment::Moment) is what one of them led to on one side; two
//! moments give [differences](difference), which a [`Grouper`](causes::Grouper) counts by their cause.

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

/// How two components are compared.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is there.
    pub old: Runners,
    /// What is to take its place.
    pub new: Runners,
    /// Differences that are counted and fail nothing.
    pub allow: Vec<Allowed>,
    /// API versions that scenarios are played in; empty is all.
    pub only: Vec<String>,
    /// How much more fuel NEW may use, in percent, in all and for each kind of event; none is any.
    pub fuel_within: Option<u32>,
}

impl Options {
    /// Everything in all versions, nothing allowed but fuel.
    pub fn new(old: Runners, new: Runners) -> Options {
        Options { old, new, allow: Vec::new(), only: Vec::new(), fuel_within: None }
    }
}

/// What two components differ in.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Name of what is there.
    pub old: String,
    /// Name of what is to take its place.
    pub new: String,
    /// Scenarios in an API version, raw streams, and logs of a business in a mode.
    pub cases: u64,
    /// Runs of events that were held against each other.
    pub runs: u64,
    /// Differences by their cause, in the order in which they were found.
    pub causes: Vec<Cause>,
    /// What the runs used.
    pub fuel: Fuel,
    /// Whether OLD comes to what a log says; none where no log was compared.
    pub record: Option<Record>,
    /// The cases that differ in something that is not allowed, as scenarios that [`cut`] makes smaller.
    pub stories: Vec<Story>,
}

/// Whether OLD comes to what was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Events that were held against the record.
    pub events: u64,
    /// Those among them that came out otherwise.
    pub differing: u64,
    /// The first of these, in words.
    pub first: Option<String>,
}

/// A case that differs, as a scenario, with the first cause that is not allowed.
#[derive(Clone, Debug)]
pub struct Story {
    /// The case.
    pub scenario: Scenario,
    /// The API version in which it differs; none where it has none.
    pub version: Option<String>,
    /// The business.
    pub business: std::sync::Arc<host_scenario::business::BusinessFolder>,
    /// The step after which it differs, from 0.
    pub step: usize,
    /// What the difference is known by.
    pub cause: causes::Key,
}

impl Comparison {
    /// True if something differs that is not allowed.
    pub fn differs(&self, options: &Options) -> bool {
        self.causes.iter().any(|cause| !cause.allowed) || !self.fuel.beyond(options).is_empty()
    }
}

/// Is told how far a comparison is: how much there is at first, then what was done since.
pub type Progress<'p> = dyn FnMut(Step) + 'p;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So much is to be done.
    Of(u64),
    /// So much of it was done.
    Done(u64),
}
