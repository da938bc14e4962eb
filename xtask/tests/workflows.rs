//! Tests the files that other programs read. Those for GitHub Actions follow the published schemas, and the shell lines of the action
//! replay a business. Terraform's files parse, and Prometheus accepts each expression of the alerts and of the dashboard.

use counterparts::{apt, program, venv};
use serde_json::Value;
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
    for workflow in ["ci", "weekly"] {
        check("vendor.github-workflows", &format!(".github/workflows/{workflow}.yml"));
    }
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
    let (succeeded, output) = replay("fixtures/catalogs/example-sites");
    assert!(succeeded && output.contains("::notice"), "{output}");
    assert!(!replay("fixtures/no-such-business").0);
}

#[test]
#[ignore = "installs a parser of Terraform's language; `cargo xtask test workflows` runs this"]
fn a_parser_of_its_language_reads_the_files_of_terraform() {
    let python = venv("hcl2", &["python-hcl2==7.3.1"]).join("bin/python");
    let script = "import glob, hcl2, sys\n\
        for name in sorted(glob.glob(sys.argv[1] + '/*.tf')):\n\
        \twith open(name) as file:\n\
        \t\tprint(name, *hcl2.load(file))";
    let mut command = Command::new(python);
    let output = command.args(["-c", script]).arg(root().join("deploy/terraform")).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = String::from_utf8_lossy(&output.stdout);
    assert!(read.lines().count() > 8 && read.contains("server.tf resource"), "{read}");
}

/// Lets `promtool` check a file of rules.
fn check_rules(file: &Path) {
    let promtool = apt("prometheus", || program(&["/usr/bin/promtool", "/usr/local/bin/promtool"]));
    let output = Command::new(promtool).args(["check", "rules"]).arg(file).output().expect("promtool runs");
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{}: {told}", file.display());
}

#[test]
#[ignore = "installs Prometheus; `cargo xtask test workflows` runs this"]
fn prometheus_accepts_the_alerts_and_the_expressions_of_the_dashboard() {
    check_rules(&root().join("docs/alerts.yml"));
    let dashboard = std::fs::read_to_string(root().join("docs/dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("an expression")).collect();
    assert!(panels.len() > 10 && expressions.len() >= panels.len(), "{} expressions", expressions.len());
    // Each expression becomes a rule of a file, since promtool checks rules only.
    let rules: Vec<Value> = expressions
        .iter()
        .enumerate()
        .map(|(at, expr)| serde_json::json!({"record": format!("dashboard:{at}"), "expr": expr}))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yml");
    // JSON is YAML as well.
    let text = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string();
    std::fs::write(&file, text).expect("written");
    check_rules(&file);
}
