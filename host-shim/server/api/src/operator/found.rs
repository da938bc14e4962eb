//! Finds what waits for an operator in the accounts of a site: steps for a person, and failed instances.
//!
//! Few of the accounts have any. So each account is asked once, and again after a decision about it; only what was found is kept.

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
                match found.tasks.is_empty() && found.failed.is_empty() {
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
        (name, OfAccount { tasks: Vec::new(), failed })
    })
}

/// Returns the entry of an account that cannot be read, in the form of a failed instance.
pub(super) fn unreadable(account: &str, error: &AskError) -> Value {
    let error = json!({"step": "account", "message": format!("the account cannot be read: {error}")});
    json!({"id": null, "name": account, "account": account, "status": FAILED, "metadata": {"error": error}})
}

/// Asks an account for its steps and its failed instances.
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
    Ok((name, OfAccount { tasks, failed }))
}
