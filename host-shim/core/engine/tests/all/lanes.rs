//! Tests of lanes over PostgreSQL: side by side they reach the state of one lane that gets the events in the order of commits.
#![allow(clippy::unwrap_used)]

use crate::outbox;
use crate::processor::events::{T0, command, lines, webhook};
use crate::processor::toy::ToyRunner;
use crate::processor::{self, business};
use crate::writer::{self, decoded};
use counterparts::Postgres;
use extension_contract::{Account, DeferReason, Event, Outcome};
use host_engine::clock::Clock;
use host_engine::outbox::OutboxError;
use host_engine::processor::{ATTEMPTS_MAX, Disposition, Processor, RETRY_DELAYS_MS, Report};
use host_engine::turns::Turn;
use host_engine::writer::{JobResult, Jobs, Lane, Lanes, Listener, Writer, WriterLimits};
use host_provider_api::scripted::Scripted;
use host_provider_api::{Call, Registry};
use host_store::{EffectState, MemoryStore, NotState, Store, state_hash};
use host_store_postgres::{PostgresStore, Settings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Lanes side by side.
const LANES: usize = 8;
/// Accounts of a story.
const ACCOUNTS: u64 = 200;
/// Claims that all accounts want.
const CLAIMS: u64 = 12;
/// Events of a story.
const EVENTS: u64 = 160;
/// Time by which every event that was put off is due.
const LATER: i64 = T0 + 3_600_000;

/// Random numbers of a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A store in a schema of its own, which ends with the test.
struct Schema(Settings);

fn server() -> (std::sync::Arc<Postgres>, String) {
    let server = Postgres::shared();
    let address = server.shared_database("lanes");
    (server, address)
}

impl Schema {
    fn new(name: &str) -> Schema {
        Schema(format!("{}&schema={name}", server().1).parse().unwrap())
    }

    fn open(&self) -> Box<dyn Store> {
        Box::new(PostgresStore::open(&self.0).unwrap())
    }

    /// Runs SQL; returns one line per row.
    fn sql(&self, statement: &str) -> String {
        server().0.sql("lanes", &format!("SET search_path = {}; {statement}", self.0.schema()))
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        self.sql(&format!("SET client_min_messages = error; DROP SCHEMA {} CASCADE", self.0.schema()));
    }
}

/// Ignores commits; a failure of the store fails the test by the answers.
struct Deaf;

impl Listener for Deaf {
    fn calls(&mut self, _: Vec<Call>) {}
    fn committed(&mut self, _: &[Report]) {}
    fn failed(&mut self, error: &OutboxError) {
        panic!("{error}");
    }
}

/// Returns a random event: of a named account or placed by a claim, which takes names that others want, records facts that others
/// record, sets timers, or waits for a fact.
fn event(random: &mut Random, number: u64) -> Event {
    let account = random.below(ACCOUNTS);
    let name = |random: &mut Random| format!("name:{}", random.below(CLAIMS));
    let doing = match random.below(8) {
        0 => json!({"take": [name(random)]}),
        1 => json!({"take": [name(random), name(random)]}),
        2 => json!({"note": [format!("fact{}", random.below(3))]}),
        3 => json!({"note": [format!("fact{}", random.below(3))], "take": [name(random)]}),
        4 => json!({"needs_fact": format!("fact{}", random.below(3))}),
        5 => json!({"ask": [{"kind": "timer.at", "key": format!("t{number}"), "not_before": LATER * 2}]}),
        6 => json!({"take": [format!("customer:{account}")]}),
        _ => json!({}),
    };
    let id = format!("e{number}");
    if random.below(3) > 0 {
        return command(&id, &account.to_string(), T0, doing);
    }
    // It is placed by the claim of its customer, or else by the account that it names.
    let named = Account::User(account.to_string());
    let mut of_provider = json!({"keys": [format!("customer:{account}")], "account": named});
    merge(&mut of_provider, &doing);
    webhook(&id, T0, of_provider)
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        into[name] = value.clone();
    }
}

/// Starts lanes, each alone: the test chooses the lane of an event, so that events of one account meet.
fn start(first: &Processor, jobs: &Jobs, limits: WriterLimits) -> Vec<Lanes> {
    let clock = Clock::manual(T0);
    let lane = |_| {
        let processor = first.peer(Box::new(ToyRunner::new(1))).unwrap().unwrap();
        Lanes::spawn(vec![Lane { processor, listener: Box::new(Deaf) }], clock.source(), jobs, limits).unwrap()
    };
    (0..LANES).map(lane).collect()
}

