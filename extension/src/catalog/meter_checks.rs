//! Checks of meters: each meter that is named is declared, and each declared meter is named by what measures with it.

use super::entitlement::{EntitlementDecl, EntitlementKind, Entitlements};
use super::meter::{Formula, MeterDecl, Meters, is_sum, measured_by};
use super::mistakes::Mistakes;
use super::rate::{Rate, Rates};
use super::schema::{Meter, TypeDecl};
use super::span::Span;
use super::words::one_of;
use extension_contract::FieldErrorCode;
use extension_contract::pointer::escaped;

/// Shortest time of which each begun one counts, in seconds: a day then has no more units than minutes.
const EVERY_MIN_S: i64 = 60;
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
pub(crate) fn check_meters(declared: &Meters, meters: &Meters, named: &Named<'_>, mistakes: &mut Mistakes) {
    for (name, rate) in named.rates {
        check_rated(name, rate, meters, mistakes);
    }
    for (key, entitlement) in named.entitlements {
        if let Some(name) = &entitlement.meter {
            check_measured(key, entitlement, name, meters, named, mistakes);
        }
    }
    let of_types = |name: &str| named.types.iter().any(|decl| decl.meters.iter().any(|meter| meter.meter == name));
    for (name, decl) in declared {
        check_meter_event(name, decl, named, mistakes);
        let path = format!("/meters/{}", escaped(name));
        let measured = measured_by(named.entitlements, name).is_some();
        if named.entitlements.get(name).is_some_and(|decl| decl.meter.as_ref() != Some(name)) {
            let found = format!("`{name}` is an entitlement that the meter does not measure");
            mistakes.absent(&["entitlements"], &path, found, format!("`meter: {name}` there"));
        } else if !measured && !named.rates.contains_key(name) && !of_types(name) {
            let found = format!("nothing names the meter `{name}`");
            let clauses = &["product_types", "entitlements", "rates"];
            mistakes.absent(clauses, &path, found, "a rate, an entitlement or a type that names it");
        }
    }
}

/// Checks the meter of a rate, and the attributes that the rate names.
fn check_rated(name: &str, rate: &Rate, meters: &Meters, mistakes: &mut Mistakes) {
    let path = format!("/rates/{}", escaped(name));
    let names: Vec<&String> = meters.keys().collect();
    let Some(meter) = known_among(meters, name, &names, &path, mistakes) else { return };
    if meter.formula != Formula::Sum {
        let found = format!("the newest measurement of `{name}` counts, so no unit has a price");
        mistakes.wrong(&path, found, "`formula: sum`");
    }
    if mistakes.is_left_out(&format!("/meters/{}", escaped(name))) {
        return;
    }
    let by = [
        ("by", Some(&rate.by).filter(|by| !by.is_empty())),
        ("seller/by", rate.seller.as_ref().map(|seller| &seller.by)),
    ];
    let by = by.into_iter().filter_map(|(place, attribute)| Some((place.to_owned(), attribute?)));
    let group = rate.group.iter().enumerate().map(|(index, attribute)| (format!("group/{index}"), attribute));
    for (place, attribute) in by.chain(group).filter(|(_, attribute)| !meter.attributes.contains(attribute)) {
        let what = format!("is not an attribute of the meter `{name}`");
        mistakes.unknown_in(&path, &format!("{path}/{place}"), attribute, &what, one_of(&meter.attributes));
    }
}

/// Checks the meter of an entitlement.
fn check_measured(
    key: &str,
    entitlement: &EntitlementDecl,
    name: &str,
    meters: &Meters,
    named: &Named<'_>,
    mistakes: &mut Mistakes,
) {
    let path = format!("/entitlements/{}/meter", escaped(key));
    let is_counter = entitlement.kind == EntitlementKind::Counter;
    let is_other = |(other, decl): &(&String, &EntitlementDecl), name: &str| {
        other.as_str() != key && decl.meter.as_deref() == Some(name)
    };
    let is_free = |name: &str, meter: &MeterDecl| {
        named.rates.get(name).is_none_or(|rate| is_counter && rate.by.is_empty())
            && (!is_counter || meter.formula == Formula::Sum)
            && !named.entitlements.iter().any(|other| is_other(&other, name))
    };
    let free: Vec<&String> = meters.iter().filter(|(name, meter)| is_free(name, meter)).map(|(name, _)| name).collect();
    let Some(meter) = known_among(meters, name, &free, &path, mistakes) else { return };
    if !is_counter && entitlement.kind != EntitlementKind::Limit {
        let expected = "`kind: counter` or `kind: limit`";
        mistakes.wrong(&path, "only counters and limits are measured", expected);
    } else if is_counter && meter.formula != Formula::Sum {
        let found = format!("the newest measurement of `{name}` counts, so it is not a counter");
        mistakes.wrong(&path, found, "`formula: sum`");
    } else if !is_counter && named.rates.contains_key(name) {
        let found = format!("measurements of `{name}` have a price and count for no limit");
        mistakes.wrong(&path, found, format!("a meter without a rate, {}", listed(&free)));
    } else if let Some(rate) = named.rates.get(name).filter(|rate| !rate.by.is_empty()) {
        // The amount of the counter is included in the price.
        let by = &rate.by;
        let found =
            format!("the units of `{name}` have prices by `{by}`, and an included amount does not say which are free");
        mistakes.wrong(&path, found, format!("a meter without prices by an attribute, {}", listed(&free)));
    } else if let Some((other, _)) = named.entitlements.iter().find(|other| is_other(other, name)) {
        mistakes.wrong(&path, format!("`{name}` measures `{other}` already"), "another meter");
    }
}

