//! Implements the library's [`Imports`] with the imports of the WIT world.

use crate::bindings::solobase::products as import;
use crate::convert::Cross;
use extension_contract::{
    CatalogKey, CatalogQuery, CatalogRow, ClaimState, Imported, Imports, LogLevel, Opened, Page, Placement, Product,
    RowKey, Selection, StoredRow,
};

/// The host of this instance. It has no state of its own.
pub struct Host;

impl Imports for Host {
    fn open(&mut self, placement: &Placement, facts: &[String]) -> Imported<Opened> {
        import::account::open(&placement.clone().cross(), facts).cross()
    }

    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        import::account::load(&keys.to_vec().cross()).cross()
    }

    fn more(&mut self, selection: &Selection, limit: u32) -> Imported<Vec<StoredRow>> {
        import::account::more(&selection.clone().cross(), limit).cross()
    }

    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>> {
        import::account::known(facts).cross()
    }

    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>> {
        import::account::begun(effects).cross()
    }

    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        import::claims::take(keys).cross()
    }

    fn claims_mine(&mut self, prefix: &str) -> Imported<Vec<String>> {
        import::claims::mine(prefix).cross()
    }

    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        import::catalog::read(&keys.to_vec().cross()).cross()
    }

    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Imported<Vec<Product>> {
        import::catalog::find(&query.clone().cross(), &page.clone().cross()).cross()
    }

    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let level = match level {
            LogLevel::Debug => import::log::Level::Debug,
            LogLevel::Info => import::log::Level::Info,
            LogLevel::Warn => import::log::Level::Warn,
            LogLevel::Error => import::log::Level::Error,
        };
        import::log::write(level, message, fields);
    }
}