fn send(lanes: &Lanes, event: Event) -> Receiver<JobResult> {
    let (answer, answered) = channel();
    let answer = Box::new(move |result| drop(answer.send(result)));
    lanes.try_accept_then(Turn::Webhook, decoded(event), Vec::new(), answer).unwrap();
    answered
}

/// Returns the events in the order of the commits of their last runs; in one commit, in the order of their numbers.
fn in_commit_order(schema: &Schema) -> Vec<String> {
    let sql = "SELECT id FROM events WHERE source <> 'catalog' ORDER BY pg_xact_commit_timestamp(xmin), seq";
    schema.sql(sql).lines().filter(|line| line.starts_with('e')).map(str::to_owned).collect()
}

/// Returns the outcome of each event.
fn outcomes(store: &dyn Store) -> BTreeMap<String, String> {
    let rows = store.inbox_after(None, 0, 10_000).unwrap();
    let rows = rows.into_iter().filter(|row| row.event.id.starts_with('e'));
    rows.map(|row| (row.event.id, format!("{:?} {:?}", row.state.name(), row.outcome))).collect()
}

/// Lanes over one database, for one story after the other.
struct Stage {
    schema: Schema,
    first: Processor,
    writer: Writer,
    lanes: Vec<Lanes>,
}

impl Stage {
    fn new(name: &str) -> Stage {
        let schema = Schema::new(name);
        let first = processor::over(schema.open());
        let (writer, _) = writer::spawn(Box::new(MemoryStore::new()), WriterLimits::default());
        let limits = WriterLimits { group: 6, ..WriterLimits::default() };
        let lanes = start(&first, writer.jobs(), limits);
        Stage { schema, first, writer, lanes }
    }

    fn play(&mut self, seed: u64) {
        let mut random = Random(seed);
        let events: Vec<Event> = (0..EVENTS).map(|number| event(&mut random, number)).collect();
        let mut answers = Vec::new();
        for event in &events {
            answers.push(send(&self.lanes[random.below(LANES as u64) as usize], event.clone()));
            // Stripe delivers some events twice, and not to the same host.
            if random.below(10) == 0 {
                answers.push(send(&self.lanes[random.below(LANES as u64) as usize], event.clone()));
            }
        }
        for answer in answers {
            answer.recv().unwrap().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        self.first.retry_due(LATER).unwrap();

        let order = in_commit_order(&self.schema);
        assert_eq!(order.len(), events.len(), "seed {seed}: each event is stored once");
        let by_id: BTreeMap<&str, &Event> = events.iter().map(|event| (&*event.id, event)).collect();
        let mut alone = Processor::new(Box::new(MemoryStore::new()), Box::new(ToyRunner::new(1)), business()).unwrap();
        for id in &order {
            alone.accept(by_id[&**id].clone(), Vec::new()).unwrap();
        }
        assert_eq!(outcomes(self.first.store()), outcomes(alone.store()), "seed {seed}");
        let hash = |store: &dyn Store| state_hash(&[store], &NotState::default()).unwrap();
        assert_eq!(hash(self.first.store()), hash(alone.store()), "seed {seed}");
        self.schema.sql("TRUNCATE scopes, rows, refs, facts, claims, events, runs, waits, effects, replies");
    }

    fn end(self) {
        self.lanes.into_iter().for_each(Lanes::stop);
        self.writer.stop().unwrap();
    }
}

#[test]
fn lanes_reach_the_state_of_one_lane_in_the_order_of_commits() {
    let seeds = test_support::count("LANE_SEEDS", 100) as u64;
    // Two stories at a time: each has eight lanes.
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || {
                let mut stage = Stage::new(&format!("stage_{half}"));
                (0..seeds).filter(|seed| seed % 2 == half).for_each(|seed| stage.play(seed));
                stage.end();
            });
        }
    });
}

/// Starts a lane beside a writer. A manual clock never advances by itself, so the writer looks only because the lane wakes it.
fn beside_writer(schema: &Schema) -> (Lanes, Writer, Receiver<writer::ListenerEvent>) {
    let host = writer::host(schema.open(), Registry::new(), ToyRunner::new(1), Clock::manual(T0));
    let of_lane = host.processor().peer(Box::new(ToyRunner::new(1))).unwrap().unwrap();
    let (writer, listened) = writer::spawn_host(host, WriterLimits::default());
    // A starting writer revisits the accounts that it finds: there must be none yet.
    let (started, has_started) = std::sync::mpsc::channel();
    writer.jobs().advance_then(T0, Box::new(move |_| started.send(()).unwrap())).unwrap();
    has_started.recv().unwrap();
    let clock = Clock::manual(T0);
    let lane = Lane { processor: of_lane, listener: Box::new(Deaf) };
    let lanes = Lanes::spawn(vec![lane], clock.source(), writer.jobs(), WriterLimits::default()).unwrap();
    (lanes, writer, listened)
}

