//! Compares the state of a host with the expectations of the oracle.

use crate::done::Done;
use crate::oracle::{Expected, Share};
use extension_contract::{Account, Actor, Balance, Product, Question, Timestamp};
use host_engine::processor::{Processor, Questions};
use host_engine::read;
use host_store::{Read, Scope};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A difference from the expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The checked property.
    pub what: String,
    /// Expected value.
    pub should_be: String,
    /// Actual value.
    pub is: String,
    /// The expectations of a scenario that fails as long as the property has the actual value; empty if no scenario can
    /// express the property.
    pub expect: Map<String, Value>,
}

impl Difference {
    /// Creates a difference.
    pub fn new(what: impl Into<String>, should_be: impl Into<String>, is: impl Into<String>) -> Self {
        Difference { what: what.into(), should_be: should_be.into(), is: is.into(), expect: Map::new() }
    }

    /// Adds the section of a scenario's expectations that has the expected value.
    pub fn expecting(mut self, section: &str, expected: Value) -> Self {
        self.expect.insert(section.to_owned(), expected);
        self
    }

    /// Creates the difference for a host that can't be read.
    fn unreadable(error: impl fmt::Display) -> Self {
        Difference::new("what the host has", "an answer", error.to_string())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.what, self.should_be, self.is)
    }
}

/// The ledgers of all accounts: amounts by account, ledger account and unit.
#[derive(Clone, Debug, Default)]
pub struct Ledgers(BTreeMap<(String, String, String), i64>);

impl Ledgers {
    /// Reads the ledgers of all accounts in a store.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be read.
    pub fn of(store: &dyn Read) -> Result<Self, Difference> {
        let mut out = BTreeMap::new();
        for scope in store.scopes(None).map_err(Difference::unreadable)? {
            let row = read::record(store, &scope, "account", "balances").map_err(Difference::unreadable)?;
            let Some(row) = row else { continue };
            let balances: Value = serde_json::from_str(&row.value).map_err(Difference::unreadable)?;
            let account = scope.account.to_string();
            for (ledger, units) in balances.as_object().into_iter().flatten() {
                for (unit, amount) in units.as_object().into_iter().flatten() {
                    let key = (account.clone(), ledger.clone(), unit.clone());
                    out.insert(key, amount.as_i64().unwrap_or_default());
                }
            }
        }
        Ok(Ledgers(out))
    }

    /// Checks that the ledger of each account sums to zero per unit, and that the debts to each creator equal the
    /// creator's claims.
    ///
    /// # Errors
    ///
    /// Returns the first violation.
    pub fn check_sums(&self) -> Result<(), Difference> {
        let mut sums: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for ((account, _, unit), amount) in &self.0 {
            *sums.entry((account, unit)).or_default() += amount;
        }
        if let Some(((account, unit), sum)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
            return Err(Difference::new(format!("sum of the ledger of {account}"), "0", format!("{sum} {unit}")));
        }
        let mut owed: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for ((account, ledger, _), amount) in &self.0 {
            match ledger.strip_prefix("due:") {
                Some("sales") => owed.entry(account).or_default().1 += amount,
                Some(other) => owed.entry(other).or_default().0 += amount,
                None => {}
            }
        }
        match owed.into_iter().find(|(_, (ours, theirs))| ours + theirs != 0) {
            Some((creator, (ours, theirs))) => {
                Err(Difference::new(format!("debt to {creator}"), ours.to_string(), (-theirs).to_string()))
            }
            None => Ok(()),
        }
    }

    /// Checks that an account owes each creator an amount within the bounds in `shares` (minor units), and nothing to
    /// other accounts.
    ///
    /// # Errors
    ///
    /// Returns the first violation.
    pub fn check_owed_shares(&self, account: &str, shares: &BTreeMap<String, Share>) -> Result<(), Difference> {
        let mut owed: BTreeMap<&str, i64> = shares.keys().map(|creator| (creator.as_str(), 0)).collect();
        for ((of, ledger, _), amount) in &self.0 {
            if let Some(creator) = ledger.strip_prefix("due:").filter(|to| of == account && *to != "sales") {
                *owed.entry(creator).or_default() -= amount;
            }
        }
        for (creator, share) in owed {
            let (least, most) = shares.get(creator).copied().unwrap_or_default();
            if share < least || share > most {
                let what = format!("share of {creator} in purchases of {account}");
                return Err(Difference::new(what, format!("{least} to {most}"), share.to_string()));
            }
        }
        Ok(())
    }

