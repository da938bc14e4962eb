//! Keeps the shares of sales consistent with payments and refunds. Each change is booked as a liability to the account
//! that receives the share, and sent to this account by a message.

use crate::catalog::account_name::{account_of, text_of};
use crate::catalog::split::Share;
use crate::catalog::terms::CatalogPrice;
use crate::derive::sold;
use crate::desk::Desk;
use crate::model::effect::request;
use crate::model::halt::{Ruled, internal};
use crate::model::ids::{InvoiceId, PriceId, ProductId, SubscriptionId};
use crate::model::keys::{EffectKey, FactKey};
use crate::model::ledger::{REVENUE, book};
use crate::model::message::{self, Message};
use crate::model::money::{part_of, share_of_total};
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::payment::Payment;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::sale::{Returned, Sale, SaleKind};
use crate::model::records::session::Session;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::time::plus_days;
use extension_contract::{Effect, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Updates the sales from their purchases and invoices.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<PurchaseRow>() {
        of_purchase(desk, &id)?;
    }
    let mut invoices: BTreeSet<InvoiceId> =
        desk.account.touched::<Invoice>().into_iter().map(InvoiceId::from).collect();
    let mut back: BTreeMap<InvoiceId, BTreeMap<String, i64>> = BTreeMap::new();
    for id in desk.account.touched::<Payment>() {
        let Some(payment) = desk.account.get::<Payment>(&id)? else { continue };
        if let Some(invoice) = &payment.invoice {
            if payment.has_returns() {
                back.entry(invoice.clone()).or_default().insert(id, payment.back_minor());
            }
            invoices.insert(invoice.clone());
        }
    }
    invoices.extend(of_changed_splits(desk)?);
    for id in invoices {
        of_invoice(desk, &id, back.remove(&id).unwrap_or_default())?;
    }
    Ok(())
}

/// Returns the invoices of subscriptions that have news, if the split of one of their prices has changed: the news can be that the
/// price was sold before the change.
fn of_changed_splits(desk: &mut Desk<'_>) -> Ruled<BTreeSet<InvoiceId>> {
    let mut changed: BTreeSet<SubscriptionId> = BTreeSet::new();
    for id in desk.account.touched::<SubscriptionRow>() {
        let Some(row) = desk.account.get::<SubscriptionRow>(&id)? else { continue };
        let named: BTreeSet<&PriceId> = row.named().collect();
        for price in desk.catalog.prices(named.iter().copied())?.into_iter().flatten() {
            if price.terms()?.has_changed_split() {
                changed.insert(id.as_str().into());
            }
        }
    }
    if changed.is_empty() {
        return Ok(BTreeSet::new());
    }
    desk.account.load_whole(Invoice::COLLECTION)?;
    let is_of = |invoice: &Invoice| invoice.subscription.as_ref().is_some_and(|id| changed.contains(id));
    Ok(desk.account.all_where(is_of)?.into_iter().map(|(id, _)| id.into()).collect())
}

/// Books and sends the changed shares of sales.
pub(super) fn send_shares(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<Sale>() {
        send_share(desk, &id)?;
    }
    Ok(())
}

/// What is agreed about the share in a sale.
struct Agreed {
    product: ProductId,
    share: Share,
    /// Since when the product is known to have been sold by a subscription; 0 for other sales.
    sold_at: Timestamp,
}

/// Returns the split that a stored sale keeps.
fn known_share(desk: &mut Desk<'_>, sale: &str) -> Ruled<Option<Agreed>> {
    let known = desk.account.row::<Sale>(sale)?;
    Ok(known.map(|Sale { product, to, share_bp, hold_days, sold_at, .. }| Agreed {
        product,
        share: Share { to, share_bp, hold_days },
        sold_at,
    }))
}

