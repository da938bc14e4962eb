//! A YAML document as JSON whose values know their file and line, for error messages. Documents of several files can be
//! merged.

use crate::bad_input::{BadInput, Place};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Maximum nesting depth.
const DEPTH_MAX: usize = 64;

/// A value with its file and line.
#[derive(Clone, Debug, PartialEq)]
pub struct Lined {
    /// Line, from 1.
    pub line: usize,
    file: Arc<Path>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    /// A scalar.
    Single(Value),
    List(Vec<Lined>),
    /// In file order.
    Map(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Key.
    pub key: String,
    /// Line of the key, from 1.
    pub line: usize,
    /// Value.
    pub value: Lined,
}

impl Entry {
    /// Returns the place of the key.
    pub fn place(&self) -> Place {
        Place::line(&self.value.file, self.line)
    }
}

impl Lined {
    /// Parses one YAML document; JSON is also YAML.
    ///
    /// # Errors
    /// Fails if the text is not YAML, with the line.
    pub fn parse(file: &Path, text: &str) -> Result<Lined, BadInput> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
        };
        let mut document = serde_saphyr::from_str_with_options::<Lined>(text, options).map_err(|error| {
            let line = error.location().map_or(0, |location| line_of(&location));
            let text = error.to_string();
            BadInput::new(Place::line(file, line), text.lines().next().unwrap_or_default(), "a YAML document")
        })?;
        document.set_file(&file.into());
        Ok(document)
    }

    fn set_file(&mut self, file: &Arc<Path>) {
        self.file = file.clone();
        match &mut self.content {
            Content::Single(_) => {}
            Content::List(list) => list.iter_mut().for_each(|value| value.set_file(file)),
            Content::Map(map) => map.iter_mut().for_each(|entry| entry.value.set_file(file)),
        }
    }

    /// Returns the place of the value.
    pub fn place(&self) -> Place {
        Place::line(&self.file, self.line)
    }

    /// Returns the values of a list; none for anything else.
    pub fn list(&self) -> Option<&[Lined]> {
        match &self.content {
            Content::List(list) => Some(list),
            Content::Single(_) | Content::Map(_) => None,
        }
    }

    /// Appends the entries of another mapping to this mapping, or the values of another list to this list. Other
    /// combinations change nothing.
    pub fn extend(&mut self, other: Lined) {
        match (&mut self.content, other.content) {
            (Content::Map(map), Content::Map(entries)) => map.extend(entries),
            (Content::List(list), Content::List(values)) => list.extend(values),
            _ => {}
        }
    }

    /// Returns the value of a key of a mapping, for changes.
    pub fn entry_mut(&mut self, key: &str) -> Option<&mut Lined> {
        match &mut self.content {
            Content::Map(map) => map.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
            Content::Single(_) | Content::List(_) => None,
        }
    }

    /// Appends an entry to a mapping.
    pub fn push(&mut self, entry: Entry) {
        if let Content::Map(map) = &mut self.content {
            map.push(entry);
        }
    }

    /// Consumes a mapping and returns its entries; empty for anything else.
    pub fn into_entries(self) -> Vec<Entry> {
        match self.content {
            Content::Map(map) => map,
            Content::Single(_) | Content::List(_) => Vec::new(),
        }
    }

    /// Returns the value without its lines.
    pub fn json(&self) -> Value {
        match &self.content {
            Content::Single(value) => value.clone(),
            Content::List(list) => list.iter().map(Lined::json).collect(),
            Content::Map(map) => Value::Object(map.iter().map(|e| (e.key.clone(), e.value.json())).collect()),
        }
    }

    /// Returns the value without those at these JSON Pointers; the others keep their lines.
    pub fn without(&self, pointers: &BTreeSet<String>) -> Lined {
        self.left("", pointers)
    }

    fn left(&self, at: &str, pointers: &BTreeSet<String>) -> Lined {
        let left = |key: &str, value: &Lined| {
            let at = format!("{at}/{key}");
            (!pointers.contains(&at)).then(|| value.left(&at, pointers))
        };
        let content = match &self.content {
            Content::Single(value) => Content::Single(value.clone()),
            Content::List(list) => {
                let values = list.iter().enumerate().filter_map(|(index, value)| left(&index.to_string(), value));
                Content::List(values.collect())
            }
            Content::Map(map) => {
                let entry = |entry: &Entry| {
                    let value = left(&entry.key.replace('~', "~0").replace('/', "~1"), &entry.value)?;
                    Some(Entry { key: entry.key.clone(), line: entry.line, value })
                };
                Content::Map(map.iter().filter_map(entry).collect())
            }
        };
        Lined { line: self.line, file: self.file.clone(), content }
    }

    /// Returns the entries of a mapping; none for anything else.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map(map) => Some(map),
            Content::Single(_) | Content::List(_) => None,
        }
    }

    /// Returns the kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Single(Value::Null) => "nothing",
            Content::Single(Value::Bool(_)) => "a truth value",
            Content::Single(Value::Number(number)) if number.is_f64() => "a number",
            Content::Single(Value::Number(_)) => "a whole number",
            Content::Single(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// Returns the place that an error with a JSON Pointer and a quotation means: the only key or value at or below the
    /// pointer that equals the quotation, otherwise the value itself. For a missing value, starts at the nearest
    /// parent.
    pub fn place_meant(&self, pointer: &str, quoted: Option<&str>) -> Place {
        let node = self.at(pointer).unwrap_or_else(|above| above);
        let mut places = Vec::new();
        if let Some(quoted) = quoted {
            node.find(quoted, &mut places);
        }
        match places.as_slice() {
            [only] => only.clone(),
            _ => node.place(),
        }
    }

    /// Returns the value at a JSON Pointer.
    ///
    /// # Errors
    /// Fails with the nearest existing parent if there is no value.
    pub fn at(&self, pointer: &str) -> Result<&Lined, &Lined> {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.content {
                Content::Map(map) => map.iter().find(|entry| entry.key == part).map(|entry| &entry.value),
                Content::List(list) => part.parse().ok().and_then(|at: usize| list.get(at)),
                Content::Single(_) => None,
            };
            let Some(next) = next else { return Err(node) };
            node = next;
        }
        Ok(node)
    }

    /// Returns a scalar as text; none for null, a list or a mapping.
    pub fn single(&self) -> Option<String> {
        match &self.content {
            Content::Single(Value::String(text)) => Some(text.clone()),
            Content::Single(Value::Null) | Content::List(_) | Content::Map(_) => None,
            Content::Single(value) => Some(value.to_string()),
        }
    }

    /// Returns all keys and texts at or below this value, in file order.
    pub fn words(&self) -> Vec<&str> {
        match &self.content {
            Content::Single(Value::String(text)) => vec![text],
            Content::Single(_) => Vec::new(),
            Content::List(list) => list.iter().flat_map(Lined::words).collect(),
            Content::Map(map) => {
                map.iter().flat_map(|entry| [entry.key.as_str()].into_iter().chain(entry.value.words())).collect()
            }
        }
    }

    /// Collects the places of keys and scalars that equal `text`, in file order.
    fn find(&self, text: &str, found: &mut Vec<Place>) {
        match &self.content {
            Content::List(list) => list.iter().for_each(|node| node.find(text, found)),
            Content::Map(map) => {
                for entry in map {
                    if entry.key == text {
                        found.push(entry.place());
                    }
                    entry.value.find(text, found);
                }
            }
            Content::Single(value) if equals_text(value, text) => found.push(self.place()),
            Content::Single(_) => {}
        }
    }
}

