//! Stands in for the check of a store in a program that was built without the server.

use crate::extension::ExtensionArgs;
use crate::format::Format;
use crate::not_built::{SERVER_STORE, missing};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn check(_: &[PathBuf], _: &str, _: bool, _: &ExtensionArgs, _: Format) -> anyhow::Result<ExitCode> {
    Err(missing(SERVER_STORE).into())
}
