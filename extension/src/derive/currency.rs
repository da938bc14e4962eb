//! The currency in which an account pays. The first purchase decides it, since Stripe refuses subscriptions in two currencies for one
//! customer, and what was paid in one currency does not pay for anything in another.

use crate::catalog::currencies::{Currencies, OtherAmounts};
use crate::catalog::product::text;
use crate::catalog::terms::{CatalogPrice, Terms};
use crate::catalog::words::one_of;
use crate::desk::Desk;
use crate::model::halt::{Ruled, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::records::ledger::Balances;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::session::SessionStatus;
use extension_contract::{FieldErrorCode, Money, Price};
use std::collections::BTreeSet;

/// Member of a command with the currency that the customer chooses.
const CURRENCY: &str = "currency";
/// Beginning of the ledgers of received money. Credits that operators give decide no currency.
const CASH: &str = "cash:";

/// Returns the currencies in which an account has paid or begun a subscription. There are several only if checkouts in two
/// currencies were open at once.
fn used(desk: &mut Desk<'_>) -> Ruled<BTreeSet<String>> {
    let balances = desk.account.get::<Balances>(Balances::ID)?.unwrap_or_default();
    let mut used: BTreeSet<String> = balances
        .0
        .iter()
        .filter(|(name, _)| name.starts_with(CASH))
        .flat_map(|(_, sums)| sums.keys().cloned())
        .collect();
    for (_, row) in desk.account.all::<PurchaseRow>()? {
        let is_begun = |status: SessionStatus| matches!(status, SessionStatus::Complete | SessionStatus::Paid);
        if row.values.session_id.is_some() && row.details.counts.as_ref().is_some_and(|of| is_begun(of.status)) {
            used.insert(row.values.amount.currency.clone());
        }
    }
    Ok(used)
}

/// Returns the currency in which an account pays; `None` if it can choose one. It may be one that the business has sold in before.
pub(crate) fn chosen(desk: &mut Desk<'_>) -> Ruled<Option<String>> {
    let settings = desk.catalog.settings()?;
    Ok(preferred(used(desk)?, &settings.currency))
}

/// Returns the currency of an account's usage: the one in which it pays, or the default one as long as it can choose.
pub(crate) fn of_usage(desk: &mut Desk<'_>) -> Ruled<String> {
    let settings = desk.catalog.settings()?;
    let currencies = &settings.currency;
    let mut used = match currencies.are_several() {
        true => used(desk)?,
        false => BTreeSet::new(),
    };
    used.retain(|code| currencies.has(code));
    Ok(preferred(used, currencies).unwrap_or_else(|| currencies.to_string()))
}

/// Returns the default currency if an account has used it, or else another one that it has used.
fn preferred(used: BTreeSet<String>, default: &str) -> Option<String> {
    used.get(default).or_else(|| used.first()).cloned()
}

/// Returns the amount of a price for an account that pays in a currency. It is in the default one if the account can choose, or if the
/// price has none in its own.
pub(crate) fn amount(price: &CatalogPrice, currency: Option<&str>) -> Ruled<Money> {
    let in_own = match currency {
        Some(currency) => price.amount_in(currency)?,
        None => None,
    };
    Ok(in_own.unwrap_or_else(|| price.amount.clone()))
}

/// Returns a price as it is shown to an account that pays in a currency: with its amount in this currency, and no other. An account
/// that can choose sees the amounts in the currencies of the business.
pub(crate) fn shown(price: &CatalogPrice, currency: Option<&str>, of_business: &Currencies) -> Ruled<Price> {
    let of_price = &price.terms()?.currencies;
    let in_own = match currency {
        Some(currency) => price.amount_in(currency)?,
        None => None,
    };
    let kept: OtherAmounts = match in_own {
        Some(_) => OtherAmounts::new(),
        None => of_price
            .iter()
            .filter(|(code, _)| of_business.has(code))
            .map(|(code, minor)| (code.clone(), *minor))
            .collect(),
    };
    let amount = in_own.unwrap_or_else(|| price.amount.clone());
    if kept == *of_price && amount == price.amount {
        return Ok(Price::clone(price));
    }
    let terms = Terms { currencies: kept, ..price.terms()?.clone() };
    Ok(Price { amount, terms: encode(&terms)?, ..Price::clone(price) })
}

/// Returns the amount for one unit of a price in the currency of the account. A new account pays in the currency that the command
/// names, by default the business's first. Fails if the command names a currency that the account does not pay in, or if nothing is
/// sold in it.
pub(crate) fn unit_price(desk: &mut Desk<'_>, body: &Object, price: &CatalogPrice) -> Ruled<Money> {
    let settings = desk.catalog.settings()?;
    let currencies = &settings.currency;
    let named = text(body, CURRENCY)?;
    let path = format!("/{CURRENCY}");
    // A price may have amounts in currencies in which the business sells no longer.
    let has_one = !currencies.are_several() && price.terms()?.currencies.is_empty();
    let used = match has_one {
        true => BTreeSet::new(),
        false => used(desk)?,
    };
    let currency = match &named {
        Some(named) if !used.is_empty() && !used.contains(named) => {
            let paid: Vec<&str> = used.iter().map(String::as_str).collect();
            let found = format!("the account pays in {}, and an account pays in one currency", paid.join(" and "));
            return Err(wrong_field(&path, FieldErrorCode::NotAllowed, found, one_of(&paid)));
        }
        Some(named) if used.is_empty() && !currencies.has(named) => {
            let found = format!("nothing is sold in `{named}`");
            return Err(wrong_field(&path, FieldErrorCode::NotAllowed, found, currencies.choice()));
        }
        Some(named) => named.clone(),
        None => preferred(used, currencies).unwrap_or_else(|| currencies.to_string()),
    };
    // A business with one currency may have prices from a time when it had another.
    if has_one {
        return Ok(price.amount.clone());
    }
    price.amount_in(&currency)?.ok_or_else(|| {
        let found = format!("{} is not sold in {currency}, in which the account pays", price.product_id);
        wrong_field(&path, FieldErrorCode::NotAllowed, found, price.amount.currency.clone())
    })
}
