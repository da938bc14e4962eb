//! The imports of the world. Each import forwards to the imports of the running call.

use super::bounds::Weight;
use super::state::HostState;
use crate::bindings as wire;
use crate::convert::Cross;
use extension_contract::{CatalogKey, CatalogQuery, LogLevel, Page, Placement, RowKey, Selection};
use wasmtime::Result;

type Imported<T> = Result<std::result::Result<T, wire::ImportError>>;

impl wire::types::Host for HostState {}
impl wire::rows::Host for HostState {}
impl wire::effects::Host for HostState {}

impl wire::account::Host for HostState {
    fn open(&mut self, placement: wire::Placement, facts: Vec<String>) -> Imported<wire::Opened> {
        let bytes = placement.weight() + facts.weight();
        let placement: Placement = placement.cross();
        self.import(bytes, |imports| imports.open(&placement, &facts))
    }

    fn load(&mut self, keys: Vec<wire::RowKey>) -> Imported<Vec<Option<wire::StoredRow>>> {
        let bytes = keys.weight();
        let keys: Vec<RowKey> = keys.cross();
        self.import(bytes, |imports| imports.load(&keys))
    }

    fn more(&mut self, selection: wire::Selection, limit: u32) -> Imported<Vec<wire::StoredRow>> {
        let bytes = selection.weight();
        let selection: Selection = selection.cross();
        self.import(bytes, |imports| imports.more(&selection, limit))
    }

    fn known(&mut self, facts: Vec<String>) -> Imported<Vec<bool>> {
        self.import(facts.weight(), |imports| imports.known(&facts))
    }

    fn begun(&mut self, effects: Vec<String>) -> Imported<Vec<bool>> {
        self.import(effects.weight(), |imports| imports.begun(&effects))
    }
}

impl wire::claims::Host for HostState {
    fn take(&mut self, keys: Vec<String>) -> Imported<Vec<wire::ClaimState>> {
        self.import(keys.weight(), |imports| imports.claims_take(&keys))
    }

    fn mine(&mut self, prefix: String) -> Imported<Vec<String>> {
        self.import(prefix.weight(), |imports| imports.claims_mine(&prefix))
    }
}

impl wire::catalog::Host for HostState {
    fn read(&mut self, keys: Vec<wire::CatalogKey>) -> Imported<Vec<Option<wire::CatalogRow>>> {
        let bytes = keys.weight();
        let keys: Vec<CatalogKey> = keys.cross();
        self.import(bytes, |imports| imports.catalog_read(&keys))
    }

    fn find(&mut self, query: wire::CatalogQuery, page: wire::Page) -> Imported<Vec<wire::Product>> {
        let bytes = query.weight() + page.after.weight();
        let (query, page): (CatalogQuery, Page) = (query.cross(), page.cross());
        self.import(bytes, |imports| imports.catalog_find(&query, &page))
    }
}

impl wire::log::Host for HostState {
    fn write(&mut self, level: wire::Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        let level: LogLevel = level.cross();
        self.import(message.weight() + fields.weight(), |imports| imports.log_write(level, &message, &fields))
    }
}
