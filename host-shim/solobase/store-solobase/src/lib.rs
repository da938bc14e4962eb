//! How does the store keep its rows in the tables of a Solobase platform? Over the platform's database service, which has no
//! transactions for its callers: it lists, creates and updates rows, and newer hosts apply a batch of writes at once.
//!
//! **Reading.** A group reads the number of the last commit (the table `head`), and then what it needs. Its own changes stay in
//! memory until its end, and its reads see them.
//!
//! **Committing.** Each commit has a number. Whoever creates the row with the next number in the table `commits` has committed;
//! everybody else fails with `StoreError::Locked`, and does its work again on the new state. So a commit succeeds only if no other
//! commit came after the group's beginning: one number serves all accounts, because events and effects are numbered together.
//! Where the host has `database.batch`, this row and all changes are written at once. Elsewhere the row contains the changes (it is
//! the *intent*); they are then applied one by one, and after a crash the next group applies them before anything else. To apply
//! a change twice, or late, changes nothing: each row has the number of the commit that wrote it.

mod apply;
mod commit;
mod copy;
mod effects;
mod erase;
mod events;
mod group;
mod make;
mod mark;
mod open;
mod query;
mod read;
mod record;
mod rows;
mod service;
mod store;
mod tables;
mod wire;

pub use service::{Service, ServiceError};
pub use store::{Batches, SolobaseStore};
pub use tables::{Column, Kind, PREFIX, TABLES, Table};
