//! Rows of the catalog that events have needed. They seldom change, and each event names the revision that it has read.

use crate::decode::{self, column, get};
use crate::store::{CatalogCache, PostgresStore};
use extension_contract::CatalogRow;
use host_store::{Partition, Stored};
use std::collections::{BTreeMap, HashMap};

/// Maximum number of rows that are kept.
const KEPT_MAX: usize = 1024;

/// Returns the products and prices with these keys in a revision of the catalog. Returns none if the catalog now has a different
/// revision, or if it changes in the open group, since that revision number may later stand for different rows.
pub(crate) fn rows(
    store: &PostgresStore,
    partition: &Partition,
    revision: u64,
    keys: &[&str],
) -> Stored<Option<BTreeMap<String, CatalogRow>>> {
    if store.catalog_is_written.get() {
        return Ok(None);
    }
    let mut cache = store.catalog.borrow_mut();
    if cache.of.as_ref().is_none_or(|(of, at)| of != partition || *at != revision) || cache.rows.len() > KEPT_MAX {
        *cache = CatalogCache { of: Some((partition.clone(), revision)), rows: HashMap::new() };
    }
    let missing: Vec<&str> = keys.iter().copied().filter(|key| !cache.rows.contains_key(*key)).collect();
    if !missing.is_empty() && revision > 0 {
        let sql = "SELECT s.revision, r.key, r.body::text, r.value::text FROM partitions p \
                   JOIN scopes s ON s.partition = p.id AND s.account = 'platform' \
                   LEFT JOIN LATERAL (SELECT x.key, x.body, x.value FROM unnest($3::text[]) k, LATERAL \
                   (SELECT x.key, x.body, x.value FROM rows x WHERE x.scope = s.id AND x.key = k OFFSET 0) x) r ON true \
                   WHERE p.business = $1 AND p.livemode = $2";
        let rows = store.query_now(sql, &[&partition.business, &partition.livemode, &missing])?;
        for row in &rows {
            if get::<i64>(row, 0)? != column(revision) {
                return Ok(None);
            }
            if let Some(key) = get::<Option<&str>>(row, 1)? {
                cache.rows.insert(key.to_owned(), decode::catalog_row(key, get(row, 2)?, get(row, 3)?)?);
            }
        }
    }
    for key in missing {
        cache.rows.entry(key.to_owned()).or_insert(None);
    }
    let found = keys.iter().filter_map(|key| Some(((*key).to_owned(), cache.rows.get(*key)?.clone()?)));
    Ok(Some(found.collect()))
}
