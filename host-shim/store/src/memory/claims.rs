//! Claims by key and by holder.

use crate::rows::ClaimRow;
use crate::scope::Scope;
use products_contract::Account;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug, Default)]
pub(super) struct Claims {
    rows: HashMap<String, ClaimRow>,
    by_holder: BTreeSet<(Account, String)>,
}

impl Claims {
    pub(super) fn row(&self, key: &str) -> Option<&ClaimRow> {
        self.rows.get(key)
    }

    /// Keys under a prefix that the scope's account holds in its business and mode, in order.
    pub(super) fn held(&self, scope: &Scope, prefix: &str) -> Vec<String> {
        let mut space = scope.claim_space();
        space.push('/');
        self.by_holder
            .range((scope.account.clone(), prefix.to_owned())..)
            .take_while(|(holder, key)| *holder == scope.account && key.starts_with(prefix))
            .filter(|(_, key)| key.starts_with(&space))
            .map(|(_, key)| key.clone())
            .collect()
    }

    pub(super) fn each(&self, visit: &mut dyn FnMut(&str, &ClaimRow)) {
        let mut rows: Vec<(&String, &ClaimRow)> = self.rows.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows.into_iter().for_each(|(key, row)| visit(key, row));
    }

    /// Set or remove a row; returns what was there.
    pub(super) fn set(&mut self, key: &str, row: Option<ClaimRow>) -> Option<ClaimRow> {
        let holder = row.as_ref().and_then(|row| row.holder.clone());
        let old = match row {
            Some(row) => self.rows.insert(key.to_owned(), row),
            None => self.rows.remove(key),
        };
        let old_holder = old.as_ref().and_then(|row| row.holder.clone());
        if old_holder != holder {
            if let Some(account) = old_holder {
                self.by_holder.remove(&(account, key.to_owned()));
            }
            if let Some(account) = holder {
                self.by_holder.insert((account, key.to_owned()));
            }
        }
        old
    }
}
