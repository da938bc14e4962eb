//! Keeps credits consistent with their purchases: a payment grants credits, refunds and disputes take them back.
//! Credits that were spent before they were taken back become a debt, which the next credits pay first. Credits end at their time.

use super::schedule::DesiredSchedule;
use crate::catalog::span::Span;
use crate::derive::{sold, unused};
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::{FactKey, TimerKey};
use crate::model::ledger::{CREDITS, REVENUE, book};
use crate::model::mail_kinds;
use crate::model::money::{part_of, share_of_total, to_micros, to_minor_up};
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::lot::Lot;
use crate::model::records::payment::Payment;
use crate::model::records::purchase::PurchaseRow;
use crate::model::time::rfc3339;
use extension_contract::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Days between the mail about credits that end and their end.
const NOTICE_DAYS: u16 = 7;

/// Updates the lots from their purchases, and the ledger from the lots.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<PurchaseRow>() {
        update_lot(desk, &id)?;
    }
    for id in invoices(desk)? {
        update_invoice_lot(desk, &id)?;
    }
    let now = desk.now;
    let has_ending = !desk.account.all_where(|lot: &Lot| lot.has_ended(now) && lot.left_micros() > 0)?.is_empty();
    if !has_ending && desk.account.touched::<Lot>().is_empty() {
        return Ok(());
    }
    end_lots(desk)?;
    settle_debts(desk)?;
    // What no longer pays a debt has ended, too.
    end_lots(desk)?;
    for id in desk.account.touched::<Lot>() {
        book_lot(desk, &id)?;
    }
    Ok(())
}

/// Ends what is left of the lots whose time is over.
fn end_lots(desk: &mut Desk<'_>) -> Ruled<()> {
    let now = desk.now;
    for (id, known) in desk.account.all_where(|lot: &Lot| lot.expires_at.is_some())? {
        let mut lot = Lot::clone(&known);
        lot.expire(now);
        if lot != *known {
            desk.account.put(&id, lot);
        }
    }
    Ok(())
}

/// Schedules the ends of lots, and the mails before them.
pub(super) fn schedule(desk: &mut Desk<'_>, desired: &mut DesiredSchedule) -> Ruled<()> {
    let notice = Span::days(NOTICE_DAYS);
    for (id, lot) in desk.account.all_where(|lot: &Lot| lot.expires_at.is_some() && lot.left_micros() > 0)? {
        let Some(due) = lot.expires_at else { continue };
        desired.timer(desk.now, TimerKey::Credits { due }, due);
        // Credits that last a few days only need no reminder.
        let at = notice.before(due);
        if at > lot.at {
            let values = json!({"expires_at": rfc3339(due)});
            desired.mail(desk.now, &mail_kinds::CREDITS_EXPIRE, &format!("{id}:{due}"), at, values);
        }
    }
    Ok(())
}

/// Updates the lot of a purchase: the credits of its products, reduced in proportion to the refunded money. The credits of
/// a requested refund are held.
fn update_lot(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(purchase) = desk.account.get::<PurchaseRow>(id)? else { return Ok(()) };
    let Some(paid_at) = purchase.paid_once_at() else { return Ok(()) };
    let currency = &purchase.values.total.currency;
    let (mut credits, mut expires) = (0i64, None);
    for (price, quantity) in sold::prices(desk, &purchase)? {
        let terms = price.terms()?;
        let of_one = terms.credit_in(currency, &desk.catalog.settings()?.currency).unwrap_or(0);
        expires = expires.or(terms.credit_expires);
        credits = credits.saturating_add(of_one.saturating_mul(i64::from(quantity)));
    }
    let known = desk.account.row::<Lot>(id)?;
    if credits <= 0 && known.is_none() {
        return Ok(());
    }
    let mut lot = paid_lot(known.as_ref(), currency, paid_at, to_micros(credits, currency));
    lot.expires_at = expires.map(|span| span.after(paid_at));
    let back = part_of(lot.granted_micros, purchase.back_minor(), purchase.paid_minor());
    lot.take_back(back);
    let held = part_of(lot.granted_micros, purchase.refunding_minor(), purchase.paid_minor());
    // A purchase that was not allowed is reversed as a whole.
    let held = if purchase.details.refused { lot.granted_micros } else { held };
    lot.held_micros = held.min(lot.unspent_micros());
    if known.as_ref() != Some(&lot) {
        desk.account.put(id, lot);
    }
    Ok(())
}

