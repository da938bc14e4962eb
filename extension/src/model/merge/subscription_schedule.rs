//! A schedule moves forward, so the further view wins; within one state the later, then the greater.

use super::News;
use crate::model::records::subscription_schedule::SubscriptionSchedule;

/// Merge a view into a record.
pub(crate) fn merge(record: &mut SubscriptionSchedule, view: &SubscriptionSchedule) -> News {
    // A view of before it was tied to a subscription takes nothing from one that knows it.
    let subscription = record.subscription.clone().max(view.subscription.clone());
    let name = |schedule: &SubscriptionSchedule| SubscriptionSchedule {
        subscription: subscription.clone(),
        ..schedule.clone()
    };
    let (known, said) = (name(record), name(view));
    let merged = known.clone().max(said.clone());
    let undated = |schedule: &SubscriptionSchedule| SubscriptionSchedule { at: 0, ..schedule.clone() };
    let news = match (undated(&merged) == undated(record), undated(&merged) == undated(&said)) {
        (false, _) => News::Changed,
        (true, true) => News::Same,
        (true, false) => News::Older,
    };
    *record = merged;
    news
}
