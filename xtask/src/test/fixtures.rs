//! Replays every scenario through the component and compares the state of each case with `fixtures/states.txt`.

use super::run;
use crate::replay::PLAYED;
use crate::{build, process};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A line of the replay's JSON that reports a case; other lines have no `case`.
#[derive(Deserialize)]
struct Line {
    case: Option<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    version: String,
    state: String,
}

/// Replays, and saves the report for `cargo xtask coverage`.
///
/// # Errors
///
/// Fails if a case does not hold, or ends in a state that differs from `fixtures/states.txt`.
pub fn replay(host: &Path) -> Result<()> {
    let component = build::dist().join("instance-provisioner.wasm");
    let replay = |format: &str| {
        let mut command = Command::new(host);
        command.current_dir(component_builder::workspace_root());
        command.args(["replay", "--format", format, "--component"]).arg(&component).args(PLAYED);
        command
    };
    let mut command = replay("json");
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {}", host.display()))?;
    if !output.status.success() {
        // Once more for people, with the differences.
        process::run(&mut replay("human"))?;
        bail!("`provisioner replay {}` failed with {}", PLAYED.join(" "), output.status);
    }
    run::write(&run::folder().join("cases.jsonl"), &output.stdout)?;
    let known = fs::read_to_string(component_builder::workspace_root().join("fixtures").join("states.txt"))?;
    let count = compare(&String::from_utf8_lossy(&output.stdout), &known)?;
    println!("{count} cases replayed through the component; each ends in the state of fixtures/states.txt");
    Ok(())
}

/// Compares the state of each case with the lines `FILE STATE [VERSIONS]`, and counts the cases.
fn compare(report: &str, known: &str) -> Result<usize> {
    let known: BTreeSet<(&str, &str)> = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(file, rest)| (file, &rest[..rest.len().min(64)]))
        .collect();
    let mut count = 0;
    for (at, line) in report.lines().enumerate() {
        let line: Line = serde_json::from_str(line).with_context(|| format!("line {} of the replay's JSON", at + 1))?;
        let Some(case) = line.case else { continue };
        let Case { file, version, state } = &case;
        if !known.contains(&(file.as_str(), state.as_str())) {
            bail!("{file} ends in state {state} in {version}, which is not the one in fixtures/states.txt");
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn a_case_in_another_state_is_an_error_that_names_it() {
        let state = "a".repeat(64);
        let line = |state: &str| {
            format!(
                r#"{{"event":"evt_1"}}{}{{"case":{{"file":"fixtures/a.yml","version":"v1","state":"{state}"}}}}"#,
                "\n"
            )
        };
        let known = format!("fixtures/a.yml {state}\n");
        assert_eq!(compare(&line(&state), &known).expect("the same state"), 1);
        let error = compare(&line(&"b".repeat(64)), &known).expect_err("another state");
        assert!(error.to_string().starts_with("fixtures/a.yml ends in state bbb"), "{error}");
        assert!(compare("no JSON", &known).is_err());
    }
}
