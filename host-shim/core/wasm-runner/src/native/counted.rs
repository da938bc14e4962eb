//! Wraps the imports of a call and counts the calls of them.

use extension_contract::{
    CatalogKey, CatalogQuery, CatalogRow, ClaimState, Imported, Imports, LogLevel, Opened, Page, Placement, Product,
    RowKey, Selection, StoredRow,
};

/// The imports of one call, with a counter.
pub(super) struct CountingImports<'a> {
    inner: &'a mut dyn Imports,
    calls: u64,
}

impl<'a> CountingImports<'a> {
    pub fn new(inner: &'a mut dyn Imports) -> Self {
        CountingImports { inner, calls: 0 }
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    fn count(&mut self) -> &mut dyn Imports {
        self.calls += 1;
        self.inner
    }
}

impl Imports for CountingImports<'_> {
    fn open(&mut self, placement: &Placement, facts: &[String]) -> Imported<Opened> {
        self.count().open(placement, facts)
    }
    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        self.count().load(keys)
    }
    fn more(&mut self, selection: &Selection, limit: u32) -> Imported<Vec<StoredRow>> {
        self.count().more(selection, limit)
    }
    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>> {
        self.count().known(facts)
    }
    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>> {
        self.count().begun(effects)
    }
    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        self.count().claims_take(keys)
    }
    fn claims_mine(&mut self, prefix: &str) -> Imported<Vec<String>> {
        self.count().claims_mine(prefix)
    }
    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        self.count().catalog_read(keys)
    }
    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Imported<Vec<Product>> {
        self.count().catalog_find(query, page)
    }
    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.count().log_write(level, message, fields);
    }
}
