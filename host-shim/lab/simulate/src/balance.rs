//! Compares the money in the host's books with the balance transactions of the local Stripe, and checks for each
//! payment that no more goes back and on than was received.

use crate::chargebacks::left;
use crate::closing::asked;
use crate::done::Done;
use crate::judge::Difference;
use crate::lots::Bought;
use crate::oracle::Oracle;
use crate::sandbox::Stripe;
use crate::taxes::Taxes;
use host_engine::read;
use host_store::{Read, Scope};
use local_stripe::object::Object;
use serde_json::Value;
use std::collections::BTreeMap;

/// Checks the balance transactions of an account's Stripe against its balances, and each payment.
///
/// # Errors
///
/// Returns the first difference.
pub(crate) fn check(store: &dyn Read, scope: &Scope, stripe: &Stripe, oracle: &Oracle) -> Result<(), Difference> {
    check_books(store, scope, stripe)?;
    check_payments(store, scope, stripe, &oracle.bought)?;
    // A closing gives back what nobody asked for; the closing itself is checked elsewhere.
    if oracle.closing.is_none() { check_refunds(stripe, oracle) } else { Ok(()) }
}

/// Checks that each refund at Stripe was asked for, with its amount, and only once.
fn check_refunds(stripe: &Stripe, oracle: &Oracle) -> Result<(), Difference> {
    for charge in stripe.all("charge") {
        let expected = oracle.refunds.get(charge.id()).copied().unwrap_or(Some(0));
        let made = asked(stripe, charge.id());
        if expected.is_some_and(|expected| expected != made) {
            let (what, expected) = (format!("refunds of {}", charge.id()), expected.unwrap_or_default());
            return Err(Difference::new(what, expected.to_string(), made.to_string()));
        }
    }
    Ok(())
}

/// Checks the credits for lost days: all together are at most what was paid, by card or balance, for the periods in which
/// the days lie.
///
/// # Errors
///
/// Returns the first difference.
pub(crate) fn check_credits(stripe: &Stripe, done: &Done) -> Result<(), Difference> {
    let since_s = |key: &str| key.rsplit(':').next().and_then(|ms| ms.parse::<i64>().ok()).map(|ms| ms / 1_000);
    let Some(first_s) = done.credits.iter().filter_map(|(key, _)| since_s(key)).min() else { return Ok(()) };
    let all = stripe.all("invoice").into_iter().filter(|invoice| invoice.text("status") == "paid");
    let lies_there = |invoice: &Object| {
        let ends = invoice.list_at("lines").iter().filter_map(|line| line["period"]["end"].as_i64());
        ends.max().is_some_and(|end_s| end_s > first_s)
    };
    let paid: i64 = all.filter(|invoice| lies_there(invoice)).map(|invoice| invoice.int("total").max(0)).sum();
    let credited: i64 = done.credits.iter().map(|(_, amount)| amount).sum();
    if credited > paid {
        let what = format!("credits for lost days since {}", host_engine::time::text(first_s * 1_000));
        return Err(Difference::new(what, format!("{paid} at most"), credited.to_string()));
    }
    Ok(())
}

fn unreadable(error: impl std::fmt::Display) -> Difference {
    Difference::new("what the host has", "an answer", error.to_string())
}

/// Checks the sums in the books: of all movements, the refunds, the disputes and the fees.
fn check_books(store: &dyn Read, scope: &Scope, stripe: &Stripe) -> Result<(), Difference> {
    let row = read::record(store, scope, "account", "balances").map_err(unreadable)?;
    let balances: Value = match row {
        Some(row) => serde_json::from_str(&row.value).map_err(unreadable)?,
        None => Value::Null,
    };
    let booked = |ledger: &str| balances[ledger][stripe.currency()].as_i64().unwrap_or(0);
    let movements = stripe.all("balance_transaction");
    let sum = |types: &[&str], of: &str| -> i64 {
        let fitting = movements.iter().filter(|it| types.is_empty() || types.contains(&it.text("type")));
        fitting.map(|movement| movement.int(of)).sum()
    };
    let taxes = Taxes::of(stripe);
    let close = |what: &str, moved: i64, booked: i64, slack: i64| {
        let what = format!("{what} in Stripe's balance transactions");
        let is_same = (moved - booked).abs() <= slack;
        if is_same { Ok(()) } else { Err(Difference::new(what, moved.to_string(), booked.to_string())) }
    };
    let same = |what: &str, moved: i64, booked: i64| close(what, moved, booked, 0);
    let refunds = sum(&["refund", "payment_refund", "refund_failure"], "amount");
    same("all money", sum(&[], "net"), booked("cash:stripe"))?;
    // Their taxes are owed to nobody, so they cost only the rest.
    close("refunds", refunds + taxes.refunded, -booked("refunds"), taxes.slack)?;
    close("disputes", sum(&["adjustment"], "amount") + taxes.lost, -booked("disputes"), taxes.slack)?;
    same("fees", sum(&[], "fee"), booked("fees"))
}

/// Checks for each payment: the refunds and disputes are at most the received amount, and the shares of creators are at
/// most the rest.
fn check_payments(store: &dyn Read, scope: &Scope, stripe: &Stripe, bought: &[Bought]) -> Result<(), Difference> {
    let charges = stripe.all("charge");
    let (disputes, invoices) = (stripe.all("dispute"), stripe.all("invoice"));
    let mut rest: BTreeMap<&str, i64> = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.is("paid")) {
        let gone: i64 = disputes
            .iter()
            .filter(|dispute| dispute.text("charge") == charge.id())
            .flat_map(|dispute| dispute.list_at("balance_transactions"))
            .filter_map(|movement| movement["amount"].as_i64())
            .sum();
        let received = charge.int("amount");
        if charge.int("amount_refunded") - gone > received {
            let what = format!("refunds and disputes of {}", charge.id());
            let is = charge.int("amount_refunded") - gone;
            return Err(Difference::new(what, format!("{received} at most"), is.to_string()));
        }
        // What the customer's balance paid of the invoice is received, too.
        let invoice = invoices.iter().find(|invoice| invoice.id() == charge.as_charge().invoice);
        let by_balance = invoice.map_or(0, |invoice| (invoice.int("total") - invoice.int("amount_due")).max(0));
        rest.insert(charge.id(), left(stripe, charge).0 + by_balance);
    }
    let mut on: BTreeMap<&str, i64> = BTreeMap::new();
    for row in read::records(store, scope, "sales").map_err(unreadable)? {
        let sale: Value = serde_json::from_str(&row.value).map_err(unreadable)?;
        // The id of a sale is that of the purchase, or that of the invoice and the product.
        let of_invoice = row.id.split_once('/').map(|(invoice, _)| invoice);
        let charge = match of_invoice {
            Some(invoice) => {
                charges.iter().find(|it| it.is("paid") && it.as_charge().invoice == invoice).map(|it| it.id())
            }
            None => bought.iter().find(|it| it.purchase == row.id).map(|it| it.charge.as_str()),
        };
        if let Some(charge) = charge {
            *on.entry(charge).or_default() += sale["booked_minor"].as_i64().unwrap_or(0);
        }
    }
    match on.into_iter().find(|(charge, share)| *share > rest.get(charge).copied().unwrap_or(0)) {
        Some((charge, share)) => {
            let most = rest.get(charge).copied().unwrap_or(0);
            Err(Difference::new(format!("shares of {charge}"), format!("{most} at most"), share.to_string()))
        }
        None => Ok(()),
    }
}
