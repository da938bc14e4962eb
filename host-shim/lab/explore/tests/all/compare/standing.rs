//! Tests the state that a comparison takes from the log: effects that began or ended, and erased accounts.
//!
//! The toy extension sends a mail for each effect that the host reports as begun, so a wrong state of an effect shows
//! in the effects of OLD.

use super::support::{by_log, cause_lines, changed_of, log_of};
use crate::toy::ToyRunner;
use extension_contract::{Effect, RowKey};
use host_explore::compare::{Comparison, Options};
use host_replay::library::Sources;
use host_replay::runners::Runners;
use std::fs;

/// One hour after the start of a story, in milliseconds since 1970.
const AN_HOUR: &str = "1767229200000";

/// The toy, with a mail for each effect that the host reports as begun.
fn mailing_begun_effects() -> Runners {
    let toy = Runners::new("toy", || Ok(Box::new(ToyRunner::new(1))));
    changed_of(toy, |event, decision| {
        let has_begun = |key: &RowKey| match key {
            RowKey::Record(key) => key.id.starts_with("begun/") && key.id.ends_with("=true"),
            _ => false,
        };
        let begun = decision.changes.iter().filter(|change| has_begun(&change.key)).count();
        decision.effects.extend((0..begun).map(|number| mail(format!("told/{}/{number}", event.id))));
    })
}

fn mail(key: String) -> Effect {
    Effect {
        kind: "mail.send".to_owned(),
        to: None,
        key,
        generation: 1,
        payload: "{}".to_owned(),
        context: "{}".to_owned(),
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    }
}

/// Compares `new` with [`mailing_begun_effects`] on the log of a story.
fn compared(events: &str, new: Runners, allow: &[&str]) -> Comparison {
    let folder = tempfile::tempdir().expect("a folder");
    let business = folder.path().join("toys");
    fs::create_dir(&business).expect("made");
    fs::write(business.join("catalog.yml"), "{}\n").expect("written");
    let story = format!("name: x\ngiven: {{account: user:a}}\nevents:{events}").replace("AN_HOUR", AN_HOUR);
    let store = log_of(&story, &business, mailing_begun_effects(), folder.path());
    let allow = allow.iter().map(|text| text.parse().expect("a field")).collect();
    let options = Options { allow, ..Options::new(mailing_begun_effects(), new) };
    let sources = Sources { business: Some(business.display().to_string()), fixtures: None };
    by_log(&*store, sources, &options)
}

/// Asserts that both sides reproduce the record of `count` events.
fn assert_reproduces_the_record(events: &str, count: u64) {
    let found = compared(events, mailing_begun_effects(), &[]);
    assert_eq!(found.causes, []);
    let record = found.record.expect("a record");
    assert_eq!((record.events, record.differing, record.first), (count, 0, None));
}

#[test]
fn an_effect_that_never_began_can_be_cancelled() {
    assert_reproduces_the_record(
        "
  - {command: do, payload: {ask: [{kind: mail.send, key: m, not_before: AN_HOUR}]}, expect: applied, effects: [{kind: mail.send}]}
  - {command: do, payload: {begun: [m], cancel: [m]}, expect: applied, effects: []}
  - {advance: 2h}
",
        // The catalog and two commands.
        3,
    );
}

#[test]
fn a_new_generation_has_not_begun_although_the_first_one_ended() {
    assert_reproduces_the_record(
        "
  - {command: do, payload: {ask: [{kind: mail.send, key: m}]}, expect: applied}
  - {command: do, payload: {begun: [m]}, expect: applied, effects: [{kind: mail.send}]}
  - {command: do, payload: {ask: [{kind: mail.send, key: m, generation: 2, not_before: AN_HOUR}]}, expect: applied}
  - {command: do, payload: {begun: [m], cancel: [m]}, expect: applied, effects: []}
",
        // The catalog, four commands, and the results of the mail and of the mail that reports it as begun.
        7,
    );
}

#[test]
fn a_fired_timer_and_a_delivered_message_have_ended() {
    assert_reproduces_the_record(
        "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}, {kind: account.send, key: s, to: 'user:b'}]}, expect: applied}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: []}
  - {advance: 2h}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: [{kind: mail.send}]}
  - {command: do, payload: {begun: [s]}, expect: applied, effects: [{kind: mail.send}]}
",
        // The catalog, four commands, the timer, the message, and the results of two mails.
        9,
    );
}

#[test]
fn new_can_not_cancel_a_fired_timer() {
    let story = "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}]}, expect: applied}
  - {advance: 2h}
  - {command: do, id: late, payload: {}, expect: applied}
";
    let cancels = |event: &'static str| {
        changed_of(mailing_begun_effects(), move |of, decision| {
            if of.id == event {
                decision.cancel.push("t".to_owned());
            }
        })
    };
    assert_eq!(compared(story, cancels("late"), &[]).causes, [], "too late to cancel");
    let in_time = story.replace("  - {adv", "  - {command: do, id: soon, payload: {}, expect: applied}\n  - {adv");
    assert_eq!(cause_lines(&compared(&in_time, cancels("soon"), &[])), ["state of do: - timers"]);
}

#[test]
fn an_effect_that_new_cancelled_has_not_begun_although_it_ended_in_the_log() {
    let story = "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}]}, expect: applied}
  - {command: do, id: soon, payload: {}, expect: applied}
  - {advance: 2h}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: [{kind: mail.send}]}
";
    let new = changed_of(mailing_begun_effects(), |event, decision| {
        if event.id == "soon" {
            decision.cancel.push("t".to_owned());
        }
    });
    let found = compared(story, new, &["state"]);
    assert!(cause_lines(&found).contains(&"effects of do: - mail.send".to_owned()), "{:?}", cause_lines(&found));
}

#[test]
fn a_generation_that_new_did_not_request_does_not_end_the_previous_generation() {
    let story = "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}]}, expect: applied}
  - {command: do, id: again, payload: {ask: [{kind: timer.at, key: t, generation: 2, not_before: AN_HOUR}]}, expect: applied}
  - {advance: 2h}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: [{kind: mail.send}]}
";
    let new = changed_of(mailing_begun_effects(), |event, decision| {
        if event.id == "again" {
            decision.effects.clear();
        }
    });
    let found = compared(story, new, &[]);
    assert_eq!(cause_lines(&found)[0], "effects of do: - timer.at");
    assert!(found.causes[0].follows > 0, "no effect has begun there: {:?}", found.causes);
}

#[test]
fn later_events_of_an_erased_account_are_not_compared_with_the_record() {
    assert_reproduces_the_record(
        "
  - {command: do, account: user:b, payload: {note: [f]}, expect: applied}
  - {command: do, account: user:b, payload: {ask: [{kind: account.erase, key: e}]}, expect: applied}
  - {command: do, account: user:b, payload: {note: [f]}, expect: duplicate}
  - {command: do, payload: {note: [f]}, expect: applied}
",
        // The catalog and the other account's command.
        2,
    );
}
