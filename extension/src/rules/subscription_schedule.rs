//! `subscription_schedule.*`: stores the planned changes. The changes and the schedule's end take effect only with the
//! subscription's own events (S58).

use crate::actions::permission::check_owner;
use crate::desk::Desk;
use crate::input::stripe;
use crate::model::halt::Ruled;
use crate::model::ids::SubscriptionId;
use crate::model::keys::ClaimKey;
use crate::model::merge::News;
use crate::model::merge::subscription_schedule::merge;
use crate::model::records::subscription_schedule::{Phase, PhaseItem, ScheduleStatus, SubscriptionSchedule};
use crate::model::time::from_seconds;
use extension_contract::{IgnoreReason, Outcome, Refusal, Snapshot, SnapshotRank};

fn parse_status(text: &str) -> Ruled<ScheduleStatus> {
    Ok(match text {
        "not_started" => ScheduleStatus::NotStarted,
        "active" => ScheduleStatus::Active,
        "completed" => ScheduleStatus::Completed,
        "released" => ScheduleStatus::Released,
        "canceled" => ScheduleStatus::Canceled,
        other => return Err(Refusal::UnknownStatus(format!("subscription_schedule {other}")).into()),
    })
}

fn read_phase(index: usize, phase: &stripe::Phase<'_>) -> Ruled<Phase> {
    let malformed = |field: String| Refusal::Malformed(format!("/data/object/phases/{index}/{field}"));
    let time = |seconds: i64, field: &str| from_seconds(seconds).ok_or_else(|| malformed(field.to_owned()));
    let read_item = |(position, item): (usize, &stripe::Item<'_>)| {
        let price = item.price_id().ok_or_else(|| malformed(format!("items/{position}/price")))?;
        Ok(PhaseItem { price: price.into(), quantity: item.quantity.unwrap_or(1) })
    };
    let items = phase.items().enumerate().map(read_item).collect::<Ruled<_>>()?;
    let (starts_at, ends_at) = (time(phase.start_date, "start_date")?, time(phase.end_date, "end_date")?);
    Ok(Phase { starts_at, ends_at, items })
}

/// Decides an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::SubscriptionSchedule<'_>) -> Ruled<Outcome> {
    check_owner(desk, object.metadata.as_ref())?;
    let id = object.id.as_ref();
    let phases = object.phases.iter().enumerate().map(|(index, phase)| read_phase(index, phase));
    let snapshot = SubscriptionSchedule {
        status: parse_status(&object.status)?,
        at: desk.payment_time,
        subscription: object.subscription_id().map(SubscriptionId::from),
        phases: phases.collect::<Ruled<_>>()?,
    };
    let known = desk.account.row::<SubscriptionSchedule>(id)?;
    let (schedule, news) = match known.clone() {
        None => (snapshot, News::Changed),
        Some(mut schedule) => {
            let news = merge(&mut schedule, &snapshot);
            (schedule, news)
        }
    };
    let customer = stripe::id_of(&object.customer).map(ClaimKey::Customer);
    let subscription = object.subscription_id().map(ClaimKey::Subscription);
    desk.account.claim(customer.into_iter().chain(subscription))?;
    let at = schedule.at;
    if known.as_ref() != Some(&schedule) {
        desk.account.put(id, schedule);
    }
    Ok(match news {
        News::Changed => Outcome::Applied,
        News::Same => Outcome::Ignored(IgnoreReason::NoChange),
        News::Older => Outcome::Stale(Snapshot { at, rank: SnapshotRank::Updated, event_id: String::new() }),
    })
}
