//! A business as a folder: `catalog.yml`, `config.yml` and its scenarios.

use crate::error::{BadInput, Place, ReplayError};
use crate::scenario::{config_values, read_text};
use crate::shapes::{Shapes, sorted_entries};
use crate::tree::{Node, Reader};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The catalog's file in a business's folder.
pub const CATALOG_FILE: &str = "catalog.yml";
/// The configuration's file in a business's folder; it need not be there.
pub const CONFIG_FILE: &str = "config.yml";
/// The business that is meant where nothing else says which, and there are several.
pub const BUSINESS_DEFAULT: &str = "solobase";
/// Folder of the base bodies within the fixtures.
const SHAPES_FOLDER: &str = "stripe";

/// A business, read.
#[derive(Clone, Debug, PartialEq)]
pub struct BusinessFolder {
    /// Its name: that of the folder.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// The catalog document, the payload of `catalog.load`.
    pub catalog: Value,
    /// The same with its lines, for messages.
    pub catalog_lines: Arc<Node>,
    /// Configuration as text; secrets are references.
    pub config: BTreeMap<String, String>,
}

impl BusinessFolder {
    /// Reads a folder.
    pub fn load(folder: &Path) -> Result<BusinessFolder, BadInput> {
        let file = folder.join(CATALOG_FILE);
        let lines = Node::parse(&file, &read_text(&file)?)?;
        let catalog = lines.json();
        if !catalog.is_object() {
            return Err(BadInput::new(Place::file(&file), "the catalog is no mapping", "a mapping"));
        }
        let file = folder.join(CONFIG_FILE);
        let config = match file.is_file() {
            true => {
                let node = Node::parse(&file, &read_text(&file)?)?;
                config_values(Reader { file: &file }, &node)?.into_iter().collect()
            }
            false => BTreeMap::new(),
        };
        let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = absolute.file_name().map_or_else(|| "business".to_owned(), |n| n.to_string_lossy().into_owned());
        Ok(BusinessFolder { name, folder: folder.to_owned(), catalog, catalog_lines: Arc::new(lines), config })
    }

    /// SHA-256, hex, of catalog and configuration with `overrides`.
    pub fn hash(&self, overrides: &[(String, String)]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.catalog.to_string());
        hasher.update(format!("{:?}{overrides:?}", self.config));
        hex::encode(hasher.finalize())
    }
}

/// The folder `fixtures`, with the businesses and Stripe's shapes.
#[derive(Clone, Debug)]
pub struct Fixtures {
    /// The folder.
    pub folder: PathBuf,
    /// Stripe's shapes.
    pub shapes: Shapes,
}

impl Fixtures {
    /// Reads Stripe's shapes of a folder of fixtures.
    pub fn load(folder: &Path) -> Result<Fixtures, BadInput> {
        Ok(Fixtures { folder: folder.to_owned(), shapes: Shapes::load(&folder.join(SHAPES_FOLDER))? })
    }

    /// Finds the fixtures: at or above one of these places.
    pub fn find(starts: &[PathBuf]) -> Option<PathBuf> {
        let is_fixtures = |folder: &Path| folder.join(SHAPES_FOLDER).is_dir();
        starts.iter().find_map(|start| {
            let start = start.canonicalize().ok()?;
            start.ancestors().find_map(|at| {
                let inside = at.join("fixtures");
                match (is_fixtures(&inside), at.ends_with("fixtures") && is_fixtures(at)) {
                    (true, _) => Some(inside),
                    (_, true) => Some(at.to_owned()),
                    _ => None,
                }
            })
        })
    }

    /// The folder of a business that is named, or given as a folder.
    pub fn business(&self, name: &str) -> Result<PathBuf, ReplayError> {
        let named = self.folder.join(name);
        let given = PathBuf::from(name);
        for folder in [named, given] {
            if folder.join(CATALOG_FILE).is_file() {
                return Ok(folder);
            }
        }
        let names = self.businesses()?.join(", ");
        Err(ReplayError::Usage(format!(
            "no business `{name}`: expected one of {names}, or a folder with {CATALOG_FILE}"
        )))
    }

    /// The business to take where nothing names one.
    pub fn business_default(&self) -> Result<PathBuf, ReplayError> {
        let names = self.businesses()?;
        match names.as_slice() {
            [only] => self.business(only),
            _ => self.business(BUSINESS_DEFAULT),
        }
    }

    fn businesses(&self) -> Result<Vec<String>, BadInput> {
        let folders = sorted_entries(&self.folder)?.into_iter().filter(|entry| entry.join(CATALOG_FILE).is_file());
        Ok(folders.filter_map(|f| f.file_name().map(|n| n.to_string_lossy().into_owned())).collect())
    }
}

/// The folder of the business that a file is in: the nearest one above with a catalog.
pub fn business_above(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    file.ancestors().skip(1).find(|folder| folder.join(CATALOG_FILE).is_file()).map(Path::to_owned)
}
