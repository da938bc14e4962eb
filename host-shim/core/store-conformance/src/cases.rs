//! The cases of the suite. Each opens empty stores, and panics if a store behaves wrongly.

mod erase;
mod groups;
mod inbox;
mod open;
mod outbox;
mod readers;
mod replies;
mod rows;

pub use erase::*;
pub use groups::*;
pub use inbox::*;
pub use open::*;
pub use outbox::*;
pub use readers::*;
pub use replies::*;
pub use rows::*;

use host_store::Store;

/// Opens a new, empty store.
pub type Open<'a> = &'a mut dyn FnMut() -> Box<dyn Store>;
