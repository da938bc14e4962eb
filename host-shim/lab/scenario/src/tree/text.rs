//! Writes a tree as YAML. Reading this YAML gives the same tree.

use super::{Entry, Node, Tree};
use serde_json::Value;
use std::fmt::Write;

/// The maximum width of a mapping or a list on one line, in characters.
const WIDTH: usize = 120;

/// The layout of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The entry is on one line if it fits.
    Short,
    /// Each inner entry begins on its own line and has the layout [`Layout::Short`].
    Block,
}

/// Adds `KEY: VALUE` and a line break, indented by `indent` spaces.
pub fn entry(out: &mut String, indent: usize, key: &str, value: &Node, layout: Layout) {
    pad(out, indent);
    scalar(key, out);
    out.push(':');
    value_of(out, indent, key.chars().count() + 2, value, layout);
}

/// Adds a mapping as an entry of a list. Each entry of the mapping begins on its own line.
pub fn item(out: &mut String, indent: usize, entries: &[Entry]) {
    for (number, of_item) in entries.iter().enumerate() {
        let at = out.len();
        entry(out, indent + 2, &of_item.key, &of_item.value, Layout::Short);
        if number == 0 {
            out.replace_range(at + indent..at + indent + 1, "-");
        }
    }
}

fn value_of(out: &mut String, indent: usize, before: usize, value: &Node, layout: Layout) {
    let short = flow(value);
    let fits = indent + before + short.chars().count() <= WIDTH;
    let inner = |out: &mut String| out.push('\n');
    match &value.value {
        Tree::Map(map) if !map.is_empty() && (layout == Layout::Block || !fits) => {
            inner(out);
            map.iter().for_each(|of_map| entry(out, indent + 2, &of_map.key, &of_map.value, Layout::Short));
        }
        Tree::List(list) if !list.is_empty() && (layout == Layout::Block || !fits) => {
            inner(out);
            for node in list {
                match &node.value {
                    Tree::Map(map) if !map.is_empty() && indent + 4 + flow(node).chars().count() > WIDTH => {
                        item(out, indent + 2, map);
                    }
                    _ => {
                        pad(out, indent + 2);
                        let _ = writeln!(out, "- {}", flow(node));
                    }
                }
            }
        }
        _ => {
            let _ = writeln!(out, " {short}");
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Returns a value on one line.
pub fn flow(node: &Node) -> String {
    let mut out = String::new();
    write_flow(node, &mut out);
    out
}

fn write_flow(node: &Node, out: &mut String) {
    match &node.value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Tree::Int(number) => {
            let _ = write!(out, "{number}");
        }
        // JSON writes the float 1 as `1.0`, so that it is read as a float again.
        Tree::Float(number) => out.push_str(&Value::from(*number).to_string()),
        Tree::Text(text) => scalar(text, out),
        Tree::List(list) => {
            out.push('[');
            for (number, node) in list.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { ", " });
                write_flow(node, out);
            }
            out.push(']');
        }
        Tree::Map(map) => {
            out.push('{');
            for (number, entry) in map.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { ", " });
                scalar(&entry.key, out);
                out.push_str(": ");
                write_flow(&entry.value, out);
            }
            out.push('}');
        }
    }
}

/// Words that some YAML readers do not read as text.
const WORDS: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"];

fn scalar(text: &str, out: &mut String) {
    if is_plain(text) {
        return out.push_str(text);
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Characters that YAML can't print or reads as a line break or a byte order mark.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns true if a text needs no quotes, whether it is a key, a value of a one-line mapping or an entry of a list.
fn is_plain(text: &str) -> bool {
    if crate::time::parse(text).is_some() || crate::time::parse_span(text).is_some() {
        return true;
    }
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '@' | '+' | '*' | '$');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let ends = text.ends_with(|c: char| word(c) && c != '-');
    let inside = text.split([' ', ':']).all(|part| !part.is_empty() && part.chars().all(word));
    // A lone dash begins a list entry, and a colon before a space ends a key.
    begins && ends && inside && !text.contains(": ") && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn read(text: &str) -> Value {
        Node::parse(Path::new("x.yml"), text).unwrap_or_else(|error| panic!("{error} in\n{text}")).json()
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>(), "[a-z0-9:_ .#,\\-]{0,9}", "(yes|No|null|~|1|0x1f|1e3|-|\\?|!|%|&a)"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1.0e9..1.0e9f64).prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..6).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        /// Any tree is unchanged after writing and reading, on one line, in blocks and within a list.
        #[test]
        fn a_written_tree_reads_as_the_same_tree(value in json()) {
            let node = Node::from_json(&value).expect("whole numbers within i64");
            prop_assert_eq!(&read(&flow(&node)), &value);
            let mut text = String::new();
            entry(&mut text, 0, "a", &node, Layout::Block);
            entry(&mut text, 0, "b", &node, Layout::Short);
            if let Tree::Map(map) = &node.value && !map.is_empty() {
                text.push_str("c:\n");
                item(&mut text, 2, map);
                let read = read(&text);
                prop_assert_eq!(&read["c"][0], &value);
            }
            let read = read(&text);
            prop_assert_eq!((&read["a"], &read["b"]), (&value, &value));
        }
    }

    #[test]
    fn ids_and_times_are_written_without_quotes() {
        let plain =
            ["user:A", "customer.subscription.created", "2026-01-01T00:00:00Z", "late 2h", "a b", "inst_a/*", "90s"];
        for text in plain {
            assert_eq!(flow(&Node::text(text)), text);
        }
        for text in ["", "yes", "1", "a: b", "a:", "-", "a #b", "{a}", "7", " a", "a  b", "mail: x"] {
            assert_eq!(flow(&Node::text(text)), format!("\"{text}\""));
        }
    }
}
