//! Tests the order of two snapshots of one subscription, by the rules in `subscription.rs`.

use super::News;
use super::subscription::{BOUNDS, SubscriptionSnapshot, first, merge};
use crate::model::records::cancellation::StripeDetails;
use crate::model::records::subscription::{Previous, State, SubscriptionRow, is_final};
use SubscriptionStatus::{Active, Canceled, Incomplete, IncompleteExpired, PastDue};
use extension_contract::{SnapshotRank, SubscriptionItem, SubscriptionStatus};

fn snapshot(at: i64, rank: SnapshotRank, status: SubscriptionStatus) -> SubscriptionSnapshot {
    SubscriptionSnapshot {
        at,
        created: None,
        rank,
        event_id: "evt".to_owned(),
        customer: Some("cus_A".to_owned()),
        state: State {
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
            ended_at: is_final(status).then_some(at),
            pause: None,
            said: StripeDetails::default(),
        },
        previous: Vec::new(),
    }
}

fn after(status: SubscriptionStatus, snapshot: SubscriptionSnapshot) -> SubscriptionSnapshot {
    SubscriptionSnapshot { previous: vec![Previous { status: Some(status), ..Previous::default() }], ..snapshot }
}

fn merged(one: &SubscriptionSnapshot, other: &SubscriptionSnapshot) -> (SubscriptionRow, News) {
    let mut row = first(one.clone(), BOUNDS);
    let news = merge(&mut row, other.clone(), BOUNDS).expect("a snapshot can be encoded");
    (row, news)
}

/// Asserts that the newer snapshot wins in either order of arrival.
fn assert_newer(newer: &SubscriptionSnapshot, older: &SubscriptionSnapshot) {
    for ((row, news), expected) in [(merged(older, newer), News::Changed), (merged(newer, older), News::Older)] {
        assert_eq!((row.status(), news, row.is_unclear), (newer.state.status, expected, false));
    }
}

#[test]
fn a_later_second_is_newer() {
    assert_newer(&snapshot(2, SnapshotRank::Created, Active), &snapshot(1, SnapshotRank::Deleted, Active));
}

/// Like [`assert_newer`], but does not check which merge reports a change.
fn assert_newer_state(newer: &SubscriptionSnapshot, older: &SubscriptionSnapshot) {
    for (row, _) in [merged(older, newer), merged(newer, older)] {
        assert_eq!((row.status(), row.is_unclear), (newer.state.status, false));
    }
}

// covers: S31
#[test]
fn a_final_state_wins_at_any_time() {
    let late = snapshot(9, SnapshotRank::Updated, Active);
    assert_newer(&snapshot(5, SnapshotRank::Deleted, Canceled), &late);
    assert_newer(&snapshot(1, SnapshotRank::Updated, IncompleteExpired), &late);
}

// covers: S28
#[test]
fn within_one_second_the_rank_decides() {
    assert_newer(&snapshot(1, SnapshotRank::Updated, Active), &snapshot(1, SnapshotRank::Created, Incomplete));
    assert_newer(&snapshot(1, SnapshotRank::Deleted, PastDue), &snapshot(1, SnapshotRank::Retrieved, Active));
    assert_newer(&snapshot(1, SnapshotRank::Retrieved, Active), &snapshot(1, SnapshotRank::Created, PastDue));
}

#[test]
fn within_one_rank_a_subscription_never_becomes_incomplete_again() {
    assert_newer(&snapshot(1, SnapshotRank::Updated, Active), &snapshot(1, SnapshotRank::Updated, Incomplete));
}

#[test]
fn within_one_rank_the_chain_of_previous_attributes_decides() {
    assert_newer(
        &after(Active, snapshot(1, SnapshotRank::Updated, PastDue)),
        &snapshot(1, SnapshotRank::Updated, Active),
    );
}