/// Returns the split that was agreed for a line of an invoice when its price was sold, as far as that is known. A
/// stored sale keeps its split, unless its price turns out to have been sold earlier.
fn share_of(desk: &mut Desk<'_>, id: &InvoiceId, invoice: &Invoice, price_id: &PriceId) -> Ruled<Option<Agreed>> {
    let Some(price) = desk.catalog.price(price_id)? else { return Ok(None) };
    let row = match &invoice.subscription {
        Some(subscription) => desk.account.get::<SubscriptionRow>(subscription)?,
        None => None,
    };
    // An invoice can be told before the snapshot in which its price joins the subscription.
    let sold_at = row.and_then(|row| row.sold_at(price_id)).unwrap_or(invoice.first_at).min(invoice.first_at);
    let known = known_share(desk, &format!("{id}/{}", price.product_id))?;
    if known.as_ref().is_some_and(|known| known.sold_at <= sold_at) {
        return Ok(known);
    }
    let has_changed = price.terms()?.has_changed_split();
    let then = share_in(desk, &*price.sold_at(sold_at)?)?;
    // Without another share, it does not matter since when the product is sold.
    let then = then.map(|agreed| Agreed { sold_at: if has_changed { sold_at } else { 0 }, ..agreed });
    // What is booked for an account stays with it.
    Ok(match (known, then) {
        (Some(known), Some(then)) if known.share.to == then.share.to => Some(then),
        (known, then) => known.or(then),
    })
}

/// Returns the product and the share of a price, unless the account itself receives the share.
fn share_in(desk: &Desk<'_>, price: &CatalogPrice) -> Ruled<Option<Agreed>> {
    let Some(share) = price.terms()?.split.clone() else { return Ok(None) };
    let own = text_of(&desk.account.owned()?);
    Ok((share.to != own).then(|| Agreed { product: price.product_id.clone(), share, sold_at: 0 }))
}

/// Returns the stored sale, or a new one with the current terms, paid at `at`.
pub(super) fn sale(
    desk: &mut Desk<'_>,
    id: &str,
    sold: (SaleKind, ProductId),
    share: Share,
    currency: &str,
    at: Timestamp,
) -> Ruled<Sale> {
    let agreed = || Sale {
        product: sold.1,
        kind: sold.0,
        to: share.to,
        share_bp: share.share_bp,
        hold_days: share.hold_days,
        currency: currency.to_owned(),
        at,
        ..Sale::default()
    };
    let sale = desk.account.row::<Sale>(id)?.unwrap_or_else(agreed);
    // An earlier payment can be known later.
    Ok(Sale { at, ..sale })
}

pub(super) fn put(desk: &mut Desk<'_>, id: &str, sale: Sale) -> Ruled<()> {
    let known = desk.account.get::<Sale>(id)?;
    // A free purchase is not a sale.
    if known.as_deref() != Some(&sale) && (known.is_some() || sale.gross_minor != 0) {
        desk.account.put(id, sale);
    }
    Ok(())
}

/// Updates the sale of a one-time purchase: the amount without tax, less the refunds.
fn of_purchase(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(purchase) = desk.account.get::<PurchaseRow>(id)? else { return Ok(()) };
    let Some(paid_at) = purchase.paid_once_at() else { return Ok(()) };
    let price_id = purchase.values.items.first().and_then(|item| item.price_id.clone());
    let Some(price_id) = price_id else { return Ok(()) };
    let sold = sold::prices(desk, &purchase)?;
    let terms = sold.iter().find(|(price, _)| *price.id == price_id).map(|(price, _)| price);
    let agreed = match terms {
        Some(price) => share_in(desk, price)?,
        None => None,
    };
    // A sale keeps its share, even if the catalog has changed.
    let Some(Agreed { product, share, .. }) = agreed.or(known_share(desk, id)?) else { return Ok(()) };
    let mut sale = sale(desk, id, (SaleKind::Once, product), share, &purchase.values.total.currency, paid_at)?;
    let paid = purchase.paid_minor();
    let session = match &purchase.details.counts {
        Some(counts) => desk.account.get::<Session>(&counts.id)?,
        None => None,
    };
    let tax = session.map_or(0, |session| session.tax_minor.clamp(0, paid));
    sale.gross_minor = paid - tax;
    let back = if purchase.details.refused { paid } else { purchase.back_minor() };
    sale.back = [(id.to_owned(), part_of(sale.gross_minor, back, paid))].into_iter().filter(|(_, b)| *b > 0).collect();
    put(desk, id, sale)
}

/// Returns whether any product type has a share, or a price on an invoice had one.
fn has_splits(desk: &Desk<'_>, invoice: Option<&Invoice>) -> Ruled<bool> {
    for id in invoice.iter().flat_map(|invoice| &invoice.lines).filter_map(|line| line.price.as_ref()) {
        if let Some(price) = desk.catalog.price(id)?
            && price.terms()?.was_ever_split()
        {
            return Ok(true);
        }
    }
    Ok(desk.catalog.types()?.iter().any(|decl| decl.split.is_some()))
}

