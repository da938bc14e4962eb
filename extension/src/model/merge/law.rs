//! Property tests of merge: the same snapshots give the same record, byte for byte, in any order and with repetitions.
//!
//! Tests every stored Stripe object. A case has three to six snapshots from three seconds, and lists with at most three
//! entries. `PROPTEST_CASES` sets the number of cases. Some cases of each test must have different
//! snapshots of the same second.

use super::subscription::{Bounds, SubscriptionSnapshot};
use super::{News, customer, dispute, invoice, payment, payouts, price, session, subscription, subscription_schedule};
use crate::model::records::cancellation::StripeDetails;
use crate::model::records::customer::Customer;
use crate::model::records::dispute::Dispute;
use crate::model::records::dispute_status::DisputeStatus;
use crate::model::records::invoice::{Invoice, InvoiceStatus, Line};
use crate::model::records::payment::{Payment, Received, Refund, RefundStatus};
use crate::model::records::payouts::{Onboarding, Payouts};
use crate::model::records::session::{Session, SessionStatus};
use crate::model::records::subscription::{Pause, Previous, State};
use crate::model::records::subscription_schedule::{Phase, ScheduleStatus, SubscriptionSchedule};
use extension_contract::{SnapshotRank, SubscriptionItem, SubscriptionStatus};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Checks the property for one object. `fold` merges snapshots and encodes the record; `second` returns a snapshot's
/// time, which is always the same if the merge reads none.
fn check_order_independence<V: Clone + Debug>(
    name: &str,
    snapshot: impl Strategy<Value = V>,
    second: impl Fn(&V) -> Option<i64>,
    fold: impl Fn(&[V]) -> String,
) {
    let collisions = Cell::new(0u32);
    let cases = prop::collection::vec(snapshot, 3..=6).prop_flat_map(|snapshots| {
        (Just(snapshots.clone()), Just(snapshots).prop_shuffle(), prop::collection::vec(0..6usize, 0..3))
    });
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let run = runner.run(&cases, |(snapshots, mut others, again)| {
        let mut known = BTreeMap::new();
        let differs = |snapshot: &V| {
            let (at, text) = (second(snapshot), format!("{snapshot:?}"));
            at.is_some_and(|at| *known.entry(at).or_insert_with(|| text.clone()) != text)
        };
        if snapshots.iter().any(differs) {
            collisions.set(collisions.get() + 1);
        }
        let repeated: Vec<V> = again.iter().filter_map(|index| others.get(*index).cloned()).collect();
        others.extend(repeated);
        prop_assert_eq!(fold(&snapshots), fold(&others));
        Ok(())
    });
    if let Err(broken) = run {
        panic!("{name}: {broken}");
    }
    assert_ne!(collisions.get(), 0, "{name}: no case had different snapshots of one second");
}

fn named<I: Debug + From<String>>(prefix: &'static str) -> impl Strategy<Value = Option<I>> {
    prop::option::of((1..3).prop_map(move |n| format!("{prefix}_{n}").into()))
}

fn second() -> impl Strategy<Value = i64> {
    (1..=3i64).prop_map(|second| second * 1000)
}

fn json<T: serde::Serialize>(record: &T) -> String {
    serde_json::to_string(record).expect("a record can be encoded")
}

const TIGHT: Bounds = Bounds { views: 3, history: 3, previous: 3 };

fn status() -> impl Strategy<Value = SubscriptionStatus> {
    use SubscriptionStatus::*;
    prop::sample::select(vec![Incomplete, IncompleteExpired, Trialing, Active, PastDue, Canceled, Unpaid, Paused])
}

fn items() -> impl Strategy<Value = Vec<SubscriptionItem>> {
    (1..3u32, 1..3u32).prop_map(|(price, quantity)| {
        vec![SubscriptionItem {
            id: "si_1".to_owned(),
            price_id: format!("price_{price}"),
            quantity,
            period_start: 0,
            period_end: 100,
        }]
    })
}

fn pause() -> impl Strategy<Value = Option<Pause>> {
    prop::option::weighted(0.2, prop::sample::select(vec![Pause::KeepAsDraft, Pause::MarkUncollectible, Pause::Void]))
}

prop_compose! {
    fn details()(feedback in prop::option::weighted(0.2, Just("unused".to_owned()))) -> StripeDetails {
        StripeDetails { feedback, comment: None }
    }
}

