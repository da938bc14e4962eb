//! Tests of the start of a host: when is the catalog loaded, and which errors stop the start?
#![allow(clippy::unwrap_used)]

mod start {
    #[path = "../processor/events.rs"]
    pub mod events;
    #[path = "../processor/toy.rs"]
    pub mod toy;

    mod catalog;
}
