//! Real clients against the sandbox; see `clients/README.md`. Each installs what it needs, or fails with the line that does.

#![allow(clippy::unwrap_used)]

mod account;
mod async_stripe;
mod cli;
mod djstripe;
mod install;
mod libraries;
mod postgres;
#[path = "../http/sink.rs"]
mod sink;
mod sync_engine;

use std::io::Read;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::{Options, Server};
use serde_json::Value;

/// Whether a client is left out, which is said.
fn left_out(name: &str) -> bool {
    let without = std::env::var("LOCAL_STRIPE_WITHOUT").unwrap_or_default();
    let out = without.split(',').any(|w| w.trim() == name);
    if out {
        println!("LEFT OUT: {name} (LOCAL_STRIPE_WITHOUT)");
    }
    out
}

/// Runs a command to its end; kills it and fails after a time.
fn run(command: &mut Command, limit: Duration) -> Output {
    let shown = format!("{command:?}");
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{shown}: {e}"));
    // The pipes are drained beside the wait, so that a talkative command can't block.
    let out = drain(child.stdout.take());
    let err = drain(child.stderr.take());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{shown} took longer than {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).unwrap();
        }
        bytes
    })
}

/// Runs a command that must succeed; gives what it printed.
fn succeeds(command: &mut Command, limit: Duration) -> String {
    let shown = format!("{command:?}");
    let output = run(command, limit);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}: {}\n{out}\n{err}", output.status);
    out
}

/// Calls a server without HTTP.
fn call(server: &Server, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
    let response = server.handle(&own_request(method, path, form));
    assert!(matches!(response.status, 200 | 402), "{method} {path}: {}", response.body);
    json_of(&response)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// A server on a runtime of its own.
fn start(runtime: &tokio::runtime::Runtime, options: Options) -> Server {
    runtime.block_on(Server::start(options)).unwrap()
}
