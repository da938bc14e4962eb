//! A host is killed and started again on the same store. The provider of the new start has lost its memory.
//!
//! The events: a subscription, its first invoice, an instance, and the end of the subscription, which suspends the
//! instance.

use host_replay::report::Json;
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_replay::run::{ReplayOptions, replay};
use host_scenario::business::BusinessFolder;
use host_scenario::error::ReplayError;
use host_store::testing::{Faults, Moment, Then};
use host_store::{Changes, EffectChange, EffectState, Lease, MemoryStore, Store};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// A day after the last event: 2026-09-30T14:13:20Z in milliseconds since the epoch.
const CLOCK_MS: i64 = 1_790_864_000_000;
/// One year, in milliseconds: longer than the consequences of the subscription's end take.
const YEAR_MS: i64 = 365 * 86_400_000;
const STORY: &str = include_str!("kill/story.jsonl");

/// The final state of a host.
#[derive(Debug, PartialEq)]
struct End {
    state: String,
    /// The provider's resources with their states.
    resources: Vec<(String, String)>,
    /// Open effects with their states: later timers and mails are queued, the instance's watch runs.
    open: Vec<(String, EffectState)>,
}

fn setup(store: StoreKind) -> RigSetup {
    RigSetup {
        business: BusinessFolder::load(&test_support::in_business("solobase")).expect("the business"),
        livemode: false,
        config: Vec::new(),
        runners: host_replay::native::runners(),
        store,
        clock: CLOCK_MS,
        live: None,
    }
}

fn start(store: Box<dyn Store>) -> Result<Rig, ReplayError> {
    let mut host = Rig::start_with(setup(StoreKind::Memory), store)?;
    host.set_fire_timers(false);
    Ok(host)
}

/// Delivers the first `events` events, committed one by one or together.
fn deliver(host: &mut Rig, events: usize, together: bool) -> Result<(), ReplayError> {
    if together {
        host.begin_group()?;
    }
    for line in STORY.lines().take(events) {
        let bytes = line.as_bytes().to_vec();
        host.deliver(host_intake::raw::read(bytes, "solobase", CLOCK_MS).expect("an event"), CLOCK_MS)?;
    }
    if together { host.commit_group() } else { Ok(()) }
}

fn end(host: &Rig) -> End {
    let resources = host.scripted().inventory();
    let open = host.store().effects_open_after(host.processor().partition(), 0, usize::MAX).expect("read");
    End {
        state: host.state().expect("a state"),
        resources: resources.into_iter().map(|it| (it.id.to_string(), it.state)).collect(),
        open: open.into_iter().map(|row| (row.effect.key, row.state)).collect(),
    }
}

fn undisturbed() -> End {
    let mut host = start(Box::new(MemoryStore::new())).expect("a host");
    deliver(&mut host, 4, false).expect("no fault");
    end(&host)
}

#[test]
fn the_events_suspend_the_instance() {
    let end = undisturbed();
    let suspended: Vec<&str> =
        end.resources.iter().filter(|(_, state)| state == "suspended").map(|(id, _)| id.as_str()).collect();
    assert_eq!((end.resources.len(), suspended), (3, vec!["function:inst_acme/compute@lambda"]));
}

/// After the kill, all events are delivered again, as a second replay of the file would do.
#[test]
fn a_kill_at_any_write_does_not_change_the_result() {
    let expected = undisturbed();
    for together in [false, true] {
        let counting = Faults::new(Box::new(MemoryStore::new()));
        deliver(&mut start(counting.open()).expect("a host"), 4, together).expect("no fault");
        assert!(counting.writes() >= 30, "{} writes, together: {together}", counting.writes());
        for write in 1..=counting.writes() {
            for moment in [Moment::Before, Moment::After] {
                let faults = Faults::new(Box::new(MemoryStore::new()));
                faults.fail_at(write, moment, Then::Dead);
                let killed = start(faults.open()).and_then(|mut host| deliver(&mut host, 4, together));
                assert!(killed.is_err() && faults.struck());
                let mut host = start(faults.open()).expect("started again");
                deliver(&mut host, 4, together).expect("no further fault");
                assert_eq!(end(&host), expected, "killed at write {write} {moment:?}, together: {together}");
            }
        }
    }
}

