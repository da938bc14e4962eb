//! Makes shares available when their hold period ends, and transfers available amounts as soon as possible.

use super::schedule::DesiredSchedule;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::money::sendable;
use crate::model::records::earning::{Earned, Earning};
use crate::model::records::payouts::{Onboarding, Payouts};
use serde_json::json;

/// Adds due shares to the available amounts, and requests the transfer of these amounts. Refunds of transferred shares
/// reduce the next transfer.
pub(super) fn reconcile(desk: &mut Desk<'_>, desired: &mut DesiredSchedule) -> Ruled<()> {
    let before = desk.account.get_here::<Payouts>(Payouts::ID)?;
    let held = desk.account.all::<Earning>()?;
    if before.is_none() && held.is_empty() {
        return Ok(());
    }
    let mut payouts = before.as_deref().cloned().unwrap_or_default();
    for (id, earning) in held.into_iter().filter(|(_, earning)| !earning.available) {
        if earning.available_at > desk.now {
            let due = earning.available_at;
            desired.timer(desk.now, TimerKey::Payout { due }, due);
            continue;
        }
        payouts.add(&earning.currency, earning.share_minor);
        let available = Earning { available: true, ..Earning::clone(&earning) };
        let mut earned = desk.account.row::<Earned>(&earning.product)?.unwrap_or_default();
        earned.replace(&earning, &available);
        desk.account.put(&earning.product, earned);
        desk.account.put(&id, available);
    }
    if let Some(connected) =
        payouts.connected.clone().filter(|_| payouts.onboarding == Onboarding::Enabled && !payouts.gone)
    {
        for (currency, payout) in &mut payouts.currencies {
            match payout.retry_at {
                Some(due) if due <= desk.now => (payout.stopped, payout.retry_at) = (false, None),
                Some(due) => desired.timer(desk.now, TimerKey::Payout { due }, due),
                None => {}
            }
            // The remainder is part of the next transfer.
            let sendable = sendable(payout.available_minor, currency);
            if payout.stopped || payout.open_minor > 0 || sendable <= 0 {
                continue;
            }
            payout.transfers += 1;
            payout.open_minor = sendable;
            payout.available_minor -= sendable;
            let key = EffectKey::Transfer { currency: currency.clone(), number: payout.transfers };
            let payload = json!({
                "destination": connected, "amount_minor": sendable, "currency": currency,
                "transfer_group": format!("{connected}:{}", payout.transfers),
            });
            let about = Correlation::Transfer { currency: currency.clone() };
            desk.account.ask(request(&key, &payload, Some(&about))?);
        }
    }
    if before.as_deref() != Some(&payouts) {
        desk.account.load::<Payouts>(&[Payouts::ID.to_owned()])?;
        desk.account.put(Payouts::ID, payouts);
    }
    Ok(())
}
