//! What meters counted, and what it costs at the end of a period.

use serde_json::Value;

use crate::error::ApiError;
use crate::object::Object;
use crate::state::State;

/// Whether a price bills what a meter counted instead of a quantity.
pub fn is_metered(price: &Value) -> bool {
    price["recurring"]["usage_type"] == "metered"
}

/// What a meter counted for a customer from a time until another, which is not in it.
pub fn counted(st: &State, meter: &Object, customer: &str, from_s: i64, until_s: i64) -> Result<i64, ApiError> {
    let of = |event: &std::sync::Arc<Object>| {
        event.get("event_name") == meter.get("event_name")
            && event.text("_customer") == customer
            && !event.is("_cancelled")
            && (from_s..until_s).contains(&event.int("timestamp"))
    };
    // Newest first, as they came in; of one second the later one is the last.
    let events = st.newest("billing.meter_event", None).filter(of);
    match meter.text_at("default_aggregation.formula") {
        Some("count") => Ok(i64::try_from(events.count()).unwrap_or(i64::MAX)),
        Some("last") => {
            let last = events.fold(None, |last: Option<(i64, i64)>, event| {
                let one = (event.int("timestamp"), event.int("_value"));
                Some(last.filter(|known| known.0 >= one.0).unwrap_or(one))
            });
            Ok(last.map_or(0, |(_, value)| value))
        }
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
