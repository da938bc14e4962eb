//! The manifest of an extension: the file next to its component, or that of the extension that ships with this program.

use crate::error::{BadInput, Mistakes, Place};
use extension_contract::Declarations;
use host_business::manifest::{FILE, Manifest};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const TEXT: &str = include_str!("../../../../manifest.yml");

/// A manifest and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The manifest.
    pub manifest: Manifest,
    /// Its file; none if it is built in.
    pub file: Option<PathBuf>,
}

/// Returns the manifest of the shipped extension if it has the declared name; none for any other extension. The library and the component
/// declare the same name. A component of another version has a different manifest, of which only the parts outside the state are taken from
/// this one.
///
/// # Errors
///
/// Fails if the manifest is malformed.
pub fn of(declared: &Declarations) -> Result<Option<Manifest>, Mistakes> {
    let own = Manifest::parse(Path::new(FILE), TEXT)?;
    if own.name != declared.name {
        return Ok(None);
    }
    let is_same = own.version.as_ref() == Some(&declared.version) && own.data_version == Some(declared.data_version);
    Ok(Some(match is_same {
        true => own,
        false => Manifest { name: own.name, not_state: own.not_state, ..Manifest::default() },
    }))
}

/// Returns the manifest in the folder of a component, or the manifest of the shipped extension if it is the component's.
///
/// # Errors
///
/// Fails if the manifest cannot be read or is malformed.
pub fn of_component(component: &Path, declared: &Declarations) -> Result<Option<Found>, Mistakes> {
    let file = component.with_file_name(FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(Found { manifest: Manifest::parse(&file, &text)?, file: Some(file) })),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(of(declared)?.map(|manifest| Found { manifest, file: None }))
        }
        Err(error) => Err(Mistakes(vec![BadInput::new(Place::file(&file), error.to_string(), "a readable manifest")])),
    }
}
