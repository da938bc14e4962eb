//! A schedule only moves forward, so the snapshot with the further status wins; of two snapshots with the same status,
//! the later one; at the same time, the greater one.

use super::News;
use crate::model::records::subscription_schedule::SubscriptionSchedule;

/// Merges a snapshot into a record.
pub(crate) fn merge(record: &mut SubscriptionSchedule, snapshot: &SubscriptionSchedule) -> News {
    // A snapshot from before the schedule had a subscription does not remove the known subscription.
    let subscription = record.subscription.clone().max(snapshot.subscription.clone());
    let name = |schedule: &SubscriptionSchedule| SubscriptionSchedule {
        subscription: subscription.clone(),
        ..schedule.clone()
    };
    let (known, received) = (name(record), name(snapshot));
    let merged = known.clone().max(received.clone());
    let undated = |schedule: &SubscriptionSchedule| SubscriptionSchedule { at: 0, ..schedule.clone() };
    let news = match (undated(&merged) == undated(record), undated(&merged) == undated(&received)) {
        (false, _) => News::Changed,
        (true, true) => News::Same,
        (true, false) => News::Older,
    };
    *record = merged;
    news
}
