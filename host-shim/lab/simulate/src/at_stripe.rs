//! Carries out the host's requests at a local Stripe, as a client of its API does: with idempotency keys, with marks in
//! the metadata, and with a look at Stripe for the object that an earlier request of the same effect made.

use crate::sandbox::{Answer, Stripe};
use host_provider_api::{Call, CallOutcome};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Kinds of effects that move money.
pub(crate) const MONEY: [&str; 2] = ["stripe.refund.create", "stripe.transfer.create"];
/// Metadata that names the effect which made an object.
const MARKS: [&str; 2] = ["simulated_scope", "simulated_key"];

/// A fault of a request that moves money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request that creates the object fails: with status `429` or `500`, or without an answer (`cut`). It is
    /// carried out nevertheless if `is_done` is true.
    OfRequest { answer: &'static str, is_done: bool },
    /// No request of this attempt reaches Stripe.
    Unreachable,
}

/// True if calls of this kind are carried out at a local Stripe. A cancellation at the end of a period is not:
/// customers make it at Stripe themselves.
pub(crate) fn is_for_stripe(call: &Call) -> bool {
    match call.kind.as_str() {
        "stripe.account.create" | "stripe.checkout.expire" => true,
        "stripe.subscription.cancel" => call.payload["at_period_end"] == false,
        kind => MONEY.contains(&kind),
    }
}

/// Carries out a call at a local Stripe.
pub(crate) fn carry_out(stripe: &Stripe, call: &Call, fault: Option<Fault>) -> CallOutcome {
    let path = match call.kind.as_str() {
        "stripe.refund.create" => "/v1/refunds",
        _ => "/v1/transfers",
    };
    match fault {
        None => {}
        Some(Fault::OfRequest { answer, is_done }) => stripe.fail(answer, is_done, Some(("POST", path))),
        Some(Fault::Unreachable) => stripe.fail("cut", false, None),
    }
    let outcome = Client { stripe, call }.carry_out();
    if fault.is_some() {
        stripe.succeed();
    }
    outcome.unwrap_or_else(|failed| failed)
}

struct Client<'s> {
    stripe: &'s Stripe,
    call: &'s Call,
}

type Done<T> = Result<T, CallOutcome>;

