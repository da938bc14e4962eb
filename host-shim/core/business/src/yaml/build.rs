//! Creates nodes that do not come from a file. Such nodes have no position.

use crate::yaml::node::{Entry, Node, Tree};
use serde_json::Value;

impl Node {
    /// Returns a node without a position: its line and column are 0, and it has no file.
    pub fn of(value: Tree) -> Node {
        Node { line: 0, column: 0, file: None, source: None, value }
    }

    /// Returns a string node without a position.
    pub fn text(text: impl Into<String>) -> Node {
        Node::of(Tree::Text(text.into()))
    }

    /// Returns a mapping with these entries, in order.
    pub fn map(entries: impl IntoIterator<Item = (impl Into<String>, Node)>) -> Node {
        let entry = |(key, value): (_, Node)| Entry { key: Into::<String>::into(key), line: 0, value };
        Node::of(Tree::Map(entries.into_iter().map(entry).collect()))
    }

    /// Returns a list of these nodes, in order.
    pub fn list(entries: impl IntoIterator<Item = Node>) -> Node {
        Node::of(Tree::List(entries.into_iter().collect()))
    }

    /// Converts a JSON value to nodes without positions; none if it contains an integer that [`i64`] cannot hold.
    pub fn from_json(value: &Value) -> Option<Node> {
        Some(Node::of(match value {
            Value::Null => Tree::Null,
            Value::Bool(truth) => Tree::Bool(*truth),
            Value::Number(number) if number.is_f64() => Tree::Float(number.as_f64()?),
            Value::Number(number) => Tree::Int(number.as_i64()?),
            Value::String(text) => Tree::Text(text.clone()),
            Value::Array(list) => Tree::List(list.iter().map(Node::from_json).collect::<Option<_>>()?),
            Value::Object(map) => {
                let entry =
                    |(key, value)| Some(Entry { key: String::clone(key), line: 0, value: Node::from_json(value)? });
                Tree::Map(map.iter().map(entry).collect::<Option<_>>()?)
            }
        }))
    }
}
