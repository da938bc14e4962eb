//! Businesses as scenarios find them: by name among the fixtures, by folder, or above a file.

use crate::error::{BadInput, Place, ReplayError};
use crate::shapes::{Shapes, sorted_entries};
use std::path::{Path, PathBuf};

pub use host::business::{BUSINESS_FILE, BusinessFolder, CATALOG_FILE, CONFIG_FILE, business_of};

/// The business that is meant where nothing else says which, and there are several.
pub const BUSINESS_DEFAULT: &str = "solobase";
/// Folder of the base bodies within the fixtures.
const SHAPES_FOLDER: &str = "stripe";

/// The folder `fixtures`, with the businesses and Stripe's shapes.
#[derive(Clone, Debug)]
pub struct Fixtures {
    /// The folder; none where only the shapes are needed that the program has within it.
    pub folder: Option<PathBuf>,
    /// Stripe's shapes.
    pub shapes: Shapes,
}

impl Fixtures {
    /// Reads Stripe's shapes of a folder of fixtures; one without them has those of the program.
    pub fn load(folder: &Path) -> Result<Fixtures, BadInput> {
        let shapes = match folder.join(SHAPES_FOLDER) {
            of_folder if of_folder.is_dir() => Shapes::load(&of_folder)?,
            _ if folder.is_dir() => Shapes::built_in()?,
            _ => return Err(BadInput::new(Place::file(folder), "no such folder", "a folder with businesses")),
        };
        Ok(Fixtures { folder: Some(folder.to_owned()), shapes })
    }

    /// No folder, and the shapes that the program has within it.
    pub fn built_in() -> Result<Fixtures, BadInput> {
        Ok(Fixtures { folder: None, shapes: Shapes::built_in()? })
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
        let named = self.folder.as_ref().map(|folder| folder.join(name));
        let given = PathBuf::from(name);
        match named.into_iter().chain([given]).find(|folder| folder.join(CATALOG_FILE).is_file()) {
            Some(folder) => Ok(folder),
            None => Err(ReplayError::NoBusiness { name: name.to_owned(), known: self.businesses()? }),
        }
    }

    /// The business to take where nothing names one; none if there is no telling which.
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

/// The folder of the business that a file is in: the nearest one above with a catalog, and not that of a feature.
pub fn business_above(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    let is_business = |folder: &&Path| folder.join(CATALOG_FILE).is_file() && business_of(folder).is_none();
    file.ancestors().skip(1).find(is_business).map(Path::to_owned)
}
