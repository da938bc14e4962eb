//! Events whose webhook deliveries were lost are found in the provider's list.

use super::server::TestServer;
use super::webhooks::{event, is_stored};
use end_to_end::world::START_MS;
use extension_contract::{Account, Actor, ActorKind};
use host_api::site::sweep::{SweepError, Sweeper, Swept};
use host_engine::clock::Clock;
use host_provider_api::{EventList, EventQuery, ListedEvents};
use host_store::fork;
use serde_json::{Value, json};
use std::sync::Mutex;

/// Age at which the delivery of an event counts as lost, in seconds.
const LOST_AFTER_S: i64 = 120;

/// Overlap of two sweeps, in seconds.
const OVERLAP_S: i64 = 3_600;

/// Sweeps to the end.
fn sweep(sweeper: &Sweeper, list: &dyn EventList, connected: Option<&str>, first_s: i64) -> Result<Swept, SweepError> {
    sweeper.sweep(list, connected, first_s, &mut |_| true)
}

/// A provider that has events; it notes the times from which it was asked.
#[derive(Default)]
struct Kept {
    /// Age of the events, in seconds.
    age_s: i64,
    /// How much younger the newest event is, in seconds.
    gap_s: i64,
    ids: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<(bool, Option<String>, i64)>>,
    fails: bool,
}

impl EventList for Kept {
    fn events(&self, query: &EventQuery<'_>) -> Result<ListedEvents, String> {
        let EventQuery { livemode, connected_account, since_s, .. } = *query;
        self.asked.lock().expect("no panic").push((livemode, connected_account.map(str::to_owned), since_s));
        let ids = self.ids.lock().expect("no panic");
        let of = |id: &&str| {
            let mut event: Value = serde_json::from_slice(&event(id)).expect("JSON");
            let gap_s = if ids.last() == Some(id) { self.gap_s } else { 0 };
            event["created"] = json!(START_MS / 1000 - self.age_s + gap_s);
            event
        };
        let events = ids.iter().rev().map(of).collect();
        match self.fails {
            true => Err("no answer".to_owned()),
            false => Ok(ListedEvents { events, is_complete: true }),
        }
    }
}

// covers: S09
// covers: S25
#[test]
fn a_sweep_stores_the_events_that_no_webhook_brought_and_no_other() {
    let server = TestServer::start("solobase");
    assert_eq!(server.deliver(&event("evt_2")).status, 200);
    let kept = Kept { ids: Mutex::new(vec!["evt_1", "evt_2", "evt_3"]), age_s: LOST_AFTER_S, ..Kept::default() };
    let sweeper = server.sweeper();
    let swept = sweep(&sweeper, &kept, None, 7).expect("swept");
    let newest_s = START_MS / 1000 - LOST_AFTER_S;
    assert_eq!((swept.listed, swept.missed, swept.early, swept.newest_s), (3, 2, 0, newest_s));
    assert_eq!(*kept.asked.lock().expect("no panic"), [(false, None, 7 - OVERLAP_S)]);
    for id in ["evt_1", "evt_2", "evt_3"] {
        assert!(is_stored(&server, id), "{id}");
    }
    let order = server.with_host(|host| {
        let rows = host.processor().inbox_after(0, 1000).expect("read");
        rows.into_iter().filter(|row| row.event.source == "stripe").map(|row| row.event.id).collect::<Vec<_>>()
    });
    assert_eq!(order, ["evt_2", "evt_1", "evt_3"], "missed events come in their own order");
    assert_eq!(sweep(&sweeper, &kept, None, 7).expect("swept").missed, 0, "nothing is stored twice");
    let late = server.deliver(&event("evt_1"));
    assert_eq!(late.status, 200, "a late delivery is a duplicate: {late:?}");
}

#[test]
fn an_event_whose_delivery_may_be_on_its_way_is_stored_and_does_not_count_as_missed() {
    let server = TestServer::start("solobase");
    let kept = Kept { ids: Mutex::new(vec!["evt_1"]), age_s: LOST_AFTER_S - 1, ..Kept::default() };
    let swept = sweep(&server.sweeper(), &kept, None, 0).expect("swept");
    assert_eq!((swept.missed, swept.early), (0, 1));
    assert!(is_stored(&server, "evt_1"));
    assert_eq!(server.deliver(&event("evt_1")).status, 200, "a duplicate");
    // The only event of the list is not young because it is the newest.
    let kept = Kept { ids: Mutex::new(vec!["evt_2"]), age_s: LOST_AFTER_S, ..Kept::default() };
    assert_eq!(sweep(&server.sweeper(), &kept, None, 0).expect("swept").missed, 1);
    // A provider whose clock is ahead of the server's.
    let ids = Mutex::new(vec!["evt_3", "evt_4"]);
    let ahead = Kept { ids, age_s: -3_600, gap_s: LOST_AFTER_S, ..Kept::default() };
    let swept = sweep(&server.sweeper(), &ahead, None, 0).expect("swept");
    assert_eq!((swept.missed, swept.early), (1, 1));
}

