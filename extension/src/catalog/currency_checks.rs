//! Checks the clauses and the amounts of a business that sells in several currencies.

use super::currencies::{Currencies, sample};
use super::mistakes::Mistakes;
use super::product::Proposed;
use super::rate::Rate;
use super::schema::{PaidCredit, TypeDecl};
use super::settings::Settings;
use crate::model::money::{sendable, smallest_charge};
use extension_contract::pointer::escaped;
use extension_contract::{FieldError, FieldErrorCode, Money};
use std::collections::BTreeSet;

/// What a clause whose amounts are in one currency needs.
const ONE: &str = "one currency in the policy `currency`";

/// Checks the amounts of usage and credits in other currencies, and that a business with several has no clause whose amounts are in one.
pub(crate) fn check_clauses(settings: &Settings, decls: &[(usize, TypeDecl)], mistakes: &mut Mistakes) {
    let currencies = &settings.currency;
    for (meter, rate) in &settings.rates {
        check_rate(rate, &format!("/rates/{}", escaped(meter)), currencies, mistakes);
    }
    for (index, decl) in decls {
        check_credits(decl, &format!("/product_types/{index}/on_paid"), currencies, mistakes);
        if decl.split.is_some() && currencies.are_several() {
            let found = "sellers price their products in one currency, and the business sells in several";
            mistakes.wrong(&format!("/product_types/{index}/split"), found, ONE);
        }
    }
}

/// Checks that a rate has a price in each currency for each value, and no other amount.
fn check_rate(rate: &Rate, path: &str, currencies: &Currencies, mistakes: &mut Mistakes) {
    for code in rate.currencies.keys().filter(|code| ***code == **currencies || !currencies.has(code)) {
        let place = format!("{path}/currencies/{}", escaped(code));
        match **code == **currencies {
            true => {
                let found = format!("the prices in {code}, the default currency, stand beside `currencies`");
                mistakes.wrong(&place, found, "another currency");
            }
            false => {
                let found = format!("the business does not sell in `{code}`");
                mistakes.push(FieldError::new(place, FieldErrorCode::NotAllowed, found).expecting(currencies.choice()));
            }
        }
    }
    if !currencies.are_several() {
        return;
    }
    let values: BTreeSet<&str> = rate.priced().collect();
    for code in currencies.all().skip(1) {
        let place = format!("{path}/currencies");
        let Some(prices) = rate.currencies.get(code) else {
            let found = format!("no price in {code}, so the usage of an account that pays in it would have none");
            mistakes.add(&place, FieldErrorCode::Missing, found, format!("`{code}: {{micros: …}}`"));
            continue;
        };
        let priced: BTreeSet<&str> = prices.priced().collect();
        if priced != values {
            let of = |values: &BTreeSet<&str>| match values.iter().all(|value| value.is_empty()) {
                true => "one price".to_owned(),
                false => format!("prices for {}", values.iter().copied().collect::<Vec<_>>().join(", ")),
            };
            let found = format!("{} in {code}", of(&priced));
            mistakes.wrong(
                &format!("{place}/{}", escaped(code)),
                found,
                format!("{}, as in {}", of(&values), &**currencies),
            );
        }
    }
    let amounts =
        rate.invoice.as_ref().map(|terms| [("invoice/min", terms.min != 0), ("invoice/limit", terms.limit.is_some())]);
    let in_one = [("seller", rate.seller.is_some()), ("group", !rate.group.is_empty())];
    for (clause, _) in in_one.into_iter().chain(amounts.into_iter().flatten()).filter(|(_, is_written)| *is_written) {
        let found = match clause {
            "group" => "the parts of a use have no cost of their own if the business sells in several currencies",
            _ => "this amount is in one currency, and the business sells in several",
        };
        mistakes.wrong(
            &format!("{path}/{clause}"),
            found,
            format!("no `{}`, or {ONE}", clause.trim_start_matches("invoice/")),
        );
    }
}

/// Checks that a payment in each currency gives credits.
fn check_credits(decl: &TypeDecl, path: &str, currencies: &Currencies, mistakes: &mut Mistakes) {
    for (index, paid) in decl.on_paid.iter().enumerate() {
        let Some(code) = paid.currency.as_ref() else { continue };
        let place = format!("{path}/{index}/currency");
        if !currencies.has(code) {
            let found = format!("the business does not sell in `{code}`");
            mistakes.push(FieldError::new(place, FieldErrorCode::NotAllowed, found).expecting(currencies.choice()));
        } else if **code == **currencies {
            mistakes.wrong(&place, format!("{code} is the default currency"), "no `currency`");
        }
    }
    let missing = currencies.all().enumerate().filter(|(index, code)| {
        let is_given = |paid: &PaidCredit| match index {
            0 => paid.currency.is_none(),
            _ => paid.currency.as_deref() == Some(*code),
        };
        !decl.on_paid.is_empty() && !decl.on_paid.iter().any(is_given)
    });
    let missing: Vec<&str> = missing.map(|(_, code)| code).collect();
    if !missing.is_empty() {
        let found = format!("a payment in {} would give no credits", missing.join(" or "));
        let expected = "credits in each currency, such as `{credit: \"{product.credits_eur}\", currency: eur}`";
        mistakes.add(path, FieldErrorCode::Missing, found, expected);
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