/// Lists names after a description.
fn listed(names: &[&String]) -> String {
    match names {
        [] => "of which there are none".to_owned(),
        names => format!("one of {}", names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

/// Checks that what Stripe's meter gets is a sum, and that nobody else bills it.
fn check_meter_event(name: &str, decl: &MeterDecl, named: &Named<'_>, mistakes: &mut Mistakes) {
    let Some(event) = &decl.meter_event else { return };
    let path = format!("/meters/{}/meter_event", escaped(name));
    if event.is_empty() || event.chars().count() > EVENT_NAME_MAX {
        let expected = format!("1 to {EVENT_NAME_MAX} characters");
        mistakes.add(&path, FieldErrorCode::OutOfRange, "", expected);
    } else if decl.formula != Formula::Sum {
        mistakes.wrong(&path, "the newest measurement counts, and days are not sums", "`formula: sum`");
    } else if named.rates.contains_key(name) {
        let found = format!("`{name}` has a rate, and would be paid twice");
        mistakes.wrong(&path, found, "a meter without a rate");
    }
}

/// Checks the names in the meters of a type.
pub(crate) fn check_meters_of(decl: &TypeDecl, meters: &Meters, path: &str, mistakes: &mut Mistakes) {
    let names: Vec<&String> = meters.keys().collect();
    for (index, meter) in decl.meters.iter().enumerate() {
        let place = format!("{path}/meters/{index}");
        let known = known_among(meters, &meter.meter, &names, &format!("{place}/meter"), mistakes);
        if let Some(every) = meter.every {
            check_running(meter, every, &place, mistakes);
            if known.is_some() && !is_sum(meters, &meter.meter) {
                let found = format!("only the newest measurement of `{}` counts", meter.meter);
                mistakes.wrong(&format!("{place}/every"), found, "a meter whose measurements are summed up");
            }
            continue;
        }
        if known.is_some() && meter.of.is_some() && !is_sum(meters, &meter.meter) {
            let found = format!("the newest measurement of `{}` counts in no period", meter.meter);
            mistakes.wrong(&format!("{place}/of"), found, "no `of`");
        }
    }
    // The time of the last measurement of a sum is not stored.
    for (index, expected) in decl.expects.iter().enumerate().filter(|(_, expected)| is_sum(meters, &expected.meter)) {
        let found = format!("`{}` is a sum", expected.meter);
        mistakes.wrong(&format!("{path}/expects/{index}/meter"), found, "a meter with `formula: last`");
    }
}

/// Checks a meter that counts the time for which a product runs.
fn check_running(meter: &Meter, every: Span, place: &str, mistakes: &mut Mistakes) {
    if every.seconds() < EVERY_MIN_S {
        let expected = format!("at least {EVERY_MIN_S}s");
        mistakes.add(&format!("{place}/every"), FieldErrorCode::OutOfRange, "", expected);
    }
    if meter.of.is_some() {
        let found = "the account uses what the program counts, and `of` is for measurements of a product";
        mistakes.wrong(&format!("{place}/of"), found, "no `of`");
    }
}

/// Checks that the time for which products run is usage of the account, which one price or an entitlement counts.
pub(crate) fn check_time_used(
    decl: &TypeDecl,
    (rates, entitlements): (&Rates, &Entitlements),
    path: &str,
    mistakes: &mut Mistakes,
) {
    for (index, meter) in decl.meters.iter().enumerate().filter(|(_, meter)| meter.every.is_some()) {
        let (name, place) = (&meter.meter, format!("{path}/meters/{index}/meter"));
        match rates.get(name) {
            Some(rate) if !rate.by.is_empty() => {
                let found =
                    format!("the rate of `{name}` has prices by `{}`, and running time has no attributes", rate.by);
                mistakes.wrong(&place, found, "a rate with one price");
            }
            None if measured_by(entitlements, name).is_none() => {
                let found = format!("nothing counts `{name}` for the account");
                mistakes.absent(&["rates", "entitlements"], &place, found, "a rate, or a counter with this meter");
            }
            _ => {}
        }
    }
}

/// Returns a meter. The mistake of an unknown one lists `names`.
fn known_among<'m>(
    meters: &'m Meters,
    name: &str,
    names: &[&String],
    path: &str,
    mistakes: &mut Mistakes,
) -> Option<&'m MeterDecl> {
    let meter = meters.get(name);
    if meter.is_none() {
        mistakes.unknown(path, name, "is not a meter of the clause `meters`", one_of(names));
    }
    meter
}
