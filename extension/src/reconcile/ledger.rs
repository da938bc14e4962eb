//! Books payments, refunds and disputes: the difference between the amounts in the records and the booked amounts.

use crate::catalog::built_in_facts;
use crate::desk::Desk;
use crate::desk::react::publish;
use crate::model::halt::Ruled;
use crate::model::ids::InvoiceId;
use crate::model::keys::FactKey;
use crate::model::ledger::{CASH, CASH_OUT_OF_BAND, CUSTOMER_BALANCE, DISPUTES, FEES, REFUNDS, REVENUE, TAX, book};
use crate::model::mail_kinds;
use crate::model::money::part_of;
use crate::model::notice::send_once;
use crate::model::records::dispute::{Booked, Dispute};
use crate::model::records::dispute_status::DisputeStatus;
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::ledger::Entry;
use crate::model::records::payment::{Payment, RefundStatus};
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::session::{Session, SessionStatus};
use crate::model::time::rfc3339;
use serde_json::json;
use std::collections::BTreeSet;

/// Books the unbooked amounts of the records that this event changed.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<Session>() {
        session(desk, &id)?;
    }
    let mut invoices: BTreeSet<InvoiceId> =
        desk.account.touched::<Invoice>().into_iter().map(InvoiceId::from).collect();
    for id in desk.account.touched::<Payment>() {
        refunds(desk, &id)?;
        invoices.extend(booked_by_session(desk, &id)?);
    }
    for id in invoices {
        invoice(desk, &id)?;
    }
    let mut disputes: BTreeSet<String> = desk.account.touched::<Dispute>().into_iter().collect();
    for id in desk.account.touched::<Payment>() {
        let payment = desk.account.get::<Payment>(&id)?;
        disputes.extend(payment.iter().flat_map(|payment| payment.disputes.keys().cloned()));
    }
    for id in disputes {
        dispute(desk, &id)?;
    }
    tax_of_returns(desk)?;
    dispute_fees(desk)
}

/// Records that a payment's invoice is booked by its session, and returns the invoice: a checkout may create an invoice
/// (S90).
fn booked_by_session(desk: &mut Desk<'_>, id: &str) -> Ruled<Option<InvoiceId>> {
    let payment = desk.account.get::<Payment>(id)?.filter(|payment| payment.booked);
    let invoice = payment.and_then(|payment| payment.invoice.clone());
    if let Some(invoice) = &invoice {
        desk.account.record_fact(&FactKey::BookedBySession(invoice).to_string())?;
    }
    Ok(invoice)
}

/// Books a paid invoice: tax as a liability, the rest of its total as revenue. The difference between the total and the
/// payment came from the customer's balance, or went there. Overpayments, and payments that turn out to have been made
/// outside of Stripe, are booked separately, because both may be reported later. If a session books the same money, the
/// invoice's entry is reversed. The entry is made in any case, so that the order of the events does not matter.
fn invoice(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(invoice) = desk.account.row::<Invoice>(id)? else { return Ok(()) };
    if invoice.status != InvoiceStatus::Paid {
        return Ok(());
    }
    let (paid, total, currency) = (invoice.takings_minor(), invoice.total_minor, invoice.currency.clone());
    let cash = if invoice.paid_out_of_band { CASH_OUT_OF_BAND } else { CASH };
    if !invoice.booked && (paid != 0 || total != 0) {
        let tax = invoice.tax_minor.clamp(total.min(0), total.max(0));
        let sides = [(cash, paid), (CUSTOMER_BALANCE, total - paid), (REVENUE, tax - total), (TAX, -tax)];
        book(&mut desk.account, FactKey::Paid(id), id, &currency, &sides)?;
        if paid > 0 {
            let mut products = BTreeSet::new();
            for price in invoice.charges().filter_map(|line| line.price.as_ref()) {
                products.extend(desk.catalog.price(price)?.map(|price| price.product_id.to_string()));
            }
            let values = json!({
                "invoice": id, "number": invoice.number, "products": products, "amount_paid_minor": paid,
                "period_start": invoice.period_start.map(rfc3339), "period_end": invoice.period_end.map(rfc3339), "tax_minor": tax,
                "discount_minor": invoice.discount_minor, "currency": currency, "hosted_invoice_url": invoice.hosted_invoice_url,
            });
            send_once(&mut desk.account, &mail_kinds::RECEIPT, id, &values)?;
            publish(desk, &built_in_facts::INVOICE_PAID, id, &[id])?;
        }
        desk.account.put(id, Invoice { booked: true, ..invoice.clone() });
    }
    let beyond = invoice.amount_paid_minor - paid;
    if beyond > 0 {
        let sides = [(cash, beyond), (CUSTOMER_BALANCE, -beyond)];
        book(&mut desk.account, FactKey::Overpaid(id), id, &currency, &sides)?;
    }
    if invoice.paid_out_of_band {
        let mut at_stripe = 0;
        for fact in [FactKey::Paid(id), FactKey::Overpaid(id)] {
            let entry = desk.account.get::<Entry>(&fact.to_string())?;
            let postings = entry.iter().flat_map(|entry| &entry.postings).filter(|posting| posting.account == CASH);
            at_stripe += postings.map(|posting| posting.amount_minor).sum::<i64>();
        }
        let sides = [(CASH_OUT_OF_BAND, at_stripe), (CASH, -at_stripe)];
        book(&mut desk.account, FactKey::OutOfBand(id), id, &currency, &sides)?;
    }
    if desk.account.is_known(&FactKey::BookedBySession(id).to_string())?
        && let Some(entry) = desk.account.get::<Entry>(&FactKey::Paid(id).to_string())?
    {
        let taken_back = entry.postings.iter().map(|side| (side.account.as_str(), -side.amount_minor));
        let sides: Vec<(&str, i64)> = taken_back.collect();
        book(&mut desk.account, FactKey::Unbooked(id), id, &entry.currency, &sides)?;
    }
    Ok(())
}