// covers: S29
#[test]
fn without_a_chain_the_order_is_unclear() {
    let one = snapshot(1, SnapshotRank::Updated, Active);
    let mut other = one.clone();
    other.state.items[0].quantity = 5;
    assert!(merged(&one, &other).0.is_unclear && merged(&other, &one).0.is_unclear);
    // Each snapshot can follow the other: a change and its reversal in one second.
    let on = after(PastDue, snapshot(1, SnapshotRank::Updated, Active));
    let off = after(Active, snapshot(1, SnapshotRank::Updated, PastDue));
    assert!(merged(&on, &off).0.is_unclear);
    // A retrieval in the same second that knew both decides, in any order of arrival.
    let known = [&on, &off].map(|known| Previous::all_of(&known.state)).to_vec();
    let answer = SubscriptionSnapshot { previous: known, ..snapshot(1, SnapshotRank::Retrieved, Active) };
    for [one, two, three] in [[&on, &off, &answer], [&off, &on, &answer], [&answer, &off, &on], [&on, &answer, &off]] {
        let (mut row, _) = merged(one, two);
        merge(&mut row, three.clone(), BOUNDS).expect("a snapshot can be encoded");
        assert_eq!((row.status(), row.is_unclear), (Active, false));
    }
}

/// A retrieved snapshot is newer than the snapshots known at its request. Its order relative to other snapshots of the
/// same second is unknown.
// covers: S39
#[test]
fn a_retrieved_snapshot_is_newer_than_snapshots_known_at_its_request() {
    let update = snapshot(1, SnapshotRank::Updated, Active);
    let retrieved = snapshot(1, SnapshotRank::Retrieved, PastDue);
    let dated = SubscriptionSnapshot { previous: vec![Previous::all_of(&update.state)], ..retrieved.clone() };
    assert_newer_state(&dated, &update);
    for (one, other) in [(&update, &retrieved), (&retrieved, &update)] {
        let (row, _) = merged(one, other);
        assert!(row.is_unclear, "{one:?} then {other:?}");
        // The number of snapshots distinguishes the key of the next retrieval from the key of this retrieval.
        assert_eq!(row.views_beside_an_answer(), 2);
    }
    assert_newer_state(&after(PastDue, update.clone()), &retrieved);
    assert!(!merged(&retrieved, &snapshot(1, SnapshotRank::Updated, PastDue)).0.is_unclear, "both have the same state");
}

#[test]
fn equal_snapshots_of_different_events_are_the_same() {
    let one = snapshot(1, SnapshotRank::Updated, Active);
    let other = SubscriptionSnapshot { event_id: "evt_other".to_owned(), ..one.clone() };
    let (row, news) = merged(&one, &other);
    assert_eq!((news, row.view().event_id.as_str()), (News::Same, "evt"));
    assert_eq!(merged(&other, &one).0, row);
}

/// A card is replaced and pays: both updates are of one second, and a run of `past_due` that is over must not look like the newest one.
#[test]
fn the_history_has_an_update_after_the_status_that_it_has_changed() {
    let card = snapshot(5, SnapshotRank::Updated, PastDue);
    let paid = after(PastDue, snapshot(5, SnapshotRank::Updated, Active));
    let renewed = snapshot(9, SnapshotRank::Updated, Active);
    let all = [snapshot(1, SnapshotRank::Updated, PastDue), card, paid, renewed];
    for (a, b, c, d) in [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)] {
        let mut row = first(all[a].clone(), BOUNDS);
        for next in [b, c, d] {
            merge(&mut row, all[next].clone(), BOUNDS).expect("a snapshot can be encoded");
        }
        let statuses: Vec<SubscriptionStatus> = row.history.iter().map(|seen| seen.status()).collect();
        assert_eq!(statuses, [PastDue, PastDue, Active, Active]);
        assert_eq!(row.run_start(|seen| seen.status() == Active), Some(5));
    }
}

/// A run of snapshots begins at the same snapshot in any order of arrival, and the limit drops the oldest snapshots.
#[test]
fn the_history_keeps_the_newest_snapshots() {
    let most = i64::try_from(BOUNDS.history).expect("a small number");
    let seen: Vec<SubscriptionSnapshot> =
        (0..most + 20).map(|at| snapshot(at, SnapshotRank::Updated, if at < 60 { Active } else { PastDue })).collect();
    let fold = |snapshots: &mut dyn Iterator<Item = &SubscriptionSnapshot>| {
        let mut row = first(snapshots.next().expect("snapshots").clone(), BOUNDS);
        for snapshot in snapshots {
            merge(&mut row, snapshot.clone(), BOUNDS).expect("a snapshot can be encoded");
        }
        row
    };
    let forward = fold(&mut seen.iter());
    assert_eq!(forward, fold(&mut seen.iter().rev()));
    assert_eq!(forward.history.len(), BOUNDS.history);
    assert_eq!(forward.run_start(|seen| seen.status() == PastDue), Some(60));
    assert_eq!(forward.first_at, 0);
}
