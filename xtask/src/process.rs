//! Runs cargo and other programs.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// Returns a command that runs cargo with `args` in the root folder of the workspace.
pub fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(component_builder::workspace_root()).args(args);
    command
}

/// Runs a command to its end.
///
/// # Errors
///
/// Fails if the command can't be started or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run `{}`", show(command)))?;
    if !status.success() {
        bail!("`{}` failed with {status}", show(command));
    }
    Ok(())
}

/// Runs a command without showing its output. Returns true if it succeeds.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Returns a command as a person would type it.
fn show(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
