//! An extension with its own catalog language: everything except the clauses of its catalog is measured.

use crate::coverage::support::{covered_by, holes, lines, reached, report, write};
use crate::toy::ToyRunner;
use host_explore::coverage::Clauses;
use host_replay::runners::Runners;

/// Given a command that sends a mail, and a refused command.
const STORY: &str = r#"
name: an applied command and a refused one
covers: [T-1]
given: {account: "user:u1"}
events:
  - {command: do, payload: {ask: [{kind: mail.send, key: m1}]}, expect: applied}
  - {command: do, payload: {outcome: {rejected: {forbidden: no}}}, expect: {outcome: rejected, reason: forbidden(no)}}
"#;

#[test]
fn another_extension_is_measured_except_for_its_catalog() {
    let folder = tempfile::tempdir().expect("a folder");
    // Empty: the toy reads no catalog.
    write(&folder, "catalog.yml", "{}\n");
    write(&folder, "story.yml", STORY);
    let found = covered_by(folder.path(), Runners::new("toy", || Ok(Box::new(ToyRunner::new(1)))));
    assert_eq!((found.held, found.not_held.as_slice()), (1, [].as_slice()));
    assert_eq!(reached(&found, "ids", "T-1"), 1);
    assert_eq!(holes(&found, "event kinds"), ["thing.happened"], "declared by its manifest");
    let row = found.kinds.iter().find(|row| row.kind == "do").expect("its row");
    assert!(!row.declared && row.outcomes[0] > 0 && row.refusals.contains_key("forbidden"), "{row:?}");
    assert!(found.kinds.iter().any(|row| row.kind == "mail.send (result)" && row.outcomes[0] > 0));
    assert!(reached(&found, "effects", "mail.send") > 0 && reached(&found, "refusals", "forbidden") > 0);
    let missing = holes(&found, "effects");
    assert!(missing.contains(&"database.ensure") && missing.contains(&"timer.at"), "{missing:?}");
    let expected = Clauses::Unknown { extension: "toy".to_owned(), known: "instance-provisioner".to_owned() };
    assert_eq!(found.clauses, expected);
    assert!(found.sections.iter().all(|section| !section.name.starts_with("catalog")));
    let text = report(&found, 0);
    assert!(text.contains("catalog: not measured; the extension is `toy`"), "{text}");
    assert!(text.contains("(not declared)"), "{text}");
    let summary = lines(&found, 0).pop().expect("a summary");
    assert_eq!(summary["summary"]["catalog"]["unknown"]["extension"], "toy");
}
