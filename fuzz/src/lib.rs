//! The fuzz targets: functions that process arbitrary bytes and contain assertions.
//!
//! The programs in `fuzz_targets` pass these functions to libFuzzer. The ordinary tests call the same functions with
//! the corpus: `tests/end-to-end/tests/all/properties/corpus.rs` includes the files of the functions by path.

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
