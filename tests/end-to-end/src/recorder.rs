//! A runner that records the host calls of the extension for each event.

use extension_contract::{
    CatalogKey, CatalogQuery, CatalogRow, ClaimState, Imported, Imports, LogLevel, Opened, Page, Placement, Product,
    RowKey, Selection, StoredRow,
};
use host_replay::runners::Runners;
use host_wasm_runner::around::Around;
use host_wasm_runner::runner::SharedImports;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The host calls for one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedCalls {
    /// Id of the event.
    pub event_id: String,
    /// Names of the called imports, in order.
    pub calls: Vec<&'static str>,
    /// Keys of the rows that each `open` and each listing by `more` returned; descending lists are reversed.
    pub lists: Vec<Vec<RowKey>>,
    /// Fuel that the extension used for the event; 0 if it runs natively.
    pub fuel: u64,
}

/// The host calls of all events, in order.
#[derive(Clone, Default)]
pub struct CallRecorder(Arc<Mutex<Vec<RecordedCalls>>>);

impl CallRecorder {
    /// Wraps runners so that their host calls are recorded.
    pub fn over(&self, runners: Runners) -> Runners {
        let recorder = self.clone();
        Runners::new(runners.name().to_owned(), move || {
            let recorder = recorder.clone();
            Ok(Box::new(Around::new(runners.make()?, move |inner, imports, event| {
                let record = RecordedCalls { event_id: event.id.clone(), ..RecordedCalls::default() };
                let spy = Arc::new(Mutex::new(Spy { inner: imports.clone(), record }));
                let shared: SharedImports = spy.clone();
                let ran = inner.handle(&shared, event);
                let mut record = locked(&spy).record.clone();
                record.fuel = ran.as_ref().map_or(0, |(_, used)| used.fuel);
                locked(&recorder.0).push(record);
                ran
            })))
        })
    }

    /// The recorded calls of all events so far.
    pub fn recorded(&self) -> Vec<RecordedCalls> {
        locked(&self.0).clone()
    }
}

/// Ignores poisoning: after a panic of another thread the test fails anyway.
fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records each call of an import, and passes the call to the host.
struct Spy {
    inner: SharedImports,
    record: RecordedCalls,
}

impl Spy {
    fn call<T>(&mut self, name: &'static str, body: impl FnOnce(&mut dyn Imports) -> T) -> T {
        self.record.calls.push(name);
        body(&mut *locked(&self.inner))
    }

    fn note(&mut self, rows: &[StoredRow]) {
        self.record.lists.push(rows.iter().map(|stored| stored.row.key()).collect());
    }
}

impl Imports for Spy {
    fn open(&mut self, placement: &Placement, facts: &[String]) -> Imported<Opened> {
        let opened = self.call("account.open", |host| host.open(placement, facts))?;
        if let Opened::Here(here) = &opened {
            self.note(&here.rows);
        }
        Ok(opened)
    }
    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        self.call("account.load", |host| host.load(keys))
    }
    fn more(&mut self, selection: &Selection, limit: u32) -> Imported<Vec<StoredRow>> {
        let rows = self.call("account.more", |host| host.more(selection, limit))?;
        if let Selection::Listed(listing) = selection {
            self.note(&rows);
            if let Some(keys) = self.record.lists.last_mut().filter(|_| listing.descending) {
                keys.reverse();
            }
        }
        Ok(rows)
    }
    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>> {
        self.call("account.known", |host| host.known(facts))
    }
    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>> {
        self.call("account.begun", |host| host.begun(effects))
    }
    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        self.call("claims.take", |host| host.claims_take(keys))
    }
    fn claims_mine(&mut self, prefix: &str) -> Imported<Vec<String>> {
        self.call("claims.mine", |host| host.claims_mine(prefix))
    }
    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        self.call("catalog.read", |host| host.catalog_read(keys))
    }
    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Imported<Vec<Product>> {
        self.call("catalog.find", |host| host.catalog_find(query, page))
    }
    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.call("log.write", |host| host.log_write(level, message, fields));
    }
}
