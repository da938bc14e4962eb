//! Draws stacks as a flamegraph.

use crate::profile::stacks::Stacks;
use std::io::{self, Write};

/// Draws stacks as a flamegraph (SVG). `unit` is the unit of their weights: `samples` or `fuel`.
///
/// # Errors
///
/// Fails if no stack has a weight, or writing to `out` fails.
pub fn draw(stacks: &Stacks, title: &str, unit: &str, out: impl Write) -> io::Result<()> {
    // Semicolons separate the frames of a line.
    let line = |(stack, weight): (&Vec<String>, &u64)| {
        format!("{} {weight}", stack.join("\n").replace(';', ",").replace('\n', ";"))
    };
    let lines: Vec<String> = stacks.iter().filter(|(_, weight)| **weight > 0).map(line).collect();
    let mut options = inferno::flamegraph::Options::default();
    options.title = title.to_owned();
    options.count_name = unit.to_owned();
    inferno::flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flamegraph_contains_functions_and_weights() {
        let stacks = Stacks::from([
            (vec!["kind".to_owned(), "one".to_owned(), "a; b".to_owned()], 30),
            (vec!["kind".to_owned(), "one".to_owned()], 10),
        ]);
        let mut out = Vec::new();
        draw(&stacks, "Title", "fuel", &mut out).expect("drawn");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("<title>one (40 fuel, 100.00%)</title>"), "{text}");
        assert!(
            text.contains("<title>a, b (30 fuel, 75.00%)</title>"),
            "a semicolon in a name separates no frames: {text}"
        );
        assert!(text.contains("Title"));
    }
}
