//! Lets a program act as the worker of a block on a Solobase platform, over HTTP with the block's service key.
//!
//! [`Worker`] takes the calls that are due, makes them with the providers of this machine, and reports back. [`moving`]
//! copies all data of a block to JSON lines, and back. Neither makes any decisions.

mod block;
pub mod moving;
mod worker;

pub use block::{BadAddress, Block, BlockError};
pub use worker::{Round, Worker, answer};
