//! Read access to the contract's imports, shared by account and catalog.

use extension_contract::{
    BULK_MAX, CatalogKey, CatalogQuery, CatalogRow, ClaimState, ImportError, Imported, Imports, LogLevel,
    PAGE_ROWS_MAX, Page, Product, RowKey, Selection, StoredRow,
};
use std::cell::RefCell;

/// A read-only handle on the imports.
pub(crate) struct Reader<'h>(RefCell<&'h mut dyn Imports>);

fn missing_entries(call: &str) -> ImportError {
    ImportError::Unavailable(format!("{call} returned fewer entries than requested"))
}

/// Returns the results of a bulk call. Fails if their number differs from the number of requested entries.
fn expect_all<T>(call: &str, requested: usize, entries: Vec<T>) -> Imported<Vec<T>> {
    if entries.len() == requested { Ok(entries) } else { Err(missing_entries(call)) }
}

impl<'h> Reader<'h> {
    /// Creates a reader of a host's imports.
    pub fn new(host: &'h mut dyn Imports) -> Self {
        Reader(RefCell::new(host))
    }

    /// Reads rows of the account by their keys, in the order of the keys.
    pub fn load(&self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        let mut out = Vec::with_capacity(keys.len());
        for part in keys.chunks(BULK_MAX) {
            out.extend(expect_all("account.load", part.len(), self.0.borrow_mut().load(part)?)?);
        }
        Ok(out)
    }

    /// Reads at most `limit` rows of a selection.
    pub fn more(&self, selection: &Selection, limit: u32) -> Imported<Vec<StoredRow>> {
        self.0.borrow_mut().more(selection, limit)
    }

    /// Returns for each fact whether it is already recorded.
    pub fn known(&self, facts: &[String]) -> Imported<Vec<bool>> {
        let mut out = Vec::with_capacity(facts.len());
        for part in facts.chunks(BULK_MAX) {
            out.extend(expect_all("account.known", part.len(), self.0.borrow_mut().known(part)?)?);
        }
        Ok(out)
    }

    /// Returns for each effect whether it has begun, including finished effects.
    pub fn begun(&self, effects: &[String]) -> Imported<Vec<bool>> {
        expect_all("account.begun", effects.len(), self.0.borrow_mut().begun(effects)?)
    }

    /// Returns the states of claims.
    pub fn claims_take(&self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        expect_all("claims.take", keys.len(), self.0.borrow_mut().claims_take(keys)?)
    }

    /// Returns the claims of the account that begin with a prefix.
    pub fn claims_mine(&self, prefix: &str) -> Imported<Vec<String>> {
        self.0.borrow_mut().claims_mine(prefix)
    }

    /// Reads entries of the catalog and of the configuration, in the order of the keys.
    pub fn catalog_read(&self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        let mut out = Vec::with_capacity(keys.len());
        for part in keys.chunks(BULK_MAX) {
            out.extend(expect_all("catalog.read", part.len(), self.0.borrow_mut().catalog_read(part)?)?);
        }
        Ok(out)
    }

    /// Writes a line to the host's log.
    pub fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.0.borrow_mut().log_write(level, message, fields);
    }

    /// Returns a page of the products of the catalog that match a query.
    pub fn catalog_page(&self, query: &CatalogQuery, after: Option<&str>, limit: u32) -> Imported<Vec<Product>> {
        let page = Page { after: after.map(str::to_owned), limit };
        self.0.borrow_mut().catalog_find(query, &page)
    }

    /// Returns all products of the catalog that match a query.
    pub fn catalog_find(&self, query: &CatalogQuery) -> Imported<Vec<Product>> {
        let mut found: Vec<Product> = Vec::new();
        loop {
            let after = found.last().map(|row| row.id.clone());
            let rows = self.0.borrow_mut().catalog_find(query, &Page { after, limit: PAGE_ROWS_MAX })?;
            let full = rows.len() == PAGE_ROWS_MAX as usize;
            found.extend(rows);
            if !full {
                return Ok(found);
            }
        }
    }
}
