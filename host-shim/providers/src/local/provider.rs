//! Carries out the calls of the local provider, one at a time.

use crate::local::away::AwaySlot;
use crate::local::error::LocalError;
use crate::local::serving::Serving;
use crate::local::store::{Resource, ResourceStore};
use crate::local::{alias, backups, bucket, database, function, objects};
use host_provider_api::{BackupExpiry, Call, CallOutcome, Held, NotExpired, Provider, Unlisted, Unreadable};
use serde_json::json;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Resources of [`Local`], as patterns for the registry.
pub const PATTERNS: [&str; 7] = ["bucket", "cdn", "database", "domain", "function", "object", "probe.answer"];

/// The file that is locked by the process with a running call.
const LOCK: &str = "calls.lock";

/// The local provider, with its folder and the HTTP server of its functions. Dropping the provider stops the server.
pub struct Local {
    store: ResourceStore,
    server: Serving,
    away: AwaySlot,
    /// Allows one call at a time, even across several processes, so that checking and taking a name is atomic.
    lock: Mutex<File>,
}

impl Local {
    /// Opens or creates the folder and serves its functions on 127.0.0.1. The server uses the port stored in the folder, because the
    /// functions' URLs contain it. If no port is stored, the server uses `port` or a free port. If several processes open the folder, one
    /// of them serves, and another takes over when it ends.
    ///
    /// # Errors
    ///
    /// Fails if the folder can't be used or the port is taken.
    pub fn open(folder: &Path, port: Option<u16>) -> Result<Local, LocalError> {
        Local::with(folder, |store, away| Serving::start(store, port, away))
    }

    /// Opens or creates the folder without serving its functions, in order to inspect its contents. This works even while another process
    /// serves them, and in a copy of that process's folder, whose port is in use.
    ///
    /// # Errors
    ///
    /// Fails if the folder can't be used.
    pub fn beside(folder: &Path) -> Result<Local, LocalError> {
        Local::with(folder, |store, _| Serving::elsewhere(store))
    }

    fn with(
        folder: &Path,
        serve: impl FnOnce(&ResourceStore, &AwaySlot) -> Result<Serving, LocalError>,
    ) -> Result<Local, LocalError> {
        let store = ResourceStore::open(folder)?;
        let away = AwaySlot::default();
        let server = serve(&store, &away)?;
        let lock = Mutex::new(store.lock_file(LOCK)?);
        Ok(Local { store, server, away, lock })
    }

    /// Returns the server's address.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns the slot for the pages that answer for instances that are not running. Without pages, the server only reports that an
    /// instance is suspended or does not exist.
    pub fn away(&self) -> &AwaySlot {
        &self.away
    }

