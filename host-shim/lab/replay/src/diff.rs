//! Formats values and their differences for terminal output.

use serde_json::Value;
use similar::TextDiff;
use std::path::Path;

/// The maximum length of a value in a one-line message, in characters.
const SHORT_MAX: usize = 160;

/// Returns a unified diff, with file and line of the expectation in its header.
pub fn unified(file: &Path, line: usize, expected: &str, actual: &str) -> String {
    let place = host_scenario::error::Place::line(file, line);
    let (expected, actual) = (with_newline(expected), with_newline(actual));
    let diff = TextDiff::from_lines(expected.as_str(), actual.as_str());
    diff.unified_diff().context_radius(3).header(&format!("{place} expected"), "actual").to_string()
}

/// Returns a unified diff of two named texts.
pub fn between((old_name, old): (&str, &str), (new_name, new): (&str, &str)) -> String {
    let (old, new) = (with_newline(old), with_newline(new));
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    diff.unified_diff().context_radius(3).header(old_name, new_name).to_string()
}

fn with_newline(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

/// Returns JSON over several lines, with members in order of names.
pub fn pretty(value: &Value) -> String {
    // Writing can't fail: the keys of a JSON value are texts.
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Returns JSON on one line, shortened if it is long.
pub fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHORT_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_diff_names_file_and_line() {
        let text = unified(Path::new("a.yml"), 7, "running", "error");
        assert_eq!(text, "--- a.yml:7 expected\n+++ actual\n@@ -1 +1 @@\n-running\n+error\n");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = short(&json!("ä".repeat(300)));
        assert!(text.ends_with('…') && text.chars().count() == SHORT_MAX + 1, "{text}");
        assert_eq!(short(&json!({"a": 1})), r#"{"a":1}"#);
    }
}