    /// The amount of a ledger account in a unit.
    pub fn amount(&self, account: &str, ledger: &str, unit: &str) -> i64 {
        let key = (account.to_owned(), ledger.to_owned(), unit.to_owned());
        self.0.get(&key).copied().unwrap_or_default()
    }

    /// The accounts with a ledger.
    pub fn accounts(&self) -> BTreeSet<&str> {
        self.0.keys().map(|(account, ..)| account.as_str()).collect()
    }

    /// Checks that the sales of each creator gave a share within the bounds in `shares`, in minor units.
    ///
    /// # Errors
    ///
    /// Returns the first violation.
    pub fn check_earned_shares(&self, shares: &BTreeMap<String, Share>) -> Result<(), Difference> {
        for (creator, (least, most)) in shares {
            let of_creator = self.0.iter().filter(|((of, ledger, _), _)| of == creator && ledger == "due:sales");
            let share: i64 = of_creator.map(|(_, amount)| amount).sum();
            if share < *least || share > *most {
                let what = format!("share of {creator} in sales");
                return Err(Difference::new(what, format!("{least} to {most}"), share.to_string()));
            }
        }
        Ok(())
    }
}

fn same<T: PartialEq + fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), Difference> {
    if expected == found {
        return Ok(());
    }
    Err(Difference::new(what, format!("{expected:?}"), format!("{found:?}")))
}

/// Maximum number of equal mails: one; for reminders and reactions, the maximum that the oracle expects; for mails about tasks of
/// operators and about attempts that fail again, no limit.
fn max_mails(template: &str, expected: &Expected) -> usize {
    match template {
        "payment_failed" => expected.reminders.0,
        // Once for each plan that ends.
        "add_on_ends" => expected.subscriptions.values().filter(|status| *status == "canceled").count().max(1),
        "provisioning_failed" | "step_failed" | "step_reminder" | "step_overdue" | "measurement_missing" => usize::MAX,
        _ if expected.followed.contains_key(&format!("mail:{template}")) => usize::MAX,
        _ if template.ends_with("_soon") => expected.reminders.1,
        _ => 1,
    }
}

/// Checks the effects: each notice once, each reaction once per fact, and the monthly invoices.
fn check_effects(done: &Done, expected: &Expected) -> Result<(), Difference> {
    if let Some((mail, times)) = done.mails().find(|(mail, times)| *times > max_mails(&mail.template, expected)) {
        let may = max_mails(&mail.template, expected);
        return Err(Difference::new(format!("the mail {}", mail.words), format!("{may} at most"), times.to_string()));
    }
    if let Some(invoices) = &expected.invoices {
        same("invoices of usage", invoices, &done.invoices)?;
    }
    for (then, times) in &expected.followed {
        same(then, times, &done.times(then))?;
    }
    for (campaign, times) in &expected.campaigns {
        same(campaign, times, &done.of_campaign(campaign))?;
    }
    Ok(())
}

