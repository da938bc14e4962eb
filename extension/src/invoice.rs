//! Stripe's invoice: its furthest state, the money it brought, and what it says about its subscription.
//!
//! An invoice only moves forward (draft, open, uncollectible, void, paid), so of two views the further one wins and
//! within one state the later; a payment is a fact of its own, booked once.

use crate::context::{Context, Loaded, Step, Stop, encode};
use crate::placement::key;
use crate::stripe::{self, id_of};
use crate::subscription::{self, Billing, OpenInvoice};
use crate::{ledger, notice, purchase, settle};
use products_contract::*;
use serde::{Deserialize, Serialize};

/// How far an invoice is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Not final.
    #[default]
    Draft,
    /// To be paid.
    Open,
    /// Given up; it may still be paid.
    Uncollectible,
    /// Cancelled.
    Void,
    /// Paid.
    Paid,
}

/// A line, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Stripe's price.
    pub price: Option<String>,
    /// Minor units.
    pub amount_minor: i64,
    /// Settles a part of a period.
    pub proration: bool,
}

/// What is kept of an invoice; the billing history shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Invoice {
    pub status: Status,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    pub customer: Option<String>,
    pub currency: String,
    pub total_minor: i64,
    pub tax_minor: i64,
    pub amount_due_minor: i64,
    pub amount_paid_minor: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paid_out_of_band: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted_invoice_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    pub lines: Vec<Line>,
    /// When a payment failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// The provider's time of the view.
    pub at: Timestamp,
    /// The provider's times of the views that named customer and subscription; a view that names none says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_at: Option<Timestamp>,
    /// See `customer_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_at: Option<Timestamp>,
}

/// What an object is named by, with the time of the view that named it: the newest that names one counts.
type Named = (Option<Timestamp>, Option<String>);

fn newest_named(a: Named, b: Named) -> Named {
    match (&a.1, &b.1) {
        (Some(_), None) => a,
        (None, Some(_)) => b,
        _ => a.max(b),
    }
}

/// Three lower-case letters: an ISO 4217 code as Stripe writes it.
fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn parse_status(text: &str) -> Option<Status> {
    Some(match text {
        "draft" => Status::Draft,
        "open" => Status::Open,
        "uncollectible" => Status::Uncollectible,
        "void" | "voided" => Status::Void,
        "paid" => Status::Paid,
        _ => return None,
    })
}

/// How a view changed what was known.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Changed,
    Same,
    Older,
}

/// Merge a view into the stored one; the result doesn't depend on which came first.
fn merge(stored: &Invoice, view: &Invoice) -> Step<(Invoice, News)> {
    // What is merged by a rule of its own is left out of the comparison of the rest.
    let bare = |invoice: &Invoice| Invoice {
        failed_at: None,
        at: 0,
        customer: None,
        subscription: None,
        customer_at: None,
        subscription_at: None,
        ..invoice.clone()
    };
    let failed_at = [stored.failed_at, view.failed_at].into_iter().flatten().min();
    let customer = |invoice: &Invoice| (invoice.customer_at, invoice.customer.clone());
    let (customer_at, customer) = newest_named(customer(stored), customer(view));
    let subscription = |invoice: &Invoice| (invoice.subscription_at, invoice.subscription.clone());
    let (subscription_at, subscription) = newest_named(subscription(stored), subscription(view));
    let (a, b) = (bare(stored), bare(view));
    let (winner, at, older) = if a == b {
        (stored, stored.at.max(view.at), false)
    } else if (view.status, view.at, encode(&b)?) > (stored.status, stored.at, encode(&a)?) {
        (view, view.at, false)
    } else {
        (stored, stored.at, true)
    };
    let merged = Invoice { failed_at, at, customer, customer_at, subscription, subscription_at, ..winner.clone() };
    // That a name or a state was said once more is no news.
    let said = |invoice: &Invoice| Invoice { at: 0, customer_at: None, subscription_at: None, ..invoice.clone() };
    let news = match (said(&merged) == said(stored), older) {
        (false, _) => News::Changed,
        (true, true) => News::Older,
        (true, false) => News::Same,
    };
    Ok((merged, news))
}

