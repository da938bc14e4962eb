//! Represents a YAML document as a tree of nodes. Each node contains a value and its file, line and column.

use crate::yaml::bad_input::Place;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// A value with its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line, from 1; 0 for a value that does not come from a file.
    pub line: usize,
    /// Column in characters, from 1; 0 for a value that does not come from a file.
    pub column: usize,
    /// File; none for a value that does not come from a file.
    pub(crate) file: Option<Arc<Path>>,
    /// The text of a number with a point, as in the file: `12.00` is not the number 12.
    pub(crate) source: Option<Box<str>>,
    /// The value.
    pub value: Tree,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// `null`, or an empty value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Any other number. [`Node::parse`] refuses NaN and infinities.
    Float(f64),
    /// Text.
    Text(String),
    /// List.
    List(Vec<Node>),
    /// Mapping, with its entries in file order.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Key.
    pub key: String,
    /// Line of the key, from 1; 0 for an entry that does not come from a file.
    pub line: usize,
    /// Value.
    pub value: Node,
}

impl Entry {
    /// Returns the position of the key.
    pub fn place(&self) -> Place {
        Place::line(self.value.file(), self.line)
    }
}

impl Node {
    pub(crate) fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(""))
    }

    /// Returns the position of the value.
    pub fn place(&self) -> Place {
        Place::line(self.file(), self.line)
    }

    /// Returns the type of the value in words, for messages: for example `a list`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Tree::Null => "nothing",
            Tree::Bool(_) => "a truth value",
            Tree::Int(_) => "a whole number",
            Tree::Float(_) => "a number",
            Tree::Text(_) => "a text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a mapping",
        }
    }

    /// Returns the value as JSON, without positions.
    pub fn json(&self) -> Value {
        match &self.value {
            Tree::Null => Value::Null,
            Tree::Bool(value) => (*value).into(),
            Tree::Int(value) => (*value).into(),
            Tree::Float(value) => (*value).into(),
            Tree::Text(value) => value.as_str().into(),
            Tree::List(list) => list.iter().map(Node::json).collect(),
            Tree::Map(map) => Value::Object(map.iter().map(|e| (e.key.clone(), e.value.json())).collect()),
        }
    }

    /// Returns the values of a list; none if the node is not a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Tree::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the entries of a mapping; none if the node is not a mapping.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Tree::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Consumes a mapping and returns its entries; empty if the node is not a mapping.
    pub fn into_entries(self) -> Vec<Entry> {
        match self.value {
            Tree::Map(map) => map,
            _ => Vec::new(),
        }
    }

    /// Returns the key and the value of a mapping that has one entry, `{key: …}`.
    pub fn only_entry(&self) -> Option<(&str, &Node)> {
        match self.entries() {
            Some([entry]) => Some((&entry.key, &entry.value)),
            _ => None,
        }
    }

    /// Returns a scalar as text; none for `null`, a list or a mapping.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Tree::Text(text) => Some(text.clone()),
            Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => Some(self.json().to_string()),
            Tree::Null | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// Returns a scalar as it is written in the file, such as `12.00`; none for `null`, a list or a mapping.
    pub(crate) fn written(&self) -> Option<String> {
        self.source.as_deref().map(str::to_owned).or_else(|| self.scalar())
    }

    /// Returns the value of a key; none if the key is missing or the node is not a mapping.
    pub fn member(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Returns a mutable reference to the value of a key; none if the key is missing or the node is not a mapping.
    pub fn entry_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Tree::Map(map) => map.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
            _ => None,
        }
    }

    /// Appends an entry to a mapping. Changes nothing if the node is not a mapping.
    pub fn push(&mut self, entry: Entry) {
        if let Tree::Map(map) = &mut self.value {
            map.push(entry);
        }
    }

    /// Appends the entries of another mapping to this mapping, or the values of another list to this list. Other
    /// combinations change nothing.
    pub fn extend(&mut self, other: Node) {
        match (&mut self.value, other.value) {
            (Tree::Map(map), Tree::Map(entries)) => map.extend(entries),
            (Tree::List(list), Tree::List(values)) => list.extend(values),
            _ => {}
        }
    }
}
