//! Two hosts that use the same webhooks at once.

use crate::{Bench, HOUR, in_postgresql, maker};
use extension_contract::Account;
use host_api::webhooks::{Attempt, DeliveryState, Reason, Rotation, Seen, Told, Webhooks};
use host_store_postgres::small::Place;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

const ROUNDS: i64 = 20;

/// Two hosts of a place.
type Hosts = [Bench; 2];

fn opened(place: &Place) -> Hosts {
    [0, 1].map(|_| Bench::new(Webhooks::open(place).expect("webhooks")))
}

/// Runs a test with two hosts that share a file, and with two that share a database.
fn shared(test: impl Fn(&Hosts)) {
    let folder = tempfile::tempdir().expect("a folder");
    for place in [Place::File(folder.path().join("webhooks.db")), in_postgresql()] {
        println!("in {place}");
        test(&opened(&place));
    }
}

/// Lets each host do something at the same time.
fn at_once<T: Send>(hosts: &Hosts, act: impl Fn(usize, &Webhooks) -> T + Sync) -> [T; 2] {
    let start = Barrier::new(hosts.len());
    let (act, start) = (&act, &start);
    thread::scope(|scope| {
        let acting = [0, 1].map(|number| {
            scope.spawn(move || {
                start.wait();
                act(number, &hosts[number].webhooks)
            })
        });
        acting.map(|host| host.join().expect("no panic"))
    })
}

#[test]
fn a_change_that_two_see_at_once_is_told_once() {
    shared(|hosts| {
        hosts[0].add("shop", None, &[]);
        for round in 0..ROUNDS {
            let account = Account::User(format!("u_{round}"));
            let rows = vec![("sub_1".to_owned(), json!({"status": "active"}))];
            let seen = Seen { lists: BTreeMap::from([("subscriptions", rows)]), ..Seen::default() };
            let mut told = at_once(hosts, |number, webhooks| {
                webhooks.take(&account, &seen, true, round, || format!("msg_{round}_{number}")).expect("written")
            });
            told.sort_unstable();
            assert_eq!(told, [0, 1]);
        }
        let due = hosts[1].webhooks.due("shop", ROUNDS, 100).expect("read");
        assert_eq!(due.len(), usize::try_from(ROUNDS).expect("a small number"));
    });
}

#[test]
fn the_attempts_of_two_are_both_in_the_log() {
    shared(|hosts| {
        hosts[0].add("shop", None, &[]);
        hosts[0].subscription("ada", "active");
        let seq = hosts[1].webhooks.due("shop", 0, 1).expect("read")[0].seq;
        let failed = Attempt { at: 0, took_ms: 1, status: Some(500), error: None };
        for _ in 0..3 {
            let told = at_once(hosts, |_, webhooks| webhooks.tell("shop", seq, &failed).expect("written"));
            assert_eq!(told, [Told::Later; 2]);
        }
        let log = hosts[0].webhooks.log("shop", Some(DeliveryState::Pending), None, 10).expect("read");
        assert_eq!(log[0].attempts, vec![failed; 6]);
    });
}

#[test]
fn an_endpoint_is_disabled_and_enabled_by_one_of_two() {
    shared(|hosts| {
        hosts[0].add("shop", None, &[]);
        for round in 0..ROUNDS {
            let mut disabled =
                at_once(hosts, |_, webhooks| webhooks.disable("shop", Reason::Person, round).expect("written"));
            disabled.sort_unstable();
            let shop = hosts[0].webhooks.endpoint("shop").expect("read").expect("the endpoint");
            let mut enabled = at_once(hosts, |number, webhooks| {
                let by = maker("root", false);
                webhooks.enable(&shop, &by, &format!("msg_{round}_{number}"), round).expect("written")
            });
            enabled.sort_unstable();
            assert_eq!((disabled, enabled), ([false, true], [false, true]));
        }
    });
}

#[test]
fn no_secret_is_lost_when_two_rotate_at_once() {
    shared(|hosts| {
        let mut known = vec![hosts[0].add("shop", None, &[]).secret];
        for round in 0..ROUNDS {
            let now = round * 48 * HOUR;
            let ended = at_once(hosts, |number, webhooks| {
                let (secret, request) = (format!("secret:{round}{number}"), format!("{round}{number}"));
                webhooks.rotate("shop", &secret, &request, now).expect("written")
            });
            let ended = ended.into_iter().flat_map(|rotation| match rotation {
                Rotation::Done(ended) => ended,
                other => panic!("{other:?}"),
            });
            let mut ended: Vec<String> = ended.collect();
            let shop = hosts[0].webhooks.endpoint("shop").expect("read").expect("the endpoint");
            let signing = shop.old_secrets.into_iter().map(|(secret, _)| secret).chain([shop.secret]);
            let signing: Vec<String> = signing.collect();
            assert_eq!(signing.len(), 3, "the one before, and those of both hosts");
            known.extend([0, 1].map(|number| format!("secret:{round}{number}")));
            ended.extend(signing.iter().cloned());
            ended.sort();
            known.sort();
            assert_eq!(ended, known, "each signs or is to be deleted");
            known = signing;
        }
    });
}

#[test]
fn one_host_leads_until_it_ends() {
    let [first, second] = opened(&in_postgresql());
    for _ in 0..2 {
        assert_eq!([&first, &second].map(|host| host.webhooks.leads().expect("asked")), [true, false]);
    }
    drop(first);
    let is_led = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        second.webhooks.leads().expect("asked")
    });
    assert!(is_led, "the second host leads after the first");
    assert!(Webhooks::in_memory().expect("webhooks").leads().expect("asked"), "a file has one host");
}

#[test]
fn a_host_that_does_not_lead_any_more_sends_nothing() {
    let [frozen, second] = opened(&in_postgresql());
    assert!(second.webhooks.leads().expect("asked"), "it has taken the lead");
    frozen.add("shop", None, &[]);
    frozen.subscription("ada", "active");
    frozen.settle();
    assert_eq!(frozen.got("shop"), [], "it was about to send when it was frozen");
    second.settle();
    assert_eq!(second.got("shop").len(), 1);
}
