//! Takes events to an extension and its decisions to a store.
//!
//! [`snapshot`] is what an extension sees of one account, [`decision`] what becomes of its answer, [`processor`] the way
//! of an event between them.

mod check;
pub mod decision;
pub mod processor;
pub mod read;
pub mod snapshot;
