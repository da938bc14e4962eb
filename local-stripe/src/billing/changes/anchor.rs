//! Determines where a new subscription's billing cycle begins: at an anchor in the request, or with a start in the past.

use serde_json::Value;

use crate::calendar;
use crate::error::ApiError;
use crate::params::Args;

/// Number of intervals to go back when looking for the day of an anchor: the 29th of February recurs within eight years.
const INTERVALS_BACK: i64 = 9;

/// Returns the anchor in the request, in Unix seconds, checked against the first natural billing date, which is counted from `now` or from
/// the end of the trial.
///
/// # Errors
/// The anchor is not in the future, is later than the first natural billing date, or is given twice.
pub fn of(args: &Args, price: &Value, now: i64, trial_end: Option<i64>) -> Result<Option<i64>, ApiError> {
    let param = "billing_cycle_anchor";
    let config = args.given("billing_cycle_anchor_config").map(|_| args.map("billing_cycle_anchor_config"));
    let anchor = match (args.int(param), config) {
        (None, None) => return Ok(None),
        (Some(anchor), None) => anchor,
        (None, Some(config)) => return by_config(&config, price, trial_end.unwrap_or(now)).map(Some),
        (Some(_), Some(_)) => {
            let message =
                "You may only specify one of these parameters: billing_cycle_anchor, billing_cycle_anchor_config.";
            return Err(ApiError::invalid(message).about(param));
        }
    };
    if anchor <= now {
        return Err(ApiError::invalid("`billing_cycle_anchor` must be in the future.").about(param));
    }
    let natural = calendar::after(trial_end.unwrap_or(now), price, 1);
    if anchor > natural {
        let message = format!(
            "billing_cycle_anchor cannot be later than next natural billing date ({natural}) for plan {}",
            price["id"].as_str().unwrap_or_default()
        );
        return Err(ApiError::invalid(message).about(param));
    }
    Ok(Some(anchor))
}

/// Returns an anchor with the day and the time of `billing_cycle_anchor_config`. The first billing date is the first such day after `from`.
/// If its month is too short, the anchor is an earlier date with that day, so that later months bill on the right day.
fn by_config(config: &Args, price: &Value, from: i64) -> Result<i64, ApiError> {
    let param = "billing_cycle_anchor_config";
    let (interval, count) = calendar::interval(price);
    if !matches!(interval, "month" | "year") {
        let message = "A billing_cycle_anchor_config is for prices whose interval is a month or a year.";
        return Err(ApiError::invalid(message).about(param));
    }
    let day = config.int("day_of_month").ok_or_else(|| ApiError::missing(&format!("{param}[day_of_month]")))?;
    let time = [config.int("hour"), config.int("minute"), config.int("second")];
    let wanted = calendar::Day { month: config.int("month"), day, time };
    let invalid = || ApiError::invalid("Invalid billing_cycle_anchor_config.").about(param);
    let first = wanted.first_after(from).ok_or_else(invalid)?;
    let mut earlier = (0..INTERVALS_BACK).map(|back| calendar::add(first, interval, -back * count));
    Ok(earlier.find_map(|date| wanted.in_month_of(date)).unwrap_or(first))
}

/// Returns `backdate_start_date`, in Unix seconds.
///
/// # Errors
/// The time is not in the past, or there is a trial.
pub fn backdated(args: &Args, now: i64, trial_end: Option<i64>) -> Result<Option<i64>, ApiError> {
    let param = "backdate_start_date";
    let Some(start) = args.int(param) else { return Ok(None) };
    if start >= now {
        return Err(ApiError::invalid("`backdate_start_date` must be in the past.").about(param));
    }
    if trial_end.is_some() {
        let message = "The local sandbox backdates no subscription with a trial.";
        return Err(ApiError::invalid(message).about(param));
    }
    Ok(Some(start))
}
