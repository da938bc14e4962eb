//! The result of requesting the Stripe customer: continues what waits for it, or refuses the request that caused it.

use crate::actions::customer::{
    CHECKOUT_NOT_OPENED, PORTAL_NOT_OPENED, request_checkout, request_customer_for_checkout,
    request_customer_for_portal, request_portal, waiting_checkouts,
};
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::halt::{Answer, Ruled, Verdict, internal};
use crate::model::json::{Object, decode};
use crate::model::keys::ClaimKey;
use crate::model::records::customer::{AwaitsPortal, CustomerRequest};
use crate::model::records::purchase::{AwaitsCustomer, PurchaseRow, Step};
use extension_contract::{EffectFailure, EffectReport, Outcome, PurchaseStatus};
use serde_json::{Value, json};

/// Handles the result of the customer request. On success, continues all waiting requests. On failure, refuses the
/// request that caused it, and requests the customer again for the next waiting request.
pub(super) fn decide(desk: &mut Desk<'_>, correlation: &Correlation, report: &EffectReport) -> Ruled<Verdict> {
    let mut request = desk.account.row::<CustomerRequest>(CustomerRequest::ID)?.unwrap_or_default();
    desk.account.remove::<CustomerRequest>(CustomerRequest::ID);
    let answer = match &report.answer {
        Ok(answer) => decode::<Object>("effects", &report.key, answer)?,
        Err(failure) => return failed(desk, correlation, failure, request),
    };
    let Some(customer) = answer.get("id").and_then(Value::as_str) else {
        return Err(internal(format!("{}: the result has no id", report.key)));
    };
    desk.account.claim([ClaimKey::Customer(customer)])?;
    if let Correlation::CustomerForPortal { return_url } = correlation {
        let first = AwaitsPortal { reply_to: desk.reply_to.cloned(), return_url: return_url.clone() };
        request.portals.insert(0, first);
    }
    for (number, awaits) in request.portals.iter().enumerate() {
        request_portal(desk, customer, number, awaits)?;
    }
    for id in waiting_checkouts(desk)? {
        let Some(mut row) = desk.account.row::<PurchaseRow>(&id)? else { continue };
        let Some(AwaitsCustomer { mut checkout, reply_to }) = row.details.awaits_customer.take() else { continue };
        checkout["customer"] = json!(customer);
        request_checkout(desk, &id, &checkout, reply_to)?;
        desk.account.put(&id, row);
    }
    Ok(Outcome::Applied.into())
}

fn failed(
    desk: &mut Desk<'_>,
    correlation: &Correlation,
    failure: &EffectFailure,
    mut request: CustomerRequest,
) -> Ruled<Verdict> {
    if let Correlation::Customer { purchase } = correlation
        && let Some(mut row) = desk.account.row::<PurchaseRow>(purchase)?
        && row.details.awaits_customer.take().is_some()
    {
        row.values.status = PurchaseStatus::Cancelled;
        row.details.step = Step::Failed;
        row.details.error = Some(json!({"code": failure.code}));
        desk.account.put(purchase, row);
    }
    let next = waiting_checkouts(desk)?.into_iter().next();
    if !request.portals.is_empty() {
        let awaits = request.portals.remove(0);
        request_customer_for_portal(desk, awaits)?;
        let again = desk.account.row::<CustomerRequest>(CustomerRequest::ID)?.unwrap_or_default();
        desk.account.put(CustomerRequest::ID, CustomerRequest { effect: again.effect, ..request });
    } else if let Some(id) = next
        && let Some(row) = desk.account.row::<PurchaseRow>(&id)?
        && let Some(AwaitsCustomer { checkout, reply_to }) = row.details.awaits_customer
    {
        request_customer_for_checkout(desk, &id, &checkout, reply_to)?;
    }
    Ok(match correlation {
        Correlation::Registration => Outcome::Applied.into(),
        Correlation::Customer { .. } => Verdict::answered(Answer::not_done(CHECKOUT_NOT_OPENED)),
        _ => Verdict::answered(Answer::not_done(PORTAL_NOT_OPENED)),
    })
}
