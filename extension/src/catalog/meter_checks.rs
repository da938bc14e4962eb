//! Checks of meters: each meter that is named is declared, and each declared meter is named by what measures with it.

use super::entitlement::{EntitlementDecl, EntitlementKind, Entitlements};
use super::meter::{Formula, MeterDecl, Meters, is_sum, measured_by};
use super::rate::Rates;
use super::schema::TypeDecl;
use super::words::{escaped, one_of};
use crate::model::halt::{Ruled, wrong_field};
use extension_contract::FieldErrorCode;

/// Maximum number of characters of an event name at Stripe.
const EVENT_NAME_MAX: usize = 100;

/// The clauses that name meters.
pub(crate) struct Named<'c> {
    /// Rates, by meter.
    pub rates: &'c Rates,
    /// Entitlements.
    pub entitlements: &'c Entitlements,
    /// Product types.
    pub types: &'c [TypeDecl],
}

/// Checks the names of meters. `declared` are the meters of the document, `meters` all meters of the business. The types are
/// checked when they are read.
pub(crate) fn check_meters(declared: &Meters, meters: &Meters, named: &Named<'_>) -> Ruled<()> {
    for (name, rate) in named.rates {
        let path = format!("/rates/{}", escaped(name));
        let meter = known(meters, name, &path)?;
        if meter.formula != Formula::Sum {
            return wrong(
                &path,
                format!("the newest measurement of `{name}` counts, so no unit has a price: expected `formula: sum`"),
            );
        }
        let by = [("by", Some(&rate.by)), ("seller/by", rate.seller.as_ref().map(|seller| &seller.by))];
        let by = by.into_iter().filter_map(|(place, attribute)| Some((place.to_owned(), attribute?)));
        let group = rate.group.iter().enumerate().map(|(index, attribute)| (format!("group/{index}"), attribute));
        for (place, attribute) in by.chain(group) {
            if !meter.attributes.contains(attribute) {
                let attributes: Vec<&str> = meter.attributes.iter().map(String::as_str).collect();
                let message =
                    format!("`{attribute}` is no attribute of the meter `{name}`: expected {}", one_of(&attributes));
                return wrong(&format!("{path}/{place}"), message);
            }
        }
    }
    for (key, entitlement) in named.entitlements {
        let Some(name) = &entitlement.meter else { continue };
        let path = format!("/entitlements/{}/meter", escaped(key));
        let is_free = |name: &str, meter: &MeterDecl| {
            let is_other =
                |(other, decl): (&String, &EntitlementDecl)| other != key && decl.meter.as_deref() == Some(name);
            !named.rates.contains_key(name)
                && (entitlement.kind != EntitlementKind::Counter || meter.formula == Formula::Sum)
                && !named.entitlements.iter().any(is_other)
        };
        let free: Vec<&str> =
            meters.iter().filter(|(name, meter)| is_free(name, meter)).map(|(name, _)| name.as_str()).collect();
        let meter = known_among(meters, name, &free, &path)?;
        if !matches!(entitlement.kind, EntitlementKind::Counter | EntitlementKind::Limit) {
            return wrong(
                &path,
                "only counters and limits are measured: expected `kind: counter` or `kind: limit`".to_owned(),
            );
        }
        if entitlement.kind == EntitlementKind::Counter && meter.formula != Formula::Sum {
            return wrong(
                &path,
                format!("the newest measurement of `{name}` counts, so it is no counter: expected `formula: sum`"),
            );
        }
        if named.rates.contains_key(name) {
            return wrong(
                &path,
                format!(
                    "measurements of `{name}` have a price and count for no entitlement: expected a meter without a rate, {}",
                    one_of(&free)
                ),
            );
        }
        let is_other = |(other, decl): &(&String, &EntitlementDecl)| *other != key && decl.meter.as_ref() == Some(name);
        if let Some((other, _)) = named.entitlements.iter().find(is_other) {
            return wrong(&path, format!("`{name}` measures `{other}` already: expected another meter"));
        }
    }
    for (name, decl) in declared {
        check_meter_event(name, decl, named)?;
    }
    let of_types = |name: &str| named.types.iter().any(|decl| decl.meters.iter().any(|meter| meter.meter == name));
    for name in declared.keys() {
        let path = format!("/meters/{}", escaped(name));
        let measured = measured_by(named.entitlements, name).is_some();
        if named.entitlements.get(name).is_some_and(|decl| decl.meter.as_ref() != Some(name)) {
            return wrong(
                &path,
                format!("`{name}` is an entitlement that the meter does not measure: expected `meter: {name}` there"),
            );
        }
        if !measured && !named.rates.contains_key(name) && !of_types(name) {
            return wrong(
                &path,
                format!("nothing names the meter `{name}`: expected a rate, an entitlement or a type that names it"),
            );
        }
    }
    Ok(())
}

/// Checks that what Stripe's meter gets is a sum, and that nobody else bills it.
fn check_meter_event(name: &str, decl: &MeterDecl, named: &Named<'_>) -> Ruled<()> {
    let Some(event) = &decl.meter_event else { return Ok(()) };
    let path = format!("/meters/{}/meter_event", escaped(name));
    if event.is_empty() || event.chars().count() > EVENT_NAME_MAX {
        let message = format!("expected 1 to {EVENT_NAME_MAX} characters");
        return Err(wrong_field(&path, FieldErrorCode::OutOfRange, message));
    }
    if decl.formula != Formula::Sum {
        return wrong(&path, "the newest measurement counts, and days are no sums: expected `formula: sum`".to_owned());
    }
    if named.rates.contains_key(name) {
        return wrong(&path, format!("`{name}` has a rate, and would be paid twice: expected a meter without a rate"));
    }
    Ok(())
}

/// Checks the names in the meters of a type.
pub(crate) fn check_meters_of(decl: &TypeDecl, meters: &Meters, path: &str) -> Ruled<()> {
    for (index, meter) in decl.meters.iter().enumerate() {
        known(meters, &meter.meter, &format!("{path}/meters/{index}/meter"))?;
        if meter.of.is_some() && !is_sum(meters, &meter.meter) {
            let message = format!("the newest measurement of `{}` counts in no period: expected no `of`", meter.meter);
            return wrong(&format!("{path}/meters/{index}/of"), message);
        }
    }
    // The time of the last measurement of a sum is not stored.
    match decl.expects.iter().position(|expected| is_sum(meters, &expected.meter)) {
        Some(index) => {
            let message = format!("`{}` is a sum: expected a meter with `formula: last`", decl.expects[index].meter);
            wrong(&format!("{path}/expects/{index}/meter"), message)
        }
        None => Ok(()),
    }
}

fn known<'m>(meters: &'m Meters, name: &str, path: &str) -> Ruled<&'m MeterDecl> {
    let names: Vec<&str> = meters.keys().map(String::as_str).collect();
    known_among(meters, name, &names, path)
}

/// Returns a meter. The message of an unknown one lists `names`.
fn known_among<'m>(meters: &'m Meters, name: &str, names: &[&str], path: &str) -> Ruled<&'m MeterDecl> {
    meters.get(name).ok_or_else(|| {
        let message = format!("`{name}` is no meter of the clause `meters`: expected {}", one_of(names));
        wrong_field(path, FieldErrorCode::NotAllowed, message)
    })
}

fn wrong(path: &str, message: String) -> Ruled<()> {
    Err(wrong_field(path, FieldErrorCode::NotAllowed, message))
}
