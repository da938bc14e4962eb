//! Dotted paths into JSON: `items.data[0].price.id`, with `[*]` for all entries of a list.

use serde_json::Value;
use std::fmt;

/// A segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    All,
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    segments: Vec<Segment>,
    text: String,
}

/// An error of parsing or following a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text is not a path.
    #[error("`{0}` is not a path")]
    Syntax(String),
    /// The value has no such path.
    #[error("there is no `{0}`")]
    Missing(String),
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for JsonPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let syntax = || PathError::Syntax(text.to_owned());
        let mut segments = Vec::new();
        for part in text.split('.') {
            let (name, mut rest) = match part.find('[') {
                Some(at) => part.split_at(at),
                None => (part, ""),
            };
            if name.is_empty() {
                return Err(syntax());
            }
            segments.push(Segment::Key(name.to_owned()));
            while !rest.is_empty() {
                let inner = rest.strip_prefix('[').ok_or_else(syntax)?;
                let (index, after) = inner.split_once(']').ok_or_else(syntax)?;
                segments.push(match index {
                    "*" => Segment::All,
                    _ => Segment::Index(index.parse().map_err(|_| syntax())?),
                });
                rest = after;
            }
        }
        Ok(JsonPath { segments, text: text.to_owned() })
    }
}

/// Whether [`JsonPath::set`] may add the last key of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewKey {
    /// `set` may add the key only to an object named `metadata` and to empty objects.
    Known,
    /// `set` may add the key to any object.
    Any,
}

impl JsonPath {
    /// Sets the value at every place that the path matches.
    ///
    /// # Errors
    ///
    /// Fails if the path does not exist and `new_key` does not allow `set` to add its last key.
    pub fn set(&self, root: &mut Value, value: &Value, new_key: NewKey) -> Result<(), PathError> {
        self.visit(root, &mut |parent, last, open| match (parent, last) {
            (Value::Object(map), Segment::Key(key)) => {
                let may = new_key == NewKey::Any || open || map.is_empty() || map.contains_key(key);
                if may {
                    map.insert(key.clone(), value.clone());
                }
                may
            }
            (Value::Array(list), Segment::Index(index)) => match list.get_mut(*index) {
                Some(slot) => {
                    *slot = value.clone();
                    true
                }
                None => false,
            },
            (Value::Array(list), Segment::All) => {
                list.iter_mut().for_each(|slot| *slot = value.clone());
                !list.is_empty()
            }
            _ => false,
        })
    }

    /// Removes the value at every place that the path matches.
    ///
    /// # Errors
    ///
    /// Fails if the path does not exist or ends with `[*]`.
    pub fn unset(&self, root: &mut Value) -> Result<(), PathError> {
        self.visit(root, &mut |parent, last, _| match (parent, last) {
            (Value::Object(map), Segment::Key(key)) => map.remove(key).is_some(),
            (Value::Array(list), Segment::Index(index)) if *index < list.len() => {
                list.remove(*index);
                true
            }
            _ => false,
        })
    }

    /// Returns the first value that the path matches.
    pub fn get<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.segments.iter().try_fold(root, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
            Segment::All => value.get(0),
        })
    }

    fn visit(
        &self,
        root: &mut Value,
        change: &mut dyn FnMut(&mut Value, &Segment, bool) -> bool,
    ) -> Result<(), PathError> {
        let missing = || PathError::Missing(self.text.clone());
        let Some((last, before)) = self.segments.split_last() else { return Err(missing()) };
        let mut parents = vec![root];
        for segment in before {
            let mut next = Vec::new();
            for parent in parents {
                match (parent, segment) {
                    (Value::Object(map), Segment::Key(key)) => next.extend(map.get_mut(key)),
                    (Value::Array(list), Segment::Index(index)) => next.extend(list.get_mut(*index)),
                    (Value::Array(list), Segment::All) => next.extend(list.iter_mut()),
                    _ => {}
                }
            }
            parents = next;
        }
        let open = matches!(before.last(), Some(Segment::Key(key)) if key == "metadata");
        if parents.is_empty() {
            return Err(missing());
        }
        for parent in parents {
            if !change(parent, last, open) {
                return Err(missing());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(text: &str) -> JsonPath {
        text.parse().expect("a path")
    }

    #[test]
    fn set_replaces_existing_values() {
        let mut body = json!({"status": "active", "items": {"data": [{"quantity": 1}, {"quantity": 2}]}});
        path("status").set(&mut body, &json!("past_due"), NewKey::Known).expect("exists");
        path("items.data[1].quantity").set(&mut body, &json!(5), NewKey::Known).expect("exists");
        assert_eq!(body, json!({"status": "past_due", "items": {"data": [{"quantity": 1}, {"quantity": 5}]}}));
        path("items.data[*].quantity").set(&mut body, &json!(7), NewKey::Known).expect("exists");
        assert_eq!(path("items.data[1].quantity").get(&body), Some(&json!(7)));
    }

    #[test]
    fn set_adds_a_new_key_only_to_an_open_object_or_with_any() {
        let mut body = json!({"metadata": {"a": "1"}, "plan": {"id": "x"}});
        path("metadata.user_id").set(&mut body, &json!("A"), NewKey::Known).expect("metadata is open");
        let error = path("plan.idd").set(&mut body, &json!("y"), NewKey::Known).expect_err("a typo");
        assert_eq!(error, PathError::Missing("plan.idd".into()));
        path("plan.idd").set(&mut body, &json!("y"), NewKey::Any).expect("wanted");
        assert_eq!(body, json!({"metadata": {"a": "1", "user_id": "A"}, "plan": {"id": "x", "idd": "y"}}));
    }

    #[test]
    fn unset_removes_a_value_and_fails_if_there_is_none() {
        let mut body = json!({"a": {"b": 1}, "l": [1, 2]});
        path("a.b").unset(&mut body).expect("exists");
        path("l[0]").unset(&mut body).expect("exists");
        assert_eq!(body, json!({"a": {}, "l": [2]}));
        assert!(path("a.b").unset(&mut body).is_err());
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in ["", "a..b", "a[", "a[x]", "a[0", "[0]", "a[0]b"] {
            assert!(text.parse::<JsonPath>().is_err(), "{text}");
        }
    }
}
