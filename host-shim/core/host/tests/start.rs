//! A host that starts over a store: which catalog it brings in, and what stops it.
#![allow(clippy::unwrap_used)]

mod start {
    #[path = "../processor/events.rs"]
    pub mod events;
    #[path = "../processor/toy.rs"]
    pub mod toy;

    mod catalog;
}
