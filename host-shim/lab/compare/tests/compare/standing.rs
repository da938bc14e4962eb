//! What a log says of effects and accounts: which have begun, which have ended, and who was erased.
//!
//! The extension is told by the host what has begun. Here it asks for a mail each time that it is told so, by which another
//! standing shows in what OLD comes to.

use super::support::{by_log, changed_of, log_of, told};
use super::toy::ToyRunner;
use extension_contract::{Effect, RowKey};
use host_compare::{Comparison, Options};
use host_replay::library::Sources;
use host_replay::runners::Runners;
use std::fs;

/// An hour after a story begins, in milliseconds since 1970.
const AN_HOUR: &str = "1767229200000";

/// The toy, with a mail for each effect that it is told has begun.
fn told_what_has_begun() -> Runners {
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

/// What comes of a story's log with the same component on both sides, or with a changed one as the new one.
fn compared(events: &str, new: Runners, allow: &[&str]) -> Comparison {
    let folder = tempfile::tempdir().expect("a folder");
    let business = folder.path().join("toys");
    fs::create_dir(&business).expect("made");
    fs::write(business.join("catalog.yml"), "{}\n").expect("written");
    let story = format!("name: x\ngiven: {{account: user:a}}\nevents:{events}").replace("AN_HOUR", AN_HOUR);
    let store = log_of(&story, &business, told_what_has_begun(), folder.path());
    let allow = allow.iter().map(|text| text.parse().expect("a field")).collect();
    let options = Options { allow, ..Options::new(told_what_has_begun(), new) };
    let sources = Sources { business: Some(business.display().to_string()), fixtures: None };
    by_log(&*store, sources, &options)
}

/// Both sides come to what was recorded, of so many events.
fn comes_to_what_was_recorded(events: &str, count: u64) {
    let found = compared(events, told_what_has_begun(), &[]);
    assert_eq!(found.causes, []);
    let record = found.record.expect("a record");
    assert_eq!((record.events, record.differing, record.first), (count, 0, None));
}

#[test]
fn an_effect_that_never_began_can_be_called_off() {
    comes_to_what_was_recorded(
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
fn what_is_asked_for_anew_has_not_begun_although_it_once_began_and_ended() {
    comes_to_what_was_recorded(
        "
  - {command: do, payload: {ask: [{kind: mail.send, key: m}]}, expect: applied}
  - {command: do, payload: {begun: [m]}, expect: applied, effects: [{kind: mail.send}]}
  - {command: do, payload: {ask: [{kind: mail.send, key: m, generation: 2, not_before: AN_HOUR}]}, expect: applied}
  - {command: do, payload: {begun: [m], cancel: [m]}, expect: applied, effects: []}
",
        // The catalog, four commands, and the ends of the mail and of the one that tells of it.
        7,
    );
}

#[test]
fn a_timer_that_fired_and_a_message_that_came_have_ended() {
    comes_to_what_was_recorded(
        "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}, {kind: account.send, key: s, to: 'user:b'}]}, expect: applied}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: []}
  - {advance: 2h}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: [{kind: mail.send}]}
  - {command: do, payload: {begun: [s]}, expect: applied, effects: [{kind: mail.send}]}
",
        // The catalog, four commands, the timer, the message, and the ends of two mails.
        9,
    );
}

#[test]
fn a_timer_that_fired_is_no_open_one_that_new_could_call_off() {
    let story = "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}]}, expect: applied}
  - {advance: 2h}
  - {command: do, id: late, payload: {}, expect: applied}
";
    let calls_it_off = |event: &'static str| {
        changed_of(told_what_has_begun(), move |of, decision| {
            if of.id == event {
                decision.cancel.push("t".to_owned());
            }
        })
    };
    assert_eq!(compared(story, calls_it_off("late"), &[]).causes, [], "it is too late");
    let in_time = story.replace("  - {adv", "  - {command: do, id: soon, payload: {}, expect: applied}\n  - {adv");
    assert_eq!(told(&compared(&in_time, calls_it_off("soon"), &[])), ["state of do: - timers"]);
}

#[test]
fn what_new_called_off_has_not_begun_there_although_it_ended_in_the_log() {
    let story = "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}]}, expect: applied}
  - {command: do, id: soon, payload: {}, expect: applied}
  - {advance: 2h}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: [{kind: mail.send}]}
";
    let new = changed_of(told_what_has_begun(), |event, decision| {
        if event.id == "soon" {
            decision.cancel.push("t".to_owned());
        }
    });
    let found = compared(story, new, &["state"]);
    assert!(told(&found).contains(&"effects of do: - mail.send".to_owned()), "{:?}", told(&found));
}

#[test]
fn what_new_did_not_ask_for_anew_ends_nothing_of_what_it_asked_for_before() {
    let story = "
  - {command: do, payload: {ask: [{kind: timer.at, key: t, not_before: AN_HOUR}]}, expect: applied}
  - {command: do, id: again, payload: {ask: [{kind: timer.at, key: t, generation: 2, not_before: AN_HOUR}]}, expect: applied}
  - {advance: 2h}
  - {command: do, payload: {begun: [t]}, expect: applied, effects: [{kind: mail.send}]}
";
    let new = changed_of(told_what_has_begun(), |event, decision| {
        if event.id == "again" {
            decision.effects.clear();
        }
    });
    let found = compared(story, new, &[]);
    assert_eq!(told(&found)[0], "effects of do: - timer.at");
    assert!(found.causes[0].follows > 0, "it is told that nothing has begun: {:?}", found.causes);
}

#[test]
fn what_an_erased_account_did_later_is_not_held_against_the_record() {
    comes_to_what_was_recorded(
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
