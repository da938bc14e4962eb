//! Finds the business of a scenario: by name in the fixtures, by folder, or in a folder above the file.

use crate::error::{BadInput, Place, ReplayError};
use crate::shapes::{Shapes, sorted_entries};
use std::path::{Path, PathBuf};

pub use host::business::{BUSINESS_FILE, BusinessFolder, CATALOG_FILE, CONFIG_FILE, business_of};

/// Name of the default business if the fixtures folder has several.
pub const BUSINESS_DEFAULT: &str = "solobase";
/// Folder of Stripe's base bodies within the fixtures folder.
const SHAPES_FOLDER: &str = "stripe";

/// The folder `fixtures`, with the businesses and Stripe's shapes.
#[derive(Clone, Debug)]
pub struct Fixtures {
    /// The folder; none if there are no fixtures and the built-in shapes are used.
    pub folder: Option<PathBuf>,
    /// Stripe's shapes.
    pub shapes: Shapes,
}

impl Fixtures {
    /// Reads Stripe's shapes from a fixtures folder; uses the built-in shapes if the folder has none.
    ///
    /// # Errors
    ///
    /// Fails if the folder does not exist or a shape can't be read.
    pub fn load(folder: &Path) -> Result<Fixtures, BadInput> {
        let shapes = match folder.join(SHAPES_FOLDER) {
            of_folder if of_folder.is_dir() => Shapes::load(&of_folder)?,
            _ if folder.is_dir() => Shapes::built_in()?,
            _ => return Err(BadInput::new(Place::file(folder), "no such folder", "a folder with businesses")),
        };
        Ok(Fixtures { folder: Some(folder.to_owned()), shapes })
    }

    /// Returns fixtures without a folder, with the built-in shapes.
    ///
    /// # Errors
    ///
    /// Fails if a built-in shape is malformed.
    pub fn built_in() -> Result<Fixtures, BadInput> {
        Ok(Fixtures { folder: None, shapes: Shapes::built_in()? })
    }

    /// Finds the fixtures folder at or above one of the paths `starts`.
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

    /// Returns the folder of a business. `name` is its name in the fixtures or its folder.
    ///
    /// # Errors
    ///
    /// Fails if neither the fixtures nor the folder has a catalog.
    pub fn business(&self, name: &str) -> Result<PathBuf, ReplayError> {
        let named = self.folder.as_ref().map(|folder| folder.join(name));
        let given = PathBuf::from(name);
        match named.into_iter().chain([given]).find(|folder| folder.join(CATALOG_FILE).is_file()) {
            Some(folder) => Ok(folder),
            None => Err(ReplayError::NoBusiness { name: name.to_owned(), known: self.businesses()? }),
        }
    }

    /// Returns the folder of the default business; none if several exist and none of them is [`BUSINESS_DEFAULT`].
    ///
    /// # Errors
    ///
    /// Fails if the fixtures folder can't be read.
    pub fn business_default(&self) -> Result<Option<PathBuf>, ReplayError> {
        let names = self.businesses()?;
        match names.as_slice() {
            [only] => self.business(only).map(Some),
            names if names.iter().any(|name| name == BUSINESS_DEFAULT) => self.business(BUSINESS_DEFAULT).map(Some),
            _ => Ok(None),
        }
    }

    fn businesses(&self) -> Result<Vec<String>, BadInput> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let folders = sorted_entries(folder)?.into_iter().filter(|entry| entry.join(CATALOG_FILE).is_file());
        Ok(folders.filter_map(|f| f.file_name().map(|n| n.to_string_lossy().into_owned())).collect())
    }
}

/// Returns the folder of a file's business: the nearest folder above the file that has a catalog and is not the folder
/// of a feature.
pub fn business_above(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    let is_business = |folder: &&Path| folder.join(CATALOG_FILE).is_file() && business_of(folder).is_none();
    file.ancestors().skip(1).find(is_business).map(Path::to_owned)
}