    fn try_call(&self, call: &Call) -> Result<CallOutcome, LocalError> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.lock().map_err(LocalError::io(&self.store.file(LOCK)))?;
        let answer = self.call_locked(call);
        lock.unlock().map_err(LocalError::io(&self.store.file(LOCK)))?;
        answer
    }

    fn call_locked(&self, call: &Call) -> Result<CallOutcome, LocalError> {
        if call.resource() == "object" {
            return match call.verb() {
                "sign" => objects::sign(&self.store, self.address().port(), call),
                _ => Ok(CallOutcome::unsupported(call)),
            };
        }
        if call.kind == "probe.answer" {
            return alias::answers(&self.store, call);
        }
        let found = self.store.find(&call.resource_id())?;
        if let Some(resource) =
            found.as_ref().filter(|resource| resource.generation > call.generation && call.verb() != "observe")
        {
            let message = format!(
                "the call has generation {}, but generation {} has been applied",
                call.generation, resource.generation
            );
            return Ok(CallOutcome::refused(host_provider_api::SUPERSEDED, message));
        }
        if call.resource() == "database"
            && matches!(call.verb(), "ensure" | "change" | "backup")
            && let Some(refused) = found.as_ref().and_then(|resource| database::lost(&self.store, resource))
        {
            return Ok(refused);
        }
        if call.resource() == "function"
            && matches!(call.verb(), "ensure" | "change")
            && let Some(refused) = function::refused(&self.store, call)?
        {
            return Ok(refused);
        }
        match (call.verb(), found) {
            ("observe", Some(resource)) if database::lost(&self.store, &resource).is_some() => {
                Ok(CallOutcome::Done(json!({"exists": false})))
            }
            ("observe", Some(resource)) => {
                let mut found = json!({"exists": true, "state": resource.state, "outputs": resource.outputs});
                if let Some(bytes) = self.bytes(&resource)? {
                    found["bytes"] = json!(bytes);
                }
                Ok(CallOutcome::Done(found))
            }
            ("observe", None) if call.payload.get(database::ADOPTED) == Some(&json!(true)) => match call.resource() {
                "database" => database::adopt(&self.store, call),
                other => {
                    let text = format!("on this machine a person can name a database, and no {other}");
                    Ok(CallOutcome::refused("cannot-adopt", text))
                }
            },
            ("observe", None) => Ok(CallOutcome::Done(json!({"exists": false}))),
            ("ensure", Some(mut resource)) => {
                resource.apply(call);
                self.store.save(&resource)?;
                Ok(CallOutcome::Done(resource.outputs))
            }
            ("ensure", None) => self.make(call),
            ("change", Some(resource)) => self.change(call, resource),
            ("change", None) => Ok(CallOutcome::refused("not-found", "there is nothing to change")),
            ("destroy", resource) => {
                let refusal = resource
                    .filter(|_| call.resource() == "database")
                    .and_then(|resource| database::destroy(call, &resource));
                if let Some(refusal) = refusal {
                    return Ok(refusal);
                }
                self.store.remove(&call.resource_id())?;
                Ok(CallOutcome::Done(json!({})))
            }
            ("backup", _) if call.resource() == "database" => backups::backup(&self.store, call),
            ("restore", _) if call.resource() == "database" => backups::restore(&self.store, call),
            ("migrate", _) if call.resource() == "database" => database::migrate(&self.store, call),
            ("seed", _) if call.resource() == "database" => database::seed(&self.store, call),
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    /// Returns the size of a database or a bucket; none for other resources.
    fn bytes(&self, resource: &Resource) -> Result<Option<u64>, LocalError> {
        let id = resource.full_id();
        let path = match resource.resource.as_str() {
            "database" => database::file(&self.store, &id),
            "bucket" => bucket::files(&self.store, &id),
            _ => return Ok(None),
        };
        let size = if path.is_dir() { bucket::size(&path) } else { path.metadata().map(|file| file.len()) };
        match size {
            Ok(bytes) => Ok(Some(bytes)),
            // Nothing has been written yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Some(0)),
            Err(error) => Err(LocalError::Io { path, error }),
        }
    }

    fn make(&self, call: &Call) -> Result<CallOutcome, LocalError> {
        let port = self.server.address().port();
        match call.resource() {
            "database" => database::ensure(&self.store, call),
            "bucket" => bucket::ensure(&self.store, call),
            "function" => function::ensure(&self.store, call, port),
            "cdn" | "domain" => alias::ensure(&self.store, call, port),
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    fn change(&self, call: &Call, mut resource: Resource) -> Result<CallOutcome, LocalError> {
        resource.apply(call);
        self.store.save(&resource)?;
        let mut outputs = resource.outputs;
        if let Some(members) = outputs.as_object_mut() {
            members.insert("state".to_owned(), json!(resource.state));
        }
        Ok(CallOutcome::Done(outputs))
    }
}

impl Provider for Local {
    fn call(&self, call: &Call) -> CallOutcome {
        self.try_call(call).unwrap_or_else(CallOutcome::from)
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        let all = self.store.all().map_err(unlisted)?;
        let to_held = |it: Resource| {
            let name = ["bucket", "name", "domain", "id", "endpoint"].iter().find_map(|name| it.output(name));
            Held { name: name.unwrap_or_default().to_owned(), state: it.state.clone(), id: it.full_id() }
        };
        let exists = |it: &Resource| database::lost(&self.store, it).is_none();
        Ok(Some(all.into_iter().filter(exists).map(to_held).collect()))
    }

    fn unreadable(&self) -> Result<Vec<Unreadable>, Unlisted> {
        let all = self.store.unreadable().map_err(unlisted)?;
        Ok(all.into_iter().map(|(name, error)| Unreadable { name, problem: error.to_string() }).collect())
    }

    fn expire_backups(&self, expiry: &BackupExpiry<'_>) -> Result<usize, NotExpired> {
        let expired = backups::expire(&self.store, expiry);
        expired.map_err(|error| NotExpired { provider: "local", reason: error.to_string() })
    }
}

fn unlisted(error: LocalError) -> Unlisted {
    Unlisted { provider: "local", reason: error.to_string() }
}
