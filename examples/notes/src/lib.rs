//! The program of an instance: a notebook whose notes can have a file each. It runs on AWS Lambda (the program
//! `bootstrap` of this crate) and in the local provider.
//!
//! The library makes a response of a request. It does no input or output: notes and files are behind the trait
//! [`Storage`].

mod error;
mod form;
mod name;
mod origin;
mod page;
mod reply;
mod routes;
mod settings;
mod storage;

pub use error::NotesError;
pub use reply::{failed, too_large};
pub use routes::{BODY_MAX, Site, respond};
pub use settings::{Database, Settings, SettingsError};
pub use storage::{FileInfo, Note, Room, Storage, StorageError};
