//! Tests what explores, compares, measures and records scenarios.

// Links its allocator.
use test_support as _;

mod compare;
mod coverage;
mod explore;
mod profile;
mod record;
#[allow(clippy::unwrap_used, reason = "the lint is off in the crate that owns the file, too")]
#[path = "../../../../core/engine/tests/all/processor/toy.rs"]
mod toy;
mod wit_check;
