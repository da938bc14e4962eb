//! The fuzz targets: functions that process arbitrary bytes and assert what must always hold.
//!
//! `fuzz_targets` passes them to libFuzzer. The ordinary tests run the corpus through the same functions
//! (`tests/end-to-end/tests/properties/corpus.rs`), including these files by path.

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
