//! Registrations: where the seller collects taxes.

use serde_json::{Value, json};

use super::Place;
use super::rates::{EUROPEAN_UNION, RATES, Rate};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;
use crate::state::State;

/// The maximum number of registrations of an account, which exceeds the number of places with a rate.
pub const REGISTRATIONS_MAX: usize = 200;

/// The taxes that one registration covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// The taxes of one country; in Canada, those of the federation.
    Country,
    /// Taxes of all countries of the European Union.
    OneStopShop,
    /// The taxes of a state or province.
    State,
}

/// Returns what a registration covers, and its state or province.
fn scheme_of<'r>(country: &str, options: &'r Value) -> (Scheme, &'r str) {
    let kind = options["type"].as_str().unwrap_or_default();
    match (country, kind) {
        ("US", _) => (Scheme::State, options["state"].as_str().unwrap_or_default()),
        ("CA", "province_standard") => {
            (Scheme::State, options["province_standard"]["province"].as_str().unwrap_or_default())
        }
        (_, "oss_union" | "oss_non_union") => (Scheme::OneStopShop, ""),
        _ => (Scheme::Country, ""),
    }
}

/// Whether a Canadian rate belongs to a province alone.
fn is_provincial(rate: &Rate) -> bool {
    matches!(rate.kind, "pst" | "qst" | "rst")
}

/// Whether a registration covers a rate of a place.
fn covers(registration: &Object, rate: &Rate) -> bool {
    let country = registration.text("country");
    let options = registration.at(&format!("country_options.{}", country.to_lowercase()));
    match scheme_of(country, options) {
        (Scheme::OneStopShop, _) => EUROPEAN_UNION.contains(&rate.country),
        (Scheme::State, state) => {
            country == rate.country && state == rate.state && (country != "CA" || is_provincial(rate))
        }
        (Scheme::Country, _) => country == rate.country && !(country == "CA" && is_provincial(rate)),
    }
}

/// The status of a registration at a time.
fn status(registration: &Object, now: i64) -> &'static str {
    match (registration.int("active_from"), registration.int_at("expires_at")) {
        (_, Some(end)) if end <= now => "expired",
        (start, _) if start > now => "scheduled",
        _ => "active",
    }
}

/// Returns a registration with its current status.
pub fn shown(registration: &Object, now: i64) -> Object {
    let mut shown = registration.clone();
    shown.set("status", status(registration, now));
    shown
}

/// Returns the rates of a place that the seller collects at a time.
pub fn collected(st: &State, place: &Place, now: i64) -> Vec<Rate> {
    let active: Vec<_> =
        st.newest("tax.registration", None).filter(|registration| status(registration, now) == "active").collect();
    let of_place = |rate: &&Rate| rate.country == place.country && (rate.state.is_empty() || rate.state == place.state);
    let is_covered = |rate: &&Rate| active.iter().any(|registration| covers(registration, rate));
    RATES.iter().filter(of_place).filter(is_covered).copied().collect()
}

/// Creates the requested registration.
///
/// # Errors
/// A parameter is missing or invalid, the sandbox has no rate for the place, or the seller is already registered there.
pub fn create(st: &mut State, args: &Args) -> Result<Object, ApiError> {
    let now = st.clock_s();
    let country = args.text("country").unwrap_or_default().to_uppercase();
    let lower = country.to_lowercase();
    let param = format!("country_options[{lower}]");
    let options = args.map("country_options").value(&lower);
    let kind = options["type"].as_str().ok_or_else(|| ApiError::missing(&format!("{param}[type]")))?;
    match (country.as_str(), kind) {
        ("US", "state_sales_tax") if !options["state"].is_string() => {
            return Err(ApiError::missing(&format!("{param}[state]")));
        }
        ("CA", "province_standard") if !options["province_standard"]["province"].is_string() => {
            return Err(ApiError::missing(&format!("{param}[province_standard][province]")));
        }
        _ => {}
    }
    let time = |name: &str| match args.text(name) {
        Some("now") => Some(now),
        _ => args.int(name),
    };
    let id = st.new_id("taxreg");
    let made = Object::of(json!({
        "id": id,
        "object": "tax.registration",
        "active_from": time("active_from"),
        "country": country,
        "country_options": { lower.as_str(): options },
        "created": now,
        "expires_at": time("expires_at"),
        "livemode": false,
        "status": "active",
    }));
    if !RATES.iter().any(|rate| covers(&made, rate)) {
        let message = format!("The local Stripe has no tax rate for this registration in {country}.");
        return Err(ApiError::invalid(message).about(&param));
    }
    check_dates(&made)?;
    let is_same = |known: &std::sync::Arc<Object>| {
        known.get("country_options") == made.get("country_options") && status(known, now) != "expired"
    };
    if st.newest("tax.registration", None).any(|known| is_same(&known)) {
        let message = format!("You already have a registration of this type in {country}.");
        return Err(ApiError::invalid(message).about("country"));
    }
    if st.count("tax.registration") >= REGISTRATIONS_MAX {
        return Err(ApiError::invalid(format!("An account can have at most {REGISTRATIONS_MAX} registrations.")));
    }
    Ok(shown(&st.put(made), now))
}

/// Changes when a registration begins and ends.
///
/// # Errors
/// The registration is unknown, or would end before it begins.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Object, ApiError> {
    let now = st.clock_s();
    let mut next = Object::clone(&*st.load("tax.registration", id, "id")?);
    for name in ["active_from", "expires_at"] {
        match args.text(name) {
            Some("now") => next.set(name, now),
            _ if args.has(name) => next.set(name, args.value(name)),
            _ => {}
        }
    }
    check_dates(&next)?;
    Ok(shown(&st.put(next), now))
}

fn check_dates(registration: &Object) -> Result<(), ApiError> {
    match registration.int_at("expires_at") {
        Some(end) if end < registration.int("active_from") => {
            Err(ApiError::invalid("`expires_at` must be after `active_from`.").about("expires_at"))
        }
        _ => Ok(()),
    }
}
