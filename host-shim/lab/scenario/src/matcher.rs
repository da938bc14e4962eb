//! Matches a value against a scenario's expectation and lists the differences.
//!
//! A mapping lists required members and allows others; a list is exact. The special forms `any`, `{regex: …}`,
//! `{absent: true}`, `{literal: …}`, `{exact: …}`, `{subset: …}`, `{contains: […]}` and `{size: n}` override this.

use crate::tree::{Checked, Checker, Node, Tree};
use regex::Regex;
use serde_json::Value;

/// An expectation, with its line.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Line of the expectation, from 1; 0 if the expectation does not come from a file.
    pub line: usize,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Any,
    Absent,
    Literal(Value),
    Pattern(Regex),
    Size(usize),
    Subset(Vec<(String, Matcher)>),
    Exact(Vec<(String, Matcher)>),
    List(Vec<Matcher>),
    Contains(Vec<Matcher>),
}

/// The keys that make a mapping with one member a special form.
pub const FORMS: [&str; 7] = ["regex", "absent", "size", "literal", "contains", "subset", "exact"];

/// A difference between a value and its expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Line of the expectation, from 1.
    pub line: usize,
    /// Path of the value, such as `products.inst_acme.metadata.status`.
    pub path: String,
    /// The expected value, as JSON or as a description.
    pub expected: String,
    /// The actual value; none if it is missing.
    pub actual: Option<Value>,
    /// If a mapping lacks the expected member, the names of its members.
    pub others: Vec<String>,
}

impl Matcher {
    /// Reads an expectation.
    ///
    /// # Errors
    ///
    /// Fails if a special form has a value of the wrong type.
    pub fn read(check: &Checker, node: &Node) -> Checked<Matcher> {
        let rule = match &node.value {
            Tree::Text(text) if text == "any" => Rule::Any,
            Tree::List(list) => Rule::List(Self::read_list(check, list)?),
            Tree::Map(_) => match node.only_entry() {
                Some((key, inner)) => match Self::special(check, key, inner)? {
                    Some(rule) => rule,
                    None => Rule::Subset(Self::read_map(check, node)?),
                },
                None => Rule::Subset(Self::read_map(check, node)?),
            },
            _ => Rule::Literal(node.json()),
        };
        Ok(Matcher { line: node.line, rule })
    }

    fn special(check: &Checker, key: &str, inner: &Node) -> Checked<Option<Rule>> {
        Ok(Some(match key {
            "regex" => {
                let pattern = check.text("regex", inner)?;
                let compiled = Regex::new(&pattern).map_err(|error| {
                    let last = error.to_string().lines().last().unwrap_or_default().to_owned();
                    check.bad(
                        inner.place(),
                        format!("`{pattern}` is not a regular expression: {last}"),
                        "a regular expression",
                    )
                })?;
                Rule::Pattern(compiled)
            }
            "absent" => match check.truth("absent", inner)? {
                true => Rule::Absent,
                false => Rule::Any,
            },
            "size" => match inner.value {
                Tree::Int(size) if size >= 0 => Rule::Size(usize::try_from(size).unwrap_or(usize::MAX)),
                _ => {
                    return Err(check.bad(
                        inner.place(),
                        "`size` is not a count",
                        "a whole number from 0, or `{subset: {size: …}}` for a member with this name",
                    ));
                }
            },
            "literal" => Rule::Literal(inner.json()),
            "contains" => Rule::Contains(Self::read_list(check, check.list("contains", inner)?)?),
            "subset" => Rule::Subset(Self::read_map(check, inner)?),
            "exact" => match &inner.value {
                Tree::Map(_) => Rule::Exact(Self::read_map(check, inner)?),
                Tree::List(list) => Rule::List(Self::read_list(check, list)?),
                _ => Rule::Literal(inner.json()),
            },
            _ => return Ok(None),
        }))
    }

