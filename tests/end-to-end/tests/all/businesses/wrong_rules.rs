//! The simulation finds extensions whose rules about money or access are wrong.

use end_to_end::world::{Setup, business_named};
use extension_contract::{Decision, EffectFailureClass, Event, Payload, Write};
use host_replay::runners::Runners;
use host_simulate::simulate::{Found, Options, simulate};
use host_wasm_runner::around::Around;
use serde_json::Value;

/// A wrong extension: what it reads in place of an event, and what it decides in place of a decision.
#[derive(Clone, Copy)]
struct Wrong {
    event: fn(Event) -> Event,
    decision: fn(&mut Decision),
}

const RIGHT: Wrong = Wrong { event: |event| event, decision: |_| {} };

fn runners(wrong: Wrong) -> Runners {
    let inner = Setup::default().runners;
    Runners::new("wrong", move || {
        Ok(Box::new(Around::new(inner.make()?, move |inner, imports, event| {
            let mut decision = inner.handle(imports, &(wrong.event)(event.clone()))?;
            (wrong.decision)(&mut decision.0);
            Ok(decision)
        })))
    })
}

/// Number of seeds that are tried: in a small simulation, not every seed has what a rule is about.
const SEEDS: u64 = 6;

/// Simulates a business with an extension, and returns the differences.
fn found(business: &str, wrong: Wrong, seed: u64) -> Vec<Found> {
    let options = Options {
        business: business_named(business).clone(),
        runners: runners(wrong),
        customers: 20,
        days: 50,
        seed,
        jobs: 2,
        budget: None,
        only: None,
        write: None,
    };
    simulate(&options, &|_| ()).expect("a simulation").found
}

/// Checks that the simulation reports a difference that begins with `what`.
fn is_found(business: &str, wrong: Wrong, what: &str) {
    let is_it = |found: &Found| found.difference.what.starts_with(what);
    let mut all = Vec::new();
    for seed in 1..=SEEDS {
        let found = found(business, wrong, seed);
        if found.iter().any(is_it) {
            return;
        }
        all.push(found);
    }
    panic!("{business}: {all:#?}");
}

/// An event that means nothing, in place of events that `drops` selects.
fn without(event: Event, drops: impl Fn(&Event) -> bool) -> Event {
    let kind = if drops(&event) { "no.such".to_owned() } else { event.kind.clone() };
    Event { kind, ..event }
}

fn body(event: &Event) -> Value {
    match &event.payload {
        Payload::Payment(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
        _ => Value::Null,
    }
}

/// Given transfers whose result is unknown, an extension that counts them as refused pays creators twice.
#[test]
fn a_transfer_that_is_made_twice_is_found() {
    let event = |mut event: Event| {
        if let Payload::EffectResult(report) = &mut event.payload
            && event.kind == "stripe.transfer.create"
            && let Err(failure) = &mut report.answer
        {
            failure.class = EffectFailureClass::Final;
        }
        event
    };
    is_found("tesslate", Wrong { event, ..RIGHT }, "transfers to user:zoe");
}

/// Given requests for a part of a payment, an extension that refunds the rest is found by Stripe's refunds.
#[test]
fn a_refund_of_too_much_is_found() {
    let decision = |decision: &mut Decision| {
        for effect in decision.effects.iter_mut().filter(|effect| effect.kind == "stripe.refund.create") {
            let mut payload: Value = serde_json::from_str(&effect.payload).expect("a JSON object");
            payload.as_object_mut().expect("a JSON object").remove("amount_minor");
            effect.payload = payload.to_string();
        }
    };
    is_found("full-podcasts", Wrong { decision, ..RIGHT }, "refunds of ch_");
}

/// Given failed refunds that an extension does not hear of, its books differ from Stripe's balance transactions.
#[test]
fn a_failed_refund_that_is_not_booked_is_found() {
    let event = |event: Event| {
        let kinds = ["refund.failed", "refund.updated", "charge.refund.updated"];
        without(event, |event| kinds.contains(&event.kind.as_str()))
    };
    is_found("families-and-add-ons", Wrong { event, ..RIGHT }, "cash");
}

/// Given coupons, an extension that books list prices is found.
#[test]
fn a_coupon_that_is_not_counted_is_found() {
    let event = |event: Event| {
        let mut body = body(&event);
        let session = &mut body["data"]["object"];
        if event.kind != "checkout.session.completed" || session["mode"] != "payment" {
            return event;
        }
        session["amount_total"] = session["amount_subtotal"].clone();
        session["total_details"]["amount_discount"] = 0.into();
        Event { payload: Payload::Payment(body.to_string().into_bytes()), ..event }
    };
    is_found("full-podcasts", Wrong { event, ..RIGHT }, "cash");
}

/// Given chargebacks on subscriptions, an extension that goes on granting is found.
#[test]
fn a_chargeback_that_changes_nothing_is_found() {
    let event = |event| without(event, |event| event.kind.starts_with("charge.dispute."));
    is_found("solobase", Wrong { event, ..RIGHT }, "entitlements");
}

/// Given closings, an extension that does not cancel the subscriptions is found.
#[test]
fn a_closed_account_with_a_subscription_is_found() {
    let decision =
        |decision: &mut Decision| decision.effects.retain(|effect| effect.kind != "stripe.subscription.cancel");
    is_found("solobase", Wrong { decision, ..RIGHT }, "sub_");
}

/// Given several API versions in one stream, an extension that does not read one of them is found.
#[test]
fn a_version_that_is_not_read_is_found() {
    let event = |event: Event| without(event, |event| body(event)["api_version"] == "2025-09-30.clover");
    is_found("families-and-add-ons", Wrong { event, ..RIGHT }, "subscription");
}

/// Given creators whose prices change, an extension that charges the newest price for use that is reported late is found.
#[test]
fn use_that_costs_a_later_price_is_found() {
    let event = |mut event: Event| {
        let now = event.received_at;
        let month = |at: i64| host_engine::time::text(at)[..7].to_owned();
        if let Payload::Usage(all) = &mut event.payload {
            // In the same month, so that nothing but the price differs.
            for one in all.iter_mut().filter(|one| month(one.at) == month(now)) {
                one.at = now;
            }
        }
        event
    };
    is_found("tesslate", Wrong { event, ..RIGHT }, "credits left and owed");
}

/// Given vouchers, an extension whose credits never end is found.
#[test]
fn credits_that_do_not_end_are_found() {
    let decision = |decision: &mut Decision| {
        for change in &mut decision.changes {
            let Write::Record(written) = &mut change.write else { continue };
            let mut lot: Value = serde_json::from_str(written).expect("a JSON object");
            if lot["granted_micros"].is_i64() {
                lot.as_object_mut().expect("a JSON object").remove("expires_at");
                *written = lot.to_string();
            }
        }
    };
    is_found("prepaid", Wrong { decision, ..RIGHT }, "credits left and owed");
}