/// Advances the clock after the last event as `--until` does. The set-up of the restarted host has the clock of the
/// events, long before the kill.
#[test]
fn a_kill_while_time_passes_does_not_change_the_result() {
    let pass = |host: &mut Rig| -> Result<(), ReplayError> {
        host.set_fire_timers(true);
        host.advance_to(CLOCK_MS + YEAR_MS).map(drop)
    };
    let play = |host: &mut Rig| deliver(host, 4, false).and_then(|()| pass(host));
    let mut host = start(Box::new(MemoryStore::new())).expect("a host");
    play(&mut host).expect("no fault");
    let expected = end(&host);
    assert!(expected.resources.iter().all(|(_, state)| state == "destroyed"), "{:?}", expected.resources);
    let counting = Faults::new(Box::new(MemoryStore::new()));
    let mut host = start(counting.open()).expect("a host");
    deliver(&mut host, 4, false).expect("no fault");
    let before = counting.writes();
    pass(&mut host).expect("no fault");
    assert!(counting.writes() >= before + 30, "{} writes after {before}", counting.writes());
    for write in before + 1..=counting.writes() {
        for moment in [Moment::Before, Moment::After] {
            let faults = Faults::new(Box::new(MemoryStore::new()));
            faults.fail_at(write, moment, Then::Dead);
            let killed = start(faults.open()).and_then(|mut host| play(&mut host));
            assert!(killed.is_err() && faults.struck());
            let mut host = start(faults.open()).expect("started again");
            play(&mut host).expect("no further fault");
            assert_eq!(end(&host), expected, "killed at write {write} {moment:?}");
        }
    }
}

#[test]
fn a_second_run_on_a_store_continues_the_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let kind = StoreKind::Sqlite(folder.path().join("rows.db"));
    for events in 1..=4 {
        let mut host = Rig::start(setup(kind.clone())).expect("a host");
        host.set_fire_timers(false);
        deliver(&mut host, events, true).expect("no fault");
        if events == 4 {
            assert_eq!(end(&host), undisturbed());
        }
    }
}

/// The store is in the state in which a host leaves it if the host is killed during calls of live providers.
#[test]
fn effects_that_ran_at_a_kill_are_recovered_by_the_next_start() {
    let mut host = start(Box::new(MemoryStore::new())).expect("a host");
    deliver(&mut host, 2, false).expect("no fault");
    let line = STORY.lines().nth(2).expect("the instance");
    let created = host_intake::raw::read(line.as_bytes().to_vec(), "solobase", CLOCK_MS).expect("an event");
    host.accept(created, CLOCK_MS).expect("no fault");
    let partition = host.processor().partition().clone();
    let mut store = host.stop();
    let mut begun = store.effects_open_after(&partition, 0, usize::MAX).expect("read");
    begun.retain(|row| row.effect.kind.ends_with(".ensure") && row.state == EffectState::Queued);
    assert_eq!(begun.len(), 2, "database and bucket have begun");
    for row in begun {
        let lease = Lease { number: 1, until: Some(CLOCK_MS + 300_000), token: None, owner: None };
        let (key, generation, due_at) = (row.effect.key, row.effect.generation, row.due_at);
        let running = EffectChange::Update { key, generation, state: EffectState::Running, attempts: 1, due_at, lease };
        let changes = Changes { scope: Some(row.scope), effects: vec![running], ..Changes::default() };
        store.apply(&changes).expect("applied");
    }
    let mut host = start(store).expect("started again");
    let calls = host.scripted().journal();
    let attempts: Vec<_> = calls.iter().map(|entry| (entry.call.verb(), entry.call.attempt)).take(2).collect();
    assert_eq!(attempts, [("ensure", 1), ("ensure", 1)], "the same attempt again");
    deliver(&mut host, 4, false).expect("no fault");
    assert_eq!(end(&host), undisturbed());
}

/// A writer that counts lines, and stores the number of lines at each flush.
#[derive(Clone, Default)]
struct Lines(Rc<RefCell<(usize, Vec<usize>)>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().0 += bytes.iter().filter(|byte| **byte == b'\n').count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut noted = self.0.borrow_mut();
        let lines = noted.0;
        noted.1.push(lines);
        Ok(())
    }
}

#[test]
fn lines_are_flushed_as_soon_as_their_group_is_durable() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log.jsonl");
    let first = STORY.lines().next().expect("a subscription");
    let events: String = (0..130).map(|n| first.replace("evt_0001", &format!("evt_{n}")) + "\n").collect();
    std::fs::write(&log, events).expect("written");
    let options = ReplayOptions {
        business: Some("solobase".to_owned()),
        fixtures: Some(test_support::fixtures()),
        ..ReplayOptions::new(host_replay::native::runners())
    };
    let lines = Lines::default();
    let mut out = Json::new(io::BufWriter::with_capacity(1 << 20, lines.clone()));
    replay(&[log], &mut io::empty(), &options, &mut out).expect("replayed");
    assert_eq!(lines.0.borrow().1, [64, 128, 130, 131], "two groups, the rest, and the summary");
}
