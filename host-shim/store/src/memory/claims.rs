//! Claims by key.

use crate::prefix::prefix_end;
use crate::rows::ClaimRow;
use crate::scope::Partition;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    rows: BTreeMap<Arc<str>, ClaimRow>,
}

impl Claims {
    pub(super) fn row(&self, key: &str) -> Option<&ClaimRow> {
        self.rows.get(key)
    }

    pub(super) fn each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) {
        let prefix = partition.map_or_else(String::new, |partition| partition.name() + "/");
        let end = prefix_end(&prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows.range::<str, _>((Bound::Included(prefix.as_str()), to));
        rows.for_each(|(key, row)| visit(key, row));
    }

    /// Set or remove a row; returns what was there.
    pub(super) fn set(&mut self, key: &str, row: Option<ClaimRow>) -> Option<ClaimRow> {
        match row {
            Some(row) => self.rows.insert(key.into(), row),
            None => self.rows.remove(key),
        }
    }
}
