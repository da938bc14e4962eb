//! The log of a server, on standard error.

use clap::ValueEnum;
use std::io::{self, IsTerminal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry;

/// Prefixes of the names of the host's own crates.
const OWN: [&str; 2] = ["host_", env!("CARGO_CRATE_NAME")];

/// The form of a log's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

/// The lines of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    /// Failures of the server
    Error,
    /// Also what an operator should look at
    Warn,
    /// Also what the server does on its own
    Info,
    /// Also each request
    Debug,
}

/// Starts the log of this process.
pub(super) fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // Libraries may log what they send, such as secrets.
    let own = Targets::new().with_targets(OWN.map(|name| (name, level)));
    let lines = layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // A process has one log; a second start changes nothing.
    let _ = registry().with(lines.with_filter(own)).try_init();
}