    fn read_map(check: &Checker, node: &Node) -> Checked<Vec<(String, Matcher)>> {
        check.each(check.map("expectation", node)?, |entry| Ok((entry.key.clone(), Self::read(check, &entry.value)?)))
    }

    fn read_list(check: &Checker, list: &[Node]) -> Checked<Vec<Matcher>> {
        check.each(list, |entry| Self::read(check, entry))
    }

    /// Returns an expectation that only `value` meets.
    pub fn literal(line: usize, value: Value) -> Matcher {
        Matcher { line, rule: Rule::Literal(value) }
    }

    /// Returns an expectation that only a missing value meets.
    pub fn absent(line: usize) -> Matcher {
        Matcher { line, rule: Rule::Absent }
    }

    /// Returns the expectation of a mapping with these members. Other members are allowed.
    pub fn members(members: Vec<(String, Matcher)>) -> Matcher {
        Matcher { line: members.first().map_or(0, |(_, first)| first.line), rule: Rule::Subset(members) }
    }

    /// Returns an expectation that `value` meets. Mappings may have more members; everything else is exact.
    pub fn of(value: &Value) -> Matcher {
        let rule = match value {
            Value::Object(members) => {
                Rule::Subset(members.iter().map(|(key, value)| (key.clone(), Matcher::of(value))).collect())
            }
            Value::Array(list) => Rule::List(list.iter().map(Matcher::of).collect()),
            plain => Rule::Literal(plain.clone()),
        };
        Matcher { line: 0, rule }
    }

    /// Returns the expectation of a mapping with this member. Other members are allowed.
    pub fn member(key: &str, inner: Matcher) -> Matcher {
        Matcher { line: inner.line, rule: Rule::Subset(vec![(key.to_owned(), inner)]) }
    }

    /// Returns an expectation that every existing value meets.
    pub fn any(line: usize) -> Matcher {
        Matcher { line, rule: Rule::Any }
    }

    /// Returns an expectation of only those members of `should` that differ from `is`, at any depth. Members that only
    /// `is` has are expected to be absent.
    pub fn telling(should: &Value, is: &Value) -> Matcher {
        let (Value::Object(one), Value::Object(two)) = (should, is) else { return Matcher::of(should) };
        let differ = one.iter().filter(|(name, value)| two.get(*name) != Some(value)).map(|(name, value)| {
            let rule = two.get(name).map_or_else(|| Matcher::of(value), |is| Matcher::telling(value, is));
            (name.clone(), rule)
        });
        let too_many = two.keys().filter(|name| !one.contains_key(*name));
        let absent = too_many.map(|name| (name.clone(), Matcher { line: 0, rule: Rule::Absent }));
        Matcher { line: 0, rule: Rule::Subset(differ.chain(absent).collect()) }
    }

    /// Returns the expectation in the format of a scenario file; none if it contains a whole number beyond [`i64`].
    pub fn node(&self) -> Option<Node> {
        let list = |list: &[Matcher]| list.iter().map(Matcher::node).collect::<Option<Vec<_>>>().map(Node::list);
        let map = |map: &[(String, Matcher)]| {
            let members = map.iter().map(|(key, inner)| Some((key.clone(), inner.node()?)));
            members.collect::<Option<Vec<_>>>().map(Node::map)
        };
        let form = |name: &str, inner: Node| Node::map([(name, inner)]);
        Some(match &self.rule {
            Rule::Any => Node::text("any"),
            Rule::Absent => form("absent", Node::of(Tree::Bool(true))),
            Rule::Literal(value) => match value {
                Value::String(text) if text == "any" => form("literal", Node::text(text)),
                Value::Array(_) | Value::Object(_) => form("literal", Node::from_json(value)?),
                plain => Node::from_json(plain)?,
            },
            Rule::Pattern(pattern) => form("regex", Node::text(pattern.as_str())),
            Rule::Size(size) => form("size", Node::of(Tree::Int(i64::try_from(*size).ok()?))),
            Rule::Subset(members) => match members.as_slice() {
                // A member named like a form would be read as the form.
                [(key, _)] if FORMS.contains(&key.as_str()) => form("subset", map(members)?),
                members => map(members)?,
            },
            Rule::Exact(members) => form("exact", map(members)?),
            Rule::List(entries) => list(entries)?,
            Rule::Contains(entries) => form("contains", list(entries)?),
        })
    }

