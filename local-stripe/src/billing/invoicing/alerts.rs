//! Billing alerts: `billing.alert.triggered` is sent when a customer's usage of a meter reaches a threshold. Only usage
//! that is reported after the alert was created counts, see
//! <https://docs.stripe.com/billing/subscriptions/usage-based/alerts>.

use serde_json::{Value, json};

use crate::billing::invoicing::usage;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;
use crate::state::State;

/// The maximum number of alerts that are not archived. Each meter event checks each of them.
const ALERTS_MAX: usize = 1_000;
/// The maximum number of alerts that are not archived for a meter and a customer, or for a meter and all customers,
/// Stripe's limit.
const ALIKE_MAX: usize = 25;
/// The maximum length of a title, Stripe's limit.
const TITLE_CHARS_MAX: usize = 256;
/// How far in the future a meter event may lie, in seconds. Such an event counts immediately.
const AHEAD_S: i64 = 300;
const KIND: &str = "billing.alert";

/// Creates the active alert of a request.
///
/// # Errors
/// The meter or the customer is unknown, a parameter is invalid, or there are too many alerts.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let title = args.text("title").unwrap_or_default();
    if title.chars().count() > TITLE_CHARS_MAX {
        let message = format!("Invalid string: must be at most {TITLE_CHARS_MAX} characters");
        return Err(ApiError::coded("parameter_invalid_string", message).about("title"));
    }
    if args.given("usage_threshold").is_none() {
        return Err(ApiError::missing("usage_threshold"));
    }
    let threshold = args.map("usage_threshold");
    let meter = st.load("billing.meter", threshold.text("meter").unwrap_or_default(), "usage_threshold[meter]")?;
    let filters = threshold.list("filters");
    if filters.len() > 1 {
        let message = "You can only specify up to one filter.";
        return Err(ApiError::invalid(message).about("usage_threshold[filters]"));
    }
    for filter in &filters {
        let param = "usage_threshold[filters][0][customer]";
        st.load("customer", filter["customer"].as_str().ok_or_else(|| ApiError::missing(param))?, param)?;
    }
    let filters = if filters.is_empty() { Value::Null } else { json!(filters) };
    let (mut all, mut alike) = (0, 0);
    for alert in st.newest(KIND, None).filter(|alert| alert.text("status") != "archived") {
        let is_alike = alert.text_at("usage_threshold.meter") == Some(meter.id())
            && *alert.at("usage_threshold.filters") == filters;
        all += 1;
        alike += usize::from(is_alike);
    }
    if all >= ALERTS_MAX || alike >= ALIKE_MAX {
        let message = format!(
            "There can be at most {ALIKE_MAX} alerts for a meter and a customer, and {ALERTS_MAX} in all. Archive some of them."
        );
        return Err(ApiError::invalid(message));
    }
    let id = st.new_id("alrt_test");
    let alert = Object::of(json!({
        "id": id,
        "object": KIND,
        "alert_type": args.value("alert_type"),
        "livemode": false,
        "status": "active",
        "title": title,
        "usage_threshold": {
            "filters": filters,
            "gte": threshold.value("gte"),
            "meter": meter.id(),
            "recurrence": threshold.value("recurrence"),
        },
    }))
    .with(|alert| alert.as_alert_mut().activation = st.requests());
    Ok(st.put(alert).value())
}

/// Returns an alert that is not archived.
///
/// # Errors
/// There is no such alert.
pub fn load(st: &State, id: &str) -> Result<std::sync::Arc<Object>, ApiError> {
    match st.load(KIND, id, "id")? {
        alert if alert.text("status") == "archived" => Err(ApiError::no_such(KIND, id, "id")),
        alert => Ok(alert),
    }
}

/// Sets the status of an alert. A reactivated alert can trigger again for each customer.
///
/// # Errors
/// There is no such alert, or it already has this status.
pub fn set_status(st: &mut State, id: &str, status: &str) -> Result<Value, ApiError> {
    if load(st, id)?.text("status") == status {
        return Err(ApiError::invalid(format!("The alert is {status} already.")));
    }
    let activation = st.requests();
    let changed = st.change(id, |alert| {
        alert.set("status", status);
        if status == "active" {
            alert.as_alert_mut().activation = activation;
        }
    });
    Ok(changed.value())
}

/// Triggers the alerts of a meter whose thresholds a customer's usage has reached. An alert triggers once per customer.
///
/// # Errors
/// The sum of the usage overflows.
pub fn check(st: &mut State, meter: &Object, customer: &Object) -> Result<(), ApiError> {
    let is_about = |alert: &Object| {
        alert.text("status") == "active"
            && alert.text_at("usage_threshold.meter") == Some(meter.id())
            && alert.list_at("usage_threshold.filters").iter().all(|filter| filter["customer"] == customer.id())
    };
    let alerts: Vec<Object> =
        st.newest(KIND, None).filter(|alert| is_about(alert)).map(|alert| Object::clone(&alert)).collect();
    if alerts.is_empty() {
        return Ok(());
    }
    let now = st.now(customer);
    for alert in alerts {
        let used = usage::counted_after(st, meter, customer.id(), 0..now + AHEAD_S + 1, alert.seq)?;
        let mark = format!("sandbox.alerted:{}:{}:{}", alert.id(), alert.as_alert().activation, customer.id());
        if used < alert.int_at("usage_threshold.gte").unwrap_or(i64::MAX) || st.seek(&mark).is_some() {
            continue;
        }
        st.put(Object::of(json!({ "id": mark, "object": "sandbox.alerted" })));
        let triggered = Object::of(json!({
            "object": "billing.alert_triggered",
            "alert": alert.value(),
            "created": now,
            "customer": customer.id(),
            "livemode": false,
            "value": used,
        }))
        .on_clock_of(customer);
        st.emit("billing.alert.triggered", &triggered);
    }
    Ok(())
}
