//! Prices measured usage by its attributes, pays it from credits first, and leaves the rest for the month's invoice.

use crate::actions::spend::open_month;
use crate::catalog::product::required_text;
use crate::catalog::rate::{PaidBy, Rate};
use crate::catalog::words::one_of;
use crate::derive::customer::customer;
use crate::derive::standing::{AccountStanding, standing};
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::ids::InvoiceId;
use crate::model::json::{Object, decode, encode};
use crate::model::money::{to_micros, to_minor_up};
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::lot::Lot;
use crate::model::records::payment::Payment;
use crate::model::records::usage::UsageMonth;
use crate::model::time::is_rfc3339;
use extension_contract::*;
use serde_json::{Value, json};

/// Handles the result of the invoice request for a month. After Stripe's refusal the usage is not invoiced until an
/// operator requests it again.
pub(super) fn invoiced(desk: &mut Desk<'_>, month_id: &str, report: &EffectReport) -> Ruled<Outcome> {
    let Some(mut month) = desk.account.row::<UsageMonth>(month_id)? else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    };
    match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            month.invoice = answer.get("id").and_then(Value::as_str).map(InvoiceId::from);
            // Events about the invoice can arrive before this answer; then its payments may have been returned.
            if let Some(invoice) = &month.invoice
                && desk.account.get::<Invoice>(invoice)?.is_some()
            {
                desk.account.load_whole(Payment::COLLECTION)?;
            }
        }
        Err(_) => month.refused = month.invoice.is_none(),
    }
    desk.account.put(month_id, month);
    Ok(Outcome::Applied)
}

/// `usage.invoice`: requests a month's invoice again after Stripe refused it. Uses a new idempotency key, because
/// Stripe would repeat its response to the old key (S127).
pub(super) fn invoice_again(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "month")?;
    let not_found = || match is_rfc3339(&format!("{id}-01T00:00:00Z")) {
        true => Refusal::NotFound(format!("usage in {id}: expected a month in which the account has used something")),
        false => Refusal::NotFound(format!("usage in {id}: expected a month such as 2026-01")),
    };
    let mut month = desk.account.row::<UsageMonth>(&id)?.ok_or_else(not_found)?;
    if !month.refused {
        let state = match (&month.invoice, month.invoiced_minor) {
            (Some(invoice), _) => format!("invoiced as {invoice}"),
            (None, 0) => "not invoiced yet".to_owned(),
            (None, _) => "asked for, and not known to be refused".to_owned(),
        };
        return Err(Refusal::BadTransition(state).into());
    }
    // The reconciliation of the same decision closes the month again.
    (month.refused, month.closed, month.asked_again) = (false, false, month.asked_again + 1);
    let reply = json!({"month": id, "requests": month.asked_again + 1});
    desk.account.put(&id, month);
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// `usage.admit`: checks whether usage of a meter may begin now. Running usage is always counted.
pub(super) fn admit(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let meter = required_text(body, "meter")?;
    let settings = desk.catalog.settings()?;
    let Some(rate) = settings.rates.get(&meter) else {
        let names: Vec<&str> = settings.rates.keys().map(String::as_str).collect();
        let (found, expected) = (format!("`{meter}` has no rate"), one_of(&names));
        return Err(wrong_field("/meter", FieldErrorCode::NotAllowed, found, expected));
    };
    let standing = standing(desk)?;
    let (mut left, mut owed) = (0i64, 0i64);
    for (_, lot) in desk.account.all::<Lot>()? {
        left = left.saturating_add(lot.left_micros());
        owed = owed.saturating_add(lot.owed_micros - lot.repaid_micros);
    }
    let (_, month) = open_month(desk, desk.now)?;
    let open = month.open_micros();
    let by_credits = rate.pay.contains(&PaidBy::Credits) && left > 0;
    // Without a customer at Stripe there is nobody to invoice.
    let may_owe =
        may_be_invoiced(rate, &standing, open, &settings.currency) && customer(desk)?.is_some() && !has_debt(desk)?;
    if owed > 0 || !(by_credits || may_owe) {
        let limit = rate.invoice.as_ref().and_then(|terms| terms.limit).unwrap_or(0);
        let quota = QuotaRefusal {
            quota: meter,
            allowed: limit,
            used: to_minor_up(open.max(0).saturating_add(owed), &settings.currency),
            upgrade: top_up(desk)?,
        };
        return Err(Refusal::QuotaExceeded(quota).into());
    }
    let reply = json!({"meter": meter, "credits_left_micros": left, "open_micros": open});
    Ok(Verdict { answer: Answer::Value(encode(&reply)?), ..Outcome::Ignored(IgnoreReason::NoChange).into() })
}

/// Returns whether the payment of an earlier month's invoice has failed, or is overdue.
fn has_debt(desk: &mut Desk<'_>) -> Ruled<bool> {
    let now = desk.now;
    for (_, month) in desk.account.all_where(UsageMonth::is_owed)? {
        let Some(invoice) = &month.invoice else { continue };
        let is_due = |invoice: &Invoice| {
            invoice.failed_at.is_some()
                || invoice.status == InvoiceStatus::Uncollectible
                || invoice.due_at.is_some_and(|due| due <= now)
        };
        if desk.account.get::<Invoice>(invoice)?.is_some_and(|invoice| is_due(&invoice)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether usage without credits may be added to the month's invoice.
fn may_be_invoiced(rate: &Rate, standing: &AccountStanding, open_micros: i64, currency: &str) -> bool {
    let Some(terms) = rate.invoice.as_ref().filter(|_| rate.pay.contains(&PaidBy::Invoice)) else { return false };
    let is_met = terms.required().is_none_or(|key| standing.is_granted_by_plan(key));
    is_met && terms.limit.is_none_or(|limit| open_micros < to_micros(limit, currency))
}

/// Returns the cheapest product on sale that grants credits.
fn top_up(desk: &Desk<'_>) -> Ruled<Option<String>> {
    let types = desk.catalog.types()?;
    let mut best: Option<(i64, String)> = None;
    for decl in types.iter().filter(|decl| !decl.on_paid.is_empty()) {
        if desk.catalog.is_withdrawn(&decl.name)? {
            continue;
        }
        for row in desk.catalog.products(Some(&decl.name))?.iter().filter(|row| row.values.active) {
            let Some(price) = &row.values.price else { continue };
            let offer = (price.amount_minor, row.id.clone());
            if best.as_ref().is_none_or(|best| offer < *best) {
                best = Some(offer);
            }
        }
    }
    Ok(best.map(|(_, id)| id))
}
