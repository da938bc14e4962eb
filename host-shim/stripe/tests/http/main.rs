//! The server over HTTP: headers, limits, webhooks, pages, and a state file that survives a kill.

#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod links;
mod pages;
mod sink;
mod state;
mod webhooks;
