//! Tests what the conformance suite does not cover: the guarantees of one store, forks, and the state hash.

mod declared;
mod erase;
mod fork;
mod full;
mod sqlite;
mod state;
