//! Finds what an operator wants to know of all accounts of a site: steps for a person, failed instances, subscriptions, payments that
//! failed, and the numbers of invoices.
//!
//! Each account is asked once, and again after a decision about it; only what was found is kept.

use crate::ask::{asked, read};
use crate::changes::Changes;
use crate::problem::Problem;
use crate::site::Site;
use extension_contract::{Account, Actor, Question, Timestamp};
use host_engine::processor::{Answerer, AskError, Questions};
use host_engine::view::parsed;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Status of an instance that could not be created.
pub(super) const FAILED: &str = "error";

/// How many accounts are asked at a time, so that other queries can run in between.
const ASKED_AT_ONCE: usize = 100;

/// The steps and failed instances that wait in the accounts of a site.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// True once all accounts have been asked.
    is_begun: bool,
    /// Accounts that have to be asked.
    stale: BTreeSet<Account>,
    /// By the name of the account.
    found: BTreeMap<String, OfAccount>,
}

#[derive(Debug, Default)]
struct OfAccount {
    tasks: Vec<Value>,
    failed: Vec<Value>,
    /// The subscriptions, as far as the figures of the business need them.
    subscriptions: Vec<Value>,
    /// The invoices whose payment has failed.
    unpaid: Vec<Value>,
    /// The numbers of the invoices, in lower case.
    numbers: BTreeSet<String>,
}

impl OfAccount {
    fn is_empty(&self) -> bool {
        let lists = [&self.tasks, &self.failed, &self.subscriptions, &self.unpaid];
        lists.iter().all(|list| list.is_empty()) && self.numbers.is_empty()
    }
}

impl Waiting {
    /// Asks the accounts that have changed, or all accounts the first time.
    pub(super) async fn catch_up(&mut self, changes: &Changes, site: &Site) -> Result<(), Problem> {
        let partition = site.partition();
        // Taken out first: an account that changes in the meantime is asked again next time.
        self.stale.extend(changes.changed.take(partition));
        if !self.is_begun {
            let of = partition.clone();
            let scopes = read(site, move |store| store.scopes(Some(&of))).await?;
            self.stale.extend(scopes.into_iter().map(|scope| scope.account));
            self.is_begun = true;
        }
        while !self.stale.is_empty() {
            let some: Vec<Account> = self.stale.iter().take(ASKED_AT_ONCE).cloned().collect();
            let (accounts, at) = (some.clone(), site.clock().now());
            let found = asked(site, move |answerer| -> Result<Vec<_>, AskError> {
                Ok(accounts.into_iter().map(|account| of_account_or_failure(answerer, account, at)).collect())
            });
            for (name, found) in found.await? {
                match found.is_empty() {
                    true => self.found.remove(&name),
                    false => self.found.insert(name, found),
                };
            }
            for account in &some {
                self.stale.remove(account);
            }
        }
        Ok(())
    }

    /// Returns the steps that wait for a person in the accounts after the given one, and the last account if more follow.
    pub(super) fn tasks(&self, after: Option<&str>, limit: usize) -> (Vec<Value>, Option<String>) {
        self.page(after, limit, |found| &found.tasks)
    }

    /// Returns the failed instances of the accounts after the given one, and the last account if more follow.
    pub(super) fn failed(&self, after: Option<&str>, limit: usize) -> (Vec<Value>, Option<String>) {
        self.page(after, limit, |found| &found.failed)
    }

