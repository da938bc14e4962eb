//! Queues: what waits behind the first message of an account, and how much may wait.

use crate::{HOUR, benches, told};
use host_api::webhooks::{DeliveryState, Reason};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

#[test]
fn an_older_message_that_is_sent_again_comes_before_those_that_wait() {
    for bench in benches() {
        bench.add("shop", None, &[]);
        bench.subscription("ada", "active");
        bench.settle();
        bench.answers("shop", 500);
        bench.subscription("ada", "past_due");
        bench.settle();
        assert_eq!(
            bench.webhooks.with_due(bench.world.now.load(Ordering::SeqCst)).expect("read"),
            [],
            "it waits for 5 s"
        );
        assert!(bench.webhooks.resend("shop", "msg_1", 0).expect("written"));
        let due = bench.webhooks.due("shop", 5_000, 10).expect("read");
        assert_eq!(due.iter().map(|due| &*due.message).collect::<Vec<_>>(), ["msg_1"]);
        bench.answers("shop", 204);
        bench.advance(5_000);
        let again = [told("ada", "subscription.created"), told("ada", "subscription.updated")];
        assert_eq!(bench.got("shop")[2..], again);
    }
}

#[test]
fn an_endpoint_for_which_too_many_messages_wait_is_disabled() {
    for bench in benches() {
        bench.add("shop", Some("ada"), &[]);
        bench.add("till", None, &[]);
        bench.answers("shop", 500);
        for status in ["active", "past_due", "active", "past_due"] {
            bench.subscription("ada", status);
            bench.settle();
        }
        bench.sender.check(4).expect("read");
        assert_eq!(*bench.world.disabled.lock().expect("no panic"), []);
        bench.sender.check(3).expect("read");
        assert_eq!(*bench.world.disabled.lock().expect("no panic"), [("shop".to_owned(), Reason::Waiting)]);
        bench.advance(HOUR);
        assert_eq!((bench.got("shop").len(), bench.got("till").len()), (1, 4));
        let missed = bench.webhooks.log("shop", Some(DeliveryState::Failed), None, 10).expect("read");
        assert_eq!(missed.len(), 4, "they can be sent again");
    }
}

/// One answer is slow. Meanwhile a person disables the endpoint: what is due of other accounts is not sent any more.
#[test]
fn an_endpoint_that_is_disabled_while_it_gets_messages_gets_no_further_one() {
    for bench in benches() {
        bench.add("slow", None, &[]);
        *bench.endpoints.held.lock().expect("no panic") = true;
        for account in ["ada", "bob", "zoe"] {
            bench.subscription(account, "active");
        }
        bench.sender.begin().expect("read");
        while bench.endpoints.asked.load(Ordering::SeqCst) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(bench.webhooks.disable("slow", Reason::Person, 0).expect("written"));
        *bench.endpoints.held.lock().expect("no panic") = false;
        bench.endpoints.released.notify_all();
        bench.settle();
        assert_eq!(bench.got("slow"), [told("ada", "subscription.created")]);
        let missed = bench.webhooks.log("slow", Some(DeliveryState::Failed), None, 10).expect("read");
        assert_eq!(missed.len(), 2);
    }
}

/// One who makes many slow endpoints does not occupy the threads of all.
#[test]
fn slow_endpoints_of_one_customer_leave_threads_to_others() {
    for bench in benches() {
        for number in 0..5 {
            bench.add(&format!("slow{number}"), Some("eve"), &[]);
        }
        bench.add("quick", Some("ada"), &[]);
        *bench.endpoints.held.lock().expect("no panic") = true;
        for account in ["eve", "ada"] {
            bench.subscription(account, "active");
        }
        bench.sender.begin().expect("read");
        while bench.got("quick").is_empty() || bench.endpoints.asked.load(Ordering::SeqCst) < 4 {
            thread::sleep(Duration::from_millis(1));
        }
        bench.sender.begin().expect("read");
        assert_eq!(bench.endpoints.asked.load(Ordering::SeqCst), 4, "the fifth waits for a thread");
        *bench.endpoints.held.lock().expect("no panic") = false;
        bench.endpoints.released.notify_all();
        bench.settle();
        bench.settle();
        assert!((0..5).all(|number| bench.got(&format!("slow{number}")).len() == 1));
    }
}
