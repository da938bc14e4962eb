//! Variants of stories, of the extension as it is and of ones that have a fault.

mod explore {
    mod annotations;
    mod faults;
    mod fixtures;
    mod second;
    mod support;
    #[allow(clippy::unwrap_used, reason = "the lint is off where the file is at home, too")]
    #[path = "../../../../core/host/tests/processor/toy.rs"]
    mod toy;
    mod whole;
}