    /// Returns the expectations of a list's entries or a mapping's members; an empty list for other expectations.
    pub fn parts(&self) -> Vec<&Matcher> {
        match &self.rule {
            Rule::List(list) | Rule::Contains(list) => list.iter().collect(),
            Rule::Subset(map) | Rule::Exact(map) => map.iter().map(|(_, part)| part).collect(),
            Rule::Any | Rule::Absent | Rule::Literal(_) | Rule::Pattern(_) | Rule::Size(_) => Vec::new(),
        }
    }

    /// Returns the text that is expected of a mapping's member, with its line; none if no text is expected for this
    /// member.
    pub fn text_of(&self, member: &str) -> Option<(usize, &str)> {
        let (Rule::Subset(map) | Rule::Exact(map)) = &self.rule else { return None };
        let (_, expected) = map.iter().find(|(key, _)| key == member)?;
        match &expected.rule {
            Rule::Literal(Value::String(text)) => Some((expected.line, text)),
            _ => None,
        }
    }

    /// Returns true for the expectation of a plain value (text, number, truth value or null) or of `{literal: …}`.
    pub fn is_literal(&self) -> bool {
        matches!(&self.rule, Rule::Literal(_))
    }

    /// Applies `change` to the expectation of each member of a mapping, for sections with short forms.
    pub fn map_members(self, change: &dyn Fn(Matcher) -> Matcher) -> Matcher {
        let members = |map: Vec<(String, Matcher)>| map.into_iter().map(|(k, m)| (k, change(m))).collect();
        let rule = match self.rule {
            Rule::Subset(map) => Rule::Subset(members(map)),
            Rule::Exact(map) => Rule::Exact(members(map)),
            other => other,
        };
        Matcher { line: self.line, rule }
    }

    /// Returns the number of assertions: each leaf except `any`, each exact mapping or list, and each required member
    /// or entry that has no assertion inside.
    pub fn assertions(&self) -> usize {
        match &self.rule {
            Rule::Any => 0,
            Rule::Absent | Rule::Literal(_) | Rule::Pattern(_) | Rule::Size(_) => 1,
            Rule::Subset(map) => map.iter().map(|(_, m)| m.presence()).sum(),
            Rule::Exact(map) => 1 + map.iter().map(|(_, m)| m.assertions()).sum::<usize>(),
            Rule::List(list) => 1 + list.iter().map(Matcher::assertions).sum::<usize>(),
            Rule::Contains(list) => list.iter().map(Matcher::presence).sum(),
        }
    }

    /// Returns the number of assertions of a member; a member that must only exist counts as one.
    fn presence(&self) -> usize {
        self.assertions().max(1)
    }

