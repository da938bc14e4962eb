//! The host's tests, in one program.

// Links its allocator.
use test_support as _;

mod hostile;
mod lanes;
mod outbox;
mod processor;
mod start;
mod writer;
