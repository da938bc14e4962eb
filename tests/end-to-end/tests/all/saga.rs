//! Tests provisioning under faults: each step and each undo fails, is repeated, is late, or is interrupted by a crash.
//! At the end the resources at the provider must equal the record.

use end_to_end::cases::one_story_in;
use end_to_end::compare::difference;
use end_to_end::hosts::HostKind;
use end_to_end::moves::{Kind, Move};
use end_to_end::people::story;
use end_to_end::play;
use end_to_end::story::{Part, VERSIONS};
use end_to_end::world::{Setup, World, command};
use extension_contract::Event;
use host_engine::read;
use host_provider_api::scripted::{Scripted, ScriptedAnswer};
use host_store::StoreError;
use host_store::testing::{Moment, Then};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The steps of an instance, in the order in which they can begin.
const STEPS: [&str; 4] = ["database", "bucket", "compute@lambda", "cdn"];
/// The step that waits until the address answers, and makes nothing.
const WAITS: &str = "address";
const INSTANCE: &str = "inst_acme";
const HOUR_MS: i64 = 3_600_000;

/// The ways in which a step can fail for good: name, answer, and the expected code in the record.
fn failures() -> [(&'static str, ScriptedAnswer, &'static str); 3] {
    [
        ("final", ScriptedAnswer::failed("quota-exceeded", "no more of it"), "quota-exceeded"),
        (
            "passing",
            ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: "later".to_owned() },
            "throttled",
        ),
        ("timed out", ScriptedAnswer::Lost, "lost-answer"),
    ]
}

fn key(step: &str, verb: &str) -> String {
    format!("{INSTANCE}/{step}/{verb}")
}

/// A customer with the plan Hobby on a host with a CDN, and the rest of the story.
struct Buyer {
    world: World,
    rest: Vec<Part>,
}

fn buyer(kind: HostKind, scripted: &Scripted) -> Buyer {
    let bought = Move::plain(Kind::Buy, 0, 0);
    let ended = Move::plain(Kind::End, 0, 0);
    let mut parts = story("A", &[bought, ended]).parts_in(VERSIONS[1]);
    let setup = Setup { config: vec![("cdn_zone_id".to_owned(), "zone".to_owned())], ..kind.setup() };
    let mut world = World::start_with(setup, scripted.clone());
    let rest = parts.split_off(parts.len() - 1);
    play::whole(&mut world, &parts);
    Buyer { world, rest }
}

/// Gives a command of the customer. The store may fail.
fn try_command(world: &mut World, kind: &str, id: &str, payload: Value) -> Result<(), StoreError> {
    world.deliver(command(id, kind, ("user", "A"), "user:A", payload).to_string().as_bytes())?;
    world.settle()
}

fn create(world: &mut World) -> Result<(), StoreError> {
    let payload = json!({"product_type": "instance", "name": "Acme", "metadata": {"subdomain": "acme"}});
    try_command(world, "product.create", "create", payload)
}

fn delete(world: &mut World) -> Result<(), StoreError> {
    try_command(world, "instance.delete", "delete", json!({"id": INSTANCE, "confirm": "acme"}))
}

fn retry(world: &mut World, id: &str) {
    try_command(world, "instance.retry", id, json!({"id": INSTANCE})).expect("the store has no fault");
}

fn wait(world: &mut World, ms: i64) {
    let until = world.clock() + ms;
    world.advance_to(until).expect("the store has no fault");
}

fn metadata(world: &World) -> Value {
    let scope = world.processor().scope("user:A".parse().expect("an account"));
    let row = read::product(world.store(), &scope, INSTANCE).expect("readable rows").expect("the instance has a row");
    serde_json::from_str(&row.values.metadata).expect("metadata is JSON")
}

fn status(world: &World) -> String {
    metadata(world)["status"].as_str().unwrap_or_default().to_owned()
}

/// The recorded resources of the instance, by name.
fn resources(world: &World) -> Map<String, Value> {
    let scope = world.processor().scope("user:A".parse().expect("an account"));
    let row = read::record(world.store(), &scope, "instances", INSTANCE).expect("readable records");
    let row = row.expect("the instance has a saga");
    let saga: Value = serde_json::from_str(&row.value).expect("a record is JSON");
    saga["resources"].as_object().cloned().unwrap_or_default()
}

/// The resources that exist or may exist according to the record: all resources that are not absent or skipped.
fn recorded(world: &World) -> BTreeSet<String> {
    let exists = resources(world)
        .into_iter()
        .filter(|(name, _)| name != WAITS)
        .filter(|(_, resource)| resource["state"] != "absent" && resource["state"] != "skipped");
    exists.map(|(name, _)| format!("{INSTANCE}/{name}")).collect()
}

