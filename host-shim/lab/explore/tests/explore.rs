//! Explores the extension as it is, and extensions with a fault.

// Links its allocator.
use test_support as _;

mod explore {
    mod annotations;
    mod faults;
    mod fixtures;
    mod second;
    mod support;
    #[allow(clippy::unwrap_used, reason = "the lint is off in the crate that owns the file, too")]
    #[path = "../../../../core/engine/tests/all/processor/toy.rs"]
    mod toy;
    mod whole;
}
