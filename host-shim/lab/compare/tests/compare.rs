//! Compares two components on scenarios, on a raw stream and on a log.

// Links its allocator.
use test_support as _;

mod compare {
    mod cut;
    mod fields;
    mod log;
    mod other;
    mod same;
    mod standing;
    mod support;
    #[allow(clippy::unwrap_used, reason = "the lint is off in the crate that owns the file, too")]
    #[path = "../../../../core/engine/tests/all/processor/toy.rs"]
    mod toy;
}
