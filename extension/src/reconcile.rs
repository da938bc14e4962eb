//! Brings an account from its actual to its desired state. The stages run once per event, in the order of [`stages`].

mod chargebacks;
mod comparison;
mod credits;
mod departure;
mod erasure;
mod fingerprint;
mod foreign_checkouts;
mod grace;
mod instance;
mod instances;
mod ledger;
mod limits;
mod membership;
mod meter_events;
mod pauses;
mod payouts;
mod price_moves;
mod purchases;
mod refused_purchases;
mod requests;
mod schedule;
mod settled;
mod spending_alerts;
mod splits;
mod tokens;
mod top_ups;
mod trials;
mod usage_invoice;
mod usage_prices;
mod usage_pulls;
mod usage_shares;

use crate::derive::standing::standing;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::records::schedule::OpenSchedule;
pub(crate) use schedule::DesiredSchedule;

/// Brings the account to its desired state, and returns the desired timers and delayed mails. `is_continuation` is true
/// for the timer that continues the work of an earlier decision.
pub(crate) fn stages(desk: &mut Desk<'_>, is_continuation: bool) -> Ruled<DesiredSchedule> {
    purchases::reconcile(desk)?;
    foreign_checkouts::reconcile(desk)?;
    ledger::reconcile(desk)?;
    credits::reconcile(desk)?;
    splits::reconcile(desk)?;
    chargebacks::reconcile(desk)?;
    trials::note_bought(desk)?;
    let standing = standing(desk)?;
    if usage_prices::reconcile(desk, &standing)? {
        // The price of usage has changed what credits pay.
        credits::reconcile(desk)?;
    }
    let mut desired = DesiredSchedule::default();
    purchases::report_unexplained(desk, &mut desired)?;
    departure::reconcile(desk, &standing)?;
    refused_purchases::reconcile(desk, &standing, &mut desired)?;
    grace::reconcile(desk, &standing, &mut desired)?;
    pauses::reconcile(desk, &standing, &mut desired)?;
    price_moves::reconcile(desk, &standing, &mut desired)?;
    trials::reconcile(desk, &standing, &mut desired)?;
    instances::reconcile(desk, &standing, is_continuation, &mut desired)?;
    tokens::reconcile(desk, &standing, &mut desired)?;
    credits::schedule(desk, &mut desired)?;
    comparison::reconcile(desk, &standing, &mut desired)?;
    membership::reconcile(desk, &standing)?;
    settled::reconcile(desk, &standing)?;
    spending_alerts::reconcile(desk)?;
    top_ups::reconcile(desk, &standing, &mut desired)?;
    usage_pulls::reconcile(desk, &mut desired)?;
    usage_invoice::reconcile(desk, &mut desired)?;
    meter_events::reconcile(desk, &standing, &mut desired)?;
    usage_shares::reconcile(desk)?;
    splits::send_shares(desk)?;
    payouts::reconcile(desk, &mut desired)?;
    erasure::reconcile(desk, &standing, &mut desired)?;
    requests::reconcile(desk)?;
    Ok(desired)
}

/// Brings the account's timers and delayed mails to the desired schedule.
pub(crate) fn apply_schedule(desk: &mut Desk<'_>, desired: DesiredSchedule) -> Ruled<()> {
    let before = desk.account.get::<OpenSchedule>(OpenSchedule::ID)?;
    if before.as_ref().is_some_and(|open| desired.is_open_in(open)) {
        return Ok(());
    }
    let mut open = before.as_deref().cloned().unwrap_or_default();
    schedule::apply(&mut desk.account, desk.now, &mut open, desired)?;
    // The account has this row from its first change on, so the row does not show whether a timer was ever set.
    if before.as_deref() != Some(&open) {
        desk.account.put(OpenSchedule::ID, open);
    }
    Ok(())
}