/// Books the payment of a one-time session under its purchase. A subscription's payments are booked by its invoices.
/// Each paid session is booked, even a duplicate that is refunded.
fn session(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(session) = desk.account.row::<Session>(id)? else { return Ok(()) };
    let is_paid = session.status == SessionStatus::Paid && session.mode == "payment" && session.total_minor > 0;
    if !is_paid {
        return Ok(());
    }
    if let Some(intent) = &session.payment_intent {
        let payment = desk.account.row::<Payment>(intent)?.unwrap_or_default();
        if !payment.booked {
            desk.account.put(intent, Payment { booked: true, ..payment });
        }
    }
    let (total, tax) = (session.total_minor, session.tax_minor.clamp(0, session.total_minor));
    if session.booked && (session.tax_booked || tax == 0) {
        return Ok(());
    }
    let purchase = &session.purchase;
    let payment = session.payment_intent.as_deref().unwrap_or(id);
    receipt(desk, purchase, payment, &session.currency, total)?;
    if !session.booked {
        let bought = desk.account.get::<PurchaseRow>(purchase)?;
        let products: BTreeSet<String> =
            bought.iter().flat_map(|row| &row.values.items).map(|item| item.name.clone()).collect();
        let values = json!({
            "purchase": purchase, "products": products, "amount_paid_minor": total, "tax_minor": tax,
            "currency": session.currency,
        });
        send_once(&mut desk.account, &mail_kinds::RECEIPT, payment, &values)?;
    }
    publish(desk, &built_in_facts::PAYMENT_SUCCEEDED, purchase, &[purchase])?;
    // The tax is booked separately, because a payment that arrives first does not contain it.
    let fact = FactKey::TaxOfSession { purchase, session: id };
    book(&mut desk.account, fact, purchase, &session.currency, &[(REVENUE, tax), (TAX, -tax)])?;
    desk.account.put(id, Session { booked: true, tax_booked: tax > 0, ..session });
    Ok(())
}

/// Books the payment of a one-time purchase once, also if two sessions name it. `payment` is the payment intent, or the
/// session without one; `amount_minor` contains the tax.
pub(super) fn receipt(
    desk: &mut Desk<'_>,
    purchase: &str,
    payment: &str,
    currency: &str,
    amount_minor: i64,
) -> Ruled<()> {
    let fact = FactKey::PaidSession { purchase, payment };
    book(&mut desk.account, fact, purchase, currency, &[(CASH, amount_minor), (REVENUE, -amount_minor)])
}

/// Books refunds, of payments that are booked as well. A failed refund was started before, so both the refund and its reversal are
/// booked.
fn refunds(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(mut payment) = desk.account.row::<Payment>(id)?.filter(Payment::is_ours) else { return Ok(()) };
    let mut changed = false;
    for (refund_id, refund) in &mut payment.refunds {
        let amount = refund.amount_minor;
        if !refund.booked {
            let sides = [(REFUNDS, amount), (CASH, -amount)];
            book(&mut desk.account, FactKey::Refund(refund_id), refund_id, &refund.currency, &sides)?;
            (refund.booked, changed) = (true, true);
        }
        if refund.status == RefundStatus::Failed && !refund.booked_back {
            let sides = [(CASH, amount), (REFUNDS, -amount)];
            book(&mut desk.account, FactKey::RefundFailed(refund_id), refund_id, &refund.currency, &sides)?;
            (refund.booked_back, changed) = (true, true);
        }
    }
    if changed {
        desk.account.put(id, payment);
    }
    Ok(())
}

