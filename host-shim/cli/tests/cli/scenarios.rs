//! Replays of scenarios from outside: exit codes, diffs, snapshots, reports.

use crate::run::{lines, replay, subscription};
use std::fs;

const STORY: &str = r#"name: Hobby is active
covers: [S40]
given: {business: solobase, account: "user:u1"}
events:
  - stripe: customer.subscription.created
    set: {metadata: {user_id: u1}, price: price_xyz789}
    expect: applied
  - same: evt_1
    expect: duplicate
    unchanged: true
  - restart: true
  - stripe: customer.subscription.updated
    at: +1s
    set: {metadata: {user_id: u1}, price: price_xyz789, cancel_at_period_end: true}
    previous: {cancel_at_period_end: false}
    expect: applied
expect:
  subscriptions: {sub_1: {status: active, cancel_at_period_end: true}}
  claims: {"stripe-customer:cus_A": "user:u1"}
  outcomes: {evt_1: applied}
"#;

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(story: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("story.yml"), story).expect("written");
        Case { folder }
    }

    fn replay(&self, args: &[&str]) -> crate::run::Ran {
        let file = self.folder.path().join("story.yml").display().to_string();
        let mut all = args.to_vec();
        all.push(&file);
        replay(&all, b"")
    }
}

#[test]
fn a_scenario_is_played_in_every_version() {
    let ran = Case::new(STORY).replay(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for text in ["2020-08-27", "2025-03-31.basil", "2 of 2 cases held", "2 applied, 1 duplicate"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\x1b'), "no colour but on a terminal");
}

#[test]
fn a_failed_expectation_shows_file_line_and_difference() {
    let ran = Case::new(&STORY.replace("status: active", "status: past_due")).replay(&[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for text in ["story.yml:18", "-\"past_due\"", "+\"active\"", "0 of 2 cases held"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    let ran = Case::new(&STORY.replace("    expect: duplicate", "    expect: applied")).replay(&["--format", "json"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("story.yml:9") && ran.stderr.contains("expected applied, got duplicate"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.summary()["events"], 3);
}

#[test]
fn a_step_that_changes_the_state_shows_the_difference_at_unchanged() {
    let story = STORY.replace("    previous: {cancel", "    unchanged: true\n    previous: {cancel");
    let ran = Case::new(&story).replay(&[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for text in ["story.yml:15: expected an unchanged state", "@@", "\"cancel_at_period_end\": true"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
}

#[test]
fn an_unused_answer_is_reported_with_its_line() {
    let given = STORY.replace("account: \"user:u1\"}", "account: \"user:u1\",\n  answers: {no/such/*: ok}}");
    let step = STORY.replace("  - restart: true\n", "  - answers:\n      no/such/*: ok\n");
    for (story, line) in [(given, 4), (step, 12)] {
        let case = Case::new(&story);
        let place = format!("story.yml:{line}: ");
        let human = case.replay(&[]);
        assert!(human.code == 1 && human.stdout.contains(&place), "{}", human.stdout);
        let json = case.replay(&["--format", "json"]);
        assert!(json.code == 1 && json.stderr.contains(&place), "{}", json.stderr);
    }
}

#[test]
fn order_and_repetition_keep_the_state() {
    for args in [["--shuffle", "1"], ["--shuffle", "2"], ["--repeat", "3"]] {
        let ran = Case::new(STORY).replay(&args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stdout);
    }
}

#[test]
fn a_snapshot_is_written_by_bless_and_compared_without() {
    let case = Case::new(&format!("{STORY}  snapshot: full\n"));
    let missing = case.replay(&[]);
    assert_eq!(missing.code, 1);
    assert!(missing.stdout.contains("--bless"), "{}", missing.stdout);
    assert_eq!(case.replay(&["--bless"]).code, 0);
    let file = case.folder.path().join("story.snap.json");
    let text = fs::read_to_string(&file).expect("the snapshot");
    assert!(text.contains("\"cancel_at_period_end\": true"), "{text}");
    assert_eq!(case.replay(&[]).code, 0);
    fs::write(&file, text.replace("\"cancel_at_period_end\": true", "\"cancel_at_period_end\": false"))
        .expect("written");
    let changed = case.replay(&[]);
    assert_eq!(changed.code, 1);
    assert!(changed.stdout.contains("story.snap.json") && changed.stdout.contains("@@"), "{}", changed.stdout);
}

#[test]
fn junit_counts_cases_and_failures() {
    let good = Case::new(STORY).replay(&["--format", "junit"]);
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert!(
        good.stdout.starts_with("<?xml")
            && good.stdout.contains("failures=\"0\"")
            && good.stdout.matches("<testcase ").count() == 2,
        "{}",
        good.stdout
    );
    let bad = Case::new(&STORY.replace("status: active", "status: past_due")).replay(&["--format", "junit"]);
    assert_eq!(bad.code, 1);
    assert!(bad.stdout.contains("failures=\"2\"") && bad.stdout.contains("story.yml:18"), "{}", bad.stdout);
}

#[test]
fn junit_reports_failed_raw_events_next_to_a_scenario() {
    let case = Case::new(STORY);
    let file = case.folder.path().join("story.yml").display().to_string();
    let args = ["--format", "junit", "--business", "solobase", file.as_str(), "-"];
    let good = replay(&args, &lines(&[subscription("evt_1")]));
    assert!(good.code == 0 && good.stdout.contains("-: 1 events"), "{}{}", good.stdout, good.stderr);
    let bad = replay(&args, &[lines(&[subscription("evt_1")]), b"{\n".to_vec()].concat());
    assert_eq!(bad.code, 2);
    assert!(bad.stdout.contains("failures=\"1\"") && bad.stdout.contains("-:2: "), "{}", bad.stdout);
}

/// Makes a case whose scenario is marked as known to fail.
fn known_to_fail(story: &str) -> Case {
    Case::new(&story.replacen("covers:", "known_to_fail: \"C1: the end is not seen\"\ncovers:", 1))
}

#[test]
fn a_known_failure_is_in_every_report_and_does_not_fail_the_replay() {
    let case = known_to_fail(&STORY.replace("status: active", "status: past_due"));
    let human = case.replay(&[]);
    assert_eq!(human.code, 0, "{}{}", human.stdout, human.stderr);
    assert_eq!(human.stdout.matches(" known C1 ").count(), 2, "{}", human.stdout);
    assert!(human.stdout.contains("0 of 2 cases held, 2 known to fail (C1)"), "{}", human.stdout);
    assert!(!human.stdout.contains("FAILED") && !human.stdout.contains("past_due"), "{}", human.stdout);

    let json = case.replay(&["--format", "json"]);
    assert_eq!((json.code, json.stderr.as_str()), (0, ""));
    assert_eq!(json.summary()["known"], 2);
    let cases: Vec<_> = json.lines().into_iter().filter_map(|line| line.get("case").cloned()).collect();
    assert_eq!(cases.len(), 2, "{}", json.stdout);
    let known = serde_json::json!({"finding": "C1", "reason": "the end is not seen"});
    assert_eq!((&cases[0]["status"], &cases[0]["known"]), (&"known".into(), &known));
    assert!(cases[0]["file"].as_str().is_some_and(|file| file.ends_with("story.yml")), "{}", json.stdout);

    let junit = case.replay(&["--format", "junit"]);
    assert_eq!(junit.code, 0, "{}", junit.stderr);
    assert!(
        junit.stdout.contains("failures=\"0\"") && junit.stdout.matches("<skipped ").count() == 2,
        "{}",
        junit.stdout
    );
    assert!(junit.stdout.contains("known to fail: C1: the end is not seen"), "{}", junit.stdout);
}

#[test]
fn a_successful_case_that_is_marked_as_known_to_fail_is_a_failure() {
    let ran = known_to_fail(STORY).replay(&[]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("story.yml:2: it holds, though") && ran.stdout.contains("remove the marker"),
        "{}",
        ran.stdout
    );
    let shuffled = known_to_fail(STORY).replay(&["--shuffle", "7"]);
    assert_eq!(shuffled.code, 0, "another order asserts only the state: {}", shuffled.stdout);
}

#[test]
fn json_has_the_status_and_coverage_of_each_case() {
    let cases = |story: &str| -> Vec<serde_json::Value> {
        let ran = Case::new(story).replay(&["--format", "json"]);
        ran.lines().into_iter().filter_map(|mut line| line.get_mut("case").map(serde_json::Value::take)).collect()
    };
    let held = cases(STORY);
    let versions: Vec<&str> = held.iter().filter_map(|case| case["version"].as_str()).collect();
    assert_eq!(versions, ["2020-08-27", "2025-03-31.basil"]);
    assert_eq!(held[0]["name"], "Hobby is active");
    assert_eq!(held[0]["status"], "held");
    assert_eq!(held[0]["covers"], serde_json::json!([{"id": "S40", "line": 2}]));
    assert_eq!(held[0]["unasserted"], serde_json::Value::Null);
    assert!(held[0]["assertions"].as_u64() > held[0]["facts"].as_u64(), "{}", held[0]);
    let failed = cases(&STORY.replace("status: active", "status: past_due"));
    assert!(failed.len() == 2 && failed.iter().all(|case| case["status"] == "failed"), "{failed:?}");
    let silent = cases(&STORY.replace("    expect: duplicate\n", ""));
    assert_eq!(silent[0]["unasserted"], 8);
}

#[test]
fn the_scenario_of_the_documentation_holds() {
    let file = crate::run::fixtures().join("../docs/reference/scenario-format.md");
    let text = fs::read_to_string(file).expect("the documentation");
    let walk = text.split("## An example, step by step").nth(1).expect("the walk through a scenario");
    let story = walk.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its YAML");
    let ran = Case::new(story).replay(&["--business", "solobase"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// A customer has the plan Hobby and an instance with measurements.
const MEASURED: &str = r#"name: measurements count
given: {business: solobase, account: "user:u1"}
events:
  - stripe: customer.subscription.created
    set: {metadata: {user_id: u1}, price: price_xyz789}
    expect: applied
  - command: instance.create
    payload: {name: Acme, metadata: {subdomain: acme}}
    expect: applied
  - usage: {meter: api_requests, quantity: 700, instance: inst_acme}
    expect: applied
  - usage:
      - {meter: api_requests, quantity: 50, instance: inst_acme}
      - {meter: storage_gb, quantity: 1, id: m1, at: 2026-01-01T00:00:00Z, instance: inst_acme}
    id: night
    by: service
    expect: {outcome: applied, account: "user:u1"}
  - same: night
    expect: duplicate
    unchanged: true
  - usage: {meter: storage_gb, quantity: 2, id: m1, instance: inst_acme}
    expect: {outcome: duplicate, reason: {regex: 'usage:m1'}}
    unchanged: true
  - usage: {meter: cpu_seconds, quantity: 1, instance: inst_acme}
    expect: rejected
    reply: {refused: {code: not-found, detail: meter cpu_seconds}}
  - advance: 1h
  - usage: {meter: storage_gb, quantity: 2, instance: inst_acme}
    expect: applied
  - usage: {meter: database_gb, quantity: 1, at: 2026-01-01T00:30:00Z, instance: inst_acme}
    expect: applied
expect:
  products:
    inst_acme:
      metadata:
        usage: {api_requests: 750, storage_gb: 2, database_gb: 1}
        usage_at: {storage_gb: "2026-01-01T01:00:00Z", database_gb: "2026-01-01T00:30:00Z"}
  outcomes: {use_1: applied, night: applied, use_5: applied}
"#;

#[test]
fn each_measurement_counts_once() {
    let ran = Case::new(MEASURED).replay(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for (from, to) in
        [("700", "701"), ("quantity: 2, instance", "quantity: 3, instance"), ("advance: 1h", "advance: 2h")]
    {
        let ran = Case::new(&MEASURED.replace(from, to)).replay(&[]);
        assert_eq!(ran.code, 1, "{to} makes a difference: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn measurements_can_be_raw_events() {
    let body = serde_json::json!({"id": "use_1", "account": "user:u1", "timestamp": "2026-01-01T00:00:00Z",
        "usage": [{"id": "m1", "meter": "storage_gb", "quantity": 1, "attributes": {"instance": "inst_none"}}]});
    let ran = replay(&["--format", "json", "--business", "solobase", "-"], &lines(&[body]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = &ran.lines()[0];
    assert_eq!((&line["type"], &line["account"]), (&"usage".into(), &"user:u1".into()), "{line}");
    assert_eq!(line["reason"], "not-found(instance inst_none)");
}

#[test]
fn the_given_actor_is_the_default_of_a_step() {
    let story = r#"name: a stranger
given: {business: solobase, account: "user:u1", by: {kind: user, subject: stranger}}
events:
  - stripe: customer.subscription.created
    set: {metadata: {user_id: u1}, price: price_xyz789}
    expect: applied
  - command: instance.create
    payload: {name: Acme, metadata: {subdomain: acme}}
    expect: {outcome: rejected, reason: {regex: '^forbidden'}}
  - command: instance.create
    by: user
    payload: {name: Acme, metadata: {subdomain: acme}}
    expect: applied
  - product: created
    data: {id: p_1, type: instance, name: B, user_id: u1, metadata: {subdomain: b}}
    expect: {outcome: rejected, reason: {regex: '^forbidden'}}
  - usage: {meter: storage_gb, quantity: 1, instance: inst_acme}
    expect: applied
expect:
  products: {inst_acme: {metadata: {status: running}}}
"#;
    let ran = Case::new(story).replay(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = Case::new(&story.replace("kind: user,", "kind: usr,")).replay(&[]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("story.yml:2: `by: usr`; expected one of user"), "{}", ran.stderr);
}

#[test]
fn the_quota_of_a_refusal_is_asserted_member_by_member() {
    let story = r#"name: the fourth instance
given: {business: solobase, account: "user:u1"}
events:
  - stripe: customer.subscription.created
    set: {metadata: {user_id: u1}, price: price_xyz789}
    expect: applied
  - command: instance.create
    payload: {name: A, metadata: {subdomain: app-a}}
    expect: applied
  - command: instance.create
    payload: {name: B, metadata: {subdomain: app-b}}
    expect:
      outcome: rejected
      quota: {key: instances, allowed: 1, used: 1, upgrade: prod_starter}
    unchanged: true
  - command: instance.create
    payload: {name: B, metadata: {}}
    expect: {outcome: rejected, quota: {absent: true}}
expect:
  entitlements: {instances: {allowed: 1, used: 1}}
"#;
    let ran = Case::new(story).replay(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for (good, bad, message) in [
        ("allowed: 1, used: 1, upgrade", "allowed: 2, used: 1, upgrade", "cmd_2.quota.allowed: expected 2, got 1"),
        ("key: instances", "key: seats", "cmd_2.quota.key: expected \"seats\", got \"instances\""),
        ("prod_starter", "null", "cmd_2.quota.upgrade: expected null"),
        ("{absent: true}", "{key: any}", "cmd_3.quota: expected {key: any}, got nothing"),
    ] {
        let ran = Case::new(&story.replace(good, bad)).replay(&["--format", "json"]);
        assert_eq!(ran.code, 1, "{bad}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
    }
}
