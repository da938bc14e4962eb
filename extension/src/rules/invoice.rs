//! `invoice.*`: merges a snapshot of an invoice, and updates the records of its subscription and payments.

use crate::actions::permission::check_owner;
use crate::actions::retrieve::{retrieve, retrieve_snapshot};
use crate::actions::session_lookup::wait_for_owner;
use crate::catalog::built_in_facts;
use crate::catalog::names::LOOK_UP_PAYMENTS;
use crate::desk::Desk;
use crate::desk::react::publish;
use crate::input::stripe::{self, id_of};
use crate::model::halt::{Halt, Ruled};
use crate::model::ids::{InvoiceId, PriceId, SubscriptionId};
use crate::model::keys::{ClaimKey, EffectKey, FactKey};
use crate::model::mail_kinds;
use crate::model::merge::{News, invoice as merge_invoice, payment as merge_payment};
use crate::model::notice::send_once;
use crate::model::records::invoice::{BEGINNING, BY_HAND, CHANGE, Invoice, InvoiceStatus, Line, RENEWAL};
use crate::model::records::payment::Payment;
use crate::model::records::subscription_history::{
    BillingHistory, ByCredit, Counted, KEPT_MAX, OpenInvoice, keep_newest,
};
use extension_contract::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::rc::Rc;

fn parse_status(text: &str) -> Option<InvoiceStatus> {
    Some(match text {
        "draft" => InvoiceStatus::Draft,
        "open" => InvoiceStatus::Open,
        "uncollectible" => InvoiceStatus::Uncollectible,
        "void" | "voided" => InvoiceStatus::Void,
        "paid" => InvoiceStatus::Paid,
        _ => return None,
    })
}

/// Returns whether the code is an ISO 4217 code in Stripe's form: three lower-case letters.
fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Decides an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::Invoice<'_>) -> Ruled<Outcome> {
    let Some(id) = object.id.as_deref().filter(|id| !id.is_empty()) else {
        // An announced invoice does not exist yet and has no id.
        if desk.kind == "invoice.upcoming" {
            return Ok(Outcome::Ignored(IgnoreReason::NoChange));
        }
        return Err(Refusal::Malformed("/data/object/id".to_owned()).into());
    };
    // Stripe sends at most ten lines, but all are needed to determine what was paid for. The event is decided after the invoice
    // was retrieved, since the retrieved object does not show what happened, such as a failed payment.
    let at = desk.payment_time;
    if object.lines.has_more && desk.account.get::<Invoice>(id)?.is_none_or(|known| known.at < at) {
        return retrieve_snapshot(desk, "invoice", id, at);
    }
    let outcome = apply(desk, id, object, desk.payment_time)?;
    if !matches!(outcome, Outcome::Deferred(_)) && object.payments().is_empty() {
        look_up_payments(desk, id)?;
    }
    Ok(outcome)
}

/// Retrieves a paid invoice with its payments if no payment is known. Only some API versions name the payment in the
/// invoice, and others in an event of their own. An invoice that was sent is always retrieved, because it is often paid
/// outside of Stripe, which only its list of payments shows.
fn look_up_payments(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let invoice = desk.account.get::<Invoice>(id)?;
    let Some(invoice) = invoice.filter(|row| row.status == InvoiceStatus::Paid && row.takings_minor() > 0) else {
        return Ok(());
    };
    let pays = |(_, payment): &(String, Rc<Payment>)| payment.invoice.as_deref() == Some(id);
    let is_wanted =
        invoice.due_at.is_some() || desk.catalog.setting(LOOK_UP_PAYMENTS)? == Some(ConfigValue::Boolean(true));
    if !is_wanted || invoice.paid_out_of_band || desk.account.all::<Payment>()?.iter().any(pays) {
        return Ok(());
    }
    let key = EffectKey::Retrieve { object: id.to_owned(), because: invoice.paid_at.unwrap_or(invoice.at), views: 0 };
    if desk.account.record_fact(&FactKey::Asked(&key.to_string()).to_string())? {
        retrieve(desk, &key, id, &json!({"object": "invoice", "id": id}), Vec::new())?;
    }
    Ok(())
}