impl Client<'_> {
    fn carry_out(&self) -> Done<CallOutcome> {
        let call = self.call;
        let text = |name: &str| call.text(name).unwrap_or_default();
        let done = match call.kind.as_str() {
            "stripe.account.create" => {
                let form = [("type", "express"), ("capabilities[transfers][requested]", "true")];
                json!({"id": self.create("/v1/accounts", &[], &form)?})
            }
            "stripe.checkout.expire" => match self.stripe.expire(text("session_id")) {
                true => json!({"session_id": text("session_id"), "status": "expired"}),
                false => return Err(CallOutcome::refused("inconsistent", "the checkout is paid")),
            },
            "stripe.subscription.cancel" => {
                let path = format!("/v1/subscriptions/{}", text("subscription"));
                let now = self.read(&path, &[])?;
                let has_ended = matches!(now["status"].as_str(), Some("canceled" | "incomplete_expired"));
                let after = if has_ended { now } else { self.ask("DELETE", &path, &[], None)? };
                json!({"id": after["id"], "status": after["status"]})
            }
            "stripe.refund.create" => json!({"id": self.refund()?}),
            _ => {
                let (amount, group) = (self.amount().unwrap_or_default(), text("transfer_group"));
                let filter = [("destination", text("destination")), ("transfer_group", group)];
                let form = [&filter[..], &[("amount", amount.as_str()), ("currency", text("currency"))]].concat();
                json!({"id": self.create("/v1/transfers", &filter, &form)?})
            }
        };
        Ok(CallOutcome::Done(done))
    }

    fn amount(&self) -> Option<String> {
        self.call.payload["amount_minor"].as_i64().map(|amount| amount.to_string())
    }

    /// Refunds the named payment, the payment of the named invoice, or those of the subscription's newest paid invoices.
    fn refund(&self) -> Done<String> {
        let named =
            ["payment_intent", "charge"].into_iter().find_map(|kind| Some((kind, self.call.text(kind)?.to_owned())));
        let (kind, id) = match (named, self.call.text("invoice"), self.call.text("subscription")) {
            (Some(named), ..) => named,
            (None, Some(invoice), _) => {
                let none = || CallOutcome::refused("inconsistent", "not paid through Stripe");
                self.payment_of(invoice)?.ok_or_else(none)?
            }
            (None, None, subscription) => return self.refund_over(subscription.unwrap_or_default()),
        };
        let amount = self.amount();
        let mut form = vec![(kind, id.as_str())];
        form.extend(amount.as_deref().map(|amount| ("amount", amount)));
        self.create("/v1/refunds", &[(kind, &id)], &form)
    }

    /// Refunds the amount over the payments of a subscription's paid invoices, the newest first. What an earlier attempt refunded
    /// counts.
    fn refund_over(&self, subscription: &str) -> Done<String> {
        let invoices = self.read("/v1/invoices", &[("subscription", subscription), ("status", "paid")])?;
        let (mut left, mut last) = (self.call.payload["amount_minor"].as_i64().unwrap_or(0), subscription.to_owned());
        for invoice in invoices["data"].as_array().into_iter().flatten() {
            let id = invoice["id"].as_str().filter(|_| invoice["amount_paid"].as_i64().unwrap_or(0) > 0);
            // What was paid outside of Stripe, a person gives back.
            let Some((kind, payment)) = id.map(|id| self.payment_of(id)).transpose()?.flatten() else { continue };
            let received = self.read(&format!("/v1/payment_intents/{payment}"), &[])?["amount_received"].as_i64();
            let refunds = self.read("/v1/refunds", &[(kind, &payment), ("limit", "100")])?;
            let (mut back, mut ours) = (0, 0);
            for refund in refunds["data"].as_array().into_iter().flatten() {
                let amount = refund["amount"].as_i64().filter(|_| refund["status"] != "failed").unwrap_or(0);
                back += amount;
                ours += if self.is_ours(refund) { amount } else { 0 };
            }
            left -= ours;
            let part = left.min(received.unwrap_or(0) - back).max(0);
            if part > 0 {
                last = self.create(
                    "/v1/refunds",
                    &[(kind, &payment)],
                    &[(kind, &payment), ("amount", &part.to_string())],
                )?;
                left -= part;
            }
            if left <= 0 {
                return Ok(last);
            }
        }
        Err(CallOutcome::refused("inconsistent", "more than was paid"))
    }

    fn is_ours(&self, object: &Value) -> bool {
        let ours = [&self.call.scope, &self.call.key];
        ours.into_iter().zip(MARKS).all(|(ours, mark)| object["metadata"][mark] == ours.as_str())
    }

    fn payment_of(&self, invoice: &str) -> Done<Option<(&'static str, String)>> {
        let payments = self.read("/v1/invoice_payments", &[("invoice", invoice), ("status", "paid")])?;
        let intent = payments["data"][0]["payment"]["payment_intent"].as_str();
        Ok(intent.map(|intent| ("payment_intent", intent.to_owned())))
    }

    /// Creates an object with the marks of the effect, unless an earlier request made it. Returns its id.
    fn create(&self, path: &str, filter: &[(&str, &str)], form: &[(&str, &str)]) -> Done<String> {
        let Call { scope, key, generation, attempt, lease, .. } = self.call;
        let id = |object: &Value| object["id"].as_str().unwrap_or_default().to_owned();
        if *attempt > 1 || *lease > 1 || *generation > 1 {
            let made = self.read(path, &[filter, &[("limit", "100")]].concat())?;
            if let Some(made) = made["data"].as_array().into_iter().flatten().find(|object| self.is_ours(object)) {
                return Ok(id(made));
            }
        }
        let asked = self.call.payload["metadata"].as_object().into_iter().flatten();
        let asked = asked.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let metadata = MARKS.into_iter().zip([scope.as_str(), key.as_str()]).chain(asked);
        let metadata: Vec<(String, &str)> =
            metadata.map(|(name, value)| (format!("metadata[{name}]"), value)).collect();
        let metadata: Vec<(&str, &str)> = metadata.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        // A request over several payments makes a refund of each.
        let of = filter.first().map_or("", |(_, id)| *id);
        let digest = Sha256::digest(format!("{scope} {key} {generation} {of}").as_bytes());
        let idempotency_key: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(id(&self.ask("POST", path, &[form, &metadata].concat(), Some(&idempotency_key))?))
    }

    fn read(&self, path: &str, query: &[(&str, &str)]) -> Done<Value> {
        self.ask("GET", path, query, None)
    }

    fn ask(&self, method: &str, path: &str, form: &[(&str, &str)], idempotency_key: Option<&str>) -> Done<Value> {
        match self.stripe.ask(method, path, form, idempotency_key) {
            Answer::Lost => Err(CallOutcome::retry("no-answer", "the answer is lost")),
            Answer::Status(200..300, body) => Ok(body),
            Answer::Status(status, body) => {
                let of = |name: &str| body["error"][name].as_str().map(str::to_owned);
                let code = of("code").or_else(|| of("type")).unwrap_or_else(|| format!("status-{status}"));
                let message = of("message").unwrap_or_default();
                Err(match status {
                    409 | 429 | 500.. => CallOutcome::retry(&code, message),
                    _ => CallOutcome::refused(&code, message),
                })
            }
        }
    }
}