prop_compose! {
    fn state()(
        status in status(),
        items in items(),
        cancel_at_period_end: bool,
        cancel_at in prop::option::of(second()),
        ended_at in prop::option::of(second()),
        pause in pause(),
        said in details(),
    ) -> State {
        let ended_at = ended_at.filter(|_| crate::model::records::subscription::is_final(status));
        State { status, items, cancel_at_period_end, cancel_at, trial_end: None, ended_at, pause, said }
    }
}

prop_compose! {
    fn previous()(
        status in prop::option::of(status()),
        cancel_at_period_end in prop::option::of(any::<bool>()),
        cancel_at in prop::option::of(prop::option::of(second())),
        items in prop::option::of(items()),
        pause in prop::option::of(pause()),
        said in prop::option::of(details()),
    ) -> Option<Previous> {
        let previous = Previous { status, cancel_at_period_end, cancel_at, items, pause, said };
        (previous != Previous::default()).then_some(previous)
    }
}

prop_compose! {
    fn subscription_snapshot()(
        at in second(),
        created in prop::option::of(second()),
        rank in prop::sample::select(vec![
            SnapshotRank::Created, SnapshotRank::Updated, SnapshotRank::Updated, SnapshotRank::Updated,
            SnapshotRank::Retrieved, SnapshotRank::Deleted,
        ]),
        event in 1..9,
        customer in named("cus"),
        state in state(),
        changed in previous(),
        known in prop::collection::vec(state(), 0..5),
    ) -> SubscriptionSnapshot {
        let previous = match rank {
            SnapshotRank::Retrieved => known.iter().map(Previous::all_of).collect(),
            _ => changed.into_iter().collect(),
        };
        SubscriptionSnapshot { at, created, rank, event_id: format!("evt_{event}"), customer, state, previous }
    }
}

#[test]
fn subscriptions() {
    check_order_independence(
        "subscriptions",
        subscription_snapshot(),
        |snapshot| Some(snapshot.at),
        |snapshots| {
            let mut record = subscription::first(snapshots[0].clone(), TIGHT);
            for snapshot in &snapshots[1..] {
                subscription::merge(&mut record, snapshot.clone(), TIGHT).expect("a snapshot can be encoded");
            }
            let values = record.values().expect("a record can be encoded");
            format!("{values:?}")
        },
    );
}

/// Returns a snapshot of the first second with a quantity and the previous quantity.
fn quantity_snapshot(number: u32, before: u32) -> SubscriptionSnapshot {
    let quantity = |quantity: u32| {
        vec![SubscriptionItem {
            id: "si_1".to_owned(),
            price_id: "price_1".to_owned(),
            quantity,
            period_start: 0,
            period_end: 100,
        }]
    };
    SubscriptionSnapshot {
        at: 1000,
        created: None,
        rank: SnapshotRank::Updated,
        event_id: format!("evt_{number}"),
        customer: Some("cus_1".to_owned()),
        state: State {
            status: SubscriptionStatus::Active,
            items: quantity(number),
            cancel_at_period_end: false,
            cancel_at: None,
            trial_end: None,
            ended_at: None,
            pause: None,
            said: StripeDetails::default(),
        },
        previous: vec![Previous { items: Some(quantity(before)), ..Previous::default() }],
    }
}

/// The order of a chain of snapshots is clear in any order of arrival, and the end of the chain wins.
#[test]
fn chains() {
    let cases = (2..8u32).prop_flat_map(|length| Just((1..=length).collect::<Vec<u32>>()).prop_shuffle());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    runner
        .run(&cases, |order| {
            let snapshot = |number: u32| quantity_snapshot(number, number - 1);
            let mut record = subscription::first(snapshot(order[0]), subscription::BOUNDS);
            for number in &order[1..] {
                subscription::merge(&mut record, snapshot(*number), subscription::BOUNDS).expect("can be encoded");
            }
            let last = order.iter().max().copied().unwrap_or_default();
            prop_assert!(!record.is_unclear, "{:?}", order);
            prop_assert_eq!(record.state(), &snapshot(last).state, "{:?}", order);
            Ok(())
        })
        .unwrap_or_else(|broken| panic!("{broken}"));
}

