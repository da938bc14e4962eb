//! What an event needs of its account: one list of the live rows, one of the references, and the rows that they reach.

use crate::group::Group;
use crate::query::Query;
use crate::record::Record;
use crate::rows::{ACCOUNT, LoadedRow, catalog_row, fact_id, read_with_references, row_id};
use crate::tables::{FACTS, REFS, ROWS};
use extension_contract::{CatalogKey, Reference, RowKey};
use host_store::implementation::json::damaged;
use host_store::implementation::{Graph, Rows, catalog_keys, reach, row_key};
use host_store::{OpenedRows, Scope, Stored};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Maximum number of references of an account that are read at once. An account with more is asked for each row.
const REFS_AT_ONCE: usize = 400;

/// Key texts of referrers by target.
type Referrers = BTreeMap<String, Vec<String>>;

/// The graph of an account's rows.
struct AccountGraph<'g> {
    group: &'g Group,
    scope: &'g Scope,
    /// All referrers of the account, unless they are too many.
    known: OnceCell<Option<Referrers>>,
}

impl AccountGraph<'_> {
    /// Reads the references of the account.
    fn all(&self) -> Stored<Option<Referrers>> {
        let query = Query::of(&REFS).eq("scope", self.scope.name()).sort("ord").limit(REFS_AT_ONCE + 1);
        let rows = self.group.select(&query)?;
        if rows.len() > REFS_AT_ONCE {
            return Ok(None);
        }
        let mut found = Referrers::new();
        for row in rows {
            found.entry(row.text("target")?.to_owned()).or_default().push(row.text("row_key")?.to_owned());
        }
        Ok(Some(found))
    }

    fn known(&self) -> Stored<&Option<Referrers>> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let all = self.all()?;
        Ok(self.known.get_or_init(|| all))
    }
}

impl Graph for AccountGraph<'_> {
    type Row = LoadedRow;

    fn row(&self, key: &RowKey) -> Stored<Option<LoadedRow>> {
        let found = self.group.find(&ROWS, &row_id(self.scope, key))?;
        found.as_ref().map(read_with_references).transpose()
    }

    fn references<'a>(&self, row: &'a LoadedRow) -> &'a [Reference] {
        &row.references
    }

    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>> {
        let target = Reference::Row(key.clone()).to_string();
        let texts = match self.known()? {
            Some(known) => {
                let of_target = known.get(&target).map(Vec::as_slice).unwrap_or_default();
                let later = of_target.iter().filter(|text| after.is_none_or(|after| text.as_str() > after));
                later.take(limit).cloned().collect()
            }
            None => self.group.referrers(self.scope, &target, after, limit)?,
        };
        let with_key = |text: String| row_key(&text).map(|key| (text.clone(), key)).ok_or_else(|| damaged(text));
        texts.into_iter().map(with_key).collect()
    }
}

impl Group {
    /// Returns the key texts of the rows that refer to a target, in byte order.
    pub(crate) fn referrers(
        &self,
        scope: &Scope,
        target: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<String>> {
        let query = Query::of(&REFS).eq("scope", scope.name()).eq("target", target);
        let query = match after {
            Some(after) => query.gt("ord", crate::rows::ord(after)),
            None => query,
        };
        let rows = self.select(&query.sort("ord").limit(limit))?;
        rows.iter().map(|row| row.text("row_key").map(str::to_owned)).collect()
    }

    /// Answers [`Read::open`](host_store::Read::open).
    pub(crate) fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        let live = self.select(&Query::of(&ROWS).eq("scope", scope.name()).eq("live", true).sort("ord"))?;
        let (mut account_revision, mut rows) = (0, Rows::new());
        for row in &live {
            if row.text("kind")? == ACCOUNT {
                account_revision = row.number("written")?;
                continue;
            }
            let loaded = read_with_references(row)?;
            rows.insert(Arc::new(loaded.stored.row.key()), loaded);
        }
        let graph = AccountGraph { group: self, scope, known: OnceCell::new() };
        let rows = reach(&graph, rows, named)?;
        let references = rows.values().flat_map(|row| &row.references);
        let keys = catalog_keys(named.iter().chain(references));
        let (catalog_revision, catalog) = self.catalog(&scope.catalog(), keys.into_iter())?;
        let ids: Vec<String> = facts.iter().map(|fact| fact_id(scope, fact)).collect();
        let known = self.find_all(&FACTS, &ids)?.iter().map(Option::is_some).collect();
        Ok(OpenedRows {
            account_revision,
            catalog_revision,
            rows: rows.into_values().map(|row| row.stored).collect(),
            catalog: catalog.iter().flatten().map(catalog_row).filter_map(Result::transpose).collect::<Stored<_>>()?,
            facts: known,
        })
    }

    /// Reads the revision of the catalog, and rows of it, in one list.
    pub(crate) fn catalog<'k>(
        &self,
        scope: &Scope,
        keys: impl Iterator<Item = &'k CatalogKey>,
    ) -> Stored<(u64, Vec<Option<Record>>)> {
        // No row has the empty id: settings are not in the store.
        let id = |key: &CatalogKey| key.row_key().map_or_else(String::new, |key| row_id(scope, &key));
        let ids: Vec<String> = std::iter::once(crate::rows::account_id(scope)).chain(keys.map(id)).collect();
        let mut rows = self.find_all(&ROWS, &ids)?;
        let revision = rows.remove(0).map_or(Ok(0), |row| row.number("written"))?;
        Ok((revision, rows))
    }
}
