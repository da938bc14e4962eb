//! A product type is checked whole when the catalog loads: what it names exists, or the load is refused with its place.

use super::declared::{CONFIG, has_effect};
use super::schema::{self, TypeDecl};
use super::template::places;
use crate::model::halt::{Halt, Ruled, wrong_field};
use products_contract::FieldErrorCode;

/// What of a catalog can't be read, with its place and what is allowed there.
pub(crate) fn unreadable(path: &str, error: &json_reader::Error) -> Halt {
    let (pointer, cause) = (error.pointer(), error.cause());
    // A name that nothing has is a mistake of the object that has it.
    if let (true, Some((object, name))) = (error.is_unknown_name(), pointer.rsplit_once('/')) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let message = format!("unknown field `{name}`: {cause}");
        return wrong_field(&format!("{path}{object}"), FieldErrorCode::UnknownField, message);
    }
    wrong_field(&format!("{path}{pointer}"), FieldErrorCode::BadFormat, cause)
}

/// Read an entry of `product_types`: the name of a built-in one, or all of it.
pub(crate) fn read_type(entry: &str, index: usize) -> Ruled<TypeDecl> {
    let path = format!("/product_types/{index}");
    if let Ok(name) = json_reader::from_str::<String>(entry) {
        let found = schema::built_in().into_iter().find(|decl| decl.name == name || decl.aliases.contains(&name));
        return found
            .ok_or_else(|| wrong_field(&path, FieldErrorCode::NotAllowed, format!("`{name}` is no built-in type")));
    }
    let decl: TypeDecl = json_reader::from_str(entry).map_err(|error| unreadable(&path, &error))?;
    check_type(&decl, &path)?;
    Ok(decl)
}

/// A type must hold together: what it refers to exists, and resources don't wait for each other in a circle.
fn check_type(decl: &TypeDecl, path: &str) -> Ruled<()> {
    let unknown = |what: &str, name: &str| {
        Err(wrong_field(&format!("{path}/{what}"), FieldErrorCode::NotAllowed, format!("`{name}` is not declared")))
    };
    for field in decl.grants.values().chain(decl.rank_by.iter()).chain(decl.id_by.iter()) {
        if decl.field(field).is_none() {
            return unknown("grants", field);
        }
    }
    if let Some(link) = &decl.plan
        && decl.field(&link.field).is_none()
    {
        return unknown("plan/field", &link.field);
    }
    if !decl.provisions.is_empty() {
        for field in ["status", "resources"] {
            if decl.field(field).is_none() {
                return unknown("fields", field);
            }
        }
    }
    // Each resource may need only those before it, so there is no circle.
    for (index, resource) in decl.provisions.iter().enumerate() {
        let verbs: &[&str] = if resource.backup {
            &["ensure", "change", "destroy", "backup", "restore"]
        } else {
            &["ensure", "change", "destroy"]
        };
        for verb in verbs {
            if !has_effect(&resource.resource, verb) {
                return unknown(&format!("provisions/{index}/resource"), &format!("{}.{verb}", resource.resource));
            }
        }
        for need in &resource.needs {
            if !decl.provisions[..index].iter().any(|earlier| earlier.name == *need) {
                return unknown(&format!("provisions/{index}/needs"), need);
            }
        }
    }
    Ok(())
}

/// A type names what some type of the catalog has: families, entitlements, fields and configuration. What names nothing
/// would be a customer's dead letter.
pub(crate) fn check_names(decl: &TypeDecl, types: &[TypeDecl], path: &str) -> Ruled<()> {
    let unknown = |what: String, name: &str, expected: String| {
        let message = format!("`{name}` is not declared: expected {expected}");
        Err(wrong_field(&format!("{path}/{what}"), FieldErrorCode::NotAllowed, message))
    };
    let one_of = |names: Vec<&str>| match names.is_empty() {
        true => "none, since there are none".to_owned(),
        false => format!("one of {}", names.join(", ")),
    };
    if let Some(link) = &decl.plan {
        let families: Vec<&str> = types.iter().filter_map(|decl| decl.family.as_deref()).collect();
        if !families.contains(&link.family.as_str()) {
            return unknown("plan/family".to_owned(), &link.family, one_of(families));
        }
    }
    let granted: Vec<&str> = types.iter().flat_map(|decl| decl.grants.keys().map(String::as_str)).collect();
    if let Some(key) = decl.consumes.keys().find(|key| !granted.contains(&key.as_str())) {
        return unknown(format!("consumes/{key}"), key, one_of(granted));
    }
    let settings: Vec<&str> = CONFIG.iter().map(|(key, ..)| *key).collect();
    for (index, resource) in decl.provisions.iter().enumerate() {
        if let Some(key) = resource.when.as_ref().filter(|key| !settings.contains(&key.as_str())) {
            return unknown(format!("provisions/{index}/when"), key, one_of(settings));
        }
        for place in places(&resource.with) {
            let (scope, name) = place.split_once('.').unwrap_or((place, ""));
            let fields: Vec<&str> = decl.fields.iter().map(|field| field.name.as_str()).collect();
            if scope == "metadata" && !decl.extras && !fields.contains(&name.split('.').next().unwrap_or_default()) {
                return unknown(format!("provisions/{index}/with"), place, one_of(fields));
            }
            if scope == "config" && !settings.contains(&name) {
                return unknown(format!("provisions/{index}/with"), place, one_of(settings));
            }
        }
    }
    Ok(())
}