/// Returns true if a scalar equals `text`.
fn equals_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        Value::Number(value) => value.to_string() == text,
        Value::Bool(value) => value.to_string() == text,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn line_of(location: &serde_saphyr::Location) -> usize {
    usize::try_from(location.line()).unwrap_or(usize::MAX)
}

impl<'de> Deserialize<'de> for Lined {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Lined { line: line_of(&spanned.referenced), file: Path::new("").into(), content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Single(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Single(value.into()))
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Content, E> {
        i64::try_from(value)
            .map(|value| Content::Single(value.into()))
            .map_err(|_| E::custom(format!("{value} is larger than {}", i64::MAX)))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        Number::from_f64(value)
            .map(|value| Content::Single(value.into()))
            .ok_or_else(|| E::custom(format!("{value} is not a JSON number")))
    }
    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Single(value.into()))
    }
    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Single(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Single(Value::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Lined>()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Lined>()?;
            map.push(Entry { line: line_of(&key.referenced), key: key.value, value });
        }
        Ok(Content::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn without_removes_values_and_keeps_the_lines_of_the_others() {
        let text = "a:\n  - x: 1\n  - y/z: 2\n    w: 3\n  - 4\nb: 5\n";
        let left = parse(text).without(&["/a/0", "/a/1/y~1z", "/b", "/none/7"].map(str::to_owned).into());
        assert_eq!(left.json(), json!({"a": [{"w": 3}, 4]}));
        let lines =
            [("/a/0", None), ("/a/0", Some("w")), ("/a/1", None)].map(|(at, quoted)| left.place_meant(at, quoted).line);
        assert_eq!(lines, [3, 4, 5]);
    }

    fn parse(text: &str) -> Lined {
        Lined::parse(Path::new("x.yml"), text).expect("valid YAML")
    }

    #[test]
    fn scalars_keep_their_json_types() {
        let document = parse("{a: 1, b: -2.5, c: yes, d: '1', e: null, f: ~, g: true, 7: seven, 2020-08-27: day}");
        let expected = json!({"a": 1, "b": -2.5, "c": "yes", "d": "1", "e": null, "f": null, "g": true, "7": "seven",
            "2020-08-27": "day"});
        assert_eq!(document.json(), expected);
    }

    #[test]
    fn place_meant_is_the_line_of_the_pointer_or_of_the_only_quoted_text() {
        let document = parse("a:\n  - x: 1\n  - y/z:\n      '~': 2\n");
        let lines = ["", "/a/0/x", "/a/1/y~1z/~0", "/a/1/none/x", "/a/7", "/none"]
            .map(|at| document.place_meant(at, None).line);
        assert_eq!(lines, [1, 2, 4, 3, 2, 1]);
        assert_eq!(["x", "2", "no"].map(|text| document.place_meant("/a", Some(text)).line), [2, 4, 2]);
    }

    #[test]
    fn invalid_yaml_is_reported_with_its_line() {
        for (text, line) in [("a: 1\na: 2\n", 2), ("a: 1\nb: .nan\n", 2), ("a: 1\nb: 9223372036854775808\n", 2)] {
            let error = Lined::parse(Path::new("x.yml"), text).expect_err("refused");
            assert_eq!((error.place.file.as_path(), error.place.line), (Path::new("x.yml"), line), "{error}");
        }
    }
}
