//! Runs a built program, for the commands that build it first.

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Exit code of a command that could not be run; 1 is the program's own.
const CANNOT_RUN: u8 = 2;

/// Runs a command with the component, unless the arguments choose an extension. `default` adds the arguments for a command
/// without any. Returns the exit code of the command.
pub fn with(
    mut command: Command,
    component: &Path,
    args: &[OsString],
    default: impl FnOnce(&mut Command),
) -> Result<u8> {
    let chosen = |arg: &OsString| arg == "--native" || arg.to_string_lossy().starts_with("--component");
    if !args.iter().any(chosen) {
        command.arg("--component").arg(component);
    }
    if args.is_empty() {
        default(&mut command);
    } else {
        command.args(args);
    }
    let status = command.status().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(CANNOT_RUN))
}

/// Returns the exit code of a command, and prints why it could not be run.
pub fn exit(result: Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}
