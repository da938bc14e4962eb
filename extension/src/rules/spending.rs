//! Prices measured usage by its attributes, pays it from credits first, and leaves the rest for the month's invoice.

use crate::actions::spend::{may_spend, open_month};
use crate::catalog::amount::{UNLIMITED, UNLIMITED_WORD};
use crate::catalog::meter::included_by;
use crate::catalog::product::required_text;
use crate::catalog::rate::{PaidBy, Rate};
use crate::catalog::words::one_of;
use crate::derive::customer::customer;
use crate::derive::included::{Span, included};
use crate::derive::standing::{AccountStanding, standing};
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::ids::InvoiceId;
use crate::model::json::{Object, decode, encode};
use crate::model::money::{to_micros, to_minor_up};
use crate::model::records::cap::Cap;
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::lot::Lot;
use crate::model::records::payment::Payment;
use crate::model::records::usage::{MeterMonth, UsageMonth};
use crate::model::time::is_rfc3339;
use extension_contract::*;
use serde_json::{Value, json};

/// The quota of a refusal by the account's own cap.
const CAP: &str = "account.cap";

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
    let (_, month) = open_month(desk, desk.now)?;
    let currency = month.currency(&settings.currency);
    for (_, lot) in desk.account.all::<Lot>()?.into_iter().filter(|(_, lot)| lot.currency == currency) {
        left = left.saturating_add(lot.left_micros());
        owed = owed.saturating_add(lot.owed_micros - lot.repaid_micros);
    }
    let open = month.open_micros();
    let included_left = included_left(desk, &standing, &meter, &month)?;
    let by_credits = rate.pay.contains(&PaidBy::Credits) && left > 0;
    // Without a customer at Stripe there is nobody to invoice.
    let most = match &rate.invoice {
        Some(terms) => may_spend(desk, terms)?,
        None => None,
    };
    let has_room = most.is_none_or(|(minor, _)| open < to_micros(minor, currency));
    let may_owe = has_room && may_be_invoiced(rate, &standing) && customer(desk)?.is_some() && !has_debt(desk)?;
    // What a plan includes is paid for with the plan.
    let is_included = included_left.is_some_and(|left| left != 0);
    if !is_included && (owed > 0 || !(by_credits || may_owe)) {
        // The account can raise its own cap.
        let is_capped = !has_room && owed == 0 && most.is_some_and(|(_, is_cap)| is_cap);
        let quota = QuotaRefusal {
            quota: if is_capped { CAP.to_owned() } else { meter },
            allowed: most.map_or(0, |(minor, _)| minor),
            used: to_minor_up(open.max(0).saturating_add(owed), currency),
            upgrade: top_up(desk)?,
        };
        return Err(Refusal::QuotaExceeded(quota).into());
    }
    let mut reply = json!({"meter": meter, "credits_left_micros": left, "open_micros": open});
    if let Some(left) = included_left {
        reply["included_left"] = if left == UNLIMITED { json!(UNLIMITED_WORD) } else { json!(left) };
    }
    Ok(Verdict { answer: Answer::Value(encode(&reply)?), ..Outcome::Ignored(IgnoreReason::NoChange).into() })
}

/// Returns how many units of the month are still included in what the account has; `None` if nothing of the meter is ever included.
fn included_left(desk: &Desk<'_>, standing: &AccountStanding, meter: &str, month: &UsageMonth) -> Ruled<Option<i64>> {
    let settings = &standing.settings;
    let Some((key, _)) = included_by(&settings.entitlements, &settings.rates, meter) else { return Ok(None) };
    let known = month.meters.get(meter);
    let mut granted = known.map(|known| known.granted.clone()).unwrap_or_default();
    let span = Span { start: month.start, end: month.end };
    let all = included(standing, desk.account.owner(), key, (span, desk.now), &mut granted)?;
    let used = known.map_or(0, MeterMonth::quantity);
    Ok(Some(if all == UNLIMITED { UNLIMITED } else { all.saturating_sub(used).max(0) }))
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

/// Returns whether usage of a meter without credits may be invoiced.
fn may_be_invoiced(rate: &Rate, standing: &AccountStanding) -> bool {
    let Some(terms) = rate.invoice.as_ref().filter(|_| rate.pay.contains(&PaidBy::Invoice)) else { return false };
    terms.required().is_none_or(|key| standing.is_granted_by_plan(key))
}

/// `account.cap`: sets what the month's usage may add to the invoice at most, or takes the cap off. The business's own limit stays.
pub(super) fn cap(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let settings = desk.catalog.settings()?;
    let mut limits = Vec::new();
    for rate in settings.rates.values().filter(|rate| rate.pay.contains(&PaidBy::Invoice)) {
        limits.extend(rate.invoice.as_ref().map(|terms| terms.limit));
    }
    if limits.is_empty() {
        let text = "a meter whose usage is invoiced: this business invoices none";
        return Err(Refusal::NotFound(text.to_owned()).into());
    }
    // A cap above every limit would change nothing.
    let most = limits.into_iter().collect::<Option<Vec<i64>>>().and_then(|limits| limits.into_iter().max());
    let expected = most.map_or("0 or more minor units, or null for no cap".to_owned(), |most| {
        format!("0 to {most} minor units, or null for no cap")
    });
    let wrong = |code| wrong_field("/amount_minor", code, "", expected.clone());
    let amount_minor = match body.get("amount_minor") {
        Some(Value::Null) => None,
        Some(value) => {
            let amount = value.as_i64().ok_or_else(|| wrong(FieldErrorCode::WrongType))?;
            if amount < 0 || most.is_some_and(|most| amount > most) {
                return Err(wrong(FieldErrorCode::OutOfRange));
            }
            Some(amount)
        }
        None => return Err(wrong(FieldErrorCode::Missing)),
    };
    let (_, month) = open_month(desk, desk.now)?;
    let spent = to_minor_up(month.open_micros().max(0), month.currency(&settings.currency));
    let reply = json!({"amount_minor": amount_minor, "limit_minor": most, "spent_minor": spent});
    let known = desk.account.get_here::<Cap>(Cap::ID)?.and_then(|cap| cap.amount_minor);
    if known != amount_minor {
        desk.account.put(Cap::ID, Cap { amount_minor });
        return Ok(Verdict::answered(Answer::Value(encode(&reply)?)));
    }
    Ok(Verdict { answer: Answer::Value(encode(&reply)?), ..Outcome::Ignored(IgnoreReason::NoChange).into() })
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
