//! The claims in memory, by key and by holder.

use crate::prefix::scan_bounds;
use crate::rows::ClaimRow;
use crate::scope::Scope;
use extension_contract::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    rows: BTreeMap<Arc<str>, ClaimRow>,
    /// Keys by holder, including the keys of expired claims.
    by_holder: BTreeSet<(Account, Arc<str>)>,
}

impl Claims {
    pub(super) fn row(&self, key: &str) -> Option<&ClaimRow> {
        self.rows.get(key)
    }

    /// Returns all claims and blocks by key.
    pub(super) fn rows(&self) -> &BTreeMap<Arc<str>, ClaimRow> {
        &self.rows
    }

    /// Returns the keys of the scope's account with this prefix, in order.
    pub(super) fn held(&self, scope: &Scope, prefix: &str) -> Vec<String> {
        let space = scope.partition().name() + "/";
        self.by_holder
            .range((scope.account.clone(), Arc::from(prefix))..)
            .take_while(|(holder, key)| *holder == scope.account && key.starts_with(prefix))
            .filter(|(_, key)| key.starts_with(&space))
            .map(|(_, key)| key.to_string())
            .collect()
    }

    /// Returns the rows whose keys have this prefix, after the key `after`, in order.
    pub(super) fn after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<(String, ClaimRow)> {
        let (from, end) = scan_bounds(prefix, false, after);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        // A range whose start is after its end would panic.
        if end.as_deref().is_some_and(|end| end <= from.as_str()) {
            return Vec::new();
        }
        let rows = self.rows.range::<str, _>((Bound::Included(from.as_str()), to));
        rows.take(limit).map(|(key, row)| (key.to_string(), row.clone())).collect()
    }

    /// Sets or removes a row; returns the old row.
    pub(super) fn set(&mut self, key: &str, row: Option<ClaimRow>) -> Option<ClaimRow> {
        let key: Arc<str> = key.into();
        let holder = row.as_ref().and_then(|row| row.holder.clone());
        let old = match row {
            Some(row) => self.rows.insert(Arc::clone(&key), row),
            None => self.rows.remove(&key),
        };
        if let Some(before) = old.as_ref().and_then(|row| row.holder.clone()) {
            self.by_holder.remove(&(before, Arc::clone(&key)));
        }
        if let Some(holder) = holder {
            self.by_holder.insert((holder, key));
        }
        old
    }
}
