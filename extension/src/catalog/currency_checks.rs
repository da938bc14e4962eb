//! Checks the clauses and the amounts of a business that sells in several currencies.

use super::currencies::sample;
use super::mistakes::Mistakes;
use super::product::Proposed;
use super::schema::TypeDecl;
use super::settings::Settings;
use crate::model::money::{sendable, smallest_charge};
use extension_contract::pointer::escaped;
use extension_contract::{FieldErrorCode, Money};

/// Checks that a business with several currencies has no clause whose amounts are in one.
pub(crate) fn check_clauses(settings: &Settings, decls: &[(usize, TypeDecl)], mistakes: &mut Mistakes) {
    if !settings.currency.are_several() {
        return;
    }
    let expected = "one currency in the policy `currency`";
    for meter in settings.rates.keys() {
        let found = "prices of usage are in one currency, and the business sells in several";
        mistakes.wrong(&format!("/rates/{}", escaped(meter)), found, expected);
    }
    for (index, decl) in decls {
        if decl.split.is_some() {
            let found = "sellers price their products in one currency, and the business sells in several";
            mistakes.wrong(&format!("/product_types/{index}/split"), found, expected);
        }
        if !decl.on_paid.is_empty() {
            let found = "credits pay for usage, whose prices are in one currency, and the business sells in several";
            mistakes.wrong(&format!("/product_types/{index}/on_paid"), found, expected);
        }
    }
}

/// Checks that customers can pay a price in each currency, and that Stripe takes the amounts. `least` is the smallest quantity of a
/// purchase.
pub(crate) fn check_amounts(
    proposed: &Proposed,
    (least, has_trial): (u32, bool),
    path: &str,
    settings: &Settings,
    mistakes: &mut Mistakes,
) {
    let currencies = &settings.currency;
    for price in proposed.prices(currencies) {
        let place = format!("{path}/prices/{}", price.interval.name());
        let missing: Vec<&str> = currencies.all().filter(|code| price.amount_in(code).is_none()).collect();
        if !missing.is_empty() && price.amount.amount_minor > 0 && proposed.values.active {
            let (found, expected) = (
                format!("no amount in {}, so an account that pays in it could not buy this", missing.join(" and ")),
                format!("an amount in each currency, such as `{}`", sample(&price.amount, &missing)),
            );
            mistakes.add(&place, FieldErrorCode::Missing, found, expected);
        }
        let amounts: Vec<Money> = currencies.all().filter_map(|code| price.amount_in(code)).collect();
        let are_free = amounts.iter().filter(|amount| amount.amount_minor == 0).count();
        if are_free > 0 && are_free < amounts.len() {
            mistakes.wrong(&place, "free in one currency and not in another", "0 in each currency, or in none");
        }
        for Money { amount_minor, currency } in amounts {
            let due = amount_minor.saturating_mul(i64::from(least));
            let smallest = smallest_charge(&currency);
            // What a trial postpones is added up until it can be charged.
            if (1..smallest).contains(&due) && !has_trial {
                let found = format!("{due} {currency} in minor units is less than Stripe charges");
                mistakes.wrong(&place, found, format!("0, or {smallest} and more"));
            }
            let sent = sendable(amount_minor, &currency);
            if sent != amount_minor {
                let found = format!("Stripe charges no {amount_minor} {currency} in minor units");
                mistakes.wrong(&place, found, format!("a rounded amount, such as {sent}"));
            }
        }
    }
}
