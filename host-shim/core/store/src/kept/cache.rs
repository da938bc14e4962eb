//! Caches what a store has read in its groups and would otherwise read again for every event: claims, and products and prices of the
//! catalog. It is cleared when others may have written.

use crate::rows::ClaimRow;
use crate::scope::Partition;
use extension_contract::{CatalogKey, CatalogRow};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

/// Capacity of each map. A full map is cleared, so that memory stays bounded.
const ROWS_MAX: usize = 16 * 1024;
/// Capacity of the catalog map, whose rows are larger.
const CATALOG_MAX: usize = 1024;

/// Rows by key.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) claims: RefCell<HashMap<String, Option<ClaimRow>>>,
    pub(super) catalog: RefCell<HashMap<Partition, HashMap<CatalogKey, Option<CatalogRow>>>>,
    /// Numbers of parked events.
    pub(super) parked: RefCell<HashMap<Partition, u64>>,
}

impl Cache {
    pub(super) fn clear(&self) {
        self.claims.borrow_mut().clear();
        self.catalog.borrow_mut().clear();
        self.parked.borrow_mut().clear();
    }

    pub(super) fn remember_claim(&self, key: &str, claim: Option<ClaimRow>) {
        remember(&mut self.claims.borrow_mut(), ROWS_MAX, key.to_owned(), claim);
    }

    pub(super) fn remember_catalog(&self, partition: &Partition, key: &CatalogKey, row: Option<CatalogRow>) {
        let mut catalogs = self.catalog.borrow_mut();
        if !catalogs.contains_key(partition) {
            remember(&mut catalogs, CATALOG_MAX, partition.clone(), HashMap::new());
        }
        if let Some(catalog) = catalogs.get_mut(partition) {
            remember(catalog, CATALOG_MAX, key.clone(), row);
        }
    }

    /// Drops the catalog of a partition, because it is changing.
    pub(super) fn forget_catalog(&self, partition: &Partition) {
        self.catalog.borrow_mut().remove(partition);
    }

    /// Counts a new event that is parked.
    pub(super) fn count_parked(&self, partition: &Partition) {
        if let Some(count) = self.parked.borrow_mut().get_mut(partition) {
            *count += 1;
        }
    }
}

fn remember<K: Eq + Hash, V>(map: &mut HashMap<K, V>, most: usize, key: K, value: V) {
    if map.len() >= most {
        map.clear();
    }
    map.insert(key, value);
}
