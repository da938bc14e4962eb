//! Automatic top-up: what an account agrees to beside the amount, and the end of it.

use crate::catalog::settings::Tax;
use crate::derive::offer::SelectedOffer;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::records::purchase::{PurchaseRow, Step};
use crate::model::records::top_up::{Agreed, TopUp};
use extension_contract::PurchaseStatus;

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
        && let Some(mut purchase) = desk.account.row::<PurchaseRow>(&id)?
    {
        row.asked_minor = row.asked_minor.saturating_sub(purchase.values.total.amount_minor).max(0);
        row.open = None;
        (purchase.values.status, purchase.details.step) = (PurchaseStatus::Cancelled, Step::Failed);
        desk.account.put(&id, purchase);
    }
    Ok(())
}
