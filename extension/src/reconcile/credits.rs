//! Keeps credits consistent with their purchases: a payment grants credits, refunds and disputes take them back.
//! Credits that were spent before they were taken back become a debt, which the next credits pay first.

use crate::derive::sold;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::FactKey;
use crate::model::ledger::{CREDITS, REVENUE, book};
use crate::model::money::{part_of, to_micros, to_minor_up};
use crate::model::records::lot::Lot;
use crate::model::records::purchase::PurchaseRow;
use std::collections::BTreeMap;

/// Updates the lots from their purchases, and the ledger from the lots.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<PurchaseRow>() {
        update_lot(desk, &id)?;
    }
    if desk.account.touched::<Lot>().is_empty() {
        return Ok(());
    }
    settle_debts(desk)?;
    for id in desk.account.touched::<Lot>() {
        book_lot(desk, &id)?;
    }
    Ok(())
}

/// Updates the lot of a purchase: the credits of its products, reduced in proportion to the refunded money. The credits of
/// a requested refund are held.
fn update_lot(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(purchase) = desk.account.get::<PurchaseRow>(id)? else { return Ok(()) };
    let Some(paid_at) = purchase.paid_once_at() else { return Ok(()) };
    let default = &desk.catalog.settings()?.currency;
    let currency = &purchase.values.total.currency;
    let mut credits = 0i64;
    for (price, quantity) in sold::prices(desk, &purchase)? {
        let terms = price.terms()?;
        let of_one = match terms.credits.get(currency) {
            Some(credits) => Some(*credits),
            None => terms.credit.filter(|_| terms.credits.is_empty() || *currency == **default),
        };
        let of_one = of_one.unwrap_or(0);
        credits = credits.saturating_add(of_one.saturating_mul(i64::from(quantity)));
    }
    let known = desk.account.row::<Lot>(id)?;
    if credits <= 0 && known.is_none() {
        return Ok(());
    }
    let mut lot = known.clone().unwrap_or_default();
    lot.currency.clone_from(currency);
    lot.at = paid_at;
    // What was granted once stays, whatever a later catalog gives.
    lot.granted_micros = known.as_ref().map_or_else(|| to_micros(credits, currency), |known| known.granted_micros);
    let back = part_of(lot.granted_micros, purchase.back_minor(), purchase.paid_minor());
    lot.taken_micros = back.min(lot.granted_micros - lot.spent_micros);
    lot.owed_micros = back - lot.taken_micros;
    // The lot's payments for other lots' debts are limited to the lot's remaining credits.
    lot.repaid_micros = lot.repaid_micros.min(lot.granted_micros - lot.spent_micros - lot.taken_micros);
    let held = part_of(lot.granted_micros, purchase.refunding_minor(), purchase.paid_minor());
    // A purchase that was not allowed is reversed as a whole.
    let held = if purchase.details.refused { lot.granted_micros } else { held };
    lot.held_micros = held.min(lot.unspent_micros());
    if known.as_ref() != Some(&lot) {
        desk.account.put(id, lot);
    }
    Ok(())
}

/// Pays the debts of lots from other lots of the same currency.
fn settle_debts(desk: &mut Desk<'_>) -> Ruled<()> {
    let mut by_currency: BTreeMap<String, Vec<(String, Lot)>> = BTreeMap::new();
    for (id, lot) in desk.account.all::<Lot>()? {
        by_currency.entry(lot.currency.clone()).or_default().push((id, Lot::clone(&lot)));
    }
    by_currency.into_values().for_each(|lots| settle(desk, lots));
    Ok(())
}

/// Pays the debts of lots from other lots, oldest first. Takes back payments for debts that no longer exist, newest
/// first.
fn settle(desk: &mut Desk<'_>, mut lots: Vec<(String, Lot)>) {
    lots.sort_by(|(a_id, a), (b_id, b)| (a.at, a_id).cmp(&(b.at, b_id)));
    let before = lots.clone();
    let sum = |lots: &[(String, Lot)], of: fn(&Lot) -> i64| lots.iter().map(|(_, lot)| of(lot)).sum::<i64>();
    let mut open = sum(&lots, |lot| lot.owed_micros) - sum(&lots, |lot| lot.repaid_micros);
    for (_, lot) in &mut lots {
        let pays = open.clamp(0, lot.left_micros());
        lot.repaid_micros += pays;
        open -= pays;
    }
    for (_, lot) in lots.iter_mut().rev() {
        let returns = (-open).clamp(0, lot.repaid_micros);
        lot.repaid_micros -= returns;
        open += returns;
    }
    for ((id, lot), (_, before)) in lots.into_iter().zip(before) {
        if lot != before {
            desk.account.put(&id, lot);
        }
    }
}

/// Books the unspent credits as a liability instead of revenue, rounded up to minor units. The first entry books all
/// granted credits that paid no debt, so that credits taken back are always a separate entry, even if the refund was
/// known before the payment.
fn book_lot(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(mut lot) = desk.account.row::<Lot>(id)? else { return Ok(()) };
    let entries = lot.entries;
    if entries == 0 {
        let granted = lot.granted_micros - lot.repaid_micros;
        book_unspent(desk, id, &mut lot, granted)?;
    }
    let unspent = lot.unspent_micros();
    book_unspent(desk, id, &mut lot, unspent)?;
    if lot.entries != entries {
        desk.account.put(id, lot);
    }
    Ok(())
}

/// Books the difference between a lot's liability and its booked amount.
fn book_unspent(desk: &mut Desk<'_>, id: &str, lot: &mut Lot, micros: i64) -> Ruled<()> {
    let unspent = to_minor_up(micros.max(0), &lot.currency);
    let more = unspent - lot.booked_minor;
    if more == 0 {
        return Ok(());
    }
    lot.entries += 1;
    lot.booked_minor = unspent;
    let fact = FactKey::Credits { purchase: id, entry: lot.entries };
    book(&mut desk.account, fact, id, &lot.currency, &[(REVENUE, more), (CREDITS, -more)])
}
