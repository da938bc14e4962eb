//! Templates: texts with placeholders such as `site-{instance.label}`.

use extension_contract::pointer::escaped;
use serde_json::{Map, Value};

/// The values to which placeholders may refer, by their first word.
#[derive(Default)]
pub(crate) struct Scope<'a> {
    words: Vec<(&'a str, Source<'a>)>,
}

enum Source<'a> {
    Text(String),
    Object(&'a Map<String, Value>),
    /// An object in which a missing member is empty. In an `Object`, a missing member is an error.
    Fields(&'a Map<String, Value>),
}

impl<'a> Scope<'a> {
    /// Defines `{name}` as a text.
    pub fn text(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.words.push((name, Source::Text(value.into())));
        self
    }

    /// Defines `{name.key}` as a member of an object. A missing member is an error.
    pub fn object(mut self, name: &'a str, value: &'a Map<String, Value>) -> Self {
        self.words.push((name, Source::Object(value)));
        self
    }

    /// Defines `{name.key}` as a member of an object. A missing member is empty.
    pub fn fields(mut self, name: &'a str, value: &'a Map<String, Value>) -> Self {
        self.words.push((name, Source::Fields(value)));
        self
    }

    /// Returns the value of a placeholder; `None` if it is empty. The error is the name of an undefined placeholder.
    fn find(&self, place: &str) -> Result<Option<Value>, String> {
        let (word, key) = place.split_once('.').unwrap_or((place, ""));
        let member = |object: &Map<String, Value>| {
            let mut parts = key.split('.');
            let first = object.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part)).cloned()
        };
        match self.words.iter().find(|(name, _)| *name == word) {
            Some((_, Source::Text(text))) => Ok(Some(Value::String(text.clone()))),
            Some((_, Source::Object(object))) => member(object).map(Some).ok_or_else(|| place.to_owned()),
            Some((_, Source::Fields(object))) => Ok(member(object)),
            None => Err(place.to_owned()),
        }
    }

    /// Fills in a template. A text that is a single placeholder becomes the placeholder's value, so numbers stay
    /// numbers. The error is the name of an undefined placeholder.
    pub fn fill(&self, template: &Value) -> Result<Value, String> {
        Ok(self.fill_one(template)?.unwrap_or_default())
    }

    /// Fills in every value of an object. Leaves out values that are a single empty placeholder. The error is the name
    /// of an undefined placeholder.
    pub fn fill_object(&self, template: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut out = Map::new();
        for (key, value) in template {
            if let Some(value) = self.fill_one(value)? {
                out.insert(key.clone(), value);
            }
        }
        Ok(out)
    }

    /// Fills in a template; `None` if the template is a single empty placeholder.
    fn fill_one(&self, template: &Value) -> Result<Option<Value>, String> {
        Ok(match template {
            Value::String(text) => self.fill_text(text)?,
            Value::Array(values) => {
                let filled = values.iter().filter_map(|value| self.fill_one(value).transpose());
                Some(Value::Array(filled.collect::<Result<_, _>>()?))
            }
            Value::Object(map) => Some(Value::Object(self.fill_object(map)?)),
            other => Some(other.clone()),
        })
    }

    fn fill_text(&self, text: &str) -> Result<Option<Value>, String> {
        if let Some(place) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'))
            && !place.contains(['{', '}'])
        {
            return self.find(place);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            let Some(end) = rest[start..].find('}') else { break };
            out.push_str(&rest[..start]);
            let place = &rest[start + 1..start + end];
            match self.find(place)? {
                Some(Value::String(value)) => out.push_str(&value),
                // In a longer text, an empty value becomes the empty text.
                None | Some(Value::Null) => {}
                Some(value) => out.push_str(&value.to_string()),
            }
            rest = &rest[start + end + 1..];
        }
        out.push_str(rest);
        Ok(Some(Value::String(out)))
    }
}

/// Returns the placeholders in an object's templates, in order, without the braces.
pub(crate) fn places(templates: &Map<String, Value>) -> Vec<&str> {
    let mut found = Vec::new();
    templates.values().for_each(|template| add_places(template, &mut found));
    found
}

/// Returns the placeholders in an object's templates, in order, each with the JSON Pointer of its template below
/// `path`.
pub(crate) fn places_at<'t>(templates: &'t Map<String, Value>, path: &str) -> Vec<(String, &'t str)> {
    let mut found = Vec::new();
    add_places_at(templates, path, &mut found);
    found
}

fn add_places_at<'t>(templates: &'t Map<String, Value>, path: &str, found: &mut Vec<(String, &'t str)>) {
    for (key, template) in templates {
        let path = format!("{path}/{}", escaped(key));
        match template {
            Value::Object(inner) => add_places_at(inner, &path, found),
            other => {
                let mut places = Vec::new();
                add_places(other, &mut places);
                found.extend(places.into_iter().map(|place| (path.clone(), place)));
            }
        }
    }
}

