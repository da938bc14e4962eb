//! How a command ends: its exit code, and the errors printed before that.

use host_replay::command::{EXIT_FAILED, refuse};
use host_replay::report::github;
use host_scenario::error::ReplayError;
use std::process::ExitCode;

/// Prints an error, and returns the exit code.
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", chain(error));
    ExitCode::from(EXIT_FAILED)
}

/// Returns an error with its causes. Many errors already contain the text of their cause, which is then not repeated.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Ends a command. Prints a [`ReplayError`] like [`refuse`] and, with `annotated`, also prints the mistakes in inputs
/// as GitHub Actions annotations. Returns any other error.
pub(crate) fn ended(result: anyhow::Result<ExitCode>, annotated: bool) -> anyhow::Result<ExitCode> {
    result.or_else(|error| {
        let known = error.downcast::<ReplayError>()?;
        if let (true, ReplayError::Input(mistakes)) = (annotated, &known) {
            mistakes.iter().for_each(|bad| print!("{}", github::mistake(bad)));
        }
        Ok(refuse(&known))
    })
}