/// Snapshots 1 and 2 each follow the other. They do not lead to snapshot 3, although it has no successor.
#[test]
fn a_cycle_that_does_not_lead_to_the_end_makes_the_order_unclear() {
    let mut record = subscription::first(quantity_snapshot(1, 2), subscription::BOUNDS);
    for snapshot in [quantity_snapshot(2, 1), quantity_snapshot(3, 9)] {
        subscription::merge(&mut record, snapshot, subscription::BOUNDS).expect("can be encoded");
    }
    assert!(record.is_unclear);
}

#[test]
fn is_newer_is_true_only_for_a_later_second() {
    let record = subscription::first(quantity_snapshot(1, 0), subscription::BOUNDS);
    for (at, expected) in [(999, false), (1000, false), (1001, true)] {
        let snapshot = SubscriptionSnapshot { at, ..quantity_snapshot(2, 1) };
        assert_eq!(subscription::is_newer(&record, &snapshot), expected, "at {at}");
    }
}

#[test]
fn subscription_schedules() {
    use ScheduleStatus::{Active, Canceled, Completed, NotStarted, Released};
    let status = prop::sample::select(vec![NotStarted, Active, Completed, Released, Canceled]);
    let phases = prop::collection::vec(second(), 0..2).prop_map(|starts| {
        starts.into_iter().map(|starts_at| Phase { starts_at, ends_at: starts_at + 1, items: Vec::new() }).collect()
    });
    let snapshot = (status, second(), named("sub"), phases)
        .prop_map(|(status, at, subscription, phases)| SubscriptionSchedule { status, at, subscription, phases });
    check_order_independence(
        "subscription schedules",
        snapshot,
        |snapshot| Some(snapshot.at),
        |snapshots| {
            let mut record = snapshots[0].clone();
            for snapshot in &snapshots[1..] {
                subscription_schedule::merge(&mut record, snapshot);
            }
            json(&record)
        },
    );
}

/// Order independence would also hold for a merge that drops the subscription.
#[test]
fn a_schedule_keeps_its_subscription() {
    let snapshot = |status, at, subscription: Option<&str>| SubscriptionSchedule {
        status,
        at,
        subscription: subscription.map(Into::into),
        phases: Vec::new(),
    };
    let mut record = snapshot(ScheduleStatus::Active, 1, Some("sub_1"));
    assert_eq!(subscription_schedule::merge(&mut record, &snapshot(ScheduleStatus::Completed, 2, None)), News::Changed);
    assert_eq!(record, snapshot(ScheduleStatus::Completed, 2, Some("sub_1")));
    let later = snapshot(ScheduleStatus::Completed, 3, Some("sub_1"));
    assert_eq!(
        subscription_schedule::merge(&mut record, &later),
        News::Same,
        "a repetition at a later time is not a change"
    );
    let before = snapshot(ScheduleStatus::Active, 4, Some("sub_1"));
    assert_eq!(subscription_schedule::merge(&mut record, &before), News::Older, "it moves forward only");
}

prop_compose! {
    fn invoice_snapshot()(
        status in prop::sample::select(vec![
            InvoiceStatus::Draft, InvoiceStatus::Open, InvoiceStatus::Uncollectible, InvoiceStatus::Void,
            InvoiceStatus::Paid,
        ]),
        at in second(),
        amount_paid_minor in 0..3i64,
        has_failed: bool,
        customer in named("cus"),
        subscription in named("sub"),
        price in named("price"),
    ) -> Invoice {
        Invoice {
            status,
            at,
            amount_paid_minor,
            currency: "usd".to_owned(),
            failed_at: has_failed.then_some(at),
            customer_at: customer.as_ref().map(|_| at),
            subscription_at: subscription.as_ref().map(|_| at),
            customer,
            subscription,
            lines: vec![Line { price, amount_minor: 1, quantity: None, proration: false, credit: false }],
            ..Invoice::default()
        }
    }
}

#[test]
fn invoices() {
    check_order_independence(
        "invoices",
        invoice_snapshot(),
        |snapshot| Some(snapshot.at),
        |snapshots| {
            let mut record = snapshots[0].clone();
            for snapshot in &snapshots[1..] {
                invoice::merge(&mut record, snapshot).expect("a snapshot can be encoded");
            }
            json(&record)
        },
    );
}

