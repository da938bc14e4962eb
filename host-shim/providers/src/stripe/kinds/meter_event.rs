//! Reports usage to Stripe's meters.

use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use host_provider_api::Call;
use serde_json::{Value, json};
use std::collections::HashMap;
use stripe_billing::billing_meter_event::CreateBillingMeterEvent;
use stripe_client_core::StripeRequest;

/// Key of the customer in the event of a meter with Stripe's default mapping.
const CUSTOMER: &str = "stripe_customer_id";
/// Key of the quantity in the event of a meter with Stripe's default settings.
const VALUE: &str = "value";

/// `stripe.meter_event.create`: takes `event_name`, `customer`, `value` (a whole number) and `at` (a time); returns `identifier`.
/// The meter must have Stripe's default keys. A repeated call has the same identifier, which Stripe counts once; Stripe knows it
/// for a day at least.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let value = payload.amount("value")?;
    let at = payload
        .text("at")?
        .parse::<jiff::Timestamp>()
        .map_err(|_| Failed::Payload { member: "at", expected: "a time such as 2026-01-31T23:59:59Z" })?;
    let body = [(CUSTOMER, payload.id("customer")?.to_owned()), (VALUE, value.to_string())];
    let body: HashMap<String, String> = body.map(|(key, text)| (key.to_owned(), text)).into();
    let identifier = marks.id("use_");
    let request = CreateBillingMeterEvent::new(payload.text("event_name")?, body)
        .identifier(identifier.as_str())
        .timestamp(at.as_second());
    match api.post(request.build(), &marks, "meter-event") {
        Ok(_) => {}
        // The event of an earlier attempt whose answer was lost: no other error names the identifier.
        Err(Failed::Error { message, .. }) if message.contains(&identifier) => {}
        Err(failed) => return Err(failed),
    }
    Ok(json!({"identifier": identifier}))
}