/// The resources that exist at the provider.
fn existing(world: &World) -> BTreeSet<String> {
    world.scripted().inventory().into_iter().map(|resource| resource.id.id).collect()
}

fn of(steps: &[&str]) -> BTreeSet<String> {
    steps.iter().map(|step| format!("{INSTANCE}/{step}")).collect()
}

/// Asserts that exactly the resources of these steps exist and are recorded.
fn assert_exists(world: &World, steps: &[&str], what: &str) {
    assert_eq!(existing(world), of(steps), "{what}: existing");
    assert_eq!(recorded(world), of(steps), "{what}: recorded");
}

fn assert_failed(world: &World, step: &str, code: &str, what: &str) {
    let metadata = metadata(world);
    assert_eq!(metadata["status"], "error", "{what}: {metadata}");
    assert_eq!(metadata["error"]["step"], format!("{step}/ensure"), "{what}: {metadata}");
    assert_eq!(metadata["error"]["code"], code, "{what}: {metadata}");
}

// covers: S131
#[test]
fn a_failed_step_is_named_and_all_steps_are_undone() {
    for kind in HostKind::each() {
        for step in STEPS {
            for (class, answer, code) in failures() {
                let what = format!("{step} fails, {class}");
                let scripted = Scripted::new();
                scripted.script(key(step, "ensure"), vec![answer]);
                let Buyer { mut world, .. } = buyer(kind, &scripted);
                create(&mut world).expect("the store has no fault");
                wait(&mut world, 24 * HOUR_MS);
                assert_failed(&world, step, code, &what);
                assert_exists(&world, &[], &what);

                scripted.script(key(step, "ensure"), vec![ScriptedAnswer::Ok(Value::Null)]);
                retry(&mut world, "retry");
                assert_eq!(status(&world), "running", "{what}, after a retry");
                assert_exists(&world, &STEPS, &what);
            }
        }
    }
}

// covers: S131
#[test]
fn a_transient_failure_or_a_lost_answer_is_retried_until_it_succeeds() {
    for kind in HostKind::each() {
        let answers = [
            ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: "later".to_owned() },
            ScriptedAnswer::Lost,
        ];
        for step in STEPS {
            for answer in answers.clone() {
                let what = format!("{step} first answers {answer:?}");
                let scripted = Scripted::new();
                scripted.script(key(step, "ensure"), vec![answer.clone(), answer, ScriptedAnswer::Ok(Value::Null)]);
                let Buyer { mut world, .. } = buyer(kind, &scripted);
                create(&mut world).expect("the store has no fault");
                assert_eq!(status(&world), "provisioning", "{what}");
                wait(&mut world, HOUR_MS);
                assert_eq!(status(&world), "running", "{what}");
                assert_exists(&world, &STEPS, &what);
            }
        }
    }
}

#[test]
fn a_failed_undo_is_recorded_and_repeated_before_the_next_attempt() {
    for kind in HostKind::each() {
        for step in &STEPS[..3] {
            for (class, answer, _) in failures() {
                // If the answer to `destroy` is lost, the resource is gone, although the record still lists it.
                let lost = answer == ScriptedAnswer::Lost;
                let what = format!("cdn fails, and so does the undo of {step}, {class}");
                let scripted = Scripted::new();
                scripted.script(key("cdn", "ensure"), vec![ScriptedAnswer::failed("quota-exceeded", "no more of it")]);
                scripted.script(key(step, "destroy"), vec![answer]);
                let Buyer { mut world, .. } = buyer(kind, &scripted);
                create(&mut world).expect("the store has no fault");
                wait(&mut world, 48 * HOUR_MS);
                assert_failed(&world, "cdn", "quota-exceeded", &what);
                let stuck = format!("{INSTANCE}/{step}");
                assert!(recorded(&world).contains(&stuck), "{what}: it is recorded");
                assert_eq!(existing(&world).contains(&stuck), !lost, "{what}: it exists");
                assert!(existing(&world).is_subset(&recorded(&world)), "{what}: nothing is orphaned");

                for key in [key("cdn", "ensure"), key(step, "destroy")] {
                    scripted.script(key, vec![ScriptedAnswer::Ok(Value::Null)]);
                }
                retry(&mut world, "retry");
                wait(&mut world, HOUR_MS);
                assert_eq!(status(&world), "running", "{what}, after a retry");
                assert_exists(&world, &STEPS, &what);
            }
        }
    }
}

/// Results of the instance's effects after the inbox number `after`.
fn results(world: &World, after: u64) -> Vec<Event> {
    let rows = world.store().inbox_after(None, after, 100_000).expect("a readable inbox");
    let events = rows.into_iter().map(|row| row.event);
    events.filter(|e| e.source == "effects" && e.id.contains(INSTANCE) && !e.id.ends_with("/again")).collect()
}

