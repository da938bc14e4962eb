//! How a command ends: its exit code, and the errors that it prints before.

use host_replay::command::{EXIT_FAILED, refuse};
use host_replay::report::github;
use host_scenario::error::ReplayError;
use std::process::ExitCode;

/// Prints an error, and returns the exit code.
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", chain(error));
    ExitCode::from(EXIT_FAILED)
}

/// Returns an error with its causes. Many errors have the text of their cause already: it is not repeated.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Ends a command. Prints a [`ReplayError`] as [`refuse`] does and, with `annotated`, also the mistakes of inputs as
/// annotations of GitHub Actions. Returns any other error.
pub(crate) fn ended(result: anyhow::Result<ExitCode>, annotated: bool) -> anyhow::Result<ExitCode> {
    result.or_else(|error| {
        let known = error.downcast::<ReplayError>()?;
        if let (true, ReplayError::Input(mistakes)) = (annotated, &known) {
            mistakes.iter().for_each(|bad| print!("{}", github::mistake(bad)));
        }
        Ok(refuse(&known))
    })
}
