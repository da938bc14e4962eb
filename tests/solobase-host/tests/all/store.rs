//! The store over the database service: the conformance suite of stores, with batches and without.

use host_store::Store;
use host_store_solobase::{Batches, Service, ServiceError, SolobaseStore};
use solobase_host::database::Database;
use std::sync::Arc;

/// The database service, called without a guest.
struct Direct(Database);

impl Service for Direct {
    fn call(&self, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
        self.0.call(kind, request).map_err(|error| ServiceError { code: error.code.to_owned(), message: error.message })
    }
}

fn open(has_batch: bool) -> Box<dyn Store> {
    let service = Direct(Database::open(None, has_batch).expect("opened"));
    let batches = SolobaseStore::make_tables(&service).expect("made");
    assert_eq!(batches == Batches::Yes, has_batch);
    Box::new(SolobaseStore::new(Arc::new(service), batches))
}

host_store::store_conformance!(with_batches, open(true));
host_store::store_conformance!(with_intents, open(false));
