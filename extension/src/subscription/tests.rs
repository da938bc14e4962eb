//! The order of two views of one subscription, case by case (design.md, "Order of snapshots of one object").

use super::*;
use SubscriptionStatus::{Active, Canceled, Incomplete, IncompleteExpired, PastDue};

fn view(at: i64, rank: SnapshotRank, status: SubscriptionStatus) -> SubscriptionValues {
    SubscriptionValues {
        customer_id: "cus_A".to_owned(),
        status,
        items: vec![SubscriptionItem {
            id: "si_1".to_owned(),
            price_id: "price_pro".to_owned(),
            quantity: 1,
            period_start: 0,
            period_end: 100,
        }],
        cancel_at_period_end: false,
        cancel_at: None,
        trial_end: None,
        grace_end: None,
        snapshot: Snapshot { at, rank, event_id: "evt".to_owned() },
        metadata: "{}".to_owned(),
    }
}

fn was(status: SubscriptionStatus) -> Previous {
    Previous { status: Some(status), ..Previous::default() }
}

/// Every pair both ways: what is newer one way is older the other way.
fn assert_order(new: &SubscriptionValues, new_was: Option<&Previous>, old: &SubscriptionValues, expected: Order) {
    let opposite = match expected {
        Order::Newer => Order::Older,
        Order::Older => Order::Newer,
        other => other,
    };
    assert_eq!(order(new, new_was, old, None), expected);
    assert_eq!(order(old, None, new, new_was), opposite);
}

#[test]
fn a_later_second_is_newer() {
    let (old, new) = (view(1, SnapshotRank::Deleted, Active), view(2, SnapshotRank::Created, Active));
    assert_order(&new, None, &old, Order::Newer);
}

// covers: S31
#[test]
fn a_final_state_absorbs_whatever_the_times() {
    let (late, ended) = (view(9, SnapshotRank::Updated, Active), view(5, SnapshotRank::Deleted, Canceled));
    assert_order(&ended, None, &late, Order::Newer);
    let expired = view(1, SnapshotRank::Updated, IncompleteExpired);
    assert_order(&expired, None, &late, Order::Newer);
}

// covers: S28
#[test]
fn in_one_second_rank_decides() {
    let (created, updated) = (view(1, SnapshotRank::Created, Incomplete), view(1, SnapshotRank::Updated, Active));
    assert_order(&updated, None, &created, Order::Newer);
}

#[test]
fn in_one_second_and_rank_a_subscription_never_becomes_incomplete_again() {
    let (first, second) = (view(1, SnapshotRank::Updated, Incomplete), view(1, SnapshotRank::Updated, Active));
    assert_order(&second, None, &first, Order::Newer);
}

#[test]
fn in_one_second_and_rank_the_chain_of_previous_attributes_decides() {
    let (first, second) = (view(1, SnapshotRank::Updated, Active), view(1, SnapshotRank::Updated, PastDue));
    assert_order(&second, Some(&was(Active)), &first, Order::Newer);
}

// covers: S29
#[test]
fn without_a_chain_the_order_is_unclear() {
    let first = view(1, SnapshotRank::Updated, Active);
    let mut second = first.clone();
    second.items[0].quantity = 5;
    assert_order(&second, None, &first, Order::Unclear);
    // Both fit after the other: there and back again in one second.
    let (on, off) = (view(1, SnapshotRank::Updated, Active), view(1, SnapshotRank::Updated, PastDue));
    assert_eq!(order(&on, Some(&was(PastDue)), &off, Some(&was(Active))), Order::Unclear);
}

#[test]
fn the_same_view_is_the_same_whatever_event_brought_it() {
    let first = view(1, SnapshotRank::Updated, Active);
    let mut second = first.clone();
    second.snapshot.event_id = "evt_other".to_owned();
    assert_order(&second, None, &first, Order::Same);
}

/// A run begins at the same view, however the views arrived; what is beyond the limit is the oldest.
#[test]
fn history_is_a_set() {
    let seen: Vec<Seen> = (0..(HISTORY_MAX as i64 + 20))
        .map(|at| Seen(at, SnapshotRank::Updated, if at < 60 { Active } else { PastDue }, None))
        .collect();
    let mut forward = Billing::default();
    let mut backward = Billing::default();
    for (one, other) in seen.iter().zip(seen.iter().rev()) {
        forward.see(one.clone());
        backward.see(other.clone());
    }
    assert_eq!(forward, backward);
    assert_eq!(forward.history.len(), HISTORY_MAX);
    assert_eq!(forward.run_start(|seen| seen.2 == PastDue), Some(60));
}