/// Returns the placeholders of one template, each with its place.
pub(crate) fn places_in<'t>(text: &'t str, path: &str) -> Vec<(String, &'t str)> {
    places_of(text).into_iter().map(|place| (path.to_owned(), place)).collect()
}

/// Returns the placeholders of one template.
pub(crate) fn places_of(text: &str) -> Vec<&str> {
    text.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(place, _)| place)).collect()
}

/// Returns the field of a template that consists of one placeholder of `source`: `tier` of `{product.tier}`.
pub(crate) fn field_of<'t>(template: &'t str, source: &str) -> Option<&'t str> {
    let place = template.strip_prefix('{')?.strip_suffix('}')?;
    let (word, field) = place.split_once('.')?;
    (word == source && !field.contains(['{', '}', '.'])).then_some(field)
}

/// Returns the fields of `source` that a template names, each with the value that a filled-in template shows for it. Finds a
/// field only where it is the single placeholder of its text.
pub(crate) fn fields_shown<'t>(template: &'t Value, filled: &Value, source: &str) -> Vec<(&'t str, Value)> {
    match (template, filled) {
        (Value::String(text), _) => field_shown(text, filled, source).into_iter().collect(),
        (Value::Array(templates), Value::Array(filled)) if templates.len() == filled.len() => {
            templates.iter().zip(filled).flat_map(|(template, filled)| fields_shown(template, filled, source)).collect()
        }
        (Value::Object(templates), Value::Object(filled)) => {
            let both = templates.iter().filter_map(|(key, template)| Some((template, filled.get(key)?)));
            both.flat_map(|(template, filled)| fields_shown(template, filled, source)).collect()
        }
        _ => Vec::new(),
    }
}

fn field_shown<'t>(text: &'t str, filled: &Value, source: &str) -> Option<(&'t str, Value)> {
    if let Some(field) = field_of(text, source) {
        return Some((field, filled.clone()));
    }
    let (before, rest) = text.split_once('{')?;
    let (place, after) = rest.split_once('}')?;
    let field = place.strip_prefix(source)?.strip_prefix('.')?;
    let value = filled.as_str()?.strip_prefix(before)?.strip_suffix(after)?;
    (!after.contains('{') && !field.contains('.')).then(|| (field, Value::String(value.to_owned())))
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
    fn placeholders_are_filled_and_types_kept() {
        let metadata = json!({"subdomain": "myapp", "n": 3, "deep": {"x": "y"}});
        let map = metadata.as_object().expect("an object");
        let scope = Scope::default().object("instance", map).text("id", "inst_1");
        assert_eq!(scope.fill(&json!("site-{instance.subdomain}")), Ok(json!("site-myapp")));
        assert_eq!(scope.fill(&json!("{instance.n}")), Ok(json!(3)));
        assert_eq!(scope.fill(&json!({"a": ["{id}/{instance.deep.x}"]})), Ok(json!({"a": ["inst_1/y"]})));
        assert_eq!(scope.fill(&json!("{instance.other}")), Err("instance.other".to_owned()));
    }

    #[test]
    fn a_filled_in_template_shows_the_fields_that_stand_alone_in_a_text() {
        let template = json!({"region": "{instance.region}", "name": "app-{instance.label}", "keep": {"days": "{instance.days}"},
            "both": "{instance.label}-{instance.region}", "plan": "{plan.tier}", "all": ["{instance.zone}"], "new": "{instance.new}"});
        let filled = json!({"region": "eu", "name": "app-one", "keep": {"days": 30}, "both": "one-eu", "plan": "free", "all": ["a"]});
        let mut shown = fields_shown(&template, &filled, "instance");
        shown.sort_by_key(|(field, _)| *field);
        let expected = [("days", json!(30)), ("label", json!("one")), ("region", json!("eu")), ("zone", json!("a"))];
        assert_eq!(shown, expected);
        assert_eq!(fields_shown(&json!("app-{instance.label}"), &json!("other"), "instance"), []);
    }

    #[test]
    fn an_empty_field_is_left_out_or_becomes_an_empty_text() {
        let metadata = json!({"label": "one", "unset": null});
        let map = metadata.as_object().expect("an object");
        let scope = Scope::default().fields("instance", map);
        let template = json!({"region": "{instance.region}", "name": "{instance.label}-{instance.region}{instance.unset}",
            "all": ["{instance.region}", "{instance.label}"]});
        assert_eq!(scope.fill(&template), Ok(json!({"name": "one-", "all": ["one"]})));
        assert_eq!(scope.fill(&json!("{other.region}")), Err("other.region".to_owned()));
    }
}