/// Checks one account at `now` (milliseconds since the epoch): entitlements, cash, credits, subscriptions, instances,
/// tokens and effects. [`Ledgers`] checks sums across accounts.
///
/// # Errors
///
/// Returns the first difference.
pub fn judge(
    processor: &mut Processor,
    done: &Done,
    account: &Account,
    now: Timestamp,
    expected: &Expected,
) -> Result<(), Difference> {
    let question = Question { account: account.clone(), actor: Actor::system(), at: now };
    let found = processor.ask_entitlements(&question).map_err(Difference::unreadable)?;
    let allowed = found.iter().filter(|one| one.allowed != 0 && !expected.open_entitlements.contains(&one.key));
    let allowed: BTreeMap<String, i64> = allowed.map(|one| (one.key.clone(), one.allowed)).collect();
    if !expected.is_on_credit {
        same("entitlements", &expected.entitlements, &allowed)
            .map_err(|differs| differs.expecting("entitlements", rights(&expected.entitlements, &allowed)))?;
    }
    for (key, used) in &expected.counted {
        // What nothing grants has no row, also if it was used before.
        let Some(row) = found.iter().find(|one| one.key == *key) else { continue };
        same(&format!("usage of {key}"), used, &row.used)
            .map_err(|differs| differs.expecting("entitlements", json!({key: {"used": used}})))?;
    }
    let balances = processor.ask_balances(&question).map_err(Difference::unreadable)?;
    let of = |ledger: &str| balances.iter().find(|balance| balance.ledger == ledger);
    let currency = &expected.currency;
    let cash = of("cash:stripe").map_or(0, |balance| balance.available);
    same("cash", &expected.cash, &cash).map_err(|differs| {
        differs.expecting("balances", json!({format!("cash:stripe/{currency}"): expected.cash_row()}))
    })?;
    let tax = -of("tax").map_or(0, |balance| balance.available);
    let owed = expected.taxes.owed();
    if (owed - tax).abs() > expected.taxes.slack {
        same("tax", &owed, &tax)
            .map_err(|differs| differs.expecting("balances", json!({format!("tax/{currency}"): -owed})))?;
    }
    let credits = of("credits_left").map_or((0, 0), |balance: &Balance| (balance.available, -balance.pending));
    let (left, owed) = expected.credits;
    // One amount is 0, so the difference of the net amounts counts.
    if ((left - owed) - (credits.0 - credits.1)).abs() > expected.credits_slack || credits.0 > 0 && credits.1 > 0 {
        let row = match (left, owed) {
            (0, 0) => json!({"absent": true}),
            _ => json!({"available": left, "pending": -owed}),
        };
        same("credits left and owed", &expected.credits, &credits).map_err(|differs| {
            differs.expecting("balances", json!({format!("credits_left/{currency}_micros"): row}))
        })?;
    }
    let scope = processor.scope(account.clone());
    let store = processor.store();
    if !expected.subscriptions.is_empty() {
        let rows = read::subscriptions(store, &scope).map_err(Difference::unreadable)?;
        for (id, status) in &expected.subscriptions {
            let row = rows.iter().find(|row| row.id == *id);
            let found = row.map(|row| serde_json::json!(row.values.status));
            let found = found.as_ref().and_then(Value::as_str).unwrap_or("none");
            same(&format!("subscription {id}"), &status.as_str(), &found)
                .map_err(|differs| differs.expecting("subscriptions", json!({id: {"status": status}})))?;
        }
    }
    if !expected.running.is_empty() || !expected.idle.is_empty() {
        let statuses = statuses(store, &scope)?;
        let status = |id: &String| statuses.get(id).map_or("none", String::as_str);
        for id in &expected.running {
            same(&format!("{id} (paid)"), &"running", &status(id))
                .map_err(|differs| differs.expecting("products", json!({id: {"metadata": {"status": "running"}}})))?;
        }
        let mut idle = expected.idle.iter().filter(|_| !expected.is_on_credit);
        if let Some(id) = idle.find(|id| status(id) == "running") {
            // No other status begins like this one.
            let status = json!({"regex": "^([^r]|r[^u])"});
            let differs = Difference::new(format!("{id} (not paid)"), "not running", "running");
            return Err(differs.expecting("products", json!({id: {"metadata": {"status": status}}})));
        }
    }
    check_effects(done, expected)?;
    if expected.tokens.is_empty() {
        return Ok(());
    }
    let tokens = read::records(store, &scope, "tokens").map_err(Difference::unreadable)?;
    for (id, (expected, redeemed)) in &expected.tokens {
        let row = tokens.iter().find(|row| row.id == *id);
        let row: Value = row.and_then(|row| serde_json::from_str(&row.value).ok()).unwrap_or_default();
        let found = (row["status"].as_str().unwrap_or("none"), row["redeemed"].as_i64().unwrap_or(0));
        let times = if *redeemed == 0 { json!({"absent": true}) } else { json!(redeemed) };
        let expect = json!({"tokens": {id: {"status": expected, "redeemed": times}}});
        same(&format!("token {id}"), &(*expected, *redeemed), &found)
            .map_err(|differs| differs.expecting("records", expect))?;
    }
    Ok(())
}

/// Returns the expectation of these rights, for an account that has others.
fn rights(expected: &BTreeMap<String, i64>, found: &BTreeMap<String, i64>) -> Value {
    let right = expected.iter().filter(|(key, allowed)| found.get(*key) != Some(allowed));
    let right = right.map(|(key, allowed)| (key.clone(), json!(allowed)));
    let wrong = found.keys().filter(|key| !expected.contains_key(*key));
    right.chain(wrong.map(|key| (key.clone(), json!({"absent": true})))).collect::<Map<_, _>>().into()
}

/// Reads the status of each instance of an account by id: `deleted` if it is deleted, `none` without a status.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn statuses(store: &dyn Read, scope: &Scope) -> Result<BTreeMap<String, String>, Difference> {
    let rows = read::products(store, scope).map_err(Difference::unreadable)?;
    let status = |row: &Product| {
        let metadata: Value = serde_json::from_str(&row.values.metadata).unwrap_or_default();
        let status = metadata["status"].as_str().filter(|_| !row.deleted);
        status.unwrap_or(if row.deleted { "deleted" } else { "none" }).to_owned()
    };
    Ok(rows.into_iter().map(|row| (row.id.clone(), status(&row))).collect())
}