/// Delivers results again: under the same ids they must be duplicates without changes, under other ids they must not
/// fail.
fn repeat(world: &mut World, results: Vec<Event>, as_others: bool, what: &str) {
    let before = world.document();
    for event in results {
        let again = if as_others { Event { id: format!("{}/again", event.id), ..event } } else { event };
        let reports = world.accept(again).expect("the store has no fault");
        let name = reports[0].result.name();
        assert!(if as_others { name != "failed" } else { name == "duplicate" }, "{what}: {:?}", reports[0]);
    }
    if !as_others {
        assert_eq!(difference(&before, &world.document()), None, "{what}");
    }
}

/// Creates an instance at a provider that answers each call after one second. Calls `each_second` after each of the
/// first eight seconds.
fn one_by_one(kind: HostKind, failing: Option<&str>, mut each_second: impl FnMut(&mut World, &str)) -> World {
    let scripted = Scripted::new();
    let late = |then: ScriptedAnswer| vec![ScriptedAnswer::Late { after_ms: 1_000, then: Box::new(then) }];
    scripted.script("*", late(ScriptedAnswer::Ok(Value::Null)));
    scripted.script(key("watch", "changed"), vec![ScriptedAnswer::Never]);
    if let Some(step) = failing {
        scripted.script(key(step, "ensure"), late(ScriptedAnswer::failed("quota-exceeded", "no more of it")));
    }
    let Buyer { mut world, .. } = buyer(kind, &scripted);
    wait(&mut world, 10_000);
    create(&mut world).expect("the store has no fault");
    for second in 1..=8 {
        wait(&mut world, 1_000);
        each_second(&mut world, &format!("{failing:?} fails, after {second} s"));
    }
    wait(&mut world, HOUR_MS);
    world
}

#[test]
fn a_repeated_result_changes_nothing() {
    for kind in HostKind::each() {
        for (failing, end) in [(None, "running"), (Some("cdn"), "error"), (Some("compute@lambda"), "error")] {
            let left: &[&str] = if failing.is_none() { &STEPS } else { &[] };
            let once = one_by_one(kind, failing, |_, _| {});
            assert_eq!(status(&once), end);
            assert_exists(&once, left, &format!("{failing:?} fails"));
            for as_others in [false, true] {
                let mut seen = 0;
                let twice = one_by_one(kind, failing, |world, what| {
                    let after = if as_others { seen } else { 0 };
                    let results = results(world, after);
                    seen = world.reports.iter().map(|report| report.seq).max().unwrap_or(0);
                    repeat(world, results, as_others, what);
                });
                let what = format!("{failing:?} fails, results repeated under other ids: {as_others}");
                assert_eq!(difference(&once.document(), &twice.document()), None, "{what}");
                assert_exists(&twice, left, &what);
            }
        }
    }
}

/// Returns a host with an instance whose bucket was refused and whose database was therefore undone, and the result of
/// the creation of that database.
fn database_undone(kind: HostKind) -> (World, Vec<Event>) {
    let scripted = Scripted::new();
    scripted.script(key("database", "ensure"), vec![ScriptedAnswer::Ok(Value::Null), ScriptedAnswer::Never]);
    scripted.script(
        key("bucket", "ensure"),
        vec![ScriptedAnswer::failed("quota-exceeded", "no more of it"), ScriptedAnswer::Never],
    );
    let Buyer { mut world, .. } = buyer(kind, &scripted);
    create(&mut world).expect("the store has no fault");
    assert_failed(&world, "bucket", "quota-exceeded", "the first attempt");
    assert_exists(&world, &[], "the first attempt");
    let mut made = results(&world, 0);
    made.retain(|event| event.id.contains(&key("database", "ensure")));
    assert_eq!(made.len(), 1, "{made:?}");
    (world, made)
}

#[test]
fn an_answer_of_the_first_attempt_does_not_complete_the_second() {
    for kind in HostKind::each() {
        let (mut world, made) = database_undone(kind);
        retry(&mut world, "again");
        assert_eq!(resources(&world)["database"]["state"], "making");
        repeat(&mut world, made, true, "an answer of the first attempt");
        assert_eq!(resources(&world)["database"]["state"], "making", "it still waits for its own answer");
        assert_eq!(status(&world), "provisioning");
    }
}

