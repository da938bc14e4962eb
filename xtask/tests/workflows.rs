//! Tests the files for GitHub Actions: both follow the published schemas, and the shell lines of the action replay a
//! business.

use counterparts::venv;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    component_builder::workspace_root()
}

/// Checks a file with a schema that `check-jsonschema` ships.
fn check(schema: &str, file: &str) {
    let tool = venv("check-jsonschema", &["check-jsonschema==0.33.0"]).join("bin/check-jsonschema");
    let mut command = Command::new(tool);
    let output = command.args(["--builtin-schema", schema]).arg(root().join(file)).output().expect("the tool runs");
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "installs a checker of schemas; `cargo xtask test workflows` runs this"]
fn the_workflow_and_the_action_follow_the_published_schemas() {
    check("vendor.github-workflows", ".github/workflows/ci.yml");
    check("vendor.github-actions", "action.yml");
}

/// Returns the lines of the only `run: |` block of a file.
fn shell_lines(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("the action");
    let (_, block) = text.split_once("run: |\n").expect("a block of shell lines");
    assert!(!block.contains("run:"), "{} has one step", file.display());
    block.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}

fn replay(path: &str) -> (bool, String) {
    let script = shell_lines(&root().join("action.yml"));
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(root()).env("GITHUB_WORKSPACE", root()).env("REPLAY_PATH", path);
    let output = command.output().expect("bash runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
#[ignore = "installs a checker of schemas; `cargo xtask test workflows` runs this"]
fn the_action_replays_a_business_and_fails_on_a_folder_that_does_not_exist() {
    let (succeeded, output) = replay("fixtures/example-sites");
    assert!(succeeded && output.contains("::notice"), "{output}");
    assert!(!replay("fixtures/no-such-business").0);
}
