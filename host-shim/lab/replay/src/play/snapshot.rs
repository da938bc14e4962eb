//! Compares the state of a case with the snapshot file of its scenario.

use super::check::Failures;
use super::snapshot_file;
use crate::diff;
use host_scenario::error::ReplayError;
use serde_json::Value;
use std::path::Path;

/// Compares the state with the file, or rewrites the file if `bless` is set.
pub(super) fn compare(
    scenario: &Path,
    line: usize,
    actual: &Value,
    bless: bool,
    failures: &mut Failures<'_>,
) -> Result<(), ReplayError> {
    let file = snapshot_file(scenario);
    let text = format!("{}\n", diff::pretty(actual));
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    if known == text {
        return Ok(());
    }
    if bless {
        return std::fs::write(&file, text).map_err(|cause| ReplayError::File { path: file, cause });
    }
    let title = match known.is_empty() {
        true => format!("no snapshot {}; `--bless` writes it", file.display()),
        false => format!("the state differs from {}; `--bless` rewrites it", file.display()),
    };
    failures.add(line, title, diff::unified(&file, 1, &known, &text));
    Ok(())
}
