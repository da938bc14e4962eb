//! How a report is written where a command has no more to say of it.

use clap::ValueEnum;

/// How to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// JSON lines
    Json,
}