/// Merges a retrieved invoice; `at` is the date of Stripe's response.
pub(super) fn retrieved(desk: &mut Desk<'_>, object: &str, at: Timestamp) -> Ruled<Outcome> {
    let object = stripe::read_retrieved::<stripe::Invoice<'_>>(object)?;
    let id = object.id.as_deref().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::Malformed("/object/id".to_owned()))?;
    if object.lines.has_more {
        return Err(Refusal::WrongShape(format!("{id}: the response does not contain all lines")).into());
    }
    apply(desk, id, &object, at)
}

fn snapshot(invoice: &Invoice) -> Snapshot {
    Snapshot { at: invoice.at, rank: SnapshotRank::Updated, event_id: String::new() }
}

/// Merges a snapshot.
fn apply(desk: &mut Desk<'_>, id: &str, object: &stripe::Invoice<'_>, at: Timestamp) -> Ruled<Outcome> {
    check_owner(desk, object.metadata.as_ref())?;
    check_owner(desk, object.subscription_metadata())?;
    let mut view = read(desk.kind, object, at)?;
    let known = desk.account.row::<Invoice>(id)?;
    if let Some(known) = known.as_ref().filter(|_| object.lines.has_more) {
        (view.period_start, view.period_end) = (known.period_start, known.period_end);
        view.lines.clone_from(&known.lines);
    }
    if let (None, Some(subscription)) = (&known, &view.subscription)
        && let Some(outcome) = wait_for_owner(desk, subscription, object.subscription_metadata())?
    {
        return Ok(outcome);
    }
    let (invoice, news) = match &known {
        None => (view, News::Changed),
        Some(known) => {
            let mut merged = known.clone();
            let news = merge_invoice::merge(&mut merged, &view)?;
            (merged, news)
        }
    };
    claim(desk, id, known.as_ref(), &invoice, object)?;
    let is_first_payment = invoice.status == InvoiceStatus::Paid && !invoice.booked;
    let is_booked_now = is_first_payment && invoice.takings_minor() > 0;
    if desk.kind == "invoice.payment_action_required" && invoice.status < InvoiceStatus::Uncollectible {
        let values = json!({"invoice": id, "hosted_invoice_url": invoice.hosted_invoice_url});
        send_once(&mut desk.account, &mail_kinds::PAYMENT_ACTION_REQUIRED, id, &values)?;
    }
    // The invoice is not collected until a person corrects it.
    if desk.kind == "invoice.finalization_failed" && invoice.status == InvoiceStatus::Draft {
        let values = json!({"invoice": id, "subscription": invoice.subscription, "customer": invoice.customer});
        send_once(&mut desk.account, &mail_kinds::FINALIZATION_FAILED, id, &values)?;
    }
    if invoice.failed_at.is_some() {
        publish(desk, &built_in_facts::INVOICE_PAYMENT_FAILED, id, &[id])?;
    }
    let is_paid = invoice.status == InvoiceStatus::Paid;
    let is_linked = update_billing_history(desk, &id.into(), &invoice)? | (is_paid && link_payments(desk, id, object)?);
    let is_changed = news == News::Changed || is_booked_now || is_linked;
    let (status, stale) = (invoice.status, snapshot(&invoice));
    if known.as_ref() != Some(&invoice) {
        desk.account.put(id, invoice);
    }
    Ok(match (is_changed, news, status) {
        (true, ..) => Outcome::Applied,
        (false, News::Older, _) => Outcome::Stale(stale),
        (false, _, InvoiceStatus::Paid) => Outcome::Duplicate(FactKey::Paid(id).to_string()),
        (false, ..) => Outcome::Ignored(IgnoreReason::NoChange),
    })
}

/// Claims the invoice and the ids that it names, unless they were claimed when the record was stored.
fn claim(
    desk: &mut Desk<'_>,
    id: &str,
    known: Option<&Invoice>,
    invoice: &Invoice,
    object: &stripe::Invoice<'_>,
) -> Ruled<()> {
    let is_claimed =
        known.is_some_and(|known| known.customer == invoice.customer && known.subscription == invoice.subscription);
    let payments = object.payments();
    if is_claimed && payments.is_empty() {
        return Ok(());
    }
    let mut keys = vec![ClaimKey::Invoice(id)];
    keys.extend(invoice.customer.as_deref().map(ClaimKey::Customer));
    keys.extend(invoice.subscription.as_deref().map(ClaimKey::Subscription));
    // A charge is claimed only without an intent, since only some versions contain both.
    for (intent, charge) in payments {
        keys.extend(intent.map(ClaimKey::PaymentIntent).or(charge.map(ClaimKey::Charge)));
    }
    desk.account.claim(keys)
}

