//! The services of the platform that a block may call, its clock and its log.

use crate::database::{CallError, Database, fail};
use crate::guest::Used;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The services.
pub struct Services {
    /// The database service.
    pub database: Database,
    config: Mutex<BTreeMap<String, String>>,
    now_ms: AtomicI64,
    log: Mutex<Vec<String>>,
    used: Mutex<Vec<Used>>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Services {
    /// Creates services with a configuration. The clock stands at `now_ms`.
    pub fn new(database: Database, config: BTreeMap<String, String>, now_ms: i64) -> Services {
        Services {
            database,
            config: Mutex::new(config),
            now_ms: AtomicI64::new(now_ms),
            log: Mutex::default(),
            used: Mutex::default(),
        }
    }

    /// Sets the clock, in milliseconds since the epoch.
    pub fn set_now(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Sets a configuration value.
    pub fn set_config(&self, key: &str, value: &str) {
        locked(&self.config).insert(key.to_owned(), value.to_owned());
    }

    /// Returns true if a configuration key has a value.
    pub(crate) fn has_config(&self, key: &str) -> bool {
        locked(&self.config).contains_key(key)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn log(&self, level: &str, text: &str) {
        locked(&self.log).push(format!("{level} {text}"));
    }

    /// Returns the lines of the log.
    pub fn lines(&self) -> Vec<String> {
        locked(&self.log).clone()
    }

    pub(crate) fn add(&self, used: Used) {
        locked(&self.used).push(used);
    }

    /// Returns what each call of the block has used, and clears the record.
    pub fn take_used(&self) -> Vec<Used> {
        std::mem::take(&mut *locked(&self.used))
    }

    /// Calls a service.
    ///
    /// # Errors
    /// Fails with the platform's error.
    pub fn call(&self, block: &str, kind: &str, request: &[u8]) -> Result<Vec<u8>, CallError> {
        #[derive(serde::Deserialize)]
        struct Key {
            key: String,
        }
        match (block, kind) {
            ("wafer-run/database", kind) => self.database.call(kind, request),
            ("wafer-run/config", "config.get") => {
                let Key { key } = rmp_serde::from_slice(request).map_err(|error| fail("InvalidArgument", error))?;
                let value = locked(&self.config).get(&key).cloned();
                let value = value.ok_or_else(|| fail("NotFound", format!("no value for the key `{key}`")))?;
                rmp_serde::to_vec_named(&json!({"value": value})).map_err(|error| fail("Internal", error))
            }
            _ => Err(fail("NotFound", format!("no block `{block}` with `{kind}`"))),
        }
    }
}
