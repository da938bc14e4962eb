//! What meters counted, and what it costs at the end of a period.

use serde_json::Value;

use crate::error::ApiError;
use crate::object::Object;
use crate::state::State;

/// Whether a price bills what a meter counted instead of a quantity.
pub fn is_metered(price: &Value) -> bool {
    price["recurring"]["usage_type"] == "metered"
}

/// The series that a customer's meter events of a name are counted in.
pub fn series(customer: &str, event_name: &str) -> String {
    format!("{customer}:{event_name}")
}

/// What a meter counted for a customer from a time until another, which is not in it.
pub fn counted(st: &State, meter: &Object, customer: &str, from_s: i64, until_s: i64) -> Result<i64, ApiError> {
    let series = series(customer, meter.text("event_name"));
    let mut events = st.series(series, from_s..until_s).filter(|event| !event.is("_cancelled"));
    match meter.text_at("default_aggregation.formula") {
        Some("count") => Ok(i64::try_from(events.count()).unwrap_or(i64::MAX)),
        Some("last") => Ok(events.next().map_or(0, |event| event.int("_value"))),
        _ => {
            let mut sum = 0_i64;
            for event in events {
                let too_large = || ApiError::coded("amount_too_large", "The meter counted more than can be billed.");
                sum = sum.checked_add(event.int("_value")).ok_or_else(too_large)?;
            }
            Ok(sum)
        }
    }
}

/// How much of a metered item a customer used in a period.
pub fn of_item(st: &State, sub: &Object, price: &Value, period: (i64, i64)) -> Result<i64, ApiError> {
    let meter = st.copy(price["recurring"]["meter"].as_str().unwrap_or_default());
    counted(st, &meter, sub.text("customer"), period.0, period.1)
}
