//! Books the usage of a seller's product as a sale of the month: the part paid by credits when the month is closed, the
//! rest when its invoice is paid (M9, TES-65). What goes back of the invoice goes back of the sales.

use super::splits;
use crate::catalog::account_name::text_of;
use crate::catalog::split::Share;
use crate::derive::unused::back_by_invoice;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::json::short_hash;
use crate::model::money::{micros_per_minor, part_of};
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::lot::Lot;
use crate::model::records::payment::Payment;
use crate::model::records::sale::SaleKind;
use crate::model::records::usage::UsageMonth;
use std::collections::{BTreeMap, BTreeSet};

/// Source of the part of a month's sales that is taken back because the credits that paid for them were taken back.
const CREDITS: &str = "credits";

/// Updates the sales from the paid amounts of each closed month.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    let back = back_by_invoice(desk, Payment::back_minor)?;
    let unpaid = unpaid_by_credits(desk)?;
    let here = desk.account.all::<UsageMonth>()?.into_iter();
    let concerned = here.filter(|(_, month)| {
        month.is_owed() || month.invoice.as_ref().is_some_and(|invoice| back.contains_key(invoice))
    });
    let concerned = concerned.map(|(id, _)| id).chain(unpaid.keys().cloned());
    let months: BTreeSet<String> = concerned.chain(desk.account.touched::<UsageMonth>()).collect();
    for id in months {
        let Some(mut month) = desk.account.row::<UsageMonth>(&id)?.filter(|month| month.closed) else { continue };
        let status = match month.invoice.as_ref().filter(|_| month.is_owed()) {
            Some(invoice) => desk.account.get::<Invoice>(invoice)?.map(|invoice| invoice.status),
            None => None,
        };
        if let Some(over @ (InvoiceStatus::Paid | InvoiceStatus::Void)) = status {
            month.settled = true;
            for part in month.sellers.values_mut().filter(|_| over == InvoiceStatus::Paid) {
                part.paid_micros = part.micros.saturating_add(part.carried_micros);
            }
            desk.account.put(&id, month.clone());
        }
        let returned = month.invoice.as_ref().and_then(|invoice| back.get(invoice));
        sell(desk, &id, &month, returned, unpaid.get(&id).copied())?;
    }
    Ok(())
}

/// Returns the usage of each month, in millionths, whose credits were taken back after they had been spent and that no
/// other credits have paid for yet; the oldest lots are paid first. Always contains the months of the lots that this
/// event changed.
fn unpaid_by_credits(desk: &mut Desk<'_>) -> Ruled<BTreeMap<String, i64>> {
    let touched: BTreeSet<String> = desk.account.touched::<Lot>().into_iter().collect();
    let mut lots = desk.account.all::<Lot>()?;
    lots.sort_by(|(a_id, a), (b_id, b)| (a.at, a_id).cmp(&(b.at, b_id)));
    let mut repaid = lots.iter().fold(0i64, |sum, (_, lot)| sum.saturating_add(lot.repaid_micros));
    let mut out: BTreeMap<String, i64> = BTreeMap::new();
    for (_, lot) in lots.iter().filter(|(id, lot)| lot.owed_micros > 0 || touched.contains(id)) {
        let paid = repaid.min(lot.owed_micros);
        repaid -= paid;
        for (month, spent) in &lot.spent_in {
            let unpaid = part_of(*spent, lot.owed_micros - paid, lot.spent_micros);
            let sum = out.entry(month.clone()).or_default();
            *sum = sum.saturating_add(unpaid);
        }
    }
    Ok(out)
}

/// Updates the sale of each product with paid usage, less its part of the money that was returned: from the month's
/// invoice, by payment, and from the credits. The sale's id does not reveal the user.
fn sell(
    desk: &mut Desk<'_>,
    id: &str,
    month: &UsageMonth,
    returned: Option<&BTreeMap<String, i64>>,
    unpaid_by_credits: Option<i64>,
) -> Ruled<()> {
    let paid = match month.invoice.as_ref().filter(|_| returned.is_some()) {
        Some(id) => desk.account.get::<Invoice>(id)?.map_or(0, |row| row.takings_minor()),
        None => 0,
    };
    let (credits, cost) = (month.credits_micros, month.cost_micros());
    let currency = desk.catalog.settings()?.currency.clone();
    let own = text_of(&desk.account.owned()?);
    for (product, part) in month.sellers.iter().filter(|(_, part)| part.paid_micros > 0) {
        // The share was fixed at the first use; later changes of the catalog do not matter.
        let Some(to) = part.to.clone().filter(|to| *to != own) else { continue };
        let share = Share { to, share_bp: part.share_bp, hold_days: part.hold_days };
        let sale_id = format!("use_{}/{id}/{product}", short_hash(&own));
        let mut sale = splits::sale(desk, &sale_id, (SaleKind::Usage, product.clone()), share, &currency, month.end)?;
        sale.gross_minor = part.paid_micros / micros_per_minor(&currency);
        let invoiced = part.paid_micros - part.paid_by_credits(credits, cost);
        for (payment, amount) in returned.filter(|_| month.settled).into_iter().flatten() {
            match part_of(invoiced, *amount, paid) / micros_per_minor(&currency) {
                0 => drop(sale.back.remove(payment)),
                part => drop(sale.back.insert(payment.clone(), part)),
            }
        }
        if let Some(unpaid) = unpaid_by_credits {
            // Without an invoice, credits paid all that is paid.
            let unpaid = match month.invoiced_minor {
                0 => part_of(part.paid_micros, unpaid, credits),
                _ => part.paid_by_credits(unpaid, cost),
            };
            match unpaid / micros_per_minor(&currency) {
                0 => drop(sale.back.remove(CREDITS)),
                part => drop(sale.back.insert(CREDITS.to_owned(), part)),
            }
        }
        splits::put(desk, &sale_id, sale)?;
    }
    Ok(())
}
