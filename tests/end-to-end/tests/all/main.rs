//! The end-to-end tests, in one test program, because each test program links the whole host.

mod businesses;
mod component;
mod configuration;
mod fixtures;
mod orchestra;
mod over_http;
mod properties;
mod providers;
mod released;
mod saas_plugins;
mod saga;
mod schema;
mod stripe;
mod tables;
mod tesslate;
mod twobot;
mod verify;
mod writer;