#[test]
fn a_late_success_of_an_undone_step_is_undone_again() {
    for kind in HostKind::each() {
        let (mut world, made) = database_undone(kind);
        let before = world.scripted().journal().len();
        repeat(&mut world, made, true, "a late success");
        world.settle().expect("the store has no fault");
        let journal = world.scripted().journal();
        let begun: Vec<&str> = journal[before..].iter().map(|entry| entry.call.kind.as_str()).collect();
        assert!(begun.contains(&"database.destroy"), "{begun:?}");
        assert_exists(&world, &[], "a late success");
    }
}

// covers: S132
#[test]
fn a_resource_of_an_abandoned_instance_is_destroyed_even_if_it_is_late() {
    for kind in HostKind::each() {
        for step in STEPS {
            for (how, late) in
                [("succeeds", ScriptedAnswer::Ok(Value::Null)), ("fails", ScriptedAnswer::failed("refused", "no"))]
            {
                for by_owner in [true, false] {
                    let what = format!("{step} {how} late, deleted by its owner: {by_owner}");
                    let scripted = Scripted::new();
                    scripted.script(
                        key(step, "ensure"),
                        vec![ScriptedAnswer::Late { after_ms: 3 * HOUR_MS, then: Box::new(late.clone()) }],
                    );
                    let Buyer { mut world, rest } = buyer(kind, &scripted);
                    create(&mut world).expect("the store has no fault");
                    assert_eq!(status(&world), "provisioning", "{what}");
                    let before = world.scripted().journal().len();
                    match by_owner {
                        true => delete(&mut world).expect("the store has no fault"),
                        false => play::whole(&mut world, &rest),
                    }
                    assert_eq!(status(&world), "deleting", "{what}");
                    wait(&mut world, 4 * HOUR_MS);
                    assert_eq!(status(&world), "terminated", "{what}");
                    assert_exists(&world, &[], &what);
                    let journal = world.scripted().journal();
                    let begun = journal[before..].iter().find(|entry| entry.call.kind.ends_with(".ensure"));
                    assert_eq!(begun, None, "{what}: nothing new begins");
                }
            }
        }
    }
}

/// Plays `body` without a kill, and with a kill at every write, of which [`one_story_in`] leaves a part. On
/// [`HostKind::Shipped`], plays a kill at every fifth of these writes, which covers each of the three writes of a group.
/// All runs must end in the same state. Returns the host of the run without a kill.
fn at_every_write(
    kind: HostKind,
    scripts: &[(String, ScriptedAnswer)],
    body: impl Fn(&mut World) -> Result<(), StoreError>,
    what: &str,
) -> World {
    let begin = || {
        let scripted = Scripted::new();
        for (key, answer) in scripts {
            scripted.script(key.clone(), vec![answer.clone()]);
        }
        buyer(kind, &scripted).world
    };
    let mut expected = begin();
    expected.faults().fail_at(u64::MAX, Moment::Before, Then::Dead);
    body(&mut expected).expect("the store has no fault");
    let writes = expected.faults().writes();
    let step = one_story_in() * if kind == HostKind::Quick { 1 } else { 5 };
    for write in (1..=writes).step_by(step) {
        for moment in [Moment::Before, Moment::After] {
            let what = format!("{what}, killed {moment:?} write {write} of {writes}");
            let mut world = begin();
            world.faults().fail_at(write, moment, Then::Dead);
            assert_eq!(world.insist(|world| body(world)), 1, "{what}");
            assert_eq!(difference(&expected.document(), &world.document()), None, "{what}");
            assert_eq!(existing(&world), existing(&expected), "{what}");
        }
    }
    expected
}

// covers: S21
#[test]
fn a_crash_at_any_write_of_a_creation_does_not_change_the_result() {
    for kind in HostKind::each() {
        let world = at_every_write(kind, &[], create, "no failure");
        assert_eq!(status(&world), "running");
        assert_exists(&world, &STEPS, "no failure");
    }
}

// covers: S21, S131
#[test]
fn a_crash_at_any_write_of_an_undo_does_not_change_the_result() {
    for kind in HostKind::each() {
        for step in ["compute@lambda", "cdn"] {
            let refused = (key(step, "ensure"), ScriptedAnswer::failed("quota-exceeded", "no more of it"));
            let world = at_every_write(kind, &[refused], create, &format!("{step} fails"));
            assert_failed(&world, step, "quota-exceeded", step);
            assert_exists(&world, &[], step);
        }
    }
}

// covers: S21
#[test]
fn a_crash_at_any_write_of_a_deletion_does_not_change_the_result() {
    for kind in HostKind::each() {
        let world = at_every_write(
            kind,
            &[],
            |world| {
                create(world)?;
                delete(world)
            },
            "created and deleted",
        );
        assert_eq!(status(&world), "terminated");
        assert_exists(&world, &[], "created and deleted");
    }
}
