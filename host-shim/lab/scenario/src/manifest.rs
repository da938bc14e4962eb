//! The manifest of the extension that ships with this program.

use crate::error::BadInput;
use host::manifest::Manifest;
use std::path::Path;

const TEXT: &str = include_str!("../../../../manifest.yml");

/// Returns the manifest of the shipped extension if it declares this name, as a library or as a component; none
/// otherwise.
///
/// # Errors
///
/// Fails if the manifest is malformed.
pub fn of(name: &str) -> Result<Option<Manifest>, BadInput> {
    let own = Manifest::parse(Path::new("manifest.yml"), TEXT)?;
    Ok(Some(own).filter(|manifest| manifest.name == name))
}
