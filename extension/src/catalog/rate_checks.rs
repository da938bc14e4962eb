//! Checks of prices that depend on the amount of a month: tiers, and amounts that plans include.

use super::meter::included_by;
use super::mistakes::Mistakes;
use super::rate::{Rate, Rates};
use super::tiers::UnitPrice;
use super::{entitlement::CountedBy, entitlement::Entitlements};
use extension_contract::FieldErrorCode;
use extension_contract::pointer::escaped;

/// Checks the tiers of a rate, and what does not go with them or with an included amount.
pub(super) fn check_monthly(
    meter: &str,
    rates: &Rates,
    entitlements: &Entitlements,
    path: &str,
    mistakes: &mut Mistakes,
) {
    let Some(rate) = rates.get(meter) else { return };
    let places = |clause: &str, value: &str| match value {
        "" => format!("{path}/{clause}"),
        value => format!("{path}/{clause}/{}", escaped(value)),
    };
    for (value, price) in &rate.micros {
        check_tiers(price, &places("micros", value), mistakes);
    }
    for (value, price) in &rate.per_million {
        check_tiers(price, &places("per_million", value), mistakes);
    }
    for (code, prices) in &rate.currencies {
        for (value, price) in &prices.micros {
            check_tiers(price, &places(&format!("currencies/{code}/micros"), value), mistakes);
        }
        for (value, price) in &prices.per_million {
            check_tiers(price, &places(&format!("currencies/{code}/per_million"), value), mistakes);
        }
    }
    if rate.tiers.is_some() && !rate.has_tiers() {
        let expected = "a price such as [{to: 1000, price: 10000}, {price: 8000}], or no `tiers`";
        mistakes.wrong(&format!("{path}/tiers"), "no price has tiers", expected);
    }
    // The check of the counter refuses a meter whose units have prices by an attribute.
    let counter = included_by(entitlements, rates, meter).filter(|_| rate.by.is_empty());
    check_beside(rate, counter.is_some(), path, mistakes);
    if let Some((key, _)) = counter.filter(|(_, decl)| decl.period == Some(CountedBy::BillingPeriod)) {
        let found = format!("`{meter}` has a price, and its usage is invoiced by calendar months");
        mistakes.wrong(&format!("/entitlements/{}/period", escaped(key)), found, "`calendar_month`");
    }
}

/// Checks clauses that would divide an amount of which the price is known only as a whole.
fn check_beside(rate: &Rate, is_included: bool, path: &str, mistakes: &mut Mistakes) {
    let why = match (rate.has_tiers(), is_included) {
        (true, _) => "the price has tiers",
        (false, true) => "plans include an amount",
        (false, false) => return,
    };
    if rate.seller.is_some() {
        let found = format!("{why}, and what a seller charges is the same for each unit");
        mistakes.wrong(&format!("{path}/seller"), found, "another meter for the product of a seller");
    }
    if !rate.group.is_empty() {
        let found = format!("{why}, so its parts have no cost of their own");
        mistakes.wrong(&format!("{path}/group"), found, "no `group`");
    }
}

/// Checks that tiers follow each other without gaps, that the last has no end, and that each changes the price.
fn check_tiers<P: PartialEq>(price: &UnitPrice<P>, place: &str, mistakes: &mut Mistakes) {
    let UnitPrice::Tiers(tiers) = price else { return };
    if tiers.len() < 2 {
        mistakes.wrong(place, "all units have the price of one tier", "two tiers or more, or the price alone");
        return;
    }
    let mut before = 0;
    for (index, tier) in tiers.iter().enumerate() {
        let to = format!("{place}/{index}/to");
        let is_last = index + 1 == tiers.len();
        match tier.to {
            Some(_) if is_last => {
                mistakes.wrong(&to, "the units beyond the last tier would have no price", "no `to` in the last tier");
            }
            None if !is_last => {
                mistakes.add(
                    &to,
                    FieldErrorCode::Missing,
                    "",
                    "the last unit of the tier; only the last tier has no end",
                );
            }
            Some(end) if end <= before => {
                mistakes.add(&to, FieldErrorCode::OutOfRange, "", format!("more than {before}"));
            }
            end => before = end.unwrap_or(before),
        }
        if index > 0 && tiers[index - 1].price == tier.price {
            let found = "the tier before it has the same price";
            mistakes.wrong(&format!("{place}/{index}/price"), found, "another price, or one tier less");
        }
    }
}