/// `invoice.*`.
pub(crate) fn event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::Invoice<'_>>(body)?;
    let object = &body.data.object;
    let Some(id) = object.id.as_deref().filter(|id| !id.is_empty()) else {
        // It announces an invoice that does not exist yet and has no id.
        if context.event.kind == "invoice.upcoming" {
            return Ok(Outcome::Ignored(IgnoreReason::NoChange));
        }
        return Err(Stop::Refused(Refusal::Malformed("/data/object/id".to_owned())));
    };
    subscription::check_owner(context, object.metadata.as_ref())?;
    subscription::check_owner(context, object.subscription_metadata())?;
    let view = read(context, object)?;
    let mut stored: Loaded<Invoice> = context.record("invoices", id)?;
    let (merged, news) = if stored.version == 0 { (view, News::Changed) } else { merge(&stored.value, &view)? };
    let before = std::mem::replace(&mut stored.value, merged);
    let invoice = stored.value.clone();
    let mut claims = vec![key("stripe-invoice", id)];
    claims.extend(invoice.customer.as_deref().map(|id| key("stripe-customer", id)));
    claims.extend(invoice.subscription.as_deref().map(|id| key("stripe-subscription", id)));
    // Which payment paid it is told by the charge or by `invoice_payment.paid`; only some versions say it here.
    context.claim(&claims)?;
    if before != stored.value || stored.version == 0 {
        context.save_record("invoices", id, &stored)?;
    }

    let mut fact = None;
    let mut changed = news == News::Changed;
    if invoice.status == Status::Paid {
        let paid = format!("paid:{id}");
        changed |= book_payment(context, &paid, id, &invoice)?;
        fact = Some(paid);
    }
    if context.event.kind == "invoice.payment_action_required" && invoice.status < Status::Uncollectible {
        let values = serde_json::json!({"invoice": id, "hosted_invoice_url": invoice.hosted_invoice_url});
        notice::now(context, "payment_action_required", notice::To::Account, id, &values)?;
    }
    let remembered = remember(context, id, &invoice)?;
    if changed || remembered {
        if invoice.reason == "subscription_create"
            && let Some(subscription) = &invoice.subscription
        {
            let billing: Loaded<Billing> = context.record("billing", subscription)?;
            purchase::subscription_changed(context, &billing.value)?;
        }
        settle::settle(context)?;
    }
    Ok(match (changed || remembered, news, fact) {
        (true, _, _) => Outcome::Applied,
        (false, News::Older, _) => {
            Outcome::Stale(Snapshot { at: invoice.at, rank: SnapshotRank::Updated, event_id: String::new() })
        }
        (false, _, Some(fact)) => Outcome::Duplicate(fact),
        (false, _, None) => Outcome::Ignored(IgnoreReason::NoChange),
    })
}

fn read(context: &Context<'_, '_>, object: &stripe::Invoice<'_>) -> Step<Invoice> {
    let malformed = |field: &str| Stop::Refused(Refusal::Malformed(format!("/data/object/{field}")));
    let kind = context.event.kind.as_str();
    let status = match object.status.as_deref() {
        Some(text) => {
            parse_status(text).ok_or_else(|| Stop::Refused(Refusal::UnknownStatus(format!("invoice {text}"))))?
        }
        // Before 2018-11-08 an invoice had no status; the event's type tells.
        None => match kind {
            "invoice.paid" | "invoice.payment_succeeded" => Status::Paid,
            "invoice.voided" => Status::Void,
            "invoice.created" => Status::Draft,
            _ => Status::Open,
        },
    };
    let at = context.provider_time();
    let paid_at = object.status_transitions.as_ref().and_then(|t| t.paid_at);
    let mut lines: Vec<Line> = object
        .lines
        .data
        .iter()
        .map(|line| Line {
            price: line.price_id().map(str::to_owned),
            amount_minor: line.amount,
            proration: line.is_proration(),
        })
        .collect();
    lines.sort_unstable();
    Ok(Invoice {
        status,
        reason: object.billing_reason.as_deref().unwrap_or("").to_owned(),
        subscription: object.subscription_id().map(str::to_owned),
        customer: id_of(&object.customer).map(str::to_owned),
        currency: object
            .currency
            .as_deref()
            .filter(|code| is_currency(code))
            .ok_or_else(|| malformed("currency"))?
            .to_owned(),
        total_minor: object.total,
        tax_minor: object.tax(),
        amount_due_minor: object.amount_due,
        amount_paid_minor: object.amount_paid(status == Status::Paid),
        paid_out_of_band: object.paid_out_of_band(status == Status::Paid),
        number: object.number.as_deref().map(str::to_owned),
        hosted_invoice_url: object.hosted_invoice_url.as_deref().map(str::to_owned),
        paid_at: stripe::time(paid_at, "/data/object/status_transitions/paid_at")?,
        lines,
        failed_at: (kind == "invoice.payment_failed").then_some(at),
        at,
        customer_at: id_of(&object.customer).map(|_| at),
        subscription_at: object.subscription_id().map(|_| at),
    })
}

