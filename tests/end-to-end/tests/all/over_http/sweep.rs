//! Events whose webhook deliveries were lost are found in the provider's list.

use super::server::ServerOptions;
use super::webhooks::{event, is_stored, server};
use end_to_end::world::START_MS;
use host_provider_api::{EventList, ListedEvents};
use host_site::sweep::SweepError;
use std::sync::Mutex;

/// A provider that has events; it notes the times from which it was asked.
#[derive(Default)]
struct Kept {
    ids: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<(bool, i64)>>,
    fails: bool,
}

impl EventList for Kept {
    fn events_since(&self, livemode: bool, since_s: i64) -> Result<ListedEvents, String> {
        self.asked.lock().expect("no panic").push((livemode, since_s));
        let ids = self.ids.lock().expect("no panic");
        let events = ids.iter().rev().map(|id| serde_json::from_slice(&event(id)).expect("JSON")).collect();
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
    let kept = Kept { ids: Mutex::new(vec!["evt_1", "evt_2", "evt_3"]), ..Kept::default() };
    let sweeper = server.sweeper();
    let swept = sweeper.sweep(&kept, 7).expect("swept");
    assert_eq!((swept.listed, swept.missed, swept.newest_s), (3, 2, Some(START_MS / 1000)));
    assert_eq!(*kept.asked.lock().expect("no panic"), [(false, 7)]);
    for id in ["evt_1", "evt_2", "evt_3"] {
        assert!(is_stored(&server, id), "{id}");
    }
    let order = server.with_host(|host| {
        let rows = host.processor().inbox_after(0, 1000).expect("read");
        rows.into_iter().filter(|row| row.event.source == "stripe").map(|row| row.event.id).collect::<Vec<_>>()
    });
    assert_eq!(order, ["evt_2", "evt_1", "evt_3"], "missed events come in their own order");
    assert_eq!(sweeper.sweep(&kept, 7).expect("swept").missed, 0, "nothing is stored twice");
    let late = server.send(
        "/api/webhooks/stripe",
        &[("Stripe-Signature", &server.signature(&event("evt_1")))],
        &event("evt_1"),
    );
    assert_eq!(late.0, 200, "a late delivery is a duplicate: {}", late.1);
}

#[test]
fn a_list_that_cannot_be_read_fails_the_sweep() {
    let server = server(ServerOptions::default());
    let kept = Kept { fails: true, ..Kept::default() };
    let error = server.sweeper().sweep(&kept, 0).expect_err("no list");
    assert!(matches!(&error, SweepError::List(text) if text == "no answer"), "{error}");
}
