//! The bodies of the targets: what is done with bytes that nobody vouches for, and what must hold whatever they are.
//!
//! `fuzz_targets` gives them to libFuzzer; the ordinary tests run the corpus through the same functions
//! (`tests/tests/properties/corpus.rs`), which name these files and no part of this crate.

pub mod intake_body;
pub mod signature_header;
pub mod store_file;

#[cfg(feature = "host")]
pub mod catalog;
#[cfg(feature = "host")]
pub mod decision;
#[cfg(feature = "host")]
pub mod decisions;
#[cfg(feature = "host")]
pub mod scenario;