    /// Compares a value with the expectation and adds every difference to `found`.
    pub fn check(&self, path: &str, actual: Option<&Value>, found: &mut Vec<Mismatch>) {
        let miss = |expected: String| Mismatch {
            line: self.line,
            path: path.to_owned(),
            expected,
            actual: actual.cloned(),
            others: Vec::new(),
        };
        let Some(value) = actual else {
            if !matches!(self.rule, Rule::Absent) {
                found.push(miss(self.describe()));
            }
            return;
        };
        match &self.rule {
            Rule::Any => {}
            Rule::Absent => found.push(miss("nothing".to_owned())),
            Rule::Literal(expected) => {
                if expected != value {
                    found.push(miss(expected.to_string()));
                }
            }
            Rule::Pattern(pattern) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if !pattern.is_match(&text) {
                    found.push(miss(self.describe()));
                }
            }
            Rule::Size(size) => {
                if size_of(value) != Some(*size) {
                    found.push(miss(self.describe()));
                }
            }
            Rule::Subset(members) => self.check_members(path, members, value, found),
            Rule::Exact(members) => {
                self.check_members(path, members, value, found);
                let Value::Object(map) = value else { return };
                for (key, extra) in map.iter().filter(|(key, _)| !members.iter().any(|(k, _)| k == *key)) {
                    found.push(Mismatch {
                        line: self.line,
                        path: format!("{path}.{key}"),
                        expected: "nothing".to_owned(),
                        actual: Some(extra.clone()),
                        others: Vec::new(),
                    });
                }
            }
            Rule::List(expected) => {
                let Value::Array(list) = value else { return found.push(miss(self.describe())) };
                for (index, matcher) in expected.iter().enumerate() {
                    matcher.check(&format!("{path}[{index}]"), list.get(index), found);
                }
                for (index, extra) in list.iter().enumerate().skip(expected.len()) {
                    found.push(Mismatch {
                        line: self.line,
                        path: format!("{path}[{index}]"),
                        expected: "nothing".to_owned(),
                        actual: Some(extra.clone()),
                        others: Vec::new(),
                    });
                }
            }
            Rule::Contains(expected) => {
                let Value::Array(list) = value else { return found.push(miss(self.describe())) };
                let mut free: Vec<&Value> = list.iter().collect();
                for matcher in expected {
                    match free.iter().position(|entry| matcher.holds(entry)) {
                        Some(at) => {
                            free.remove(at);
                        }
                        None => found.push(Mismatch {
                            line: matcher.line,
                            path: path.to_owned(),
                            expected: format!("an entry like {}", matcher.describe()),
                            actual: Some(value.clone()),
                            others: Vec::new(),
                        }),
                    }
                }
            }
        }
    }

    fn check_members(&self, path: &str, members: &[(String, Matcher)], value: &Value, found: &mut Vec<Mismatch>) {
        let Value::Object(map) = value else {
            return found.push(Mismatch {
                line: self.line,
                path: path.to_owned(),
                expected: self.describe(),
                actual: Some(value.clone()),
                others: Vec::new(),
            });
        };
        for (key, matcher) in members {
            let before = found.len();
            matcher.check(&format!("{path}.{key}"), map.get(key), found);
            if !map.contains_key(key) {
                for miss in &mut found[before..] {
                    miss.others = map.keys().cloned().collect();
                }
            }
        }
    }

    /// Returns true if the value meets the expectation.
    pub fn holds(&self, value: &Value) -> bool {
        let mut found = Vec::new();
        self.check("", Some(value), &mut found);
        found.is_empty()
    }

    /// Describes the expectation in one line.
    pub fn describe(&self) -> String {
        let map = |members: &[(String, Matcher)]| {
            let inner: Vec<String> = members.iter().map(|(k, m)| format!("{k}: {}", m.describe())).collect();
            format!("{{{}}}", inner.join(", "))
        };
        let list = |entries: &[Matcher]| {
            let inner: Vec<String> = entries.iter().map(Matcher::describe).collect();
            format!("[{}]", inner.join(", "))
        };
        match &self.rule {
            Rule::Any => "any".to_owned(),
            Rule::Absent => "nothing".to_owned(),
            Rule::Literal(value) => value.to_string(),
            Rule::Pattern(pattern) => format!("/{}/", pattern.as_str()),
            Rule::Size(size) => format!("{size} entries"),
            Rule::Subset(members) => map(members),
            Rule::Exact(members) => format!("exactly {}", map(members)),
            Rule::List(entries) => list(entries),
            Rule::Contains(entries) => format!("a list with {}", list(entries)),
        }
    }
}