/// Returns the lot of a payment before anything is taken back of it. What was granted once stays, whatever a later catalog gives.
fn paid_lot(known: Option<&Lot>, currency: &str, at: Timestamp, micros: i64) -> Lot {
    let granted_micros = known.map_or(micros, |known| known.granted_micros);
    let known = known.cloned().unwrap_or_default();
    Lot { currency: currency.to_owned(), at, granted_micros, expired_micros: 0, ..known }
}

/// Returns the invoices of subscriptions that the event has changed, or whose payments it has changed.
pub(super) fn invoices(desk: &mut Desk<'_>) -> Ruled<BTreeSet<String>> {
    let mut ids: BTreeSet<String> = desk.account.touched::<Invoice>().into_iter().collect();
    for id in desk.account.touched::<Payment>() {
        if let Some(payment) = desk.account.get::<Payment>(&id)? {
            ids.extend(payment.invoice.clone().map(String::from));
        }
    }
    Ok(ids)
}

/// Updates the lot of a paid invoice: the credits of its prices, each for the part of the price that the line charges, less what its
/// prorations give back. A discount does not reduce them, and a refund takes its part.
fn update_invoice_lot(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(invoice) = desk.account.get::<Invoice>(id)? else { return Ok(()) };
    let known = desk.account.row::<Lot>(id)?;
    if known.is_none() && (invoice.status != InvoiceStatus::Paid || invoice.subscription.is_none()) {
        return Ok(());
    }
    let default = desk.catalog.settings()?.currency.clone();
    let (mut granted, mut expires) = (0i64, None);
    for line in &invoice.lines {
        let Some(price) = &line.price else { continue };
        let Some(price) = desk.catalog.price(price)? else { continue };
        let terms = price.terms()?;
        let Some(credits) = terms.credit_in(&invoice.currency, &default) else { continue };
        let of_price = price.amount_in(&invoice.currency)?.map_or(0, |amount| amount.amount_minor);
        let micros = to_micros(credits, &invoice.currency);
        granted = granted.saturating_add(share_of_total(micros, line.amount_minor, of_price));
        expires = expires.or(terms.credit_expires);
    }
    if granted <= 0 && known.is_none() {
        return Ok(());
    }
    let paid_at = invoice.paid_at.unwrap_or(invoice.at);
    let mut lot = paid_lot(known.as_ref(), &invoice.currency, paid_at, granted);
    // The catalog of today decides only about a new lot; a purchase has kept its own terms.
    if known.is_none() {
        lot.expires_at = expires.map(|span| span.after(paid_at));
    }
    let has_returns = |payment: &Payment| payment.has_returns() && payment.invoice.as_deref() == Some(id);
    let is_returned = known.as_ref().is_some_and(|lot| lot.taken_micros + lot.owed_micros > 0);
    if is_returned || !desk.account.all_where(has_returns)?.is_empty() {
        desk.account.load_whole(Payment::COLLECTION)?;
    }
    let back = unused::back_by_invoice(desk, Payment::back_minor)?.remove(id).unwrap_or_default();
    let back = part_of(lot.granted_micros, back.values().sum(), invoice.takings_minor());
    lot.take_back(back);
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

/// Pays the debts of lots from other lots, in the order in which credits are spent. Takes back payments for debts that no longer exist,
/// in the opposite order.
fn settle(desk: &mut Desk<'_>, mut lots: Vec<(String, Lot)>) {
    lots.sort_by(|(a_id, a), (b_id, b)| (a.place(), a_id).cmp(&(b.place(), b_id)));
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
