//! The stand-in host, and what runs on it.

mod store;
