//! Tests real clients against the sandbox; see `clients/README.md`. Each test installs the clients it needs, or fails
//! with the command that installs them.

#![allow(clippy::unwrap_used)]

mod account;
mod async_stripe;
mod cli;
mod djstripe;
mod install;
mod libraries;
#[path = "../http/sink.rs"]
mod sink;
mod suites;
mod sync_engine;

use counterparts::{run, succeeds};
use local_stripe::sandbox::{Request, json_of, own_request};
use local_stripe::server::{Options, Server};
use serde_json::Value;

/// Whether the variable `LOCAL_STRIPE_WITHOUT` skips a client. If so, prints a message.
fn left_out(name: &str) -> bool {
    let without = std::env::var("LOCAL_STRIPE_WITHOUT").unwrap_or_default();
    let out = without.split(',').any(|w| w.trim() == name);
    if out {
        println!("LEFT OUT: {name} (LOCAL_STRIPE_WITHOUT)");
    }
    out
}

/// Makes a call to a server without HTTP.
fn call(server: &Server, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
    call_for(server, None, method, path, form)
}

/// Makes a call for a connected account, or for the server's own account.
fn call_for(server: &Server, account: Option<&str>, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
    let account = account.map(str::to_owned);
    let response = server.handle(&Request { account, ..own_request(method, path, form) });
    assert!(matches!(response.status, 200 | 402), "{method} {path}: {}", response.body);
    json_of(&response)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// Starts a server on a runtime.
fn start(runtime: &tokio::runtime::Runtime, options: Options) -> Server {
    runtime.block_on(Server::start(options)).unwrap()
}
