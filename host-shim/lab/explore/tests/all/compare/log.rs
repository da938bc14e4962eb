//! Compares two components on a log that has effects, timers and messages.

use super::support::{self, cause_lines, changed, options};
use extension_contract::Payload;
use host_explore::compare::cut::smallest;
use host_explore::compare::{Comparison, Options};
use host_replay::library::{Library, Sources};
use host_replay::run::{ReplayOptions, Silent, replay};
use host_store::Store;
use std::fs;
use std::path::Path;
use test_support::{fixtures, in_business};

/// A show, a theme whose price is shared with another account, downloads, and three months.
const STORY: &str = r#"name: a log with effects, timers and messages
given: {account: user:ana}
events:
  - {command: instance.create, payload: {name: First, metadata: {label: first-show}}, expect: applied}
  - {command: purchase.create, id: buy, payload: {product_type: theme, item: night}, expect: applied}
  - stripe: checkout.session.completed
    set: {mode: payment, subscription: null, payment_intent: pi_1, payment_status: paid, metadata: {purchase_id: pur_e8197b20f8e71e42}, amount_subtotal: 500, amount_total: 500}
    expect: applied
  - {command: usage.consume, payload: {key: downloads, amount: 900}, expect: applied}
  - {stripe: customer.subscription.created, set: {metadata: {user_id: ana}, price: price_studio}, expect: applied}
  - advance: 90d
  - {command: instance.create, payload: {name: Second, metadata: {label: second-show}}, expect: applied}
"#;

/// A show that is deleted while its bucket is being created.
const MEANWHILE: &str = r#"name: an effect that began can't be cancelled
given: {account: user:ana, answers: {show_first-show/episodes/ensure: {late: 2h}}}
events:
  - {command: instance.create, payload: {name: First, metadata: {label: first-show}}, expect: applied}
  - {command: instance.delete, payload: {id: show_first-show, confirm: first-show}, expect: applied}
  - advance: 1d
"#;

/// The log that a host writes for [`STORY`].
fn recorded(folder: &Path) -> Box<dyn Store> {
    log_of(STORY, folder)
}

fn log_of(story: &str, folder: &Path) -> Box<dyn Store> {
    support::log_of(story, &in_business("full-podcasts"), host_replay::native::runners(), folder)
}

fn sources() -> Sources {
    Sources { business: Some(in_business("full-podcasts").display().to_string()), ..support::sources() }
}

fn by_log(store: &dyn Store, options: &Options) -> Comparison {
    support::by_log(store, sources(), options)
}

#[test]
fn the_log_has_effect_results_timers_and_messages() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = recorded(folder.path()).inbox_after(None, 0, 500).expect("rows");
    let count = |is: fn(&Payload) -> bool| rows.iter().filter(|row| is(&row.event.payload)).count();
    assert!(count(|payload| matches!(payload, Payload::EffectResult(_))) > 2);
    assert!(count(|payload| matches!(payload, Payload::Timer(_))) > 0);
    assert!(count(|payload| matches!(payload, Payload::Message(_))) > 0);
}

#[test]
fn the_same_component_equals_itself_and_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let found = by_log(&*recorded(folder.path()), &options(host_replay::native::runners(), &[]));
    assert_eq!(found.causes, []);
    let record = found.record.expect("a record");
    assert_eq!((record.differing, record.first), (0, None));
    assert!(record.events > 12 && found.runs >= record.events, "{} events", record.events);
}

#[test]
fn a_log_with_a_running_effect_is_reproduced() {
    let folder = tempfile::tempdir().expect("a folder");
    let found = by_log(&*log_of(MEANWHILE, folder.path()), &options(host_replay::native::runners(), &[]));
    assert_eq!(found.record.map(|record| (record.differing, record.first)), Some((0, None)));
}

#[test]
fn a_different_decision_is_reported_by_inbox_number_and_cut_to_a_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = recorded(folder.path());
    let new = changed(|event, decision| {
        if event.kind == "customer.subscription.created" {
            decision.facts.clear();
            decision.changes.clear();
            decision.effects.clear();
        }
    });
    let options = options(new, &[]);
    let found = by_log(&*store, &options);
    let lines = cause_lines(&found);
    assert!(lines.iter().all(|line| line.contains("of customer.subscription.created: ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("state of")), "{lines:?}");
    assert!(found.causes.iter().any(|cause| cause.follows > 0), "the second show is refused later: {:?}", found.causes);
    assert!(found.causes[0].first.place.to_string().ends_with(" of the log"), "{}", found.causes[0].first.place);
    let file = folder.path().join("differs.yml");
    let mut library = Library::new(sources(), options.old.clone(), &[]).expect("the fixtures");
    let cut = smallest(&mut library, &found, &options, &file).expect("a scenario").expect("a difference");
    fs::write(&file, &cut.text).expect("written");
    for (runners, holds) in [(&options.old, true), (&options.new, false)] {
        let replayed = ReplayOptions { fixtures: Some(fixtures()), ..ReplayOptions::new(runners.clone()) };
        let finished = replay(std::slice::from_ref(&file), &mut std::io::empty(), &replayed, &mut Silent);
        assert_eq!(finished.expect("a playable scenario").held(), holds, "{}", cut.text);
    }
    assert!(cut.steps < cut.steps_before, "{} of {}", cut.steps, cut.steps_before);
}

#[test]
fn a_log_that_old_does_not_reproduce_is_reported_separately() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = recorded(folder.path());
    let other = || {
        changed(|event, decision| {
            if event.kind == "usage.consume" {
                decision.effects.clear();
                decision.cancel.clear();
            }
        })
    };
    let options = Options { old: other(), ..options(other(), &[]) };
    let found = by_log(&*store, &options);
    assert_eq!(found.causes, [], "equal decisions");
    let record = found.record.expect("a record");
    assert!(record.differing > 0 && record.first.is_some_and(|first| first.contains("effects")), "reported as record");
}
