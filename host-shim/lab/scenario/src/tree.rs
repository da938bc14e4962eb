//! Reads fields from a YAML document and refuses unknown fields.
//!
//! Scenarios are not read into derived structs, because a failed expectation must report its line: each node of the
//! tree has one.

pub mod text;

use crate::error::{BadInput, Place};
use host::guess::nearest;
use std::path::Path;

pub use host_yaml::{Entry, Node, Tree};

/// Reads the nodes of one file. Its errors name the file.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The file.
    pub file: &'a Path,
}

impl<'a> Reader<'a> {
    /// Returns an error at a line of the file.
    pub fn bad(&self, line: usize, problem: impl Into<String>, expected: impl Into<String>) -> BadInput {
        BadInput::new(Place::line(self.file, line), problem, expected)
    }

    fn wrong(&self, node: &Node, what: &str, expected: &str) -> BadInput {
        self.bad(node.line, format!("`{what}` is {}", node.kind()), expected)
    }

    /// Reads a text. Whole numbers count as texts, since ids may look like numbers.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a text.
    pub fn text(&self, what: &str, node: &Node) -> Result<String, BadInput> {
        match &node.value {
            Tree::Text(text) => Ok(text.clone()),
            Tree::Int(number) => Ok(number.to_string()),
            _ => Err(self.wrong(node, what, "a text")),
        }
    }

    /// Reads a truth value.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a truth value.
    pub fn truth(&self, what: &str, node: &Node) -> Result<bool, BadInput> {
        match node.value {
            Tree::Bool(value) => Ok(value),
            _ => Err(self.wrong(node, what, "true or false")),
        }
    }

    /// Reads a list.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a list.
    pub fn list<'n>(&self, what: &str, node: &'n Node) -> Result<&'n [Node], BadInput> {
        match &node.value {
            Tree::List(list) => Ok(list),
            _ => Err(self.wrong(node, what, "a list")),
        }
    }

    /// Reads a list of texts.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a list of texts.
    pub fn texts(&self, what: &str, node: &Node) -> Result<Vec<String>, BadInput> {
        self.list(what, node)?.iter().map(|entry| self.text(what, entry)).collect()
    }

    /// Reads a mapping.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a mapping.
    pub fn map<'n>(&self, what: &str, node: &'n Node) -> Result<&'n [Entry], BadInput> {
        match &node.value {
            Tree::Map(map) => Ok(map),
            _ => Err(self.wrong(node, what, "a mapping")),
        }
    }

    /// Returns the fields of a mapping. The caller takes them one by one.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a mapping.
    pub fn fields<'n>(&self, what: &'static str, node: &'n Node) -> Result<Fields<'a, 'n>, BadInput> {
        let map = self.map(what, node)?;
        Ok(Fields { reader: *self, what, line: node.line, entries: map.iter().map(Some).collect(), known: Vec::new() })
    }

    /// Reads an RFC 3339 time, in milliseconds since the epoch.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a time.
    pub fn time(&self, what: &str, node: &Node) -> Result<i64, BadInput> {
        let text = self.text(what, node)?;
        crate::time::parse(&text).ok_or_else(|| {
            self.bad(node.line, format!("`{what}: {text}` is no time"), "RFC 3339 such as 2026-01-01T00:00:00Z")
        })
    }

    /// Reads a span of time such as `90s` or `7d`, in milliseconds.
    ///
    /// # Errors
    ///
    /// Fails if the node is not a span of time.
    pub fn span(&self, what: &str, node: &Node) -> Result<i64, BadInput> {
        let text = self.text(what, node)?;
        crate::time::parse_span(&text).ok_or_else(|| {
            self.bad(
                node.line,
                format!("`{what}: {text}` is no span of time"),
                "a number and ms, s, m, h or d, such as 7d",
            )
        })
    }
}

/// The fields of one mapping. [`Fields::finish`] refuses a field that was not taken, and lists the known fields.
#[derive(Debug)]
pub struct Fields<'a, 'n> {
    reader: Reader<'a>,
    what: &'static str,
    /// Line of the mapping, from 1.
    pub line: usize,
    entries: Vec<Option<&'n Entry>>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'_, 'n> {
    /// Takes the value of a field, if it exists.
    pub fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.take_entry(name).map(|entry| &entry.value)
    }

    /// Takes a field with its key, if it exists.
    pub fn take_entry(&mut self, name: &'static str) -> Option<&'n Entry> {
        self.known.push(name);
        self.entries.iter_mut().find(|e| e.is_some_and(|entry| entry.key == name)).and_then(Option::take)
    }

    /// Takes all fields `name@SUFFIX`, and returns each suffix with its value.
    pub fn take_suffixed(&mut self, name: &'static str) -> Vec<(&'n str, &'n Node)> {
        let mut found = Vec::new();
        for slot in &mut self.entries {
            let suffix = slot.and_then(|e| e.key.strip_prefix(name)).and_then(|rest| rest.strip_prefix('@'));
            if let (Some(suffix), Some(entry)) = (suffix, *slot) {
                found.push((suffix, &entry.value));
                *slot = None;
            }
        }
        found
    }

    /// Takes a required field.
    ///
    /// # Errors
    ///
    /// Fails if the field is missing; a field with a similar name is reported as a misspelling.
    pub fn need(&mut self, name: &'static str) -> Result<&'n Node, BadInput> {
        if let Some(node) = self.take(name) {
            return Ok(node);
        }
        let alike = |entry: &&&Entry| nearest(&entry.key, [name]).is_some();
        let (reader, what) = (self.reader, self.what);
        Err(match self.entries.iter().flatten().find(alike) {
            Some(entry) => {
                reader.bad(entry.line, format!("unknown field `{}` in {what}", entry.key), format!("`{name}`"))
            }
            None => reader.bad(self.line, format!("{what} has no `{name}`"), format!("the field `{name}`")),
        })
    }

    /// Returns the remaining fields, which may have any name.
    pub fn rest(self) -> impl Iterator<Item = &'n Entry> {
        self.entries.into_iter().flatten()
    }

    /// Checks that all fields were taken.
    ///
    /// # Errors
    ///
    /// Fails if a field was not taken: its name is unknown.
    pub fn finish(self) -> Result<(), BadInput> {
        match self.entries.iter().flatten().next() {
            None => Ok(()),
            Some(entry) => {
                let problem = format!("unknown field `{}` in {}", entry.key, self.what);
                let expected = format!("one of {}", self.known.join(", "));
                Err(self.reader.bad(entry.line, problem, expected).guessing(&entry.key, self.known.iter().copied()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node {
        Node::parse(Path::new("x.yml"), text).expect("valid YAML")
    }

    #[test]
    fn an_unknown_field_names_its_line_and_the_known_ones() {
        let node = parse("name: x\nnmae: y\n");
        let reader = Reader { file: Path::new("x.yml") };
        let mut fields = reader.fields("the scenario", &node).expect("a mapping");
        fields.take("name");
        let error = fields.finish().expect_err("`nmae` is unknown");
        assert_eq!(
            error.to_string(),
            "x.yml:2: unknown field `nmae` in the scenario; expected one of name; did you mean `name`?"
        );
    }
}