/// A snapshot without a customer does not remove the known customer.
#[test]
fn a_known_customer_is_kept() {
    let mut record = Invoice {
        status: InvoiceStatus::Open,
        at: 1,
        customer: Some("cus_1".to_owned()),
        customer_at: Some(1),
        ..Invoice::default()
    };
    let snapshot = Invoice { status: InvoiceStatus::Paid, at: 2, ..Invoice::default() };
    invoice::merge(&mut record, &snapshot).expect("a snapshot can be encoded");
    assert_eq!((record.status, record.customer.as_deref()), (InvoiceStatus::Paid, Some("cus_1")));
}

prop_compose! {
    fn session_snapshot()(
        status in prop::sample::select(vec![
            SessionStatus::Open, SessionStatus::Expired, SessionStatus::Complete, SessionStatus::Failed,
            SessionStatus::Paid,
        ]),
        at in second(),
        total_minor in 0..3i64,
        subscription in named("sub"),
        payment_intent in named("pi"),
        made_with in named("{}"),
        purchase in 1..3,
    ) -> Session {
        Session {
            status,
            mode: "payment".to_owned(),
            purchase: format!("pur_{purchase}"),
            currency: "usd".to_owned(),
            total_minor,
            subscription,
            payment_intent,
            made_with,
            paid_at: (status == SessionStatus::Paid).then_some(at),
            completed_at: (status == SessionStatus::Paid).then_some(at),
            ..Session::default()
        }
    }
}

#[test]
fn sessions() {
    check_order_independence(
        "sessions",
        session_snapshot(),
        |snapshot| snapshot.paid_at,
        |snapshots| {
            let mut record = snapshots[0].clone();
            snapshots[1..].iter().for_each(|snapshot| session::merge(&mut record, snapshot));
            json(&record)
        },
    );
}

fn fold_payment(snapshots: &[Payment]) -> String {
    let mut record = Payment::default();
    snapshots.iter().for_each(|snapshot| payment::merge(&mut record, snapshot));
    json(&record)
}

/// Snapshots of an intent: its charge and its invoice.
#[test]
fn payment_intents() {
    let snapshot =
        (named("ch"), named("in")).prop_map(|(charge, invoice)| Payment { charge, invoice, ..Payment::default() });
    check_order_independence("payment intents", snapshot, |_| Some(0), fold_payment);
}

prop_compose! {
    fn refund()(
        id in 1..3,
        amount_minor in 1..3i64,
        status in prop::sample::select(vec![
            RefundStatus::Pending, RefundStatus::RequiresAction, RefundStatus::Succeeded, RefundStatus::Failed,
        ]),
    ) -> (String, Refund) {
        let refund = Refund {
            amount_minor,
            status,
            currency: "usd".to_owned(),
            contradicted_by: BTreeSet::new(),
            is_rest: amount_minor == 2,
            booked: false,
            booked_back: false,
        };
        (format!("re_{id}"), refund)
    }
}

/// Snapshots of a charge: a refunded sum and a list of refunds.
#[test]
fn charges() {
    let snapshot = (named("ch"), named("pur"), 0..4i64, prop::collection::btree_map(Just(()), refund(), 0..2))
        .prop_map(|(charge, purchase, charge_refunded_minor, refunds)| Payment {
            charge,
            purchase,
            charge_refunded_minor,
            refunds: refunds.into_values().collect(),
            ..Payment::default()
        });
    check_order_independence("charges", snapshot, |_| Some(0), fold_payment);
}

/// Refunds of one payment with contradicting snapshots.
#[test]
fn refunds() {
    let snapshot = refund().prop_map(|refund| Payment { refunds: BTreeMap::from([refund]), ..Payment::default() });
    check_order_independence("refunds", snapshot, |_| Some(0), fold_payment);
}

fn dispute_status() -> impl Strategy<Value = DisputeStatus> {
    use DisputeStatus::{Inquiry, InquiryClosed, Lost, Open, Won};
    prop::sample::select(vec![Inquiry, InquiryClosed, Open, Won, Lost])
}

/// The disputes of a payment and the money received by its intent.
#[test]
fn disputed_payments() {
    let received =
        (1..3i64, second()).prop_map(|(amount_minor, at)| Received { amount_minor, currency: "usd".to_owned(), at });
    let snapshot =
        (1..3, dispute_status(), 1..3i64, prop::option::of(received)).prop_map(|(id, status, amount, received)| {
            let disputes = BTreeMap::from([(format!("dp_{id}"), (status, amount))]);
            Payment { disputes, received, ..Payment::default() }
        });
    check_order_independence("disputed payments", snapshot, |_| Some(0), fold_payment);
}

