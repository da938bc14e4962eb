//! Finds unquoted placeholders. YAML reads `{plan.tier}` as a mapping with the key `plan.tier`.

use crate::yaml::bad_input::Mistakes;
use crate::yaml::checker::Checker;
use crate::yaml::node::{Entry, Node, Tree};

impl Node {
    /// Checks that no placeholder at or below this value is unquoted.
    ///
    /// # Errors
    /// Fails with all such placeholders.
    pub fn quoted_placeholders(&self) -> Result<(), Mistakes> {
        Checker::read(|check| {
            self.note_unquoted(check);
            Ok(())
        })
    }

    fn note_unquoted(&self, check: &Checker) {
        match &self.value {
            Tree::List(list) => list.iter().for_each(|node| node.note_unquoted(check)),
            Tree::Map(map) => match map.as_slice() {
                [only] if is_placeholder(self, only) => {
                    let place = format!("{{{}}}", only.key);
                    let problem = format!("`{place}` without quotes is a mapping");
                    check.bad(only.place(), problem, format!("\"{place}\""));
                }
                entries => entries.iter().for_each(|entry| entry.value.note_unquoted(check)),
            },
            Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) | Tree::Text(_) => {}
        }
    }
}

/// Returns true for `{a.b}`: a mapping whose only key consists of the characters of placeholders, and ends the mapping.
fn is_placeholder(mapping: &Node, only: &Entry) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "._-@:".contains(letter);
    // The position of an omitted value is after its key. The value of a block mapping is one column further left.
    let behind_key = mapping.column + "{".len() + only.key.chars().count();
    only.value.value == Tree::Null
        && only.key.chars().all(is_letter)
        && (only.value.line, only.value.column) == (mapping.line, behind_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn told(text: &str) -> Option<String> {
        let node = Node::parse(Path::new("x.yml"), text).expect("valid YAML");
        node.quoted_placeholders().err().map(|mistakes| mistakes.to_string())
    }

    #[test]
    fn a_placeholder_without_quotes_is_told_with_its_line_and_the_quoted_text() {
        let both = told("a: {x.y}\nb: {plan.tier}\n").expect("two mistakes");
        assert_eq!(both.lines().map(|line| &line[..7]).collect::<Vec<_>>(), ["x.yml:1", "x.yml:2"]);
        let told = ["a: 1\nb: {plan.tier}\n", "a: 1\nb: {c: [1, {plan.tier}]}\n"].map(told);
        let expected = "x.yml:2: `{plan.tier}` without quotes is a mapping; expected \"{plan.tier}\"";
        assert_eq!(told, [Some(expected.to_owned()), Some(expected.to_owned())]);
    }

    #[test]
    fn other_mappings_without_a_value_are_no_placeholders() {
        for text in
            ["a: {b.c: null}", "a: {b.c: ~}", "a:\n  b.c:\n", "a: {b.c, d.e}", "a: '{b.c}'", "a: {'b c'}", "a: {}"]
        {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
