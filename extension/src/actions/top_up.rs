//! Automatic top-up: what an account agrees to beside the amount, and the ways in which it ends.

use crate::catalog::settings::Tax;
use crate::derive::offer::SelectedOffer;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::purchase::{PurchaseRow, Step};
use crate::model::records::top_up::{Agreed, Stopped, TopUp};
use crate::model::time::month_id;
use extension_contract::{Money, PurchaseStatus};
use serde_json::{Value, json};

/// Returns what an account agrees to: the credits of one unit, and the tax in or beside the amount.
pub(crate) fn agreed(offer: &SelectedOffer, tax: Option<Tax>) -> Ruled<Agreed> {
    let terms = offer.price.terms()?;
    let tax = tax.map(|tax| tax.behavior().to_owned());
    Ok(Agreed { credit_minor: terms.credit, credits: terms.credits.clone(), tax })
}

/// Turns the top-up off. A payment that has not begun is called off.
pub(crate) fn turn_off(desk: &mut Desk<'_>, row: &mut TopUp) -> Ruled<()> {
    (row.on, row.stopped) = (false, None);
    let Some(id) = row.open.clone() else { return Ok(()) };
    if desk.account.call_off_in_time(EffectKey::TopUp { purchase: id.clone() }.to_string())?
        && let Some(purchase) = desk.account.row::<PurchaseRow>(&id)?
    {
        give_up(desk, Some(row), &id, purchase, None);
    }
    Ok(())
}

/// Ends a purchase that is not paid, so that its amount counts no more for its month.
pub(crate) fn give_up(
    desk: &mut Desk<'_>,
    row: Option<&mut TopUp>,
    id: &str,
    mut purchase: PurchaseRow,
    error: Option<Value>,
) {
    if let Some(row) = row {
        row.open.take_if(|open| open == id);
        if row.month == month_id(purchase.details.asked_at.unwrap_or(desk.now)) {
            row.asked_minor = row.asked_minor.saturating_sub(purchase.values.total.amount_minor).max(0);
        }
    }
    (purchase.values.status, purchase.details.step) = (PurchaseStatus::Cancelled, Step::Failed);
    purchase.details.error = error;
    desk.account.put(id, purchase);
}

/// Turns the top-up off, and tells the account why, with the amount that was not charged.
pub(crate) fn stop(
    desk: &mut Desk<'_>,
    row: &mut TopUp,
    because: Stopped,
    amount: &Money,
    reference: &str,
) -> Ruled<()> {
    (row.on, row.stopped) = (false, Some(because));
    let values = json!({"product": row.product, "amount_minor": amount.amount_minor, "currency": amount.currency,
        "because": because.name()});
    send_once(&mut desk.account, &mail_kinds::TOP_UP_STOPPED, reference, &values)
}
