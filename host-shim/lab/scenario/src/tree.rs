//! The parts of a scenario file: nodes with their positions, the checker that reads them, and time values.
//!
//! Scenarios are not read into derived structs, because a failed expectation must report its line, and each node of the
//! tree has one.

pub mod text;

pub use host_business::yaml::{Checked, Checker, Entry, Fields, Node, Tree};

/// Reads an RFC 3339 time, in milliseconds since the epoch.
///
/// # Errors
///
/// Fails if the node is not a time.
pub fn read_time(check: &Checker, what: &str, node: &Node) -> Checked<i64> {
    let text = check.text(what, node)?;
    crate::time::parse(&text).ok_or_else(|| {
        check.bad(node.place(), format!("`{what}: {text}` is not a time"), "RFC 3339 such as 2026-01-01T00:00:00Z")
    })
}

/// Reads a span of time such as `90s` or `7d`, in milliseconds.
///
/// # Errors
///
/// Fails if the node is not a span of time.
pub fn read_span(check: &Checker, what: &str, node: &Node) -> Checked<i64> {
    let text = check.text(what, node)?;
    crate::time::parse_span(&text).ok_or_else(|| {
        let problem = format!("`{what}: {text}` is not a span of time");
        check.bad(node.place(), problem, "a number and ms, s, m, h or d, such as 7d")
    })
}