/// Books the tax in the refunds and lost disputes of payments: no authority is owed tax on money that went back.
fn tax_of_returns(desk: &mut Desk<'_>) -> Ruled<()> {
    let went_back = |payment: &Payment| !payment.refunds.is_empty() || !payment.disputes.is_empty();
    for (id, payment) in desk.account.all_where(went_back)? {
        let invoice = match &payment.invoice {
            Some(invoice) => desk.account.get::<Invoice>(invoice)?,
            None => None,
        };
        let of_invoice = invoice.filter(|invoice| invoice.booked).map(|row| (row.total_minor, row.tax_minor));
        let is_of = |session: &Session| session.payment_intent.as_ref() == Some(&id) && session.tax_booked;
        let session = desk.account.all_where(is_of)?.into_iter().next();
        let of_session = session.map(|(_, session)| (session.total_minor, session.tax_minor));
        let Some((total, tax)) = of_session.or(of_invoice) else { continue };
        let (lost, of_dispute) = lost(desk, &payment)?;
        let tax = tax.clamp(0, total.max(0));
        let back = part_of(tax, payment.refunded_minor(), total);
        let disputed = part_of(tax, lost, total).min(tax - back);
        let (more, more_disputed) = (back - payment.tax_back_minor, disputed - payment.tax_disputed_minor);
        if more == 0 && more_disputed == 0 {
            continue;
        }
        let of_refund = payment.refunds.values().next().map(|refund| refund.currency.clone());
        let currency = of_refund.or(of_dispute).unwrap_or_default();
        let mut row = Payment::clone(&payment);
        if more != 0 {
            row.tax_back_entries += 1;
            let fact = FactKey::TaxOfRefunds { payment: &id, entry: row.tax_back_entries };
            book(&mut desk.account, fact, &id, &currency, &[(TAX, more), (REFUNDS, -more)])?;
        }
        if more_disputed != 0 {
            row.tax_disputed_entries += 1;
            let fact = FactKey::TaxOfDisputes { payment: &id, entry: row.tax_disputed_entries };
            book(&mut desk.account, fact, &id, &currency, &[(TAX, more_disputed), (DISPUTES, -more_disputed)])?;
        }
        desk.account.put(&id, Payment { tax_back_minor: back, tax_disputed_minor: disputed, ..row });
    }
    Ok(())
}

/// Returns what lost disputes of a payment took and did not return, in minor units, with its currency.
fn lost(desk: &mut Desk<'_>, payment: &Payment) -> Ruled<(i64, Option<String>)> {
    let (mut sum, mut currency) = (0i64, None);
    for id in payment.disputes.keys() {
        let Some(dispute) = desk.account.get::<Dispute>(id)? else { continue };
        if dispute.status == DisputeStatus::Lost && dispute.booked == Some(Booked::Withdrawn) {
            sum = sum.saturating_add(dispute.booked_minor);
            currency = Some(dispute.currency.clone());
        }
    }
    Ok((sum, currency))
}

/// Returns whether a dispute is about a payment that is in the books.
fn is_in_books(desk: &mut Desk<'_>, dispute: &Dispute) -> Ruled<bool> {
    Ok(desk.account.get::<Payment>(&dispute.payment)?.is_some_and(|payment| payment.is_ours()))
}

/// Books a dispute's amount when the bank withdraws it, at the latest when it is lost, and the return if it is won.
fn dispute(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(mut dispute) = desk.account.row::<Dispute>(id)? else { return Ok(()) };
    if !is_in_books(desk, &dispute)? {
        return Ok(());
    }
    let before = dispute.booked;
    let amount = dispute.amount_minor;
    let is_taken = dispute.withdrawn || dispute.returned || dispute.status == DisputeStatus::Lost;
    if is_taken && dispute.booked.is_none() {
        let sides = [(DISPUTES, amount), (CASH, -amount)];
        book(&mut desk.account, FactKey::Dispute(id), id, &dispute.currency, &sides)?;
        (dispute.booked, dispute.booked_minor) = (Some(Booked::Withdrawn), amount);
    }
    let is_returned = dispute.returned || dispute.status == DisputeStatus::Won;
    if is_returned && dispute.booked == Some(Booked::Withdrawn) {
        let sides = [(CASH, dispute.booked_minor), (DISPUTES, -dispute.booked_minor)];
        book(&mut desk.account, FactKey::DisputeReturned(id), id, &dispute.currency, &sides)?;
        dispute.booked = Some(Booked::Returned);
    }
    if dispute.booked != before {
        desk.account.put(id, dispute);
    }
    Ok(())
}

/// Books the unbooked fees of the disputes that this event changed. Each balance transaction with a fee is one entry, so
/// returned and repeated fees are separate entries in any order of events.
fn dispute_fees(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<Dispute>() {
        let Some(dispute) = desk.account.get::<Dispute>(&id)? else { continue };
        if !is_in_books(desk, &dispute)? {
            continue;
        }
        for (movement, fees) in &dispute.fees {
            for (currency, fee) in fees {
                let sides = [(FEES, *fee), (CASH, -fee)];
                book(&mut desk.account, FactKey::DisputeFee(movement), &id, currency, &sides)?;
            }
        }
    }
    Ok(())
}
