//! The manifest of the extension that ships with this program.

use crate::error::Mistakes;
use host::manifest::Manifest;
use std::path::Path;

const TEXT: &str = include_str!("../../../../manifest.yml");

/// Returns the manifest of the shipped extension if `name` is its name; none for any other extension. The library and
/// the component declare the same name.
///
/// # Errors
///
/// Fails if the manifest is malformed.
pub fn of(name: &str) -> Result<Option<Manifest>, Mistakes> {
    let own = Manifest::parse(Path::new("manifest.yml"), TEXT)?;
    Ok(Some(own).filter(|manifest| manifest.name == name))
}
