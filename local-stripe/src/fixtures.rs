//! Creates objects from a fixtures file of the Stripe CLI, the format of `stripe fixtures FILE`.
//!
//! A fixture is a request. Its path and its parameters may refer to the response to an earlier fixture with `${name:path.of.member}` and a
//! default after `|`. In addition to the CLI's format, prices and customers may have an `id`, as products, coupons and plans may at Stripe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::sandbox::{Sandbox, json_of, own_request};

/// The version of the format, the same as in the Stripe CLI.
const TEMPLATE_VERSION: u64 = 0;
/// The paths whose objects can only have an id here, and the sandbox's own paths for them.
const NAMED: [(&str, &str); 2] = [("/v1/prices", "/_sandbox/prices"), ("/v1/customers", "/_sandbox/customers")];

/// The reason why fixtures can't be created.
#[derive(Debug, Error)]
pub enum FixtureError {
    /// The file can't be read.
    #[error("the fixtures {path} can't be read: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The file is not a fixtures file.
    #[error("the fixtures {path} are invalid: {error}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        error: serde_json::Error,
    },
    /// The file has an unknown version of the format.
    #[error("the fixtures have the template_version {0}; expected {TEMPLATE_VERSION}")]
    Version(u64),
    /// A reference does not match any member of an earlier response.
    #[error("the fixture {fixture}: {reference} refers to no member of an earlier fixture's answer")]
    Reference {
        /// The name of the fixture with the reference.
        fixture: String,
        /// The reference.
        reference: String,
    },
    /// A request got an unexpected response.
    #[error("the fixture {fixture}: {message}")]
    Refused {
        /// The name of the fixture.
        fixture: String,
        /// The message of the error.
        message: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    #[serde(default)]
    template_version: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureFile {
    #[serde(default, rename = "_meta")]
    meta: Meta,
    fixtures: Vec<Fixture>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    name: String,
    path: String,
    method: String,
    #[serde(default)]
    params: Map<String, Value>,
    /// The type of the error that the request is expected to get.
    #[serde(default)]
    expected_error_type: String,
}

/// The requests of a fixtures file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fixtures(Vec<Fixture>);

impl Fixtures {
    /// Reads a file.
    ///
    /// # Errors
    /// The file can't be read, or it is not a fixtures file.
    pub fn read(path: &Path) -> Result<Self, FixtureError> {
        let io = |error| FixtureError::Io { path: path.to_owned(), error };
        let text = std::fs::read_to_string(path).map_err(io)?;
        let json = |error| FixtureError::Json { path: path.to_owned(), error };
        let file: FixtureFile = serde_json::from_str(&text).map_err(json)?;
        match file.meta.template_version {
            TEMPLATE_VERSION => Ok(Self(file.fixtures)),
            other => Err(FixtureError::Version(other)),
        }
    }

    /// Sends the requests.
    ///
    /// # Errors
    /// A request is refused unexpectedly, or a reference has no target.
    pub fn create(&self, sandbox: &mut Sandbox) -> Result<(), FixtureError> {
        let mut answers = BTreeMap::new();
        for fixture in &self.0 {
            let answer = fixture.create(sandbox, &answers)?;
            answers.insert(fixture.name.as_str(), answer);
        }
        Ok(())
    }
}

impl Fixture {
    fn create(&self, sandbox: &mut Sandbox, answers: &BTreeMap<&str, Value>) -> Result<Value, FixtureError> {
        let mut params = self.params.clone();
        let mut path = self.filled(&self.path, answers)?;
        let named = NAMED.iter().find(|(known, _)| *known == path && self.method.eq_ignore_ascii_case("post"));
        if let (Some((_, own)), Some(Value::String(id))) = (named, params.get("id").cloned()) {
            path = format!("{own}/{id}");
            params.remove("id");
        }
        let mut form = Vec::new();
        self.flatten(&Value::Object(params), "", answers, &mut form)?;
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let response = sandbox.handle(&own_request(&self.method.to_ascii_uppercase(), &path, &form));
        let answer = json_of(&response);
        let error = answer["error"]["type"].as_str().unwrap_or_default();
        if error == self.expected_error_type {
            return Ok(answer);
        }
        let message = match answer["error"]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("expected an error of the type {}", self.expected_error_type),
        };
        Err(FixtureError::Refused { fixture: self.name.clone(), message })
    }

    /// Appends the parameters as a form, such as `items[0][price]`. Null values are left out, as in the CLI.
    fn flatten(
        &self,
        value: &Value,
        name: &str,
        answers: &BTreeMap<&str, Value>,
        form: &mut Vec<(String, String)>,
    ) -> Result<(), FixtureError> {
        match value {
            Value::Null => {}
            Value::Bool(flag) => form.push((name.to_owned(), flag.to_string())),
            Value::Number(number) => form.push((name.to_owned(), number.to_string())),
            Value::String(text) => form.push((name.to_owned(), self.filled(text, answers)?)),
            Value::Array(list) => {
                for (n, one) in list.iter().enumerate() {
                    self.flatten(one, &format!("{name}[{n}]"), answers, form)?;
                }
            }
            Value::Object(members) => {
                for (member, one) in members {
                    let inner = if name.is_empty() { member.clone() } else { format!("{name}[{member}]") };
                    self.flatten(one, &inner, answers, form)?;
                }
            }
        }
        Ok(())
    }

    /// Replaces the references in a text with the members that they refer to.
    fn filled(&self, text: &str, answers: &BTreeMap<&str, Value>) -> Result<String, FixtureError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((inner, next)) = after.split_once('}') else { break };
            let (wanted, default) = inner.split_once('|').map_or((inner, None), |(wanted, or)| (wanted, Some(or)));
            let found = wanted.split_once(':').and_then(|(name, path)| member(answers.get(name)?, path));
            let missing = || FixtureError::Reference { fixture: self.name.clone(), reference: format!("${{{inner}}}") };
            out.push_str(before);
            out.push_str(&found.or(default.map(str::to_owned)).ok_or_else(missing)?);
            rest = next;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Returns the member at a dotted path as text; a number in the path is the index of an array.
fn member(answer: &Value, path: &str) -> Option<String> {
    let step = |value: &'_ Value, name: &str| match (value, name.parse::<usize>()) {
        (Value::Array(list), Ok(index)) => list.get(index).cloned(),
        _ => value.get(name).cloned(),
    };
    let found = path.split('.').try_fold(answer.clone(), |value, name| step(&value, name))?;
    match found {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
