//! Texts with places to fill in: `site-{instance.label}`.

use serde_json::{Map, Value};

/// What the places of a template may name, by their first word.
#[derive(Default)]
pub(crate) struct Scope<'a> {
    words: Vec<(&'a str, Source<'a>)>,
}

enum Source<'a> {
    Text(String),
    Object(&'a Map<String, Value>),
}

impl<'a> Scope<'a> {
    /// `{name}` is this text.
    pub fn text(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.words.push((name, Source::Text(value.into())));
        self
    }

    /// `{name.key}` is a member of this object.
    pub fn object(mut self, name: &'a str, value: &'a Map<String, Value>) -> Self {
        self.words.push((name, Source::Object(value)));
        self
    }

    fn find(&self, place: &str) -> Option<Value> {
        let (word, key) = place.split_once('.').unwrap_or((place, ""));
        let (_, source) = self.words.iter().find(|(name, _)| *name == word)?;
        match source {
            Source::Text(text) => Some(Value::String(text.clone())),
            Source::Object(object) => {
                let mut parts = key.split('.');
                let mut value = object.get(parts.next()?)?;
                for part in parts {
                    value = value.get(part)?;
                }
                Some(value.clone())
            }
        }
    }

    /// Fill in a template. A text that is one place alone takes the value as it is, a number stays a number. The error
    /// is the place that names nothing.
    pub fn fill(&self, template: &Value) -> Result<Value, String> {
        match template {
            Value::String(text) => self.fill_text(text),
            Value::Array(values) => values.iter().map(|v| self.fill(v)).collect::<Result<_, _>>().map(Value::Array),
            Value::Object(map) => self.fill_object(map).map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    /// Fill in every value of an object.
    pub fn fill_object(&self, template: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut out = Map::new();
        for (key, value) in template {
            out.insert(key.clone(), self.fill(value)?);
        }
        Ok(out)
    }

    fn fill_text(&self, text: &str) -> Result<Value, String> {
        if let Some(place) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'))
            && !place.contains(['{', '}'])
        {
            return self.find(place).ok_or_else(|| place.to_owned());
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            let Some(end) = rest[start..].find('}') else { break };
            out.push_str(&rest[..start]);
            let place = &rest[start + 1..start + end];
            match self.find(place) {
                Some(Value::String(value)) => out.push_str(&value),
                Some(value) => out.push_str(&value.to_string()),
                None => return Err(place.to_owned()),
            }
            rest = &rest[start + end + 1..];
        }
        out.push_str(rest);
        Ok(Value::String(out))
    }
}

/// The places of an object's templates, in order, without the braces.
pub(crate) fn places(templates: &Map<String, Value>) -> Vec<&str> {
    let mut found = Vec::new();
    templates.values().for_each(|template| add_places(template, &mut found));
    found
}

/// The places of one template.
pub(crate) fn places_of(text: &str) -> Vec<&str> {
    text.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(place, _)| place)).collect()
}

fn add_places<'t>(template: &'t Value, found: &mut Vec<&'t str>) {
    match template {
        Value::String(text) => found.extend(places_of(text)),
        Value::Array(values) => values.iter().for_each(|value| add_places(value, found)),
        Value::Object(members) => members.values().for_each(|value| add_places(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_filled_and_types_kept() {
        let metadata = json!({"subdomain": "myapp", "n": 3, "deep": {"x": "y"}});
        let map = metadata.as_object().expect("an object");
        let scope = Scope::default().object("instance", map).text("id", "inst_1");
        assert_eq!(scope.fill(&json!("site-{instance.subdomain}")), Ok(json!("site-myapp")));
        assert_eq!(scope.fill(&json!("{instance.n}")), Ok(json!(3)));
        assert_eq!(scope.fill(&json!({"a": ["{id}/{instance.deep.x}"]})), Ok(json!({"a": ["inst_1/y"]})));
        assert_eq!(scope.fill(&json!("{instance.other}")), Err("instance.other".to_owned()));
    }
}
