//! Computes what each creator is owed from nothing but the catalog's text and the bodies of invoices, and compares it with the ledger. A
//! sale paid from a customer's balance counts as a sale. Whoever granted the balance bears its cost, which is the business and not the
//! creator.

use crate::told::id_of;
use extension_contract::{Account, Payload};
use host_replay::rig::Rig;
use host_replay::view;
use host_scenario::error::ReplayError;
use serde_json::Value;
use std::collections::BTreeMap;

/// Prefix of the ledger accounts that record debts to another account.
const DUE: &str = "due:";
/// The number of basis points in the whole.
const WHOLE: i128 = 10_000;

/// The share of a product's sales.
#[derive(Clone, Debug)]
struct Share {
    to: String,
    basis_points: i128,
}

/// The shares of the products, by price.
struct Shares {
    types: BTreeMap<String, Value>,
    by_price: BTreeMap<String, (String, Share)>,
}

impl Shares {
    fn of(catalog: &Value) -> Shares {
        let list = |name: &str| catalog[name].as_array().into_iter().flatten();
        let of_type = |of: &Value| Some((of["name"].as_str()?.to_owned(), of["split"].clone()));
        let types = list("product_types").filter_map(of_type).filter(|(_, split)| split.is_object()).collect();
        let mut shares = Shares { types, by_price: BTreeMap::new() };
        list("products").for_each(|product| shares.add(product));
        shares
    }

    fn add(&mut self, product: &Value) {
        let Some(split) = self.types.get(product["product_type"].as_str().unwrap_or_default()) else { return };
        let to = split["to"].as_str().and_then(|to| to.strip_prefix("{product.")?.strip_suffix('}'));
        let (Some(to), Some(points)) =
            (to.and_then(|name| product["metadata"][name].as_str()), split["share_bp"].as_i64())
        else {
            return;
        };
        let share = Share { to: to.to_owned(), basis_points: points.into() };
        for (_, price) in product["prices"].as_object().into_iter().flatten() {
            let ids = [&price["id"], &price["id"]["test"], &price["id"]["live"]].into_iter().filter_map(Value::as_str);
            let of_product = (product["id"].as_str().unwrap_or_default().to_owned(), share.clone());
            self.by_price.extend(ids.map(|id| (id.to_owned(), of_product.clone())));
        }
    }
}

/// The contents of an account's events.
#[derive(Default)]
struct Sales {
    /// Invoices by id, as in their newest bodies.
    invoices: BTreeMap<String, (i64, Value)>,
    /// Whether anything other than an invoice changes what is owed: a refund, a dispute, usage, or a one-time purchase.
    is_involved: bool,
}

/// Returns the first creator whose share does not match the paid invoices.
pub(super) fn broken(host: &Rig) -> Result<Option<String>, ReplayError> {
    let mut shares = Shares::of(&host.setup().business.catalog);
    if shares.types.is_empty() {
        return Ok(None);
    }
    let (mut sales, mut loaded): (BTreeMap<Account, Sales>, u32) = Default::default();
    for row in host.store().inbox_after(None, 0, usize::MAX)? {
        match &row.event.payload {
            Payload::Command(body) => match row.event.kind.as_str() {
                // The first one is the start.
                "catalog.load" if loaded == 0 => loaded += 1,
                "catalog.load" | "product.update" => return Ok(None),
                "product.create" => shares.add(&serde_json::from_str(body).unwrap_or_default()),
                _ => {}
            },
            Payload::Product(_) => return Ok(None),
            Payload::Usage(_) => {
                sales.entry(row.event.account.clone().unwrap_or(Account::Platform)).or_default().is_involved = true
            }
            Payload::Payment(bytes) => {
                let Some(account) = &row.event.account else { continue };
                let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
                let of_account = sales.entry(account.clone()).or_default();
                let (object, at) = (&body["data"]["object"], body["created"].as_i64().unwrap_or(0));
                match object["object"].as_str().unwrap_or_default() {
                    "invoice" => {
                        let id = object["id"].as_str().unwrap_or_default();
                        if of_account.invoices.get(id).is_none_or(|(known, _)| *known <= at) {
                            of_account.invoices.insert(id.to_owned(), (at, object.clone()));
                        }
                    }
                    "subscription" | "customer" | "account" => {}
                    _ => of_account.is_involved = true,
                }
            }
            _ => {}
        }
    }
    for (account, sales) in sales.iter().filter(|(_, sales)| !sales.is_involved) {
        let Some(owed) = owed(account, sales, &shares) else { continue };
        let ledger = view::ledger(host, account)?;
        for ((currency, to), (minor, sold)) in owed {
            let booked = -ledger["balances"][&currency][format!("{DUE}{to}")].as_i64().unwrap_or(0);
            // Each sale is rounded down to a minor unit.
            if (i128::from(booked) - minor).abs() > sold {
                return Ok(Some(format!(
                    "{to} is owed {minor} {currency} for sales to {account}, and {booked} is booked"
                )));
            }
        }
    }
    Ok(None)
}