#[test]
fn a_list_that_cannot_be_read_fails_the_sweep() {
    let server = TestServer::start("solobase");
    let kept = Kept { fails: true, ..Kept::default() };
    let error = sweep(&server.sweeper(), &kept, None, 0).expect_err("no list");
    assert!(matches!(&error, SweepError::List(text) if text == "no answer"), "{error}");
}

/// A provider with one event of a connected account, as its list has it: without the account.
struct OfConnected;

impl EventList for OfConnected {
    fn events(&self, query: &EventQuery<'_>) -> Result<ListedEvents, String> {
        let created = START_MS / 1000 - LOST_AFTER_S;
        let events = query.connected_account.map(|account| {
            json!({"id": "evt_c", "object": "event", "type": "account.updated", "created": created, "livemode": false,
                "data": {"object": {"id": account, "object": "account", "details_submitted": true, "payouts_enabled": true}}})
        });
        Ok(ListedEvents { events: events.into_iter().collect(), is_complete: true })
    }
}

#[test]
fn a_connect_webhook_that_was_missed_is_found_in_the_list_of_its_connected_account() {
    let server = TestServer::start("tesslate");
    let sweeper = server.sweeper();
    assert_eq!(sweeper.connected_accounts(None, 9).expect("read"), [""; 0]);
    let path = "/api/commands/account.connect?account=user:zoe";
    assert_eq!(server.post_as(path, Actor::system(), "cmd_1", b"{}").status / 100, 2);
    server.settle();
    let accounts = sweeper.connected_accounts(None, 9).expect("read");
    let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
    assert_eq!(sweeper.connected_accounts(Some(account), 9).expect("read"), [""; 0], "after the last");
    let onboarding = || {
        server.with_host(|host| {
            let zoe = Account::User("zoe".to_owned());
            host_engine::view::records(host.processor(), &zoe).expect("read")["account"]["payouts"]["onboarding"]
                .clone()
        })
    };
    assert_eq!(onboarding(), "onboarding");
    assert_eq!(sweep(&sweeper, &OfConnected, None, 0).expect("swept").missed, 0, "the own account has no such event");
    assert_eq!(sweep(&sweeper, &OfConnected, Some(account), 0).expect("swept").missed, 1);
    assert_eq!(onboarding(), "enabled", "the event is placed by the connected account that the sweep adds");
    assert_eq!(sweep(&sweeper, &OfConnected, Some(account), 0).expect("swept").missed, 0, "nothing is stored twice");
}

/// Number of events that a list has.
const PART: usize = 3;

/// A provider with many events at different times, whose list has only some of them.
#[derive(Default)]
struct Many {
    /// Ids and times, oldest first.
    events: Mutex<Vec<(String, i64)>>,
    /// Number of lists until one fails.
    lists_left: Mutex<Option<usize>>,
    /// An event comes at each list, until there are this many.
    grows_to: usize,
    asked: Mutex<Vec<(i64, Option<String>)>>,
}

impl Many {
    /// Events one after another, `step_s` apart; the newest is old enough to count as missed.
    fn of(count: usize, step_s: i64) -> Many {
        let many = Many::default();
        for _ in 0..count {
            many.add(step_s);
        }
        many
    }

    fn add(&self, step_s: i64) {
        let mut events = self.events.lock().expect("no panic");
        let last = events.last().map_or(START_MS / 1000 - 30 * 86_400, |(_, at)| *at);
        let id = format!("evt_{:03}", events.len());
        events.push((id, last + step_s));
    }

    fn at(&self, index: usize) -> i64 {
        self.events.lock().expect("no panic")[index].1
    }
}

impl EventList for Many {
    fn events(&self, query: &EventQuery<'_>) -> Result<ListedEvents, String> {
        self.asked.lock().expect("no panic").push((query.since_s, query.before.map(str::to_owned)));
        match &mut *self.lists_left.lock().expect("no panic") {
            Some(0) => return Err("no answer".to_owned()),
            Some(left) => *left -= 1,
            None => {}
        }
        if self.events.lock().expect("no panic").len() < self.grows_to {
            self.add(1);
        }
        let events = self.events.lock().expect("no panic");
        let older = events.iter().rev().skip_while(|(id, _)| query.before.is_some_and(|before| id != before));
        let older = older.skip(usize::from(query.before.is_some())).filter(|(_, at)| *at >= query.since_s);
        let all: Vec<Value> = older
            .map(|(id, created)| {
                json!({"id": id, "object": "event", "type": "product.updated", "created": created, "livemode": false,
                    "data": {"object": {"id": format!("prod_{id}"), "object": "product", "name": "Mini"}}})
            })
            .collect();
        Ok(ListedEvents { is_complete: all.len() <= PART, events: all.into_iter().take(PART).collect() })
    }
}

