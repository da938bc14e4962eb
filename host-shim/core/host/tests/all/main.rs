//! The host's tests, in one program.

mod hostile;
mod outbox;
mod processor;
mod start;
mod writer;