/// Updates the sales of an invoice. Each product with a share has its part of the amount, in proportion to the lines,
/// less the refunds in `back` by payment. Refunds that arrive before the invoice is paid are stored until then.
fn of_invoice(desk: &mut Desk<'_>, id: &InvoiceId, mut back: BTreeMap<String, i64>) -> Ruled<()> {
    let invoice = desk.account.get::<Invoice>(id)?;
    // What the customer's balance pays is sold, too: whoever granted the balance bears it, and not the seller.
    let is_paid = |invoice: &Rc<Invoice>| invoice.status == InvoiceStatus::Paid && !invoice.lines.is_empty();
    let has_splits = has_splits(desk, invoice.as_deref())?;
    let Some(invoice) = invoice.filter(is_paid) else {
        if !back.is_empty() && has_splits {
            let mut returned = desk.account.row::<Returned>(id)?.unwrap_or_default();
            returned.by.append(&mut back);
            desk.account.put(id, returned);
        }
        return Ok(());
    };
    let total = invoice.total_minor;
    if has_splits && let Some(returned) = desk.account.row::<Returned>(id)? {
        for (payment, amount) in returned.by {
            back.entry(payment).or_insert(amount);
        }
        desk.account.remove::<Returned>(id);
    }
    let mut shared: BTreeMap<ProductId, (Agreed, i64)> = BTreeMap::new();
    for line in &invoice.lines {
        let Some(price_id) = &line.price else { continue };
        if let Some(agreed) = share_of(desk, id, &invoice, price_id)? {
            let (_, amount) = shared.entry(agreed.product.clone()).or_insert((agreed, 0));
            *amount = amount.saturating_add(line.amount_minor);
        }
    }
    // If a session books the money, the sale belongs to its purchase.
    let is_sold = desk.account.is_known(&FactKey::BookedBySession(id).to_string())?;
    let all = invoice.lines.iter().fold(0i64, |sum, line| sum.saturating_add(line.amount_minor));
    let net = total - if total > 0 { invoice.tax_minor.clamp(0, total) } else { 0 };
    for (product, (Agreed { share, sold_at, .. }, amount)) in shared {
        let sale_id = format!("{id}/{product}");
        let at = invoice.paid_at.unwrap_or(invoice.at);
        let (share_bp, hold_days) = (share.share_bp, share.hold_days);
        let sale = sale(desk, &sale_id, (SaleKind::Subscription, product), share, &invoice.currency, at)?;
        let mut sale = Sale { share_bp, hold_days, sold_at, ..sale };
        sale.gross_minor = if is_sold { 0 } else { share_of_total(net, amount, all) };
        for (payment, amount) in &back {
            match part_of(sale.gross_minor, *amount, total) {
                0 => drop(sale.back.remove(payment)),
                part => drop(sale.back.insert(payment.clone(), part)),
            }
        }
        put(desk, &sale_id, sale)?;
    }
    Ok(())
}

/// Books the difference between the share and its booked amount, and sends the share to the account that receives it.
fn send_share(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(mut sale) = desk.account.row::<Sale>(id)? else { return Ok(()) };
    let share_minor = sale.share_minor();
    let more = share_minor - sale.booked_minor;
    let is_moved = sale.at != sale.told_at && share_minor != 0;
    if more == 0 && !is_moved {
        return Ok(());
    }
    sale.entries += 1;
    sale.booked_minor = share_minor;
    sale.told_at = if share_minor == 0 { 0 } else { sale.at };
    let to = account_of(&sale.to).ok_or_else(|| {
        internal(format!("sale {id}: expected an account as the receiver of the share, found `{}`", sale.to))
    })?;
    let due = format!("due:{}", sale.to);
    let fact = FactKey::Split { sale: id, entry: sale.entries };
    book(&mut desk.account, fact, id, &sale.currency, &[(REVENUE, more), (&due, -more)])?;
    let share = Message::Share(message::Share {
        sale: id.to_owned(),
        product: sale.product.clone(),
        kind: sale.kind,
        currency: sale.currency.clone(),
        at: sale.at,
        available_at: plus_days(sale.at, sale.hold_days),
        gross_minor: sale.gross_minor,
        back_minor: sale.back_minor(),
        share_minor,
        told: sale.entries,
    });
    let key = EffectKey::Share { sale: id.to_owned(), told: sale.entries };
    let effect = request(&key, &share, None)?;
    desk.account.ask(Effect { to: Some(to), ordering_key: Some(id.to_owned()), ..effect });
    desk.account.put(id, sale);
    Ok(())
}