/// Returns the ids of Stripe's events in the order in which they were stored.
fn stored(server: &TestServer) -> Vec<String> {
    server.with_host(|host| {
        let rows = host.processor().inbox_after(0, 1000).expect("read");
        rows.into_iter().filter(|row| row.event.source == "stripe").map(|row| row.event.id).collect()
    })
}

fn ids(many: &Many) -> Vec<String> {
    many.events.lock().expect("no panic").iter().map(|(id, _)| id.clone()).collect()
}

#[test]
fn more_events_than_a_list_has_are_read_in_parts_and_the_oldest_are_stored_first() {
    let server = TestServer::start("solobase");
    let (many, sweeper) = (Many::of(10, 7_200), server.sweeper());
    let mut marks = Vec::new();
    let swept = sweeper.sweep(&many, None, 0, &mut |swept| {
        marks.push(sweeper.mark(None).expect("read").expect("a mark"));
        assert_eq!(marks.last(), Some(&swept.newest_s), "the mark is in the store");
        true
    });
    let swept = swept.expect("swept");
    assert_eq!((swept.listed, swept.missed, swept.newest_s, swept.parts_left), (10, 10, many.at(9), 0));
    assert_eq!(stored(&server), ids(&many));
    // Three lists until the oldest is found, without a mark; then each part moves it to its newest event.
    assert_eq!(marks, [0, 0, 0, many.at(0), many.at(3), many.at(6), many.at(9)]);
    let asked = many.asked.lock().expect("no panic");
    assert!(asked.iter().all(|(since_s, _)| *since_s == -OVERLAP_S), "{asked:?}");
}

#[test]
fn a_sweep_that_is_cut_off_goes_on_after_the_last_part_that_was_stored() {
    let server = TestServer::start("solobase");
    let (many, sweeper) = (Many::of(10, 7_200), server.sweeper());
    // The second part that is stored is the last that can be read.
    *many.lists_left.lock().expect("no panic") = Some(5);
    let error = sweep(&sweeper, &many, None, 0).expect_err("no list");
    assert!(matches!(error, SweepError::List(_)), "{error}");
    assert_eq!(stored(&server), ids(&many)[..4]);
    assert_eq!(sweeper.mark(None).expect("read"), Some(many.at(3)));
    *many.lists_left.lock().expect("no panic") = None;
    many.asked.lock().expect("no panic").clear();
    // An operator who stops the server ends it between two parts.
    let mut lists = 0;
    let stopped = sweeper.sweep(&many, None, 0, &mut |_| {
        lists += 1;
        lists < 4
    });
    assert!(stopped.expect("ended").parts_left > 0);
    assert_eq!(many.asked.lock().expect("no panic")[0], (many.at(3) - OVERLAP_S, None));
    assert_eq!(sweep(&sweeper, &many, None, 0).expect("swept").parts_left, 0);
    assert_eq!(stored(&server), ids(&many), "each event once");
}

#[test]
fn events_that_come_during_a_sweep_leave_no_gap() {
    let server = TestServer::start("solobase");
    // All within the overlap of two sweeps, as in an hour with many renewals.
    let many = Many { grows_to: 40, ..Many::of(17, 1) };
    assert_eq!(sweep(&server.sweeper(), &many, None, 0).expect("swept").parts_left, 0);
    assert_eq!(stored(&server), ids(&many));
}

#[test]
fn a_list_without_an_end_is_an_error() {
    struct Endless;
    impl EventList for Endless {
        fn events(&self, _: &EventQuery<'_>) -> Result<ListedEvents, String> {
            Ok(ListedEvents { events: vec![json!({"id": "evt_1", "created": 5})], is_complete: false })
        }
    }
    let server = TestServer::start("solobase");
    let error = sweep(&server.sweeper(), &Endless, None, 0).expect_err("no end");
    assert!(matches!(&error, SweepError::List(text) if text == "the list has no end"), "{error}");
    assert_eq!(server.sweeper().mark(None).expect("read"), Some(0));
}

