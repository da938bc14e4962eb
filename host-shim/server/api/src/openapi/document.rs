//! The OpenAPI document, version 3.1.

use crate::description::{Description, shapes};
use crate::openapi::operation::{Input, Operation, Output};
use crate::openapi::{events, schema};
use host_business::routes::{ErrorAnswer, Field, Route, RouteTable, Who};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Media type of errors.
const PROBLEM: &str = "application/problem+json";

/// Returns the OpenAPI document of a business's API, with the routes of every server after its own. `version` is the API version
/// shown to readers.
pub(crate) fn document(table: &RouteTable, server: &[&Description], business: &str, version: &str) -> Value {
    let given = schema::given_types(table);
    let types = table.types.0.iter();
    let mut schemas: Map<String, Value> =
        types.map(|(name, fields)| (name.clone(), schema::of_object(fields, given.contains(name.as_str())))).collect();
    schemas.insert("Problem".to_owned(), problem());
    schemas.insert("Pending".to_owned(), pending());
    schemas.extend(events::components());
    let shapes = shapes(server.iter().copied()).into_iter();
    schemas.extend(shapes.map(|shape| (shape.name.to_owned(), schema::of_object(&shape.fields(), false))));
    let mut paths: Map<String, Value> = Map::new();
    let mut add = |path: &str, method: &str, operation: Value| {
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        let method = method.to_ascii_lowercase();
        // A route of the business comes first.
        if methods.get(&method).is_none() {
            methods[method] = operation;
        }
    };
    for route in &table.routes {
        add(route.pattern.as_str(), route.method.name(), of_business(table, route));
    }
    for of in server {
        add(of.path, of.method, of_server(of));
    }
    let tags = table.routes.iter().map(|route| route.tag.as_str()).chain(server.iter().map(|of| of.tag));
    let tags: BTreeSet<&str> = tags.collect();
    json!({
        "openapi": "3.1.0",
        "info": {"title": format!("API of {business}"), "version": version},
        "tags": tags.iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
        "paths": paths,
        "webhooks": events::webhooks(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

/// Returns the schema of an error.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "An error, as in RFC 9457. Programs read `code`; people read `detail`.",
        "required": ["status", "title", "code", "detail"],
        "properties": {
            "status": {"type": "integer"},
            "title": {"type": "string"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "in": {"enum": ["body", "path", "query"]},
            "errors": {
                "type": "array",
                "description": "The wrong values.",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": {"type": "string"},
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                        "expected": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": "The allowed values, or a description of them.",
                        },
                        "suggestion": {"type": "string", "description": "The allowed value that was probably meant."},
                    },
                },
            },
            "quota": {"type": "string"},
            "allowed": {"type": "integer"},
            "used": {"type": "integer"},
            "upgrade": {"type": ["string", "null"], "description": "The product that would give more."},
        },
    })
}

/// Returns the schema of an answer that does not contain a reply yet.
fn pending() -> Value {
    json!({
        "type": "object",
        "required": ["id", "status", "location"],
        "properties": {
            "id": {"type": "string"},
            "status": {"const": "pending"},
            "location": {"type": "string", "description": "The path of the reply."},
        },
    })
}

/// Describes a route of the business, with the errors that it can return.
fn of_business(table: &RouteTable, route: &Route) -> Value {
    let mut shown = shown(&route.into());
    shown["operationId"] = json!(route.name);
    shown["x-who"] = json!(route.who.name());
    for (status, codes) in errors(table, route) {
        let codes = codes.into_iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        shown["responses"][status.to_string()] = json!({
            "description": codes, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
    }
    shown
}

/// Describes a route that every server has.
fn of_server(of: &Description) -> Value {
    let mut shown = shown(&of.into());
    if !of.name.is_empty() {
        // A business may have a route of the same name.
        shown["operationId"] = json!(format!("server_{}", of.name));
    }
    if !of.detail.is_empty() {
        shown["description"] = json!(of.detail);
    }
    shown["x-server"] = json!(true);
    shown["x-access"] = json!(of.access.name());
    shown
}

fn shown(of: &Operation) -> Value {
    let mut shown = json!({
        "summary": of.about,
        "tags": [of.tag],
        "parameters": parameters(of),
        "responses": responses(of),
        "security": if of.is_public { json!([]) } else { json!([{"token": []}]) },
    });
    let schema = match &of.body {
        Input::Nothing => return shown,
        Input::Members(members) => schema::of_object(members, true),
        Input::Object => json!({"type": "object"}),
    };
    let is_required = schema.get("required").is_some();
    shown["requestBody"] = json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
    shown
}

fn parameters(of: &Operation) -> Vec<Value> {
    let parameter = |part: &str, field: &Field| {
        let is_required = part == "path" || (!field.value_type.is_optional() && field.default.is_none());
        let mut schema = schema::of_field(&Field { value_type: field.value_type.required().clone(), ..field.clone() });
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter = json!({"name": field.name, "in": part, "required": is_required, "schema": schema});
        if let Some(about) = about {
            parameter["description"] = about;
        }
        parameter
    };
    let path = of.parts.iter().map(|field| parameter("path", field));
    let mut all: Vec<Value> = path.chain(of.query.iter().map(|field| parameter("query", field))).collect();
    if of.is_command {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "schema": {"type": "string", "maxLength": 255},
            "description": "The same key and request have the same answer.",
        }));
    }
    all
}

fn responses(of: &Operation) -> Value {
    let content = |media: &str, schema: Value| json!({media: {"schema": schema}});
    let success = match &of.answer {
        Output::Value(of) => {
            json!({"description": "Success", "content": content("application/json", schema::of_type(of))})
        }
        Output::Text(media) => json!({"description": "Success", "content": content(media, json!({"type": "string"}))}),
        Output::Redirect => {
            let location = json!({"description": "The address", "schema": {"type": "string"}});
            json!({"description": "Another address", "headers": {"Location": location}})
        }
    };
    let problem = content(PROBLEM, json!({"$ref": "#/components/schemas/Problem"}));
    let mut responses =
        json!({of.status.as_str(): success, "default": {"description": "Another error", "content": problem}});
    if let Some(status) = of.also {
        responses[status] = responses[of.status.as_str()].clone();
        responses[status]["description"] = json!("An answer of the same form");
    }
    if of.may_pend {
        let pending = content("application/json", json!({"$ref": "#/components/schemas/Pending"}));
        responses["202"] = json!({"description": "It is stored, and its reply comes later", "content": pending});
    }
    responses
}

/// Returns the codes of the errors that a route can return, by status.
pub(crate) fn errors<'t>(table: &'t RouteTable, route: &'t Route) -> BTreeMap<u16, BTreeSet<&'t str>> {
    let mut errors: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    let mut add = |status: u16, code: &'t str| {
        errors.entry(status).or_default().insert(code);
    };
    add(429, "too-many-requests");
    add(429, "too-many-at-once");
    if route.who != Who::Public {
        add(401, "unauthorized");
        add(403, "forbidden");
    }
    if !route.query.is_empty() || !route.body.is_empty() {
        add(422, "invalid");
    }
    if route.command.is_some() {
        add(409, "reused-key");
    }
    if route.reveal.is_some() {
        add(409, "already_shown");
    }
    let of_queries = route.reads.iter().chain(&route.then).filter_map(|read| read.none.as_ref());
    let of_refusals = table.errors.answers().filter(|_| route.command.is_some());
    for ErrorAnswer { status, code, .. } in of_queries.chain(of_refusals).chain(route.errors.answers()) {
        add(*status, code);
    }
    errors
}
