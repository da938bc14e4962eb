//! The order of two views of one subscription, case by case (`design.md`, "Order of snapshots of one object").

use super::News;
use super::subscription::{BOUNDS, SubscriptionView, first, merge};
use crate::model::records::subscription::{Previous, State, SubscriptionRow, is_final};
use SubscriptionStatus::{Active, Canceled, Incomplete, IncompleteExpired, PastDue};
use extension_contract::{SnapshotRank, SubscriptionItem, SubscriptionStatus};

fn view(at: i64, rank: SnapshotRank, status: SubscriptionStatus) -> SubscriptionView {
    SubscriptionView {
        at,
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
        },
        previous: Vec::new(),
    }
}

fn after(status: SubscriptionStatus, view: SubscriptionView) -> SubscriptionView {
    SubscriptionView { previous: vec![Previous { status: Some(status), ..Previous::default() }], ..view }
}

fn merged(one: &SubscriptionView, other: &SubscriptionView) -> (SubscriptionRow, News) {
    let mut row = first(one.clone(), BOUNDS);
    let news = merge(&mut row, other.clone(), BOUNDS).expect("a view can be encoded");
    (row, news)
}

/// The newer one counts, whichever comes first.
fn assert_newer(newer: &SubscriptionView, older: &SubscriptionView) {
    for ((row, news), expected) in [(merged(older, newer), News::Changed), (merged(newer, older), News::Older)] {
        assert_eq!((row.status(), news, row.is_unclear), (newer.state.status, expected, false));
    }
}

#[test]
fn a_later_second_is_newer() {
    assert_newer(&view(2, SnapshotRank::Created, Active), &view(1, SnapshotRank::Deleted, Active));
}

/// The same of two views of one rank, of which the older one may change what is shown when it comes last.
fn assert_newer_view(newer: &SubscriptionView, older: &SubscriptionView) {
    for (row, _) in [merged(older, newer), merged(newer, older)] {
        assert_eq!((row.status(), row.is_unclear), (newer.state.status, false));
    }
}

// covers: S31
#[test]
fn a_final_state_absorbs_whatever_the_times() {
    let late = view(9, SnapshotRank::Updated, Active);
    assert_newer(&view(5, SnapshotRank::Deleted, Canceled), &late);
    assert_newer(&view(1, SnapshotRank::Updated, IncompleteExpired), &late);
}

// covers: S28
#[test]
fn in_one_second_rank_decides() {
    assert_newer(&view(1, SnapshotRank::Updated, Active), &view(1, SnapshotRank::Created, Incomplete));
    assert_newer(&view(1, SnapshotRank::Deleted, PastDue), &view(1, SnapshotRank::Retrieved, Active));
    assert_newer(&view(1, SnapshotRank::Retrieved, Active), &view(1, SnapshotRank::Created, PastDue));
}

#[test]
fn in_one_second_and_rank_a_subscription_never_becomes_incomplete_again() {
    assert_newer(&view(1, SnapshotRank::Updated, Active), &view(1, SnapshotRank::Updated, Incomplete));
}

#[test]
fn in_one_second_and_rank_the_chain_of_previous_attributes_decides() {
    assert_newer(&after(Active, view(1, SnapshotRank::Updated, PastDue)), &view(1, SnapshotRank::Updated, Active));
}

// covers: S29
#[test]
fn without_a_chain_the_order_is_unclear() {
    let one = view(1, SnapshotRank::Updated, Active);
    let mut other = one.clone();
    other.state.items[0].quantity = 5;
    assert!(merged(&one, &other).0.is_unclear && merged(&other, &one).0.is_unclear);
    // Both fit after the other: there and back again in one second.
    let on = after(PastDue, view(1, SnapshotRank::Updated, Active));
    let off = after(Active, view(1, SnapshotRank::Updated, PastDue));
    assert!(merged(&on, &off).0.is_unclear);
}

/// An answer is newer than what was known when it was asked for; whether it tells of what else is of its second, nobody
/// knows.
// covers: S39
#[test]
fn an_answer_is_newer_than_what_it_was_asked_after() {
    let update = view(1, SnapshotRank::Updated, Active);
    let answer = view(1, SnapshotRank::Retrieved, PastDue);
    let told = SubscriptionView { previous: vec![Previous::all_of(&update.state)], ..answer.clone() };
    assert_newer_view(&told, &update);
    for (one, other) in [(&update, &answer), (&answer, &update)] {
        let (row, _) = merged(one, other);
        assert!(row.is_unclear, "{one:?} then {other:?}");
        // Which question it takes to settle it is told by how many views there are.
        assert_eq!(row.views_beside_an_answer(), 2);
    }
    assert_newer_view(&after(PastDue, update.clone()), &answer);
    assert!(!merged(&answer, &view(1, SnapshotRank::Updated, PastDue)).0.is_unclear, "they say the same");
}

#[test]
fn the_same_view_is_the_same_whatever_event_brought_it() {
    let one = view(1, SnapshotRank::Updated, Active);
    let other = SubscriptionView { event_id: "evt_other".to_owned(), ..one.clone() };
    let (row, news) = merged(&one, &other);
    assert_eq!((news, row.view().event_id.as_str()), (News::Same, "evt"));
    assert_eq!(merged(&other, &one).0, row);
}

/// A run begins at the same view, however the views arrived; what is beyond the limit is the oldest.
#[test]
fn the_history_keeps_the_newest_views() {
    let most = i64::try_from(BOUNDS.history).expect("a small number");
    let seen: Vec<SubscriptionView> =
        (0..most + 20).map(|at| view(at, SnapshotRank::Updated, if at < 60 { Active } else { PastDue })).collect();
    let fold = |views: &mut dyn Iterator<Item = &SubscriptionView>| {
        let mut row = first(views.next().expect("views").clone(), BOUNDS);
        for view in views {
            merge(&mut row, view.clone(), BOUNDS).expect("a view can be encoded");
        }
        row
    };
    let forward = fold(&mut seen.iter());
    assert_eq!(forward, fold(&mut seen.iter().rev()));
    assert_eq!(forward.history.len(), BOUNDS.history);
    assert_eq!(forward.run_start(|seen| seen.status() == PastDue), Some(60));
    assert_eq!(forward.first_at, 0);
}
