//! Keeps the store's rows in tables of a Solobase platform. Its database service lists, creates and updates rows
//! without transactions; newer hosts also apply a batch of writes at once. A group reads the last commit number from
//! the table `head`, and holds its changes, which its own reads see, in memory. It commits by creating the row with the
//! next number in `commits` (see `commit.rs`). If another commit came first, it fails with `StoreError::Locked` and
//! starts over. One number serves all accounts, since events and effects are numbered together.

mod answer;
mod backend;
mod commit;
mod make;
mod mark;
mod open;
mod platform;
mod query;
mod record;
mod service;
mod tables;
mod wire;

pub use open::{SolobaseStore, open, remove_some};
pub use platform::{Batches, Platform};
pub use service::{Service, ServiceError};
pub use tables::collections;
