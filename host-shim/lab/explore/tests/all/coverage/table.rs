//! Checks the coverage of event kinds, outcomes, refusals, effects and ids.

use crate::coverage::support::{covered, holes, lines, podcasts, reached, report, write};
use test_support::in_business;

/// A scenario with a refusal; only this scenario covers S01.
const REFUSED: &str = r#"
name: a second show exceeds the quota
covers: [S01]
given: {account: "user:ana"}
events:
  - {command: instance.create, id: c1, payload: {name: First, metadata: {label: first-show}}, expect: applied}
  - {command: instance.create, id: c1, payload: {name: First, metadata: {label: first-show}}, expect: duplicate}
  - {command: instance.create, id: c2, payload: {name: Second, metadata: {label: second-show}}, expect: rejected}
"#;

#[test]
fn reached_items_are_counted_and_holes_are_named() {
    let folder = podcasts(&[]);
    write(&folder, "refused.yml", REFUSED);
    let found = covered(folder.path());
    assert_eq!((found.held, found.not_held.len(), found.exit_code(0)), (1, 0, 0));
    let row = found.kinds.iter().find(|row| row.kind == "instance.create").expect("its row");
    assert_eq!((row.declared, row.outcomes), (true, [1, 1, 0, 0, 0, 1]));
    assert_eq!(row.refusals, [("quota-exceeded".to_owned(), 1)].into());
    assert_eq!(reached(&found, "event kinds", "instance.create"), 3);
    assert!(holes(&found, "event kinds").contains(&"invoice.paid"), "declared and never received");
    assert_eq!(holes(&found, "outcomes"), ["stale", "deferred"]);
    let refusals = holes(&found, "refusals");
    assert!(refusals.contains(&"name-taken") && !refusals.contains(&"quota-exceeded"), "{refusals:?}");
    assert!(reached(&found, "effects", "bucket.ensure") > 0);
    assert!(holes(&found, "effects").contains(&"stripe.refund.create"));
    let text = report(&found, 0);
    assert!(text.contains("name-taken") && text.contains("invoice.paid,"), "holes are named: {text}");
    let line = text.lines().find(|line| line.starts_with("instance.create ")).expect("its line");
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells, ["instance.create", "1", "1", "·", "·", "·", "1", "quota-exceeded", "1"]);
}

#[test]
fn a_failing_scenario_does_not_count() {
    let folder = podcasts(&["plan"]);
    write(&folder, "refused.yml", &REFUSED.replace("expect: rejected", "expect: applied"));
    let found = covered(folder.path());
    assert_eq!((found.held, found.not_held.len(), found.exit_code(0)), (1, 1, 1));
    assert_eq!(reached(&found, "event kinds", "instance.create"), 0);
    assert_eq!(holes(&found, "ids"), ["S01"], "covered only by a failing scenario");
    assert_eq!((reached(&found, "refusals", "quota-exceeded"), reached(&found, "effects", "bucket.ensure")), (0, 0));
    assert_eq!(reached(&found, "catalog", "type show"), 0);
    assert!(reached(&found, "event kinds", "customer.subscription.created") > 0, "reached by the other scenario");
    let text = report(&found, 0);
    assert!(text.contains("so they do not count") && text.contains("refused.yml:3: S01"), "{text}");
    let summary = &lines(&found, 0).pop().expect("a summary")["summary"];
    assert!(summary["not_held"][0].as_str().is_some_and(|file| file.ends_with("refused.yml")), "{summary}");
}

#[test]
fn a_scenario_known_to_fail_neither_counts_nor_fails() {
    let folder = podcasts(&[]);
    let known = REFUSED
        .replace("expect: rejected", "expect: applied")
        .replace("given:", "known_to_fail: \"P1: not yet\"\ngiven:");
    write(&folder, "known.yml", &known);
    let found = covered(folder.path());
    assert_eq!((found.held, found.not_held.len(), found.known, found.exit_code(0)), (0, 1, 1, 0));
    assert!(report(&found, 0).contains("1 of these are marked known_to_fail"));
    assert_eq!(reached(&found, "event kinds", "instance.create"), 0);
}

#[test]
fn a_section_below_the_required_share_fails() {
    let folder = podcasts(&["plan"]);
    let found = covered(folder.path());
    assert_eq!((found.exit_code(0), found.exit_code(1)), (0, 1), "no refusal was reached");
    let below: Vec<&str> = found.below(90).into_iter().map(|section| section.name.as_str()).collect();
    assert!(below.contains(&"refusals") && !below.contains(&"ids"), "{below:?}: no id is named");
    assert!(report(&found, 90).contains("below 90 %"));
    let summary = lines(&found, 90).pop().expect("a summary");
    let sections = summary["summary"]["sections"].as_array().expect("sections");
    assert!(sections.iter().any(|section| section["name"] == "refusals" && section["below"] == true), "{summary}");
}

#[test]
fn a_stream_of_raw_events_counts_if_each_event_has_an_outcome() {
    let folder = podcasts(&[]);
    let event = r#"{"id": "c1", "command": "usage.consume", "account": "user:ana", "timestamp": 1767225600, "actor": {"kind": "user", "id": "ana"}, "payload": {"key": "downloads"}}"#;
    write(&folder, "log.jsonl", event);
    let found = covered(folder.path());
    assert_eq!((found.held, reached(&found, "event kinds", "usage.consume")), (1, 1));
    std::fs::copy(in_business("full-podcasts/scenarios/plan.yml"), folder.path().join("plan.yml")).expect("copied");
    let both = covered(folder.path());
    assert_eq!((both.held, reached(&both, "event kinds", "usage.consume")), (2, 1), "next to a scenario");
}

#[test]
fn effects_of_loading_a_catalog_count() {
    let folder = podcasts(&["plan"]);
    assert_eq!(reached(&covered(folder.path()), "effects", "stripe.price.create"), 0, "all prices have ids");
    let catalog = std::fs::read_to_string(folder.path().join("catalog.yml")).expect("read");
    write(&folder, "catalog.yml", &catalog.replace(", id: price_credits", ""));
    assert!(reached(&covered(folder.path()), "effects", "stripe.price.create") > 0);
}
