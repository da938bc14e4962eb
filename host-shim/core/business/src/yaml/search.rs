//! Finds values in a document: by JSON Pointer, or by their text.

use crate::yaml::bad_input::Place;
use crate::yaml::node::{Entry, Node, Tree};
use extension_contract::pointer::{escaped, unescaped};
use std::collections::BTreeSet;

impl Node {
    /// Returns the value at a JSON Pointer.
    ///
    /// # Errors
    /// Fails with the nearest existing parent if the document has no value at the pointer.
    pub fn at(&self, pointer: &str) -> Result<&Node, &Node> {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = unescaped(part);
            let next = match &node.value {
                Tree::Map(_) => node.member(&part),
                Tree::List(list) => part.parse().ok().and_then(|at: usize| list.get(at)),
                _ => None,
            };
            let Some(next) = next else { return Err(node) };
            node = next;
        }
        Ok(node)
    }

    /// Returns the value at a JSON Pointer, or its nearest existing parent.
    pub fn nearest(&self, pointer: &str) -> &Node {
        self.at(pointer).unwrap_or_else(|above| above)
    }

    /// Returns the position of the value at a JSON Pointer, or of its key if it has one. If the document has no value
    /// at the pointer, returns the position of the nearest parent.
    pub fn place_at(&self, pointer: &str) -> Place {
        let (mut node, mut place) = (self, self.place());
        for part in pointer.split('/').skip(1) {
            let part = unescaped(part);
            let next = match &node.value {
                Tree::Map(map) => map.iter().find(|entry| entry.key == part).map(|entry| (&entry.value, entry.place())),
                Tree::List(list) => {
                    part.parse().ok().and_then(|at: usize| Some((list.get(at)?, list.get(at)?.place())))
                }
                _ => None,
            };
            let Some(next) = next else { break };
            (node, place) = next;
        }
        place
    }

    /// Returns the positions of all keys and scalars at or below this value that equal `text`, in file order.
    pub fn places_of(&self, text: &str) -> Vec<Place> {
        let mut found = Vec::new();
        self.find(text, &mut found);
        found
    }

    fn find(&self, text: &str, found: &mut Vec<Place>) {
        match &self.value {
            Tree::List(list) => list.iter().for_each(|node| node.find(text, found)),
            Tree::Map(map) => {
                for entry in map {
                    if entry.key == text {
                        found.push(entry.place());
                    }
                    entry.value.find(text, found);
                }
            }
            _ if self.scalar().is_some_and(|value| value == text) => found.push(self.place()),
            _ => {}
        }
    }

    /// Returns all keys and strings at or below this value, in file order.
    pub fn words(&self) -> Vec<&str> {
        match &self.value {
            Tree::Text(text) => vec![text],
            Tree::List(list) => list.iter().flat_map(Node::words).collect(),
            Tree::Map(map) => {
                map.iter().flat_map(|entry| [entry.key.as_str()].into_iter().chain(entry.value.words())).collect()
            }
            Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => Vec::new(),
        }
    }

    /// Returns a copy of this value without the values at these JSON Pointers. The remaining values keep their
    /// positions.
    pub fn without(&self, pointers: &BTreeSet<String>) -> Node {
        self.left("", pointers)
    }

    fn left(&self, at: &str, pointers: &BTreeSet<String>) -> Node {
        let left = |key: &str, value: &Node| {
            let at = format!("{at}/{key}");
            (!pointers.contains(&at)).then(|| value.left(&at, pointers))
        };
        let value = match &self.value {
            Tree::List(list) => {
                let values = list.iter().enumerate().filter_map(|(index, value)| left(&index.to_string(), value));
                Tree::List(values.collect())
            }
            Tree::Map(map) => {
                let entry = |entry: &Entry| {
                    let value = left(&escaped(&entry.key), &entry.value)?;
                    Some(Entry { key: entry.key.clone(), line: entry.line, value })
                };
                Tree::Map(map.iter().filter_map(entry).collect())
            }
            single => single.clone(),
        };
        Node { file: self.file.clone(), source: self.source.clone(), value, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn parse(text: &str) -> Node {
        Node::parse(Path::new("x.yml"), text).expect("valid YAML")
    }

    #[test]
    fn without_removes_values_and_keeps_the_lines_of_the_others() {
        let text = "a:\n  - x: 1\n  - y/z: 2\n    w: 3\n  - 4\nb: 5\n";
        let left = parse(text).without(&["/a/0", "/a/1/y~1z", "/b", "/none/7"].map(str::to_owned).into());
        assert_eq!(left.json(), json!({"a": [{"w": 3}, 4]}));
        let lines = [left.at("/a/0/w"), left.at("/a/1")].map(|node| node.expect("it is there").line);
        assert_eq!(lines, [4, 5]);
    }

    #[test]
    fn a_pointer_finds_its_value_or_the_nearest_parent() {
        let node = parse("a:\n  - x: 1\n  - y/z:\n      '~': 2\n");
        let lines = ["", "/a/0/x", "/a/1/y~1z/~0", "/a/1/none/x", "/a/7", "/none"].map(|at| node.nearest(at).line);
        assert_eq!(lines, [1, 2, 4, 3, 2, 1]);
        assert_eq!(["/a/0/x", "/a/7"].map(|at| node.at(at).is_ok()), [true, false]);
    }

    #[test]
    fn a_place_is_the_line_of_the_key_or_of_the_entry() {
        let node = parse("a:\n  - x: 1\n  - y: x\n    z:\n      w: 2\n  - 2.5\n  - true\n");
        let quoted = ["x", "2", "2.5", "true", "no"];
        assert_eq!(quoted.map(|text| node.places_of(text).len()), [2, 1, 1, 1, 0]);
        let lines = ["/a", "/a/0", "/a/1/z", "/a/1/z/w", "/a/2", "/a/1/none/x"].map(|at| node.place_at(at).line);
        assert_eq!(lines, [1, 2, 4, 5, 6, 3]);
    }
}
