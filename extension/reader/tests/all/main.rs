//! The reader's tests, in one program.

mod errors;
mod same_as_serde_json;