    /// Returns the subscriptions of all accounts.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &Value> {
        self.found.values().flat_map(|found| &found.subscriptions)
    }

    /// Returns the invoices of all accounts whose payment has failed.
    pub(super) fn unpaid(&self) -> impl Iterator<Item = &Value> {
        self.found.values().flat_map(|found| &found.unpaid)
    }

    /// Returns the account with an invoice of this number.
    pub(super) fn with_number(&self, number: &str) -> Option<Account> {
        let number = number.to_lowercase();
        let found = self.found.iter().find(|(_, found)| found.numbers.contains(&number));
        found.and_then(|(account, _)| account.parse().ok())
    }

    fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        of: impl Fn(&OfAccount) -> &[Value],
    ) -> (Vec<Value>, Option<String>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut entries, mut last) = (Vec::new(), None);
        for (name, found) in self.found.range::<str, _>((from, Bound::Unbounded)).filter(|(_, it)| !of(it).is_empty()) {
            if entries.len() >= limit {
                return (entries, last);
            }
            entries.extend(of(found).iter().cloned());
            last = Some(name.clone());
        }
        (entries, None)
    }
}

/// Asks an account. One that cannot be read is listed as failed, with the reason, and does not hide the others.
fn of_account_or_failure(answerer: &mut Answerer, account: Account, at: Timestamp) -> (String, OfAccount) {
    let name = account.to_string();
    of_account(answerer, account, at).unwrap_or_else(|error| {
        let failed = vec![unreadable(&name, &error)];
        (name, OfAccount { failed, ..OfAccount::default() })
    })
}

/// Returns the entry of an account that cannot be read, in the form of a failed instance.
pub(super) fn unreadable(account: &str, error: &AskError) -> Value {
    let error = json!({"step": "account", "message": format!("the account cannot be read: {error}")});
    json!({"id": null, "name": account, "account": account, "status": FAILED, "metadata": {"error": error}})
}

/// The members of a subscription that are kept.
const OF_SUBSCRIPTIONS: [&str; 10] = [
    "id",
    "account",
    "status",
    "standing",
    "monthly",
    "next_charge_at",
    "began_at",
    "ended_at",
    "was_customer",
    "reason",
];
/// The members of an invoice that are kept.
const OF_INVOICES: [&str; 7] = ["id", "account", "number", "status", "total_minor", "currency", "failed_at"];

/// Returns an object with only these members.
fn only(row: &Value, names: &[&str]) -> Value {
    let mut kept: Value = names.iter().map(|name| ((*name).to_owned(), row[*name].clone())).collect();
    if let Some(item) = row["items"].get(0) {
        kept["plan"] = item["name"].clone();
    }
    kept
}

/// Asks an account for its steps, its failed instances and its bills.
fn of_account(answerer: &mut Answerer, account: Account, at: Timestamp) -> Result<(String, OfAccount), AskError> {
    let name = account.to_string();
    let question = Question { account, actor: Actor::system(), at };
    let mut list = |kind: &str| -> Result<Vec<Value>, AskError> {
        let (rows, _) = answerer.ask_whole_list(&question, kind, None, usize::MAX)?;
        let with_account = |mut entry: Value| {
            entry["account"] = json!(name);
            entry
        };
        Ok(rows.iter().map(|row| with_account(parsed(&row.value))).collect())
    };
    let (mut tasks, instances) = (list("tasks")?, list("instances")?);
    let by_id: BTreeMap<&str, &Value> =
        instances.iter().filter_map(|instance| Some((instance["id"].as_str()?, instance))).collect();
    for task in &mut tasks {
        let of = task["id"].as_str().and_then(|id| by_id.get(id)).copied();
        for name in ["name", "subdomain"] {
            task[name] = of.map_or(Value::Null, |instance| instance[name].clone());
        }
    }
    let failed = instances.into_iter().filter(|instance| instance["status"] == FAILED).collect();
    let subscriptions = list("subscriptions")?.iter().map(|row| only(row, &OF_SUBSCRIPTIONS)).collect();
    let invoices = list("invoices")?;
    let numbers = invoices.iter().filter_map(|invoice| Some(invoice["number"].as_str()?.to_lowercase())).collect();
    let has_failed = |invoice: &&Value| !invoice["failed_at"].is_null();
    let unpaid = invoices.iter().filter(has_failed).map(|row| only(row, &OF_INVOICES)).collect();
    Ok((name, OfAccount { tasks, failed, subscriptions, unpaid, numbers }))
}
