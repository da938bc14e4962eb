//! The stand-in host, and what runs on it.

mod block;
mod stand_in;
mod store;
