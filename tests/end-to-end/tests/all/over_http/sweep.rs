//! Events whose webhook deliveries were lost are found in the provider's list.

use super::server::{Server, ServerOptions, ServerSetup};
use super::webhooks::{event, is_stored, server};
use end_to_end::world::{START_MS, root};
use extension_contract::{Account, Actor};
use host::Setup;
use host::business::BusinessFolder;
use host::clock::Clock;
use host_provider_api::scripted::Scripted;
use host_provider_api::{EventList, ListedEvents};
use host_site::sweep::SweepError;
use host_store::MemoryStore;
use serde_json::{Value, json};
use std::sync::Mutex;

/// Age at which the delivery of an event counts as lost, in seconds.
const LOST_AFTER_S: i64 = 120;

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
    fn events_since(
        &self,
        livemode: bool,
        connected_account: Option<&str>,
        since_s: i64,
    ) -> Result<ListedEvents, String> {
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
    let server = server(ServerOptions::default());
    server.settle();
    let body = event("evt_2");
    let signature = server.signature(&body);
    assert_eq!(server.send("/api/webhooks/stripe", &[("Stripe-Signature", &signature)], &body).0, 200);
    let kept = Kept { ids: Mutex::new(vec!["evt_1", "evt_2", "evt_3"]), age_s: LOST_AFTER_S, ..Kept::default() };
    let sweeper = server.sweeper();
    let swept = sweeper.sweep(&kept, None, 7).expect("swept");
    let newest_s = Some(START_MS / 1000 - LOST_AFTER_S);
    assert_eq!((swept.listed, swept.missed, swept.early, swept.newest_s), (3, 2, 0, newest_s));
    assert_eq!(*kept.asked.lock().expect("no panic"), [(false, None, 7)]);
    for id in ["evt_1", "evt_2", "evt_3"] {
        assert!(is_stored(&server, id), "{id}");
    }
    let order = server.with_host(|host| {
        let rows = host.processor().inbox_after(0, 1000).expect("read");
        rows.into_iter().filter(|row| row.event.source == "stripe").map(|row| row.event.id).collect::<Vec<_>>()
    });
    assert_eq!(order, ["evt_2", "evt_1", "evt_3"], "missed events come in their own order");
    assert_eq!(sweeper.sweep(&kept, None, 7).expect("swept").missed, 0, "nothing is stored twice");
    let late = server.send(
        "/api/webhooks/stripe",
        &[("Stripe-Signature", &server.signature(&event("evt_1")))],
        &event("evt_1"),
    );
    assert_eq!(late.0, 200, "a late delivery is a duplicate: {}", late.1);
}

#[test]
fn an_event_whose_delivery_may_be_on_its_way_is_stored_and_does_not_count_as_missed() {
    let server = server(ServerOptions::default());
    let kept = Kept { ids: Mutex::new(vec!["evt_1"]), age_s: LOST_AFTER_S - 1, ..Kept::default() };
    let swept = server.sweeper().sweep(&kept, None, 0).expect("swept");
    assert_eq!((swept.missed, swept.early), (0, 1));
    assert!(is_stored(&server, "evt_1"));
    let body = event("evt_1");
    let signature = server.signature(&body);
    assert_eq!(server.send("/api/webhooks/stripe", &[("Stripe-Signature", &signature)], &body).0, 200, "a duplicate");
    // The only event of the list is not young because it is the newest.
    let kept = Kept { ids: Mutex::new(vec!["evt_2"]), age_s: LOST_AFTER_S, ..Kept::default() };
    assert_eq!(server.sweeper().sweep(&kept, None, 0).expect("swept").missed, 1);
    // A provider whose clock is ahead of the server's.
    let ids = Mutex::new(vec!["evt_3", "evt_4"]);
    let ahead = Kept { ids, age_s: -3_600, gap_s: LOST_AFTER_S, ..Kept::default() };
    let swept = server.sweeper().sweep(&ahead, None, 0).expect("swept");
    assert_eq!((swept.missed, swept.early), (1, 1));
}

#[test]
fn a_list_that_cannot_be_read_fails_the_sweep() {
    let server = server(ServerOptions::default());
    let kept = Kept { fails: true, ..Kept::default() };
    let error = server.sweeper().sweep(&kept, None, 0).expect_err("no list");
    assert!(matches!(&error, SweepError::List(text) if text == "no answer"), "{error}");
}

/// A provider with one event of a connected account, as its list has it: without the account.
struct OfConnected;

impl EventList for OfConnected {
    fn events_since(&self, _: bool, connected_account: Option<&str>, _: i64) -> Result<ListedEvents, String> {
        let created = START_MS / 1000 - LOST_AFTER_S;
        let events = connected_account.map(|account| {
            json!({"id": "evt_c", "object": "event", "type": "account.updated", "created": created, "livemode": false,
                "data": {"object": {"id": account, "object": "account", "details_submitted": true, "payouts_enabled": true}}})
        });
        Ok(ListedEvents { events: events.into_iter().collect(), is_complete: true })
    }
}

#[test]
fn a_connect_webhook_that_was_missed_is_found_in_the_list_of_its_connected_account() {
    let business = BusinessFolder::load(&root().join("fixtures/tesslate")).expect("a business");
    let setup = Setup::new(business.clone(), false, &[], None);
    let with = ServerSetup { business, setup, livemode: false, scripted: Scripted::new() };
    let server = Server::start(&with, Box::new(MemoryStore::new()), Clock::manual(START_MS));
    server.settle();
    let sweeper = server.sweeper();
    assert_eq!(sweeper.connected_accounts(None, 9).expect("read"), [""; 0]);
    let path = "/api/commands/account.connect?account=user:zoe";
    assert_eq!(server.post(path, Actor::system(), "cmd_1", b"{}").0 / 100, 2);
    server.settle();
    let accounts = sweeper.connected_accounts(None, 9).expect("read");
    let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
    assert_eq!(sweeper.connected_accounts(Some(account), 9).expect("read"), [""; 0], "after the last");
    let onboarding = || {
        server.with_host(|host| {
            let zoe = Account::User("zoe".to_owned());
            host::view::records(host.processor(), &zoe).expect("read")["account"]["payouts"]["onboarding"].clone()
        })
    };
    assert_eq!(onboarding(), "onboarding");
    assert_eq!(sweeper.sweep(&OfConnected, None, 0).expect("swept").missed, 0, "the own account has no such event");
    assert_eq!(sweeper.sweep(&OfConnected, Some(account), 0).expect("swept").missed, 1);
    assert_eq!(onboarding(), "enabled", "the event is placed by the connected account that the sweep adds");
    assert_eq!(sweeper.sweep(&OfConnected, Some(account), 0).expect("swept").missed, 0, "nothing is stored twice");
}
