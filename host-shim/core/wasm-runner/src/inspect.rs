//! Inspects a component file: its imports, exports and contract version, whether this host can load it, and whether its
//! functions have names.

use crate::cache::ComponentCache;
use crate::stubs;
use crate::wasm::{CallLimits, LoadError, LoadedComponent};
use extension_contract::Declarations;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wasmparser::{BinaryReaderError, Encoding, KnownCustom, Name, Parser, Payload};

/// The contract's package.
pub(crate) const PACKAGE: &str = "solobase:products";

/// Version of the contract that this host supports.
pub(crate) const WIT_VERSION: &str = "0.2.0-dev";

/// The interfaces that a component may import. `types`, `rows` and `effects` have no functions, but components import
/// their types.
const IMPORTS: [&str; 7] = ["types", "rows", "effects", "account", "claims", "catalog", "log"];

/// The result of an inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Names of the imports, in file order.
    pub imports: Vec<String>,
    /// Names of the exports, in file order.
    pub exports: Vec<String>,
    /// Versions of `solobase:products` in the names of imports and exports; usually one version.
    pub wit_version: Vec<String>,
    /// Size of the component in bytes.
    pub size: usize,
    /// The declarations of the component, or the reason why this host cannot load it.
    pub loadable: Result<Declarations, LoadError>,
}

/// The reason why a file cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The file is a core module, not a component.
    #[error("a core WebAssembly module, not a component")]
    CoreModule,
    /// The file is not valid WebAssembly.
    #[error("not a WebAssembly component: {0}")]
    Malformed(String),
}

/// Inspects a file.
///
/// # Errors
/// Fails with [`InspectError`] if the file cannot be read or is not a component.
pub fn inspect_file(path: &Path, cache: Option<&ComponentCache>) -> Result<Inspection, InspectError> {
    let bytes = std::fs::read(path).map_err(|source| InspectError::Unreadable { path: path.to_owned(), source })?;
    inspect(&bytes, cache)
}

/// Inspects a component: reads its names, then tries to load it. `cache` keeps the machine code of that attempt.
///
/// # Errors
/// Fails with [`InspectError`] if the bytes are not a component.
pub fn inspect(bytes: &[u8], cache: Option<&ComponentCache>) -> Result<Inspection, InspectError> {
    let Names { imports, exports } = names(bytes)?;
    let prefix = format!("{PACKAGE}/");
    let versions: BTreeSet<&str> = imports
        .iter()
        .chain(&exports)
        .filter(|name| name.starts_with(&prefix))
        .filter_map(|name| name.split_once('@'))
        .map(|(_, version)| version)
        .collect();
    let wit_version = versions.into_iter().map(str::to_owned).collect();
    Ok(Inspection { imports, exports, wit_version, size: bytes.len(), loadable: loadable(bytes, cache) })
}

/// Returns the declarations of a component, or the reason why this host cannot load it. Compiling the whole component takes many seconds, so
/// this function first compiles only the functions that `manifest.declare` can call.
fn loadable(bytes: &[u8], cache: Option<&ComponentCache>) -> Result<Declarations, LoadError> {
    let declarations = |loaded: LoadedComponent| loaded.declarations().clone();
    let load = |bytes: &[u8]| LoadedComponent::load_quickly(bytes, CallLimits::default(), cache).map(declarations);
    match stubs::with_stubs(bytes).map(|stubbed| load(&stubbed)) {
        // Perhaps `manifest.declare` called a stub through a table that it filled itself, so the whole component is
        // needed.
        None | Some(Err(LoadError::Invalid(_) | LoadError::Declare(_))) => load(bytes),
        Some(loaded) => loaded,
    }
}

/// Returns true if the world, in the version that this host supports, has the import.
pub(crate) fn is_world_import(import: &str) -> bool {
    let interface = import.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/'));
    let interface = interface.and_then(|rest| rest.strip_suffix(WIT_VERSION)).and_then(|rest| rest.strip_suffix('@'));
    interface.is_some_and(|interface| IMPORTS.contains(&interface))
}

/// The names of a component's imports and exports.
pub(crate) struct Names {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// Reads the names of a component's imports and exports, without compiling it.
pub(crate) fn names(bytes: &[u8]) -> Result<Names, InspectError> {
    let malformed = |error: BinaryReaderError| InspectError::Malformed(error.to_string());
    let mut names = Names { imports: Vec::new(), exports: Vec::new() };
    // Only the names of the outermost component count: it satisfies the imports of its inner modules and components.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(InspectError::CoreModule),
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    names.imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    names.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Returns whether most functions of a component have a name. In a stripped component, only the functions of small
/// modules that the encoder adds may have names.
///
/// # Errors
/// Fails with [`InspectError`] if the bytes are not valid WebAssembly.
pub fn has_function_names(bytes: &[u8]) -> Result<bool, InspectError> {
    let malformed = |error: BinaryReaderError| InspectError::Malformed(error.to_string());
    let (mut functions, mut named) = (0, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::FunctionSection(section) => functions += section.count(),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for name in names {
                    if let Name::Function(map) = name.map_err(malformed)? {
                        named += map.count();
                    }
                }
            }
            _ => {}
        }
    }
    Ok(named > 0 && named >= functions / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(functions: &str) -> Vec<u8> {
        wat::parse_str(format!("(component (core module {functions}))")).expect("a component")
    }

    #[test]
    fn a_component_has_names_if_most_of_its_functions_have_one() {
        let named = component("(func $one) (func $two) (func)");
        assert!(has_function_names(&named).expect("read"));
        let stripped = component("(func $one) (func) (func) (func) (func)");
        assert!(!has_function_names(&stripped).expect("read"), "one of five");
        assert!(!has_function_names(&component("(func)")).expect("read"));
        assert!(!has_function_names(&component("")).expect("read"), "nothing to name");
        assert!(matches!(has_function_names(b"#!/bin/sh"), Err(InspectError::Malformed(_))));
    }
}