#[test]
fn effects_that_a_lane_requests_begin_without_waiting_for_the_writer() {
    let schema = Schema::new("wakes");
    let (lanes, writer, listened) = beside_writer(&schema);
    let asked = json!({"ask": [{"kind": "mail.send", "key": "m"}]});
    let reports = send(&lanes, command("c1", "a", T0, asked)).recv().unwrap().unwrap();
    assert_eq!(lines(&reports), ["c1: applied"]);
    let called = listened.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(matches!(&called, writer::ListenerEvent::Calls(calls) if calls[0].key == "m"), "{called:?}");
    lanes.stop();
    writer.stop().unwrap();
}

#[test]
fn an_event_that_a_lane_leaves_undecided_is_decided_without_waiting_for_the_writer() {
    let schema = Schema::new("undecided");
    let (lanes, writer, listened) = beside_writer(&schema);
    send(&lanes, command("c1", "b", T0, json!({"take": ["name:1"]}))).recv().unwrap().unwrap();
    // The claim that the event waits for is taken already, so it must run again at once.
    let waits = Outcome::Deferred(DeferReason::Claim(vec!["name:1".to_owned()]));
    let reports = send(&lanes, command("c2", "a", T0, json!({"outcome": waits}))).recv().unwrap().unwrap();
    assert_eq!(lines(&reports), ["c2: deferred(claim(name:1))"]);
    let again = listened.recv_timeout(Duration::from_secs(10)).unwrap();
    let writer::ListenerEvent::Committed(again) = again else { panic!("{again:?}") };
    assert_eq!(lines(&again), ["later c2: deferred(claim(name:1))"]);
    lanes.stop();
    writer.stop().unwrap();
}

#[test]
fn a_message_that_another_host_cancels_meanwhile_is_not_delivered() {
    let (schema, scripted) = (Schema::new("cancelled"), Scripted::new());
    let (mut first, mut second) = (outbox::over(schema.open(), &scripted), outbox::over(schema.open(), &scripted));
    let message = json!([{"kind": "account.send", "key": "m", "to": "user:b", "payload": {}}]);
    outbox::ask(&mut first, "c1", message);
    // The second host has cancelled the message and not committed yet when the first finds that it is due.
    second.processor_mut().begin_group().unwrap();
    second.accept(command("c2", "a", T0, json!({"cancel": ["m"]})), Vec::new()).unwrap();
    let delivering = std::thread::spawn(move || {
        let reports = first.run_until_quiet(T0).unwrap();
        (first, reports)
    });
    std::thread::sleep(Duration::from_millis(300));
    second.processor_mut().commit_group().unwrap();
    let (first, reports) = delivering.join().unwrap();
    assert_eq!(lines(&reports), [""; 0]);
    assert_eq!(outbox::effect(&first, "m")[0].state, EffectState::Cancelled);
}

#[test]
fn during_an_upgrade_the_older_host_leaves_what_the_newer_one_wrote_and_counts_no_failed_attempt() {
    let schema = Schema::new("upgrade");
    let with_version = |version| Processor::new(schema.open(), Box::new(ToyRunner::new(version)), business()).unwrap();
    let (mut old, mut new) = (with_version(1), with_version(2));
    assert_eq!(processor::accept(&mut old, vec![command("c1", "a", T0, json!({}))]), ["c1: applied"]);
    let note = json!({"note": ["f"]});
    assert_eq!(processor::accept(&mut new, vec![command("c2", "a", T0, note)]), ["c2: applied"]);
    // The event writes the record of `c2` again, which the older component cannot read.
    let of_same_name = Event { source: "elsewhere".into(), ..command("c2", "a", T0, json!({})) };
    let reports = old.accept(of_same_name, Vec::new()).unwrap();
    assert!(matches!(reports[0].result, Disposition::Failed(_)), "{reports:?}");
    let mut now = T0;
    for _ in 0..ATTEMPTS_MAX {
        now += RETRY_DELAYS_MS[0];
        assert!(matches!(old.retry_due(now).unwrap()[0].result, Disposition::Failed(_)));
    }
    let waiting = old.store().inbox(reports[0].seq).unwrap().unwrap();
    assert_eq!((waiting.failures, old.store().dead(old.partition(), 0, 9).unwrap()), (0, Vec::new()));
    assert_eq!(lines(&new.retry_due(now + RETRY_DELAYS_MS[0]).unwrap()), ["later c2: applied"]);
}
