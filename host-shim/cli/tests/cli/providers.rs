//! Scenarios and businesses with the providers of this machine.

use crate::run::{Ran, fixtures, run};
use serde_json::json;
use std::fs;

/// A scenario of Solobase in which the provider refuses a bucket. The provider of this machine makes it.
const STORY: &str = "name: a bucket is refused
given:
  business: solobase
  account: \"user:u1\"
  answers: {\"inst_myapp/bucket/ensure\": ANSWER}
events:
  - stripe: customer.subscription.created
    set: {metadata: {user_id: u1}, price: price_xyz789}
    expect: applied
  - command: instance.create
    payload: {name: My app, metadata: {subdomain: myapp}}
    expect: applied
expect:
  products: {inst_myapp: {metadata: {status: STATUS}}}
";

fn replay(answer: &str, status: &str, format: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let (story, fixtures) = (folder.path().join("story.yml"), fixtures().display().to_string());
    fs::write(&story, STORY.replace("ANSWER", answer).replace("STATUS", status)).expect("written");
    let story = story.display().to_string();
    let args = ["replay", "--native", "--fixtures", &fixtures, "--providers", "local", "--format", format, &story];
    run(&args, b"")
}

#[test]
fn a_scenario_that_needs_its_answers_neither_holds_nor_fails_and_says_so_in_every_report() {
    let human = replay("final no-capacity", "error", "human");
    assert_eq!(human.code, 0, "{}{}", human.stdout, human.stderr);
    for part in [
        " needs answers ",
        "a bucket is refused needs scripted answers for bucket.ensure (`inst_myapp/bucket/ensure`)",
        "story.yml:14: products.inst_myapp.metadata.status: expected \"error\", got \"running\"",
        "0 of 1 cases held, 1 needs scripted answers",
    ] {
        assert!(human.stdout.contains(part), "{part}: {}", human.stdout);
    }
    assert!(!human.stdout.contains("FAILED"), "{}", human.stdout);

    let json = replay("final no-capacity", "error", "json");
    assert_eq!((json.code, &json.summary()["needs_answers"]), (0, &json!(1)), "{}", json.stderr);
    let case = json.lines().into_iter().find_map(|line| line.get("case").cloned()).expect("a case");
    assert_eq!(case["status"], "needs-answers");
    assert_eq!(case["passed_over"], json!([{"kind": "bucket.ensure", "pattern": "inst_myapp/bucket/ensure"}]));

    let junit = replay("final no-capacity", "error", "junit");
    assert!(junit.stdout.contains("failures=\"0\"") && junit.stdout.contains("<skipped "), "{}", junit.stdout);
    assert!(junit.stdout.contains("needs scripted answers for bucket.ensure"), "{}", junit.stdout);
    let github = replay("final no-capacity", "error", "github");
    assert!(
        !github.stdout.contains("::error") && github.stdout.contains("1 needs scripted answers"),
        "{}",
        github.stdout
    );
}

#[test]
fn a_scenario_without_missing_answers_still_fails() {
    let ran = replay("ok", "error", "human");
    assert_eq!(ran.code, 1, "a success without outputs is not a missing answer: {}", ran.stdout);
    assert!(ran.stdout.contains("FAILED") && !ran.stdout.contains("scripted answers"), "{}", ran.stdout);
}

#[test]
fn a_scenario_that_holds_without_its_answers_holds_and_names_them() {
    let ran = replay("final no-capacity", "running", "human");
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let note = "live providers carried out effects that it has answers for: bucket.ensure (`inst_myapp/bucket/ensure`)";
    assert!(ran.stdout.contains("1 of 1 cases held\n") && ran.stdout.contains(note), "{}", ran.stdout);
}

#[test]
fn a_resource_that_no_provider_makes_is_a_mistake_of_a_check_with_providers() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = "product_types:
  - name: camp
    fields: [{name: label, type: string, required: true, format: label}]
    provisions:
      - {name: files, resource: bucket, with: {name: \"{instance.label}\"}}
      - {name: tent, resource: tent, with: {name: \"{instance.label}\"}}
";
    fs::write(folder.path().join("catalog.yml"), catalog).expect("written");
    fs::write(folder.path().join("business.yml"), "resources: {tent: [ensure, change, destroy]}\n").expect("written");
    let path = folder.path().display().to_string();
    let ran = run(&["check", "--native", "--providers", "local", &path], b"");
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    let expected = "catalog.yml:6: /product_types/0/provisions/1/resource: none of the providers makes a `tent`";
    assert!(ran.stdout.contains(expected) && ran.stdout.ends_with("1 mistake in 1 business\n"), "{}", ran.stdout);
    assert_eq!(run(&["check", "--native", &path], b"").code, 0, "without providers the business is correct");
}

#[test]
fn a_replay_with_providers_shows_settings_and_names_the_own_resources_that_no_provider_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    let story = folder.path().join("story.yml");
    let business = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/mistakes/jobs");
    let text = format!(
        "name: a site is made
given: {{business: \"{}\", account: \"user:ana\"}}
events:
  - stripe: customer.subscription.created
    set: {{metadata: {{user_id: ana}}, price: price_starter}}
    expect: applied
  - command: instance.create
    payload: {{name: Acme, metadata: {{label: acme, size: large}}}}
    expect: applied
expect:
  products: {{site_acme: {{metadata: {{status: running}}}}}}
  inventory:
    bucket:site_acme/files: {{state: running, settings: {{name: files-acme}}, outputs: {{bucket: any}}}}
    shelf:site_acme/shelf: {{state: running, settings: {{zone: north}}}}
",
        business.display()
    );
    fs::write(&story, text).expect("written");
    let (story, fixtures) = (story.display().to_string(), fixtures().display().to_string());
    let ran = run(&["replay", "--native", "--fixtures", &fixtures, "--providers", "local", &story], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let warnings: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("none of the providers")).collect();
    let [warning] = warnings.as_slice() else { panic!("one warning: {}", ran.stderr) };
    assert!(
        warning.contains("catalog.yml:76: ") && warning.contains("a `shelf`, so the scripted provider"),
        "{warning}"
    );
}
