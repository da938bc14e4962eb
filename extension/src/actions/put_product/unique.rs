//! Values that only one product of the catalog may have, by claims of the platform.

use crate::catalog::schema::TypeDecl;
use crate::desk::Desk;
use crate::desk::instance::{names, unique_fields};
use crate::model::halt::{Ruled, wrong_field};
use crate::model::json::Object;
use extension_contract::pointer::escaped;
use extension_contract::{ClaimState, FieldErrorCode};
use serde_json::Value;

/// Takes the claims of the unique fields of a product, and releases those of its earlier values. Fails if another product has a
/// value.
pub(super) fn take(desk: &mut Desk<'_>, decl: &TypeDecl, stored: Option<&Object>, metadata: &Object) -> Ruled<()> {
    let had = stored.map(|stored| names(decl, stored)).unwrap_or_default();
    let wanted = unique_fields(decl, metadata);
    let unused: Vec<String> = had.iter().filter(|key| wanted.iter().all(|(_, other)| other != *key)).cloned().collect();
    for (field, key) in wanted {
        // The platform holds the claims of all products, so a held claim belongs to another product unless it is an
        // earlier value of this one.
        match desk.account.claim_state(&key)? {
            ClaimState::Free => desk.account.take_claim(key),
            ClaimState::Mine if had.contains(&key) => {}
            _ => {
                let value = metadata.get(&field.name).and_then(Value::as_str).unwrap_or_default();
                let (found, expected) = (format!("`{value}` belongs to another product"), "");
                let path = format!("/metadata/{}", escaped(&field.name));
                return Err(wrong_field(&path, FieldErrorCode::Taken, found, expected));
            }
        }
    }
    release(desk, unused)
}

/// Releases claims that the platform holds.
pub(super) fn release(desk: &mut Desk<'_>, keys: Vec<String>) -> Ruled<()> {
    for key in keys {
        if desk.account.claim_state(&key)? == ClaimState::Mine {
            desk.account.release_claims(vec![key], None);
        }
    }
    Ok(())
}
