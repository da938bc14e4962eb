//! Parses the text of a YAML document into nodes with their lines and columns.

use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::node::{Entry, Node, Tree};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Maximum nesting depth.
const DEPTH_MAX: usize = 64;

impl Node {
    /// Parses one YAML document; JSON is YAML too.
    ///
    /// # Errors
    /// Fails with the line if the text is not YAML, is nested too deeply or repeats a key, or if it contains NaN, an
    /// infinity or an integer that [`i64`] cannot hold.
    pub fn parse(file: &Path, text: &str) -> Result<Node, BadInput> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
        };
        let mut document =
            serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| mistake(file, &error))?;
        document.set_origin(&file.into(), &text.lines().collect::<Vec<_>>());
        Ok(document)
    }

    /// Sets the file of all values, and the text of numbers with a point.
    fn set_origin(&mut self, file: &Arc<Path>, lines: &[&str]) {
        self.file = Some(file.clone());
        match &mut self.value {
            Tree::List(list) => list.iter_mut().for_each(|node| node.set_origin(file, lines)),
            Tree::Map(map) => map.iter_mut().for_each(|entry| entry.value.set_origin(file, lines)),
            Tree::Float(_) => {
                let line = self.line.checked_sub(1).and_then(|at| lines.get(at)).copied().unwrap_or_default();
                let from = line.char_indices().nth(self.column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
                self.source = number_at(&line[from..], lines).map(Box::from);
            }
            Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Text(_) => {}
        }
    }
}

/// Returns the text of the number at the start of a string. An alias stands for the number after its anchor.
fn number_at<'t>(text: &'t str, lines: &[&'t str]) -> Option<&'t str> {
    let end = |text: &str, is_part: fn(char) -> bool| text.find(|c| !is_part(c)).unwrap_or(text.len());
    let name = text.strip_prefix('*').map(|name| &name[..end(name, |c| c.is_ascii_alphanumeric() || c == '_')]);
    let text = match name {
        Some(name) => lines.iter().find_map(|line| Some(line.split_once(&format!("&{name} "))?.1.trim_start()))?,
        None => text,
    };
    let number = &text[..end(text, |c| c.is_ascii_alphanumeric() || ".+-".contains(c))];
    Some(number).filter(|number| !number.is_empty())
}

fn mistake(file: &Path, error: &serde_saphyr::Error) -> BadInput {
    let place = Place::line(file, error.location().map_or(0, |location| size(location.line())));
    if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
        let key = key.as_ref().map_or_else(|| "a key".to_owned(), |key| format!("`{key}`"));
        return BadInput::new(place, format!("{key} is given twice in one mapping"), "each key once");
    }
    let text = error.to_string();
    BadInput::new(place, text.lines().next().unwrap_or_default(), "a YAML document")
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Tree>::deserialize(deserializer)?;
        let location = &spanned.referenced;
        Ok(Node {
            line: size(location.line()),
            column: size(location.column()),
            file: None,
            source: None,
            value: spanned.value,
        })
    }
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
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree, E> {
        match value.is_finite() {
            true => Ok(Tree::Float(value)),
            false => Err(E::custom(format!("{value} is not a JSON number"))),
        }
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
            map.push(Entry { line: size(key.referenced.line()), key: key.value, value });
        }
        Ok(Tree::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> Node {
        Node::parse(Path::new("x.yml"), text).expect("valid YAML")
    }

    #[test]
    fn lines_of_nested_values_and_keys_are_kept() {
        let node = parse("a: 1\nb:\n  - x\n  - {c: 2,\n     d: true}\n");
        let map = node.entries().expect("a mapping");
        assert_eq!((map[0].line, map[0].value.line, map[1].line), (1, 1, 2));
        let list = map[1].value.items().expect("a list");
        assert_eq!((list[0].line, list[0].column, list[1].line), (3, 5, 4));
        let inner = list[1].entries().expect("a mapping");
        assert_eq!((inner[0].line, inner[1].line), (4, 5));
        assert_eq!((inner[1].place().to_string(), inner[1].value.place()), ("x.yml:5".to_owned(), inner[1].place()));
    }

    #[test]
    fn scalars_keep_their_json_types() {
        let node = parse("{a: 1, b: -2.5, c: yes, d: '1', e: null, f: ~, g: true, 7: seven, 2020-08-27: day}");
        let expected = json!({"a": 1, "b": -2.5, "c": "yes", "d": "1", "e": null, "f": null, "g": true, "7": "seven",
            "2020-08-27": "day"});
        assert_eq!(node.json(), expected);
        let texts =
            ["1", "-2.5", "yes", "1", "", "", "true", "seven", "day"].map(Some).map(|text| text.map(str::to_owned));
        let scalars = node.entries().unwrap_or_default().iter().map(|entry| entry.value.scalar());
        assert!(scalars.eq(texts.map(|text| text.filter(|text| !text.is_empty()))));
    }

    #[test]
    fn a_number_with_a_point_keeps_its_text() {
        let node = parse("a: {month: 12.00, year: 120.10}\nb:\n  - 0.010 # a cent\n  - -2.50\nc: &x 1.0\nd: *x\n");
        let source = |pointer: &str| node.at(pointer).expect("a value").source.as_deref().map(str::to_owned);
        let all =
            ["/a/month", "/a/year", "/b/0", "/b/1", "/c", "/d"].map(|pointer| source(pointer).unwrap_or_default());
        assert_eq!(all, ["12.00", "120.10", "0.010", "-2.50", "1.0", "1.0"]);
        assert_eq!(parse("12").source, None);
    }

    #[test]
    fn invalid_yaml_is_reported_with_its_line() {
        for (text, line) in [
            ("a: 1\na: 2\n", 2),
            ("a: 1\nb: .nan\n", 2),
            ("a: 1\nb: -.inf\n", 2),
            ("a: 1\nb: 9223372036854775808\n", 2),
            ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ] {
            let error = Node::parse(Path::new("x.yml"), text).expect_err("refused");
            assert_eq!((error.place.file.as_path(), error.place.line), (Path::new("x.yml"), line), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_given_twice_is_reported_with_its_name_and_line() {
        for text in ["a: 1\nb:\n  c: 1\n  c: 2\n", "a: 1\nb: {d: 1, c: 1,\n  d: 3,\n  c: 2}\n"] {
            let error = Node::parse(Path::new("x.yml"), text).expect_err("refused").to_string();
            let key = if text.contains("d: 3") { "x.yml:3: `d`" } else { "x.yml:4: `c`" };
            assert_eq!(error, format!("{key} is given twice in one mapping; expected each key once"));
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let file = Path::new("x.yml");
        assert!(Node::parse(file, &nested(DEPTH_MAX - 1)).is_ok());
        assert!(Node::parse(file, &nested(DEPTH_MAX + 1)).is_err());
    }
}
