//! Businesses as scenarios find them: by name among the fixtures, by folder, or above a file.

use crate::error::{BadInput, ReplayError};
use crate::shapes::{Shapes, sorted_entries};
use std::path::{Path, PathBuf};

pub use host::business::{BUSINESS_FILE, BusinessFolder, CATALOG_FILE, CONFIG_FILE};

/// The business that is meant where nothing else says which, and there are several.
pub const BUSINESS_DEFAULT: &str = "solobase";
/// Folder of the base bodies within the fixtures.
const SHAPES_FOLDER: &str = "stripe";

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
        Err(ReplayError::NoBusiness { name: name.to_owned(), known: self.businesses()? })
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