#[test]
fn disputes() {
    let status = dispute_status();
    let fee = (1..3, prop::sample::select(vec!["usd", "eur"]), -1..2i64)
        .prop_map(|(txn, currency, fee)| (format!("txn_{txn}"), BTreeMap::from([(currency.to_owned(), fee)])));
    let fees = prop::collection::vec(fee, 0..2).prop_map(|fees| fees.into_iter().collect::<BTreeMap<_, _>>());
    let snapshot = (status, 1..3i64, any::<bool>(), any::<bool>(), fees).prop_map(
        |(status, amount_minor, withdrawn, returned, fees)| Dispute {
            status,
            amount_minor,
            currency: "usd".to_owned(),
            payment: "pi_1".to_owned(),
            withdrawn,
            returned,
            fees,
            booked: None,
            booked_minor: 0,
        },
    );
    check_order_independence(
        "disputes",
        snapshot,
        |_| Some(0),
        |snapshots| {
            let mut record = snapshots[0].clone();
            snapshots[1..].iter().for_each(|snapshot| dispute::merge(&mut record, snapshot));
            json(&record)
        },
    );
}

#[test]
fn prices() {
    let snapshot = (second(), any::<bool>()).prop_map(|(at, withdrawn)| price::OnSale { at, withdrawn });
    check_order_independence(
        "prices",
        snapshot,
        |snapshot| Some(snapshot.at),
        |snapshots| json(&snapshots.iter().fold(None, |known, snapshot| Some(price::merge(known, *snapshot)))),
    );
}

#[test]
fn customers() {
    let snapshot = prop::option::of(second()).prop_map(|deleted_at| Customer { deleted_at });
    check_order_independence(
        "customers",
        snapshot,
        // The time of the deletion is all that a snapshot tells.
        |_| Some(0),
        |snapshots| {
            let mut record = Customer::default();
            snapshots.iter().for_each(|snapshot| customer::merge(&mut record, snapshot));
            json(&record)
        },
    );
}

#[test]
fn payouts() {
    use Onboarding::{Begun, Enabled, Restricted};
    let onboarding = prop::sample::select(vec![Onboarding::None, Begun, Enabled, Restricted]);
    check_order_independence(
        "payouts",
        (second(), onboarding).prop_map(|(at, onboarding)| payouts::View { at, onboarding }),
        |snapshot| Some(snapshot.at),
        |snapshots| {
            let mut record = Payouts::default();
            snapshots.iter().for_each(|snapshot| payouts::merge(&mut record, snapshot));
            json(&record)
        },
    );
    let mut record = Payouts::default();
    for (at, onboarding) in [(1, Begun), (2, Enabled), (2, Restricted), (2, Begun), (1, Enabled)] {
        payouts::merge(&mut record, &payouts::View { at, onboarding });
    }
    assert_eq!(
        (record.seen_at, record.onboarding),
        (Some(2), Restricted),
        "in one second the more restrictive one wins"
    );
}

#[test]
fn a_session_keeps_its_booking_state() {
    let mut record = Session { booked: true, tax_booked: true, made: Some("prod_1".to_owned()), ..Session::default() };
    session::merge(&mut record, &Session { status: SessionStatus::Paid, ..Session::default() });
    assert_eq!(record.status, SessionStatus::Paid);
    assert!(record.booked && record.tax_booked && record.made.is_some());
}

/// Order independence would also hold for a merge that does nothing.
#[test]
fn a_customer_keeps_its_earliest_deletion() {
    let mut record = Customer::default();
    for deleted_at in [None, Some(3), Some(2), None] {
        customer::merge(&mut record, &Customer { deleted_at });
    }
    assert_eq!(record.deleted_at, Some(2));
}

#[test]
fn a_payment_keeps_its_earliest_time() {
    let received = |amount_minor, at| Payment {
        received: Some(Received { amount_minor, currency: "usd".to_owned(), at }),
        ..Payment::default()
    };
    let mut record = received(500, 7);
    payment::merge(&mut record, &received(500, 5));
    payment::merge(&mut record, &received(500, 9));
    assert_eq!(record.received.map(|received| (received.amount_minor, received.at)), Some((500, 5)));
}
