//! Reads a YAML document into a tree with line numbers, and reads fields from it, refusing unknown ones.
//!
//! Scenarios are read from this tree instead of derived structs: a failed expectation reports its line.

pub mod text;

use crate::error::{BadInput, Place};
use host::guess::nearest;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;
use std::path::Path;

/// The maximum nesting of a scenario or catalog.
const DEPTH_MAX: usize = 64;

/// A value with its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The value.
    pub value: Tree,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// Truth value.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// List.
    List(Vec<Node>),
    /// Mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Key.
    pub key: String,
    /// Line of the key, from 1.
    pub line: usize,
    /// Value.
    pub value: Node,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Tree>::deserialize(deserializer)?;
        let location = &spanned.referenced;
        let column = usize::try_from(location.column()).unwrap_or(usize::MAX);
        Ok(Node { line: line_of(location), column, value: spanned.value })
    }
}

fn line_of(location: &serde_saphyr::Location) -> usize {
    usize::try_from(location.line()).unwrap_or(usize::MAX)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Int(value))
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Tree, E> {
        i64::try_from(value).map(Tree::Int).map_err(|_| E::custom(format!("{value} is larger than {}", i64::MAX)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }
    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = entries.next_element::<Node>()? {
            list.push(node);
        }
        Ok(Tree::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Node>()?;
            map.push(Entry { line: line_of(&key.referenced), key: key.value, value });
        }
        Ok(Tree::Map(map))
    }
}

impl Node {
    /// Reads one YAML document; JSON is YAML, too.
    ///
    /// # Errors
    ///
    /// Fails if the text is not YAML, nests too deeply or repeats a key.
    pub fn parse(file: &Path, text: &str) -> Result<Node, BadInput> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
        };
        serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| {
            let line = error.location().map_or(0, |l| line_of(&l));
            BadInput::new(Place::line(file, line), first_line(&error.to_string()), "a YAML document")
        })
    }

    /// Returns the value as JSON.
    pub fn json(&self) -> serde_json::Value {
        match &self.value {
            Tree::Null => serde_json::Value::Null,
            Tree::Bool(value) => (*value).into(),
            Tree::Int(value) => (*value).into(),
            Tree::Float(value) => (*value).into(),
            Tree::Text(value) => value.as_str().into(),
            Tree::List(list) => list.iter().map(Node::json).collect(),
            Tree::Map(map) => serde_json::Value::Object(map.iter().map(|e| (e.key.clone(), e.value.json())).collect()),
        }
    }

    /// Returns the kind of value, for messages.
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

    /// Returns the node at a JSON Pointer, or its nearest ancestor that exists.
    pub fn at(&self, pointer: &str) -> &Node {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Tree::Map(map) => map.iter().find(|entry| entry.key == part).map(|entry| &entry.value),
                Tree::List(list) => part.parse().ok().and_then(|at: usize| list.get(at)),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        node
    }

    /// Returns the lines at or below this node where a key or a plain value equals `text`, in the order of the file.
    pub fn lines_of(&self, text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        self.find(text, &mut found);
        found
    }

    fn find(&self, text: &str, found: &mut Vec<usize>) {
        match &self.value {
            Tree::List(list) => list.iter().for_each(|node| node.find(text, found)),
            Tree::Map(map) => {
                for entry in map {
                    if entry.key == text {
                        found.push(entry.line);
                    }
                    entry.value.find(text, found);
                }
            }
            Tree::Text(value) if value == text => found.push(self.line),
            Tree::Int(value) if value.to_string() == text => found.push(self.line),
            Tree::Float(value) if value.to_string() == text => found.push(self.line),
            Tree::Bool(value) if value.to_string() == text => found.push(self.line),
            _ => {}
        }
    }

    /// Returns the entry of a mapping with only one, `{key: …}`.
    pub fn single(&self) -> Option<(&str, &Node)> {
        match &self.value {
            Tree::Map(map) => match map.as_slice() {
                [entry] => Some((&entry.key, &entry.value)),
                _ => None,
            },
            _ => None,
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// A reader of one file's nodes, whose errors name the file.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The file.
    pub file: &'a Path,
}

impl<'a> Reader<'a> {
    /// Returns an error at a line.
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

    /// Returns the fields of a mapping, which the caller takes one by one.
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

/// The fields of one mapping. A field that is not taken is an error that lists the known fields.
#[derive(Debug)]
pub struct Fields<'a, 'n> {
    reader: Reader<'a>,
    what: &'static str,
    /// Line of the mapping.
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

    /// Takes the fields `name@SUFFIX`, with their suffixes.
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

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// Fails if a field is left: it is unknown.
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
    fn lines_of_nested_values_and_keys_are_kept() {
        let node = parse("a: 1\nb:\n  - x\n  - {c: 2,\n     d: true}\n");
        let Tree::Map(map) = &node.value else { panic!("a mapping") };
        assert_eq!((map[0].line, map[0].value.line), (1, 1));
        assert_eq!(map[1].line, 2);
        let Tree::List(list) = &map[1].value.value else { panic!("a list") };
        assert_eq!((list[0].line, list[1].line), (3, 4));
        let Tree::Map(inner) = &list[1].value else { panic!("a mapping") };
        assert_eq!((inner[0].line, inner[1].line), (4, 5));
    }

    #[test]
    fn scalars_keep_their_json_types() {
        let node = parse("{a: 1, b: -2.5, c: yes, d: '1', e: null, f: ~, g: true, 7: seven, 2020-08-27: day}");
        assert_eq!(
            node.json(),
            serde_json::json!({"a": 1, "b": -2.5, "c": "yes", "d": "1", "e": null, "f": null, "g": true,
                "7": "seven", "2020-08-27": "day"})
        );
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

    #[test]
    fn a_pointer_finds_its_node_or_the_nearest_above() {
        let node = parse("a:\n  - x: 1\n  - y/z:\n      '~': 2\n");
        let lines = ["", "/a/0/x", "/a/1/y~1z/~0", "/a/1/none/x", "/a/7", "/none"].map(|at| node.at(at).line);
        assert_eq!(lines, [1, 2, 4, 3, 2, 1]);
        assert_eq!((node.lines_of("x"), node.lines_of("2"), node.lines_of("no")), (vec![2], vec![4], vec![]));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = Node::parse(Path::new("x.yml"), "a: 1\nb: [1, 2\nc: 3\n").expect_err("no closing bracket");
        assert_eq!(error.place.file, Path::new("x.yml"));
        assert!(error.place.line >= 2, "{error}");
    }

    #[test]
    fn a_key_given_twice_is_an_error() {
        let error = Node::parse(Path::new("x.yml"), "a: 1\na: 2\n").expect_err("twice");
        assert_eq!(error.place.line, 2, "{error}");
    }
}