/// Returns the first currency in which more is owed to creators than remains, plus what was given without a payment: credits without a
/// purchase, and the part of invoices that was paid from a balance.
pub(super) fn beyond(host: &Rig, kept: &BTreeMap<String, i128>) -> Result<Option<String>, ReplayError> {
    let (mut due, mut given): (BTreeMap<String, i128>, BTreeMap<String, i128>) = Default::default();
    for scope in host.store().scopes(None)? {
        let ledger = view::ledger(host, &scope.account)?;
        for (currency, balances) in ledger["balances"].as_object().into_iter().flatten() {
            let owed = balances.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with(DUE));
            // What another account owes to this one is positive.
            let amounts = owed.filter_map(|(_, amount)| amount.as_i64()).filter(|amount| *amount < 0);
            let sum: i128 = amounts.map(i128::from).sum();
            *due.entry(currency.clone()).or_default() -= sum;
        }
    }
    for row in host.store().inbox_after(None, 0, usize::MAX)? {
        let Payload::Payment(bytes) = &row.event.payload else { continue };
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let invoice = &body["data"]["object"];
        let member = |name: &str| i128::from(invoice[name].as_i64().unwrap_or(0));
        if invoice["object"] == "invoice" && invoice["status"] == "paid" {
            let from_balance = (member("total") - member("amount_paid")).max(0);
            *given.entry(invoice["currency"].as_str().unwrap_or_default().to_owned()).or_default() += from_balance;
        }
    }
    // Credits that nobody paid for also pay for usage; the bodies do not show how much of them a share applies to.
    if host.setup().business.catalog["credits"].is_object() || has_free_credits(host)? {
        return Ok(None);
    }
    Ok(due.into_iter().find_map(|(currency, due)| {
        let stayed = kept.get(&currency).copied().unwrap_or(0) + given.get(&currency).copied().unwrap_or(0);
        (due > stayed).then(|| format!("{due} {currency} is owed to creators of {stayed} that stayed"))
    }))
}

/// Returns whether an account has credits that it did not buy.
fn has_free_credits(host: &Rig) -> Result<bool, ReplayError> {
    for scope in host.store().scopes(None)? {
        for lot in host_engine::read::records(host.store(), &scope, "credits")? {
            if !lot.id.starts_with("pur_") {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The amounts owed, by currency and creator, with the number of sales.
type Owed = BTreeMap<(String, String), (i128, i128)>;

/// Returns the amounts owed; none if an invoice has a discount or a tax, or was only partly paid.
fn owed(account: &Account, sales: &Sales, shares: &Shares) -> Option<Owed> {
    let mut owed = Owed::new();
    for (_, invoice) in sales.invoices.values() {
        if invoice["status"] != "paid" {
            continue;
        }
        let (mut sum, mut by_product) = (0_i128, BTreeMap::<&str, (i128, &Share)>::new());
        for line in invoice["lines"]["data"].as_array().into_iter().flatten() {
            let amount = i128::from(line["amount"].as_i64()?);
            sum += amount;
            let price =
                id_of(&line["price"]).or(line["pricing"]["price_details"]["price"].as_str()).unwrap_or_default();
            if let Some((product, share)) =
                shares.by_price.get(price).filter(|(_, share)| share.to != account.to_string())
            {
                by_product.entry(product).or_insert((0, share)).0 += amount;
            }
        }
        let member = |name: &str| invoice[name].as_i64().unwrap_or(0);
        let from_balance = member("ending_balance") - member("starting_balance");
        let is_whole = sum == i128::from(member("total"))
            && (sum <= 0 || i128::from(member("amount_paid") + from_balance) == sum)
            && invoice["tax"].is_null()
            && invoice["total_taxes"].as_array().is_none_or(Vec::is_empty)
            && invoice["paid_out_of_band"] != true;
        if !is_whole {
            return None;
        }
        for (_, (amount, share)) in by_product {
            let currency = invoice["currency"].as_str().unwrap_or_default().to_owned();
            let (minor, sold) = owed.entry((currency, share.to.clone())).or_default();
            *minor += (amount * share.basis_points).div_euclid(WHOLE);
            *sold += 1;
        }
    }
    Some(owed)
}
