//! JSON Schemas of types.

use host_business::routes::{Field, RouteTable, Type};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Returns the schema of a type.
pub(crate) fn of_type(of: &Type) -> Value {
    match of {
        Type::Text => json!({"type": "string"}),
        Type::Integer => json!({"type": "integer", "format": "int64"}),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Time => json!({"type": "string", "format": "date-time"}),
        Type::Date => json!({"type": "string", "format": "date"}),
        Type::Json => json!({}),
        Type::Words(words) => json!({"type": "string", "enum": words}),
        Type::Named(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
        Type::List(inner) => json!({"type": "array", "items": of_type(inner)}),
        Type::Optional(inner) => json!({"anyOf": [of_type(inner), {"type": "null"}]}),
    }
}

/// Returns the schema of a field, with its description and its default.
pub(crate) fn of_field(field: &Field) -> Value {
    let mut schema = of_type(&field.value_type);
    if !field.about.is_empty() {
        schema["description"] = json!(field.about);
    }
    if let Some(default) = &field.default {
        schema["default"] = default.clone();
    }
    schema
}

/// Returns the schema of an object. If `is_given`, the object is part of a request, where optional members may be
/// missing.
pub(crate) fn of_object(fields: &[Field], is_given: bool) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|field| (field.name.clone(), of_field(field))).collect();
    let is_required = |field: &&Field| !is_given || (!field.value_type.is_optional() && field.default.is_none());
    let required: Vec<&str> = fields.iter().filter(is_required).map(|field| field.name.as_str()).collect();
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Returns the names of the types used in requests.
pub(crate) fn given_types(table: &RouteTable) -> BTreeSet<&str> {
    let bodies = table.routes.iter().flat_map(|route| &route.body);
    let mut waiting: Vec<&str> = bodies.filter_map(|field| field.value_type.named()).collect();
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if found.insert(name) {
            let members = table.types.0.get(name).into_iter().flatten();
            waiting.extend(members.filter_map(|member| member.value_type.named()));
        }
    }
    found
}
