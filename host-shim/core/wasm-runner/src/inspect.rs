//! What a component file says about itself, and whether this host can load it.

use crate::wasm::{CallLimits, LoadError, LoadedComponent};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wasmparser::{Encoding, Parser, Payload};

/// The contract's package.
pub(crate) const PACKAGE: &str = "solobase:products";

/// Version of the contract that this host speaks.
pub(crate) const WIT_VERSION: &str = "0.2.0";

/// The interfaces that a component may import. `types`, `rows` and `effects` count although they have no functions.
const IMPORTS: [&str; 7] = ["types", "rows", "effects", "account", "claims", "catalog", "log"];

/// What is known of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Names of its imports, in order of the file.
    pub imports: Vec<String>,
    /// Names of its exports, in order of the file.
    pub exports: Vec<String>,
    /// Versions of `solobase:products` that these name; usually one. Empty if it names none.
    pub wit_version: Vec<String>,
    /// Size in bytes.
    pub size: usize,
    /// Whether this host can load it, or why not.
    pub loadable: Result<(), LoadError>,
}

/// Why a file cannot be inspected at all.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// It is WebAssembly, but no component.
    #[error("a core WebAssembly module, not a component")]
    CoreModule,
    /// It is no WebAssembly, or broken.
    #[error("no WebAssembly component: {0}")]
    Malformed(String),
}

/// Inspect a file.
pub fn inspect_file(path: &Path) -> Result<Inspection, InspectError> {
    let bytes = std::fs::read(path).map_err(|source| InspectError::Unreadable { path: path.to_owned(), source })?;
    inspect(&bytes)
}

/// Inspect a component: read its names, then try to load it.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
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
    let loadable = LoadedComponent::load(bytes, CallLimits::default(), None).map(|_| ());
    Ok(Inspection { imports, exports, wit_version, size: bytes.len(), loadable })
}

/// Whether an import is one that the world has, in the version that this host speaks.
pub(crate) fn is_of_the_world(import: &str) -> bool {
    let interface = import.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/'));
    let interface = interface.and_then(|rest| rest.strip_suffix(WIT_VERSION)).and_then(|rest| rest.strip_suffix('@'));
    interface.is_some_and(|interface| IMPORTS.contains(&interface))
}

/// Names that a component imports and exports.
pub(crate) struct Names {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// Read the names without compiling anything.
pub(crate) fn names(bytes: &[u8]) -> Result<Names, InspectError> {
    let malformed = |error: wasmparser::BinaryReaderError| InspectError::Malformed(error.to_string());
    let mut names = Names { imports: Vec::new(), exports: Vec::new() };
    // Modules and components inside have imports of their own, which the outer one satisfies.
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
