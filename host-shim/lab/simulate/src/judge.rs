//! Holds what a host has against what the oracle says.

use crate::done::Done;
use crate::oracle::{Expected, Share};
use extension_contract::{Account, Actor, Balance, Product, Question, Timestamp};
use host::processor::Processor;
use host::read;
use host_store::{Scope, Store};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of what.
    pub what: String,
    /// What it should be.
    pub should_be: String,
    /// What it is.
    pub is: String,
}

impl Difference {
    /// One of something.
    pub fn new(what: impl Into<String>, should_be: impl Into<String>, is: impl Into<String>) -> Self {
        Difference { what: what.into(), should_be: should_be.into(), is: is.into() }
    }

    /// The host could not be asked.
    fn unreadable(error: impl fmt::Display) -> Self {
        Difference::new("what the host has", "an answer", error.to_string())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.what, self.should_be, self.is)
    }
}

/// What every account's ledger has, by account of the business, account of the ledger and unit.
#[derive(Clone, Debug, Default)]
pub struct Ledgers(BTreeMap<(String, String, String), i64>);

impl Ledgers {
    /// Those of all accounts of a store.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn of(store: &dyn Store) -> Result<Self, Difference> {
        let mut out = BTreeMap::new();
        for scope in store.scopes().map_err(Difference::unreadable)? {
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

    /// Sums to zero in each account and unit, and what one owes another is what the other is owed.
    ///
    /// # Errors
    /// The first account of which that isn't so.
    pub fn hold(&self) -> Result<(), Difference> {
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
                Err(Difference::new(format!("what {creator} is owed"), ours.to_string(), (-theirs).to_string()))
            }
            None => Ok(()),
        }
    }

    /// An account owes each creator a share of what it bought within its bounds, in minor units; others nothing.
    ///
    /// # Errors
    /// The first creator whom it owes another one.
    pub fn owes_shares(&self, account: &str, shares: &BTreeMap<String, Share>) -> Result<(), Difference> {
        let mut owed: BTreeMap<&str, i64> = shares.keys().map(|creator| (creator.as_str(), 0)).collect();
        for ((of, ledger, _), amount) in &self.0 {
            if let Some(creator) = ledger.strip_prefix("due:").filter(|to| of == account && *to != "sales") {
                *owed.entry(creator).or_default() -= amount;
            }
        }
        for (creator, share) in owed {
            let (least, most) = shares.get(creator).copied().unwrap_or_default();
            if share < least || share > most {
                let what = format!("what {creator} has of what {account} bought");
                return Err(Difference::new(what, format!("{least} to {most}"), share.to_string()));
            }
        }
        Ok(())
    }

    /// The accounts that have any.
    pub fn accounts(&self) -> BTreeSet<&str> {
        self.0.keys().map(|(account, ..)| account.as_str()).collect()
    }

    /// Each creator has a share within its bounds, in minor units.
    ///
    /// # Errors
    /// The first creator who hasn't.
    pub fn have_shares(&self, shares: &BTreeMap<String, Share>) -> Result<(), Difference> {
        for (creator, (least, most)) in shares {
            let of_creator = self.0.iter().filter(|((of, ledger, _), _)| of == creator && ledger == "due:sales");
            let share: i64 = of_creator.map(|(_, amount)| amount).sum();
            if share < *least || share > *most {
                let what = format!("what {creator} has of the sales");
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

/// How often the same words may be told: once, but reminders on each of their days, and what people are to look after each time.
fn most(template: &str, expected: &Expected) -> usize {
    match template {
        "payment_failed" => expected.reminders.0,
        "step_reminder" | "step_overdue" | "measurement_missing" => usize::MAX,
        _ if template.ends_with("_soon") => expected.reminders.1,
        _ => 1,
    }
}

/// What providers did: each notice once, what follows from a fact once for each, and the months' invoices.
fn followed(done: &Done, expected: &Expected) -> Result<(), Difference> {
    if let Some((mail, times)) = done.mails().find(|(mail, times)| *times > most(&mail.template, expected)) {
        let may = most(&mail.template, expected);
        return Err(Difference::new(format!("the mail {}", mail.words), format!("{may} at most"), times.to_string()));
    }
    same("invoices of use", &expected.invoices, &done.invoices)?;
    for (then, times) in &expected.followed {
        same(then, times, &done.times(then))?;
    }
    for (campaign, times) in &expected.campaigns {
        same(campaign, times, &done.of_campaign(campaign))?;
    }
    Ok(())
}

/// All of one account that must hold at one moment, in milliseconds since the epoch: what may be used, money, credits,
/// subscriptions, what runs, tokens, and what providers did for it. Ledgers of several accounts are [`Ledgers`]'.
///
/// # Errors
/// The first difference.
pub fn judge(
    processor: &mut Processor,
    done: &Done,
    account: &Account,
    now: Timestamp,
    expected: &Expected,
) -> Result<(), Difference> {
    let question = Question { account: account.clone(), actor: Actor::system(), at: now };
    let found = processor.ask_entitlements(&question).map_err(Difference::unreadable)?;
    let allowed = found.iter().filter(|one| one.allowed != 0).map(|one| (one.key.clone(), one.allowed)).collect();
    same("entitlements", &expected.entitlements, &allowed)?;
    for (key, used) in &expected.counted {
        let counted = found.iter().find(|one| one.key == *key).map_or(0, |one| one.used);
        same(&format!("use of {key}"), used, &counted)?;
    }
    let balances = processor.ask_balances(&question).map_err(Difference::unreadable)?;
    let of = |ledger: &str| balances.iter().find(|balance| balance.ledger == ledger);
    same("cash", &expected.cash, &of("cash:stripe").map_or(0, |balance| balance.available))?;
    let credits = of("credits_left").map_or((0, 0), |balance: &Balance| (balance.available, -balance.pending));
    same("credits that are left and owed", &expected.credits, &credits)?;
    let scope = processor.scope(account.clone());
    let store = processor.store();
    if !expected.subscriptions.is_empty() {
        let rows = read::subscriptions(store, &scope).map_err(Difference::unreadable)?;
        for (id, status) in &expected.subscriptions {
            let row = rows.iter().find(|row| row.id == *id);
            let found = row.map(|row| serde_json::json!(row.values.status));
            let found = found.as_ref().and_then(Value::as_str).unwrap_or("none");
            same(&format!("subscription {id}"), &status.as_str(), &found)?;
        }
    }
    if !expected.running.is_empty() || !expected.idle.is_empty() {
        let statuses = statuses(store, &scope)?;
        let status = |id: &String| statuses.get(id).map_or("none", String::as_str);
        for id in &expected.running {
            same(&format!("{id}, which is paid for"), &"running", &status(id))?;
        }
        if let Some(id) = expected.idle.iter().find(|id| status(id) == "running") {
            return Err(Difference::new(format!("{id}, which nobody pays for"), "not running", "running"));
        }
    }
    followed(done, expected)?;
    if expected.tokens.is_empty() {
        return Ok(());
    }
    let tokens = read::records(store, &scope, "tokens").map_err(Difference::unreadable)?;
    for (id, (expected, redeemed)) in &expected.tokens {
        let row = tokens.iter().find(|row| row.id == *id);
        let row: Value = row.and_then(|row| serde_json::from_str(&row.value).ok()).unwrap_or_default();
        let found = (row["status"].as_str().unwrap_or("none"), row["redeemed"].as_i64().unwrap_or(0));
        same(&format!("token {id}"), &(*expected, *redeemed), &found)?;
    }
    Ok(())
}

/// The status of each product of an account, by id: `deleted` where it is, `none` where it has no status.
///
/// # Errors
/// The store can't be read.
pub fn statuses(store: &dyn Store, scope: &Scope) -> Result<BTreeMap<String, String>, Difference> {
    let rows = read::products(store, scope).map_err(Difference::unreadable)?;
    let status = |row: &Product| {
        let metadata: Value = serde_json::from_str(&row.values.metadata).unwrap_or_default();
        let status = metadata["status"].as_str().filter(|_| !row.deleted);
        status.unwrap_or(if row.deleted { "deleted" } else { "none" }).to_owned()
    };
    Ok(rows.into_iter().map(|row| (row.id.clone(), status(&row))).collect())
}
