//! The report format of commands that have only these two.

use clap::ValueEnum;

/// The report format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// JSON lines
    Json,
}