/// Book what was paid: tax is owed, the rest is revenue. A settled invoice of nothing books nothing.
fn book_payment(context: &mut Context<'_, '_>, fact: &str, id: &str, invoice: &Invoice) -> Step<bool> {
    // What is paid beyond the total is the customer's balance, no revenue (S107).
    let paid = invoice.amount_paid_minor.min(invoice.total_minor);
    if paid <= 0 {
        return Ok(false);
    }
    let tax = invoice.tax_minor.clamp(0, paid);
    let cash = if invoice.paid_out_of_band { ledger::CASH_OUT_OF_BAND } else { ledger::CASH };
    let sides = [(cash, paid), (ledger::REVENUE, tax - paid), (ledger::TAX, -tax)];
    let new = ledger::book(context, fact, id, &invoice.currency, &sides)?;
    if new {
        let values = serde_json::json!({
            "invoice": id, "number": invoice.number, "amount_paid_minor": paid, "currency": invoice.currency,
            "hosted_invoice_url": invoice.hosted_invoice_url,
        });
        notice::now(context, "receipt", notice::To::Account, id, &values)?;
    }
    Ok(new)
}

/// Carry over to the subscription whether its invoices are open or paid. True if that changed.
fn remember(context: &mut Context<'_, '_>, id: &str, invoice: &Invoice) -> Step<bool> {
    let Some(subscription) = &invoice.subscription else { return Ok(false) };
    let mut billing: Loaded<Billing> = context.record("billing", subscription)?;
    let before = billing.value.clone();
    let prices = |positive: bool| {
        let lines = invoice.lines.iter().filter(move |line| !positive || line.amount_minor >= 0);
        lines.filter_map(|line| line.price.clone())
    };
    match invoice.status {
        Status::Draft | Status::Open | Status::Uncollectible => {
            let mut named: Vec<String> = prices(true).collect();
            named.dedup();
            let open = OpenInvoice { reason: invoice.reason.clone(), prices: named, void_at: None };
            billing.value.open.insert(id.to_owned(), open);
        }
        // A change of plan whose invoice is voided was never paid: it counts only from a later payment on.
        Status::Void if invoice.reason == "subscription_update" => {
            let mut named: Vec<String> = prices(true).collect();
            named.dedup();
            let void_at = Some(invoice.at);
            let open = OpenInvoice { reason: invoice.reason.clone(), prices: named, void_at };
            billing.value.open.insert(id.to_owned(), open);
        }
        Status::Paid | Status::Void => {
            billing.value.open.remove(id);
        }
    }
    if let Some(at) = invoice.failed_at {
        billing.value.fail(id, at);
    }
    if invoice.status == Status::Paid {
        let at = invoice.paid_at.unwrap_or(invoice.at);
        for price in prices(true) {
            let latest = billing.value.paid.entry(price).or_insert(at);
            *latest = (*latest).max(at);
        }
    }
    let changed = billing.value != before;
    if changed {
        context.save_record("billing", subscription, &billing)?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn invoice(status: Status, at: i64, paid: i64) -> Invoice {
        Invoice { status, at, amount_paid_minor: paid, currency: "usd".to_owned(), ..Invoice::default() }
    }

    fn view() -> impl Strategy<Value = Invoice> {
        let status = prop_oneof![
            Just(Status::Draft),
            Just(Status::Open),
            Just(Status::Uncollectible),
            Just(Status::Void),
            Just(Status::Paid)
        ];
        let named = |prefix: &'static str| proptest::option::of((1..3).prop_map(move |n| format!("{prefix}_{n}")));
        (status, 1..=3i64, 0..3i64, any::<bool>(), named("cus"), named("sub")).prop_map(
            |(status, at, paid, failed, customer, subscription)| Invoice {
                failed_at: failed.then_some(at),
                customer_at: customer.as_ref().map(|_| at),
                subscription_at: subscription.as_ref().map(|_| at),
                customer,
                subscription,
                ..invoice(status, at, paid)
            },
        )
    }

    fn merged<'a>(mut views: impl Iterator<Item = &'a Invoice>) -> Option<Invoice> {
        let first = views.next()?.clone();
        views.try_fold(first, |stored, view| merge(&stored, view).ok().map(|(merged, _)| merged))
    }

    proptest! {
        #[test]
        fn invoices_are_the_same_in_any_order_and_however_often(
            (views, order) in proptest::collection::vec(view(), 3..=6)
                .prop_flat_map(|views| (Just(views.clone()), Just(views).prop_shuffle())),
            again in 0..6usize,
        ) {
            let repeated = order.iter().chain(order.get(again));
            prop_assert_eq!(merged(views.iter()), merged(repeated));
        }
    }

    /// A view that names nobody takes nothing from one that does.
    #[test]
    fn a_name_that_is_known_stays() {
        let known = Invoice { customer: Some("cus_1".to_owned()), customer_at: Some(1), ..invoice(Status::Open, 1, 0) };
        let (merged, _) = merge(&known, &invoice(Status::Paid, 2, 500)).ok().expect("merges");
        assert_eq!((merged.status, merged.customer.as_deref()), (Status::Paid, Some("cus_1")));
    }
}
