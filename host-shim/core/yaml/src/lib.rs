//! How is a YAML or JSON file that a person wrote read, so that every mistake names its file and line?
//!
//! [`Node::parse`] reads a document into values that know their places. [`bad_input::BadInput`] is a mistake with its
//! place, the expected value and a [`guess`] at a misspelt name.

pub mod bad_input;
mod build;
pub mod guess;
mod node;
mod parse;
mod search;

pub use node::{Entry, Node, Tree};
