//! Compares two components on scenarios, on a raw stream and on a log.

mod cut;
mod fields;
mod log;
mod other;
mod same;
mod standing;
mod support;
