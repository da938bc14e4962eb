//! Reads YAML and JSON files so that each error message can give the file and the line of the mistake.
//!
//! [`Node::parse`] reads a document into nodes that contain their positions. [`bad_input::BadInput`] is a mistake with
//! its position, the expected value and a [`guess`] at a misspelt name. A [`Checker`] reads the values of a document
//! and reports all mistakes.

pub mod bad_input;
mod build;
mod checker;
mod node;
mod parse;
mod search;
mod unquoted;

pub use checker::{Checked, Checker, Fields, Noted};
pub use extension_contract::guess;
pub use node::{Entry, Node, Tree};
