//! The server over HTTP: headers, limits, webhooks, pages, and state files after kills and damage.

#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod damage;
mod https;
mod links;
mod lost;
mod pages;
mod portal;
mod process;
mod reset;
mod sink;
mod slow;
mod state;
mod steps;
mod webhooks;