#[test]
fn a_store_that_is_restored_alone_gets_the_events_after_it_again() {
    let server = TestServer::start("solobase");
    let many = Many::of(2, 7_200);
    sweep(&server.sweeper(), &many, None, 0).expect("swept");
    sweep(&server.sweeper(), &many, Some("acct_1"), 5).expect("swept");
    let backup = server.with_host(|host| fork(host.processor().store()).expect("a copy"));
    for _ in 0..5 {
        many.add(7_200);
    }
    sweep(&server.sweeper(), &many, None, 0).expect("swept");
    assert_eq!(stored(&server).len(), 7);
    // Another machine, without any file of the first one, which begins as a new server does: now.
    let restored = TestServer::of("solobase").with(|it| it.store = Box::new(backup)).start();
    assert_eq!(stored(&restored).len(), 2);
    let swept = sweep(&restored.sweeper(), &many, None, START_MS / 1000).expect("swept");
    assert_eq!((swept.missed, swept.parts_left), (5, 0));
    assert_eq!(stored(&restored), ids(&many));
    assert_eq!(restored.sweeper().mark(Some("acct_1")).expect("read"), Some(many.at(1)), "that of a connected account");
    assert_eq!(restored.sweeper().mark(Some("acct_2")).expect("read"), None);
}

#[test]
fn an_entry_that_cannot_be_read_keeps_no_other_away() {
    struct Odd(Many);
    impl EventList for Odd {
        fn events(&self, query: &EventQuery<'_>) -> Result<ListedEvents, String> {
            let mut listed = self.0.events(query)?;
            listed.events.insert(1, json!({"id": "evt_odd", "created": 5, "type": 7}));
            Ok(listed)
        }
    }
    let server = TestServer::start("solobase");
    let odd = Odd(Many::of(2, 7_200));
    let swept = sweep(&server.sweeper(), &odd, None, 0).expect("swept");
    assert_eq!((swept.missed, swept.refused), (2, 1));
    assert_eq!((stored(&server), swept.newest_s), (ids(&odd.0), odd.0.at(1)));
}

/// A provider with the life of one subscription: bought, unpaid after a day, and paid again later.
struct Subscribed {
    /// Number of its events that have happened.
    happened: usize,
    paid_again_ms: i64,
}

impl EventList for Subscribed {
    fn events(&self, _: &EventQuery<'_>) -> Result<ListedEvents, String> {
        let day_s = 86_400;
        let begun_s = START_MS / 1000;
        let states = [
            ("customer.subscription.created", "active", begun_s),
            ("customer.subscription.updated", "unpaid", begun_s + day_s),
            ("customer.subscription.updated", "active", self.paid_again_ms / 1000),
        ];
        let events = states[..self.happened].iter().enumerate().rev().map(|(index, (kind, status, at_s))| {
            json!({"id": format!("evt_{index}"), "object": "event", "type": kind, "created": at_s, "livemode": false,
                "api_version": "2025-03-31.basil",
                "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1", "status": status,
                    "created": begun_s, "metadata": {"user_id": "u1"}, "cancel_at_period_end": false,
                    "items": {"object": "list", "has_more": false, "data": [{"id": "si_1", "object": "subscription_item",
                        "price": {"id": "price_xyz789", "object": "price"}, "quantity": 1, "current_period_start": begun_s,
                        "current_period_end": begun_s + 400 * day_s}]}}}})
        });
        Ok(ListedEvents { events: events.collect(), is_complete: true })
    }
}

#[test]
fn what_a_stopped_server_has_missed_comes_before_what_its_timers_do() {
    let clock = |days: i64| START_MS + days * 86_400_000;
    let server = TestServer::of("solobase").with(|it| it.clock = Clock::manual(clock(2))).start();
    let of = |happened| Subscribed { happened, paid_again_ms: clock(5) };
    sweep(&server.sweeper(), &of(1), None, 0).expect("swept");
    let user = Actor { kind: ActorKind::User, subject: "u1".to_owned(), ..Actor::system() };
    let body = br#"{"name": "My app", "metadata": {"subdomain": "myapp"}}"#;
    let made = server.post_as("/api/commands/instance.create?account=user:u1", user, "cmd_1", body);
    assert_eq!(made.status / 100, 2, "{made:?}");
    sweep(&server.sweeper(), &of(2), None, 0).expect("swept");
    server.settle();
    let status = |server: &TestServer| {
        server.with_host(|host| {
            let rows =
                host_engine::view::rows(host.processor(), &Account::User("u1".to_owned()), "products").expect("read");
            rows["inst_myapp"]["metadata"]["status"].clone()
        })
    };
    assert_eq!(status(&server), "suspended");
    let stopped = server.with_host(|host| fork(host.processor().store()).expect("a copy"));
    drop(server);
    // The times to archive and to delete have passed while nobody was there.
    let server = TestServer::of("solobase").with(|it| {
        it.store = Box::new(stopped);
        it.clock = Clock::manual(clock(150));
    });
    let server = server.start();
    assert_eq!(status(&server), "archived", "nothing is deleted before it is known what happened meanwhile");
    sweep(&server.sweeper(), &of(3), None, 0).expect("swept");
    server.settle();
    assert_eq!(status(&server), "running");
}
