//! The command line of a replay, and the options that it shares with other commands.

mod extension;
mod format;
mod progress;
mod replay;
mod source;
mod terminal;

pub use extension::{ExtensionArgs, component_or_default, native};
pub use format::{Accepted, Format, GITHUB, HUMAN, JSON, JUNIT, formats};
pub use progress::{bar, bar_of, count_of, spinner};
pub use replay::ReplayArgs;
pub use source::SourceArgs;
pub use terminal::has_colours;

use crate::report::printable;
use host_scenario::error::ReplayError;
use std::process::ExitCode;

/// Exit code after bad usage or bad input.
pub const EXIT_BAD_INPUT: u8 = 2;
/// Exit code if an expectation or the host failed.
pub const EXIT_FAILED: u8 = 1;

/// Prints an error, one line per mistake, and returns the exit code.
pub fn refuse(error: &ReplayError) -> ExitCode {
    for message in error.messages() {
        eprintln!("error: {}", printable(&message));
    }
    ExitCode::from(if error.is_bad_input() { EXIT_BAD_INPUT } else { EXIT_FAILED })
}