/// Stores a paid invoice in each of its payments. Returns true if any payment changed.
fn link_payments(desk: &mut Desk<'_>, id: &str, object: &stripe::Invoice<'_>) -> Ruled<bool> {
    let mut changed = false;
    for (intent, charge) in object.payments() {
        let Some(payment_id) = intent.or(charge) else { continue };
        let known = desk.account.row::<Payment>(payment_id)?;
        let mut payment = known.clone().unwrap_or_default();
        merge_payment::merge(&mut payment, &Payment { invoice: Some(id.into()), ..Payment::default() });
        if known.as_ref() != Some(&payment) {
            desk.account.put(payment_id, payment);
            changed = true;
        }
    }
    Ok(changed)
}

fn read(kind: &str, object: &stripe::Invoice<'_>, at: Timestamp) -> Ruled<Invoice> {
    let malformed = |field: &str| Halt::Refused(Refusal::Malformed(format!("/data/object/{field}")));
    let status = match object.status.as_deref() {
        Some(text) => parse_status(text).ok_or_else(|| Refusal::UnknownStatus(format!("invoice {text}")))?,
        // Before 2018-11-08 an invoice had no status; it follows from the event's type.
        None => match kind {
            "invoice.paid" | "invoice.payment_succeeded" => InvoiceStatus::Paid,
            "invoice.voided" => InvoiceStatus::Void,
            "invoice.created" => InvoiceStatus::Draft,
            _ => InvoiceStatus::Open,
        },
    };
    let paid_at = object.status_transitions.as_ref().and_then(|t| t.paid_at);
    let line = |line: &stripe::Line<'_>| Line {
        price: line.price_id().map(PriceId::from),
        amount_minor: line.amount,
        quantity: line.quantity,
        proration: line.is_proration(),
        credit: line.is_credit(),
    };
    let mut lines: Vec<Line> = object.lines.data.iter().map(line).collect();
    lines.sort();
    // Prorations pay for the rest of a period; only whole periods show what a renewal pays for.
    let whole = object.lines.data.iter().filter(|line| !line.is_proration()).filter_map(stripe::Line::period);
    let period_start = stripe::time(whole.map(|(start, _)| start).max(), "/data/object/lines/data/0/period/start")?;
    let ends = object.lines.data.iter().filter_map(stripe::Line::period).map(|(_, end)| end);
    let period_end = stripe::time(ends.max(), "/data/object/lines/data/0/period/end")?;
    let is_sent = object.collection_method.as_deref() == Some("send_invoice");
    let due_at = stripe::time(object.due_date.filter(|_| is_sent), "/data/object/due_date")?;
    let currency = object.currency.as_deref().filter(|code| is_currency(code));
    let is_paid = status == InvoiceStatus::Paid;
    let paid_at = stripe::time(paid_at, "/data/object/status_transitions/paid_at")?;
    Ok(Invoice {
        status,
        reason: object.billing_reason.as_deref().unwrap_or("").to_owned(),
        subscription: object.subscription_id().map(SubscriptionId::from),
        customer: id_of(&object.customer).map(str::to_owned),
        currency: currency.ok_or_else(|| malformed("currency"))?.to_owned(),
        total_minor: object.total,
        tax_minor: object.tax(),
        discount_minor: object.discount(),
        amount_due_minor: object.amount_due,
        amount_paid_minor: object.amount_paid(is_paid),
        paid_out_of_band: object.paid_out_of_band(is_paid),
        number: object.number.as_deref().map(str::to_owned),
        hosted_invoice_url: object.hosted_invoice_url.as_deref().map(str::to_owned),
        invoice_pdf: object.invoice_pdf.as_deref().map(str::to_owned),
        paid_at,
        lines,
        period_start,
        period_end,
        due_at,
        failed_at: (kind == "invoice.payment_failed").then_some(at),
        at,
        first_at: paid_at.map_or(at, |paid| paid.min(at)),
        customer_at: id_of(&object.customer).map(|_| at),
        subscription_at: object.subscription_id().map(|_| at),
        booked: false,
    })
}

