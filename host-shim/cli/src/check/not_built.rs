//! Stands in for the check of a server's configuration in a program that was built without the server.

use crate::extension::ExtensionArgs;
use crate::format::Format;
use crate::not_built::{SERVER_CONFIG, missing};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn check(_: &Path, _: &ExtensionArgs, _: Format) -> anyhow::Result<ExitCode> {
    Err(missing(SERVER_CONFIG).into())
}
