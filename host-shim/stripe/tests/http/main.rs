//! The server over HTTP: headers, limits, webhooks, pages, and a state file that survives a kill.

#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod pages;
mod portal;
mod sink;
mod state;
mod webhooks;
