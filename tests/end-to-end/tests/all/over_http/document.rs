//! The OpenAPI document of a server: every JSON answer to a request of these tests must have the form that it promises.

use super::raw::Answer;
use host_business::folder::BusinessFolder;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
/// Other spellings of the platform for paths that the document has.
const SPELLINGS: [(&str, &str); 3] = [
    ("/admin/b/products/", "/b/products/admin/"),
    ("/admin/ext/products/", "/ext/products/admin/"),
    ("/b/products/api/", "/b/products/"),
];
/// Where the document has its named schemas.
const SCHEMAS: &str = "#/components/schemas/";

/// The document, and the operations whose success had its form: method and path.
pub struct Document {
    pub value: Value,
    succeeded: Mutex<BTreeSet<(String, String)>>,
}

impl Document {
    pub fn of(business: &BusinessFolder) -> Document {
        let has_platform_paths = business.own.has_platform_paths;
        let value = host_api::document(&business.routes, &business.name, has_platform_paths, env!("CARGO_PKG_VERSION"));
        Document { value, succeeded: Mutex::default() }
    }

    /// Checks the answer to a request, unless it is no JSON.
    pub fn check(&self, line: &str, answer: &Answer) {
        let Some(media) = answer.header("content-type").filter(|media| [JSON, PROBLEM].contains(media)) else { return };
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
        let spelled = SPELLINGS.iter().find_map(|(of, usual)| Some(format!("{usual}{}", path.strip_prefix(of)?)));
        let path = spelled.as_deref().unwrap_or(path);
        let is_success = (200..300).contains(&answer.status);
        let schema = match self.operation(method, path) {
            Some((_, operation)) => response(operation, answer.status)["content"][media]["schema"].clone(),
            // A business gives its webhooks further paths.
            None if is_success && path.contains("webhook") => return,
            None if is_success => panic!("the document has no {line}: {answer:?}"),
            None => json!({"$ref": format!("{SCHEMAS}Problem")}),
        };
        assert!(schema.is_object(), "{line}: {} with {media} is not in the document: {answer:?}", answer.status);
        if let Err(error) = self.validator(&schema).validate(&answer.json) {
            panic!("{line}: {error} at {}: {}", error.instance_path(), answer.json);
        }
        if let Some((pattern, _)) = self.operation(method, path).filter(|_| is_success) {
            self.succeeded.lock().expect("no panic").insert((method.to_owned(), pattern.to_owned()));
        }
    }

    /// Returns the operation of a request, and the pattern of its path.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let fits = |pattern: &str| {
            let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
            pattern.len() == path.len()
                && pattern.iter().zip(&path).all(|(own, part)| own.starts_with('{') || own == part)
        };
        let paths = self.value["paths"].as_object().expect("paths").iter().filter(|(pattern, _)| fits(pattern));
        // A path without variable parts precedes one with them.
        let (pattern, methods) = paths.min_by_key(|(pattern, _)| pattern.matches('{').count())?;
        Some((pattern.as_str(), methods.get(method.to_ascii_lowercase())?))
    }

    /// Returns the validator of a schema, with the named schemas that it needs. Servers share it.
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        static KNOWN: OnceLock<Mutex<HashMap<String, Arc<Validator>>>> = OnceLock::new();
        let (mut named, mut waiting) = (Map::new(), vec![schema.to_string()]);
        while let Some(text) = waiting.pop() {
            for name in text.split(SCHEMAS).skip(1).filter_map(|rest| rest.split('"').next()) {
                let of = &self.value["components"]["schemas"][name];
                if named.insert(name.to_owned(), of.clone()).is_none() {
                    waiting.push(of.to_string());
                }
            }
        }
        let mut whole = schema.clone();
        whole["components"] = json!({"schemas": named});
        let mut known = KNOWN.get_or_init(Mutex::default).lock().expect("no panic");
        let make = || {
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&whole).expect("a valid schema"))
        };
        known.entry(whole.to_string()).or_insert_with(make).clone()
    }

    /// Returns the operations with JSON answers whose success was not checked: those of every server, or those of the business.
    pub fn without_success(&self, of_server: bool) -> Vec<String> {
        let succeeded = self.succeeded.lock().expect("no panic");
        let paths = self.value["paths"].as_object().expect("paths").iter();
        let all = paths.flat_map(move |(pattern, methods)| {
            let methods = methods.as_object().expect("methods").iter();
            let methods = methods.filter(move |(_, of)| (of["x-server"] == true) == of_server && has_json(of));
            methods.map(move |(method, _)| (method.to_ascii_uppercase(), pattern.clone()))
        });
        all.filter(|of| !succeeded.contains(of)).map(|(method, pattern)| format!("{method} {pattern}")).collect()
    }
}

/// True if the success of an operation is JSON.
fn has_json(operation: &Value) -> bool {
    let responses = operation["responses"].as_object().expect("responses").iter();
    responses.filter(|(status, _)| status.starts_with('2')).any(|(_, of)| of["content"][JSON].is_object())
}

/// Returns how the document describes the answers of an operation with a status.
fn response(operation: &Value, status: u16) -> &Value {
    let responses = &operation["responses"];
    let names = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
    names.iter().find_map(|name| responses.get(name)).unwrap_or(&Value::Null)
}
