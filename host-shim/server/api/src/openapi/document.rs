//! The OpenAPI document, version 3.1.

use crate::openapi::{events, own, schema};
use host_business::routes::{ErrorAnswer, Field, Route, RouteTable, Who};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Media type of errors.
const PROBLEM: &str = "application/problem+json";

/// Returns the document of a business's API. `version` is that of the API, for its readers.
pub fn document(table: &RouteTable, business: &str, version: &str) -> Value {
    let given = schema::given_types(table);
    let types = table.types.0.iter();
    let mut schemas: Map<String, Value> =
        types.map(|(name, fields)| (name.clone(), schema::of_object(fields, given.contains(name.as_str())))).collect();
    schemas.insert("Problem".to_owned(), problem());
    schemas.insert("Pending".to_owned(), pending());
    schemas.extend(events::components());
    schemas.extend(own::components());
    let mut paths: Map<String, Value> = Map::new();
    for route in &table.routes {
        let path = paths.entry(route.pattern.as_str()).or_insert_with(|| json!({}));
        path[route.method.name().to_ascii_lowercase()] = operation(table, route);
    }
    own::add_to(&mut paths);
    let of_routes = table.routes.iter().map(|route| route.tag.as_str());
    let tags: BTreeSet<&str> = of_routes.chain(["Products", "Server"]).collect();
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

/// Returns the schema of an answer without a reply yet.
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

fn operation(table: &RouteTable, route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.about,
        "tags": [route.tag],
        "parameters": parameters(route),
        "responses": responses(table, route),
        "x-who": route.who.name(),
    });
    operation["security"] = match route.who {
        Who::Public => json!([]),
        _ => json!([{"token": []}]),
    };
    if route.method.has_body() && !route.body.is_empty() {
        let schema = schema::of_object(&route.body, true);
        let is_required = schema.get("required").is_some();
        operation["requestBody"] =
            json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
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
    let path = route.path.iter().map(|field| parameter("path", field));
    let mut all: Vec<Value> = path.chain(route.query.iter().map(|field| parameter("query", field))).collect();
    if route.command.is_some() {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "schema": {"type": "string", "maxLength": 255},
            "description": "The same key and request have the same answer.",
        }));
    }
    all
}

fn responses(table: &RouteTable, route: &Route) -> Value {
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let mut responses = json!({
        route.status.to_string(): {"description": "Success", "content": content(schema::of_type(&route.answer))},
        "default": {"description": "Another error", "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
    });
    if route.command.is_some() {
        let pending = content(json!({"$ref": "#/components/schemas/Pending"}));
        responses["202"] =
            json!({"description": "The command is stored, and its reply comes later", "content": pending});
    }
    for (status, codes) in errors(table, route) {
        let codes = codes.into_iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        responses[status.to_string()] = json!({
            "description": codes, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
    }
    responses
}

/// Returns the codes of the errors that a route can answer, by status.
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
