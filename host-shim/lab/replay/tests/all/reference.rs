//! The tables of `docs/reference/catalog-language.md` and `docs/reference/http-api.md` are those of the JSON Schemas: each clause with its members, types, defaults and
//! examples. `UPDATE_GOLDEN=1` writes them.

use host_scenario::schema::{BUSINESS, CATALOG, ROUTES};
use host_scenario::tree::{Node, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Begins a table, with the schema and the pointer of the object: `<!-- members of catalog /$defs/buy -->`.
const BEGIN: &str = "<!-- members of ";
/// Ends a table.
const END: &str = "<!-- end -->";

fn schemas() -> [(&'static str, Value); 3] {
    [("catalog", CATALOG), ("business", BUSINESS), ("routes", ROUTES)]
        .map(|(name, text)| (name, serde_json::from_str(text).expect("JSON")))
}

/// Returns a value in a line of YAML.
fn flow(value: &Value) -> String {
    text::flow(&Node::from_json(value).expect("a value of a schema"))
}

/// Returns the type of a member in words.
fn type_of(root: &Value, member: &Value) -> String {
    if let Some(name) = member["$ref"].as_str() {
        return match name {
            "#/$defs/amount" => "amount".to_owned(),
            _ => type_of(root, root.pointer(name.trim_start_matches('#')).expect("a definition")),
        };
    }
    if let Some(words) = member["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", flow(word))).collect::<Vec<_>>().join(", ");
    }
    if !member["const"].is_null() {
        return format!("`{}`", flow(&member["const"]));
    }
    // The first form is the usual one; other forms are names that a business declares, or older names.
    if member["type"] == json!(["number", "string"]) || member["anyOf"][0]["type"] == json!(["number", "string"]) {
        return "money".to_owned();
    }
    if let Some(forms) = member["anyOf"].as_array() {
        let is_open = forms.iter().any(|form| form["pattern"].is_string());
        let first = forms.iter().find(|form| form["enum"].is_array()).map(|form| type_of(root, form));
        return first
            .map_or("value".to_owned(), |words| if is_open { format!("{words}, or an own one") } else { words });
    }
    let pattern = member["pattern"].as_str().unwrap_or_default();
    let name = match &member["type"] {
        Value::Array(types) if types.contains(&json!("object")) => "object",
        Value::Array(types) => types[0].as_str().unwrap_or_default(),
        other => other.as_str().unwrap_or_default(),
    };
    let words = match (name, pattern) {
        ("string", pattern) if pattern.starts_with("^([1-9][0-9]{0,8}[smhd]") => "span",
        ("string", pattern) if pattern.starts_with("^([0-9]{1,9}[smhd]") => "span or `0d`",
        ("string", pattern) if pattern.starts_with("^allowed") => "condition",
        ("string", pattern) if pattern.starts_with("^\\{") => "place",
        ("integer", _) => "number",
        ("boolean", _) => "`true`, `false`",
        ("array", _) => "list",
        ("object", _) => "mapping",
        _ => "text",
    };
    words.to_owned()
}

/// Returns the table of an object's members.
fn table(root: &Value, pointer: &str) -> String {
    let object = root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = "| member | type | default | example | meaning |\n|---|---|---|---|---|\n".to_owned();
    let mut members: Vec<(&String, &Value)> = object["properties"].as_object().expect("members").iter().collect();
    members.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
    for (name, member) in members {
        let default = match (required.contains(&name.as_str()), &member["default"]) {
            (true, _) => "required".to_owned(),
            (false, Value::Null) => "–".to_owned(),
            (false, Value::Array(items)) if items.is_empty() => "–".to_owned(),
            (false, default) => format!("`{}`", flow(default)),
        };
        let example = member["examples"][0]
            .as_null()
            .map_or_else(|| format!("`{}`", flow(&member["examples"][0]).replace('|', "\\|")), |()| "–".to_owned());
        let places = member["x-places"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let places: Vec<String> = places.map(|place| format!("`{place}`")).collect();
        let places = if places.is_empty() { String::new() } else { format!(" Places: {}.", places.join(", ")) };
        let meaning = member["description"].as_str().unwrap_or_default();
        out.push_str(&format!(
            "| `{name}` | {} | {default} | {example} | {meaning}{places} |\n",
            type_of(root, member)
        ));
    }
    out
}

#[test]
fn the_reference_has_the_tables_of_the_schemas() {
    let schemas = schemas();
    let mut seen = BTreeSet::new();
    for name in ["catalog-language.md", "http-api.md"] {
        compare(name, &schemas, &mut seen);
    }
    for (name, root) in &schemas {
        let defined = root["$defs"].as_object().into_iter().flatten();
        let objects = defined.filter(|(_, object)| object["properties"].is_object());
        let missing: Vec<&String> = objects
            .map(|(object, _)| object)
            .filter(|object| !seen.contains(&format!("{name} /$defs/{object}")))
            .collect();
        assert!(missing.is_empty() || *name == "business", "no table of {missing:?}");
    }
}

/// Compares the tables of a document with the schemas, and notes which tables it has.
fn compare(name: &str, schemas: &[(&'static str, Value)], seen: &mut BTreeSet<String>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference").join(name);
    let text = fs::read_to_string(&file).expect("the reference");
    let mut expected = String::new();
    let mut parts = text.split(BEGIN);
    expected.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (of, rest) = part.split_once(" -->").expect("the end of a mark");
        let (_, after) = rest.split_once(END).expect("the end of a table");
        let (name, pointer) = of.split_once(' ').expect("a schema and a pointer");
        let root = &schemas.iter().find(|(known, _)| *known == name).expect("a schema").1;
        let pointer = if pointer == "/" { "" } else { pointer };
        expected.push_str(&format!("{BEGIN}{of} -->\n{}{END}{after}", table(root, pointer)));
        seen.insert(format!("{name} {pointer}"));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &expected).expect("written");
    } else {
        assert!(text == expected, "docs/reference/{name} differs from docs/schemas; UPDATE_GOLDEN=1 rewrites it");
    }
}

#[test]
fn the_examples_of_the_schemas_are_valid() {
    let mut count = 0;
    for (_, root) in schemas() {
        let mut pending = vec![root.clone()];
        while let Some(next) = pending.pop() {
            let members = next["properties"].as_object().into_iter().flatten();
            for (name, member) in members.filter(|(_, member)| member["examples"].is_array()) {
                let mut schema = member.clone();
                schema["$defs"] = json!(root["$defs"].as_object().cloned().unwrap_or_default());
                let validator = jsonschema::draft202012::new(&schema).expect("a valid schema");
                for example in member["examples"].as_array().expect("examples") {
                    assert!(validator.is_valid(example), "{name}: {example}");
                    count += 1;
                }
            }
            match next {
                Value::Object(map) => pending.extend(map.into_iter().map(|(_, value)| value)),
                Value::Array(list) => pending.extend(list),
                _ => {}
            }
        }
    }
    assert!(count > 120, "{count} examples");
}
