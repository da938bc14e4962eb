//! The stand-in host, and what runs on it.

mod block;
mod kills;
mod moving;
mod package;
mod player;
mod rights;
mod scenarios;
mod stand_in;
mod store;