/// Updates the open and paid invoices in the subscription's billing history. Returns true if it changed.
fn update_billing_history(desk: &mut Desk<'_>, id: &InvoiceId, invoice: &Invoice) -> Ruled<bool> {
    let Some(subscription) = &invoice.subscription else { return Ok(false) };
    let known = desk.account.row::<BillingHistory>(subscription)?;
    let mut billing = known.clone().unwrap_or_default();
    let prices = || invoice.charges().filter_map(|line| line.price.clone());
    let open = |void_at: Option<Timestamp>| {
        let mut prices: Vec<PriceId> = prices().collect();
        prices.dedup();
        let (reason, at, due_at) = (invoice.reason.clone(), invoice.first_at, invoice.due_at);
        OpenInvoice { reason, prices, at, due_at, void_at }
    };
    match invoice.status {
        InvoiceStatus::Draft | InvoiceStatus::Open | InvoiceStatus::Uncollectible => {
            billing.open.insert(id.clone(), open(None));
        }
        // A beginning or a change of plan whose invoice was voided is unpaid; it takes effect only with a later payment.
        InvoiceStatus::Void if invoice.began_subscription() || invoice.is_change() => {
            billing.open.insert(id.clone(), open(Some(invoice.at)));
        }
        InvoiceStatus::Paid | InvoiceStatus::Void => {
            billing.open.remove(id);
        }
    }
    if billing.open.len() > KEPT_MAX {
        // An open renewal does not affect the plan, so it is dropped first.
        let decides = |open: &OpenInvoice| [BEGINNING, CHANGE].contains(&open.reason.as_str());
        let least = billing.open.iter().min_by_key(|(id, open)| (decides(open), (*id).clone()));
        if let Some(id) = least.map(|(id, _)| id.clone()) {
            billing.open.remove(&id);
        }
    }
    // An invoice made by hand does not pay for the plan.
    if let Some(at) = invoice.failed_at.filter(|_| invoice.reason != BY_HAND) {
        let first = billing.failed.entry(id.clone()).or_insert(at);
        *first = (*first).min(at);
        keep_newest(&mut billing.failed, KEPT_MAX, |at| *at);
    }
    if invoice.status == InvoiceStatus::Paid {
        let paid_at = invoice.paid_at.unwrap_or(invoice.at);
        let quantities: BTreeSet<u32> = invoice.charges().filter_map(|line| line.quantity).collect();
        let is_whole = invoice.began_subscription() || invoice.reason == RENEWAL;
        let period = invoice.period_start.filter(|_| is_whole);
        let counted = Counted { prices: open(None).prices, quantities, at: period.unwrap_or(invoice.first_at) };
        let credits = || invoice.lines.iter().filter(|line| line.amount_minor < 0);
        if invoice.is_change() && invoice.total_minor <= 0 && credits().next().is_some() {
            let credited = credits().filter_map(|line| line.price.clone()).collect();
            billing.credit(id, ByCredit { change: counted, paid_at, credited });
        } else {
            if let Some(start) = period {
                billing.count_period(&counted.prices, start);
            }
            billing.count(id, counted, paid_at);
        }
    }
    let known = known.unwrap_or_default();
    // An earlier snapshot of an open invoice changes nothing.
    let is_told = undated(&billing) != undated(&known);
    match (billing != known, billing == BillingHistory::default()) {
        (true, true) => desk.account.remove::<BillingHistory>(subscription),
        (true, false) => desk.account.put(subscription, billing),
        (false, _) => {}
    }
    Ok(is_told)
}

/// Returns the history without the times of its open invoices.
fn undated(billing: &BillingHistory) -> BillingHistory {
    let mut undated = billing.clone();
    undated.open.values_mut().for_each(|open| open.at = 0);
    undated.counted.values_mut().for_each(|counted| counted.at = 0);
    undated.by_credit.values_mut().for_each(|by_credit| by_credit.change.at = 0);
    undated
}
