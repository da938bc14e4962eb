//! The provider: one call to one resource at a time.

use crate::error::LocalError;
use crate::server::Server;
use crate::shelf::{Resource, Shelf};
use crate::{alias, bucket, database, function};
use host_provider_api::{Call, CallOutcome, Held, Provider, Unlisted};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What [`Local`] takes.
pub const PATTERNS: [&str; 5] = ["bucket", "cdn", "database", "domain", "function"];

/// Resources in a folder of this machine, and the server before its functions. The server ends with it.
pub struct Local {
    shelf: Shelf,
    server: Server,
    /// Names are looked for and taken in one step.
    alone: Mutex<()>,
}

impl Local {
    /// Opens the folder, or makes it, and begins to serve what is in it on 127.0.0.1. The port is the one that the folder was
    /// served on before, since addresses of functions have it; else `port`, or a free one.
    pub fn open(folder: &Path, port: Option<u16>) -> Result<Local, LocalError> {
        let shelf = Shelf::open(folder)?;
        let server = Server::start(shelf.clone(), port)?;
        Ok(Local { shelf, server, alone: Mutex::new(()) })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn try_call(&self, call: &Call) -> Result<CallOutcome, LocalError> {
        let _alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.shelf.find(&call.resource_id())?;
        if let Some(held) = found.as_ref().filter(|held| held.generation > call.generation && call.verb() != "observe")
        {
            let message = format!("generation {} came before {}", held.generation, call.generation);
            return Ok(CallOutcome::refused("superseded", message));
        }
        if call.resource() == "function"
            && matches!(call.verb(), "ensure" | "change")
            && let Some(refused) = function::refused(&self.shelf, call)?
        {
            return Ok(refused);
        }
        match (call.verb(), found) {
            ("observe", Some(held)) => {
                Ok(CallOutcome::Done(json!({"exists": true, "state": held.state, "outputs": held.outputs})))
            }
            ("observe", None) if call.payload.get("adopt") == Some(&json!(true)) => {
                Ok(CallOutcome::refused("cannot-adopt", "what others made can't be taken over on this machine"))
            }
            ("observe", None) => Ok(CallOutcome::Done(json!({"exists": false}))),
            ("ensure", Some(mut held)) => {
                held.take(call);
                self.shelf.keep(&held)?;
                Ok(CallOutcome::Done(held.outputs))
            }
            ("ensure", None) => self.make(call),
            ("change", Some(held)) => self.change(call, held),
            ("change", None) => Ok(CallOutcome::refused("not-found", "there is nothing to change")),
            ("destroy", held) => {
                let kept =
                    held.filter(|_| call.resource() == "database").and_then(|held| database::destroy(call, &held));
                if let Some(answer) = kept {
                    return Ok(answer);
                }
                self.shelf.remove(&call.resource_id())?;
                Ok(CallOutcome::Done(json!({})))
            }
            ("backup", _) if call.resource() == "database" => database::backup(&self.shelf, call),
            ("restore", _) if call.resource() == "database" => database::restore(&self.shelf, call),
            ("migrate", _) if call.resource() == "database" => database::migrate(&self.shelf, call),
            ("seed", _) if call.resource() == "database" => database::seed(&self.shelf, call),
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    fn make(&self, call: &Call) -> Result<CallOutcome, LocalError> {
        let port = self.server.address().port();
        match call.resource() {
            "database" => database::ensure(&self.shelf, call),
            "bucket" => bucket::ensure(&self.shelf, call),
            "function" => function::ensure(&self.shelf, call, port),
            "cdn" | "domain" => alias::ensure(&self.shelf, call, port),
            _ => Ok(CallOutcome::unsupported(call)),
        }
    }

    fn change(&self, call: &Call, mut held: Resource) -> Result<CallOutcome, LocalError> {
        held.take(call);
        self.shelf.keep(&held)?;
        let mut outputs = held.outputs;
        if let Some(members) = outputs.as_object_mut() {
            members.insert("state".to_owned(), json!(held.state));
        }
        Ok(CallOutcome::Done(outputs))
    }
}

impl Provider for Local {
    fn call(&self, call: &Call) -> CallOutcome {
        self.try_call(call).unwrap_or_else(CallOutcome::from)
    }

    fn held(&self) -> Result<Vec<Held>, Unlisted> {
        let all = self.shelf.all().map_err(|error| Unlisted { provider: "local", reason: error.to_string() })?;
        let held = |it: Resource| {
            let name = ["bucket", "name", "domain", "id"].iter().find_map(|name| it.output(name));
            Held { name: name.unwrap_or_default().to_owned(), state: it.state.clone(), id: it.full_id() }
        };
        Ok(all.into_iter().map(held).collect())
    }
}
