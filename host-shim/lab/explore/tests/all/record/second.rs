//! Checks the export of accounts of another extension, which shares only the contract.

use crate::record::common::{SALT, played};
use crate::toy::ToyRunner;
use host_explore::record::Verdict;
use host_replay::runners::Runners;
use host_scenario::business::BusinessFolder;
use host_scenario::model::Scenario;
use std::path::Path;

const STORY: &str = r#"name: a toy
given:
  account: user:A
  answers: {mail/1: [retryable busy, ok], mail/2: {final: gone, message: m}, mail/3: late 90s}
events:
  - {command: toy.do, payload: {take: ['name:a'], note: [n], ask: [{kind: mail.send, key: mail/1, payload: {to: anna@firm.org}}]}}
  - {command: toy.do, account: user:B, payload: {take: ['name:b'], ask: [{kind: account.send, key: hello, to: 'user:A', payload: {note: [from-b]}}]}}
  - {command: toy.do, payload: {take: ['name:b']}, expect: rejected}
  - {command: toy.do, payload: {ask: [{kind: mail.send, key: mail/2, payload: {}}, {kind: mail.send, key: mail/3, payload: {}}]}}
  - {command: toy.do, payload: {ask: [{kind: timer.at, key: later, not_before: 1767400000000, payload: {note: [fired]}}]}}
  - {command: toy.do, payload: {needs_fact: fired}, expect: deferred}
  - advance: 7d
  - timers: false
  - {command: toy.do, payload: {ask: [{kind: timer.at, key: held, not_before: 1767916800000, payload: {note: [late]}}]}}
  - advance: 7d
  - {command: toy.do, payload: {needs_fact: late}, expect: deferred}
  - timers: true
"#;

#[test]
fn the_accounts_of_another_extension_are_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("catalog.yml"), "{}\n").expect("written");
    let business = BusinessFolder::load(folder.path()).expect("a business");
    let runners = Runners::new("toy", || Ok(Box::new(ToyRunner::new(1))));
    let scenario = Scenario::parse(Path::new("x.yml"), STORY).expect("a scenario");
    let played = played(&scenario, business, runners);
    assert_eq!(played.report.failures, []);
    let scopes = played.scopes();
    assert_eq!(scopes.len(), 2);
    for scope in &scopes {
        let exported = played.export(scope, None);
        assert_eq!(exported.verdict, Verdict::Same, "{}", exported.text);
        let replaced = played.export(scope, Some(SALT));
        assert!(matches!(replaced.verdict, Verdict::Same | Verdict::SameButReplaced(_)), "{:?}", replaced.verdict);
        assert!(!replaced.text.contains("anna@firm.org"), "{}", replaced.text);
    }
    let exported = played.export(&scopes[0], None);
    for part in [
        "from: user:B",
        "{name:b: user:B}",
        "late 90s",
        "final: gone",
        "retryable: retried",
        "timers: false",
        "timers: true",
    ] {
        assert!(exported.text.contains(part), "{part}\n{}", exported.text);
    }
}
