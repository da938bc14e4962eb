//! The manifest of the extension that this program ships.

use crate::error::BadInput;
use host::manifest::Manifest;
use std::path::Path;

const TEXT: &str = include_str!("../../../../manifest.yml");

/// The manifest of the extension that declares this name, as a library or as a component; none of any other.
pub fn of(name: &str) -> Result<Option<Manifest>, BadInput> {
    let own = Manifest::parse(Path::new("manifest.yml"), TEXT)?;
    Ok(Some(own).filter(|manifest| manifest.name == name))
}
