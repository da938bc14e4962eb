//! Finds what an event needs from its account: the live rows, and those to which they and the event's references lead.

use super::{Kept, Tables};
use crate::cell::Cell;
use crate::error::Stored;
use crate::query::Query;
use crate::reach::{Graph, catalog_keys, reach};
use crate::records::{LinkedRow, ReferrerText, Referring, key_of};
use crate::rows::OpenedRows;
use crate::schema::rows;
use crate::scope::Scope;
use crate::store::Read;
use extension_contract::{Reference, RowKey};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// The rows of an account.
struct AccountGraph<'k, B> {
    kept: &'k Kept<B>,
    scope: &'k Scope,
    /// All referrers of the account by target; none if there are too many to be read at once.
    known: OnceCell<Option<Referrers>>,
}

/// The key texts of rows, by the text of a reference that they contain.
type Referrers = BTreeMap<String, Vec<String>>;

impl<B: Tables> AccountGraph<'_, B> {
    /// Returns all referrers of the account.
    fn known(&self) -> Stored<Option<&Referrers>> {
        if let Some(known) = self.known.get() {
            return Ok(known.as_ref());
        }
        let (most, equal) = (B::references_at_once(), [Cell::Scope(self.scope)]);
        let mut known = None;
        if most > 0 {
            let rows = self.kept.all(&Query { equal: &equal, limit: most.saturating_add(1), ..Query::default() })?;
            known = (rows.len() <= most).then(Referrers::new);
            for Referring(target, row) in rows {
                known.iter_mut().for_each(|known| known.entry(target.clone()).or_default().push(row.clone()));
            }
        }
        Ok(self.known.get_or_init(|| known).as_ref())
    }
}

impl<B: Tables> Graph for AccountGraph<'_, B> {
    type Row = LinkedRow;

    fn row(&self, key: &RowKey) -> Stored<Option<LinkedRow>> {
        self.kept.one(&[Cell::Scope(self.scope), key.to_string().into()])
    }

    fn references<'a>(&self, row: &'a LinkedRow) -> &'a [Reference] {
        &row.references
    }

    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>> {
        let target = Reference::Row(key.clone()).to_string();
        let texts: Vec<String> = match self.known()? {
            Some(known) => {
                let later = known.get(&target).into_iter().flatten();
                later.filter(|text| after.is_none_or(|after| text.as_str() > after)).take(limit).cloned().collect()
            }
            None => {
                let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.into()));
                let equal = [Cell::Scope(self.scope), Cell::from(&target)];
                let rows = self.kept.all(&Query { equal: &equal, from, limit, ..Query::default() })?;
                rows.into_iter().map(|ReferrerText(text)| text).collect()
            }
        };
        texts.into_iter().map(|text| key_of(&text).map(|key| (text, key))).collect()
    }
}

impl<B: Tables> Kept<B> {
    /// Opens an account with one query per step, like [`Read::open`].
    ///
    /// # Errors
    /// Fails if the storage fails.
    pub fn open_by_steps(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        self.backend.together(|| {
            let catalog = scope.catalog();
            let account = self.backend.account(scope)?;
            let mut opened = OpenedRows {
                account_revision: account.map_or(0, |account| account.revision),
                catalog_revision: self.account(&catalog)?.revision,
                ..OpenedRows::default()
            };
            // A new account has no rows and no facts.
            let (mut live, is_known) = (Vec::new(), account.is_some());
            if is_known {
                live = self.all::<LinkedRow>(&Query { equal: &[scope.into()], ..Query::of(&rows::LIVE_ROWS) })?;
                opened.facts = self.known(scope, facts)?;
            } else {
                opened.facts = vec![false; facts.len()];
            }
            let live = live.into_iter().map(|row| (Arc::new(row.stored.row.key()), row)).collect();
            let rows = match is_known {
                true => reach(&AccountGraph { kept: self, scope, known: OnceCell::new() }, live, named)?,
                false => live,
            };
            let references = rows.values().flat_map(|row| &row.references);
            let keys: Vec<_> = catalog_keys(named.iter().chain(references)).into_iter().cloned().collect();
            opened.catalog = self.catalog_read(&scope.partition(), &keys)?.into_iter().flatten().collect();
            opened.rows = rows.into_values().map(|row| row.stored).collect();
            Ok(opened)
        })
    }
}