fn size_of(value: &Value) -> Option<usize> {
    match value {
        Value::Array(list) => Some(list.len()),
        Value::Object(map) => Some(map.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn matcher(text: &str) -> Matcher {
        let node = Node::parse(Path::new("x.yml"), text).expect("valid YAML");
        Checker::read(|check| Matcher::read(check, &node)).expect("a matcher")
    }

    fn mismatches(text: &str, value: Value) -> Vec<String> {
        let mut found = Vec::new();
        matcher(text).check("v", Some(&value), &mut found);
        found.iter().map(|m| format!("{}: {} expected {}", m.line, m.path, m.expected)).collect()
    }

    #[test]
    fn a_mapping_allows_other_members_unless_it_is_exact() {
        assert!(matcher("{a: 1}").holds(&json!({"a": 1, "b": 2})));
        assert_eq!(mismatches("{exact: {a: 1}}", json!({"a": 1, "b": 2})), ["1: v.b expected nothing"]);
        assert_eq!(mismatches("{a: {b: 1}}", json!({"a": {"b": 2}})), ["1: v.a.b expected 1"]);
        assert_eq!(mismatches("{a: 1}", json!([1])), ["1: v expected {a: 1}"]);
    }

    #[test]
    fn each_form_accepts_and_refuses_values() {
        for (expectation, good, bad) in [
            ("any", json!(null), None),
            ("1", json!(1), Some(json!("1"))),
            ("text", json!("text"), Some(json!("other"))),
            ("null", json!(null), Some(json!(0))),
            ("{regex: '^sub_'}", json!("sub_1"), Some(json!("cus_1"))),
            ("{size: 2}", json!([1, 2]), Some(json!([1]))),
            ("{size: 1}", json!({"a": 1}), Some(json!({}))),
            ("[1, any]", json!([1, 5]), Some(json!([1]))),
            ("[1]", json!([1]), Some(json!([1, 2]))),
            ("{contains: [2]}", json!([1, 2]), Some(json!([1]))),
            ("{contains: [2, 2]}", json!([2, 2]), Some(json!([1, 2]))),
            ("{a: {absent: true}}", json!({}), Some(json!({"a": null}))),
            ("{a: any}", json!({"a": null}), Some(json!({}))),
            ("{subset: {a: 1}}", json!({"a": 1, "b": 1}), Some(json!({"b": 1}))),
            ("{literal: {regex: x}}", json!({"regex": "x"}), Some(json!({"regex": "x", "y": 1}))),
            ("{exact: []}", json!([]), Some(json!([1]))),
        ] {
            assert!(matcher(expectation).holds(&good), "{expectation} {good}");
            if let Some(bad) = bad {
                assert!(!matcher(expectation).holds(&bad), "{expectation} {bad}");
            }
        }
    }

    #[test]
    fn a_difference_names_the_line_of_the_expectation() {
        let found = mismatches(
            "status: active\nitems:\n  - quantity: 1\n  - quantity: 3\n",
            json!({
                "status": "active", "items": [{"quantity": 1}, {"quantity": 2}]
            }),
        );
        assert_eq!(found, ["4: v.items[1].quantity expected 3"]);
    }

    #[test]
    fn a_broken_regular_expression_is_bad_input() {
        let node = Node::parse(Path::new("x.yml"), "a:\n  regex: '('\n").expect("valid YAML");
        let told = Checker::read(|check| Matcher::read(check, &node)).expect_err("no regex");
        assert_eq!(told.0.iter().map(|bad| bad.place.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn leaves_exact_shapes_and_required_members_are_assertions() {
        assert_eq!(matcher("any").assertions(), 0);
        assert_eq!(matcher("{a: 1, b: {c: 2, d: any}}").assertions(), 3);
        assert_eq!(matcher("[]").assertions(), 1);
        assert_eq!(matcher("{exact: {}}").assertions(), 1);
    }
}
