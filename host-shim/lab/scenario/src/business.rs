//! Finds the business of a scenario: by name in the fixtures, by folder, or in a folder above the file.

use crate::error::{BadInput, Mistakes, Place, ReplayError};
use crate::shapes::{Shapes, sorted_entries};
use std::path::{Component, Path, PathBuf};

pub use host_business::folder::{
    BUSINESS_FILE, BusinessFolder, CATALOG_FILE, CONFIG_FILE, PAGES_FOLDER, ROUTES_FILE, TABLES_FILE, business_of,
};

/// Name of the default business if the fixtures folder has several.
pub const BUSINESS_DEFAULT: &str = "solobase";
/// Folder of Stripe's base bodies within the fixtures folder.
const SHAPES_FOLDER: &str = "stripe";
/// The maximum depth of a business below the fixtures folder.
const DEPTH: usize = 3;

/// The folder `fixtures`, with the businesses, which may be in subfolders, and Stripe's shapes.
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
    pub fn load(folder: &Path) -> Result<Fixtures, Mistakes> {
        let shapes = match folder.join(SHAPES_FOLDER) {
            of_folder if of_folder.is_dir() => Shapes::load(&of_folder)?,
            _ if folder.is_dir() => Shapes::built_in()?,
            _ => {
                let expected = "a folder with businesses";
                return Err(BadInput::new(Place::file(folder), "no such folder", expected).into());
            }
        };
        Ok(Fixtures { folder: Some(folder.to_owned()), shapes })
    }

    /// Returns fixtures without a folder, with the built-in shapes.
    ///
    /// # Errors
    ///
    /// Fails if a built-in shape is malformed.
    pub fn built_in() -> Result<Fixtures, Mistakes> {
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

    /// Returns the folder of a business. `name` is its name in the fixtures, its path relative to the fixtures, or its folder.
    ///
    /// # Errors
    ///
    /// Fails if neither the fixtures nor the folder has a catalog, or if two businesses in the fixtures have this name.
    pub fn business(&self, name: &str) -> Result<PathBuf, ReplayError> {
        let named = self.folder.as_deref().map_or(Ok(None), |folder| business_in(folder, name))?;
        let paths = self.folder.iter().map(|folder| folder.join(name)).chain([PathBuf::from(name)]);
        match named.into_iter().chain(paths).find(|folder| folder.join(CATALOG_FILE).is_file()) {
            Some(folder) => Ok(folder),
            None => Err(ReplayError::NoBusiness { name: name.to_owned(), known: names(&self.businesses()?) }),
        }
    }

    /// Returns the folder of a scenario's business, which is given by its name in the fixtures, or by its folder relative to the scenario's
    /// file or the working folder.
    ///
    /// # Errors
    ///
    /// Fails if none of these folders has a catalog.
    pub fn business_of(&self, scenario: &Path, name: &str) -> Result<PathBuf, ReplayError> {
        let beside = scenario.parent().unwrap_or(Path::new("")).join(name);
        match self.business(name) {
            Err(ReplayError::NoBusiness { .. }) if beside.join(CATALOG_FILE).is_file() => Ok(beside),
            found => found,
        }
    }

    /// Returns the folder of the default business; none if several exist and none of them is [`BUSINESS_DEFAULT`].
    ///
    /// # Errors
    ///
    /// Fails if the fixtures folder can't be read.
    pub fn business_default(&self) -> Result<Option<PathBuf>, ReplayError> {
        match names(&self.businesses()?).as_slice() {
            [only] => self.business(only).map(Some),
            names if names.iter().any(|name| name == BUSINESS_DEFAULT) => self.business(BUSINESS_DEFAULT).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the folders of all businesses in the fixtures, ordered by path.
    ///
    /// # Errors
    ///
    /// Fails if a folder of the fixtures can't be read.
    pub fn businesses(&self) -> Result<Vec<PathBuf>, BadInput> {
        self.folder.as_deref().map_or(Ok(Vec::new()), businesses_in)
    }
}

/// Returns the folders of all businesses below a folder, ordered by path. A business does not contain another one.
fn businesses_in(folder: &Path) -> Result<Vec<PathBuf>, BadInput> {
    fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), BadInput> {
        for entry in sorted_entries(folder)?.into_iter().filter(|entry| entry.is_dir()) {
            if entry.join(CATALOG_FILE).is_file() {
                found.push(entry);
            } else if depth > 1 {
                find(&entry, depth - 1, found)?;
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    find(folder, DEPTH, &mut found)?;
    Ok(found)
}

/// Returns the folder of the business with this name below a folder; none if it does not exist.
///
/// # Errors
///
/// Fails if a folder can't be read, or if two businesses have this name.
pub fn business_in(folder: &Path, name: &str) -> Result<Option<PathBuf>, ReplayError> {
    let is_named = |folder: &PathBuf| folder.file_name().is_some_and(|own| Path::new(own) == Path::new(name));
    let mut named = businesses_in(folder)?.into_iter().filter(is_named);
    match (named.next(), named.next()) {
        (Some(first), Some(second)) => Err(ReplayError::SameName { name: name.to_owned(), folders: [first, second] }),
        (found, _) => Ok(found),
    }
}

/// Returns the names of businesses.
fn names(folders: &[PathBuf]) -> Vec<String> {
    folders.iter().filter_map(|folder| folder.file_name()).map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Returns the folder of a file's business: the nearest folder above the file that has a catalog and is not the folder
/// of a feature.
pub fn business_above(file: &Path) -> Option<PathBuf> {
    business_around(file.canonicalize().ok()?.parent()?)
}

/// Returns the business of an absolute folder: the folder itself, or the nearest folder above it.
fn business_around(folder: &Path) -> Option<PathBuf> {
    let is_business = |folder: &&Path| folder.join(CATALOG_FILE).is_file() && business_of(folder).is_none();
    folder.ancestors().find(is_business).map(Path::to_owned)
}

/// Returns how a scenario that is written to `file`, whose folder exists, can refer to a business. None: it need not, because the file is
/// in the business's folder. A business in the fixtures that are found from the folder is given by its name, any other by its path relative
/// to the folder.
pub fn named_in(file: &Path, business: &Path) -> Option<String> {
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    // A bare file name is relative to the working folder.
    let folder = Path::new(".").join(file.parent().unwrap_or(Path::new("")));
    let (folder, business) = (canonical(&folder), canonical(business));
    if business_around(&folder).as_ref() == Some(&business) {
        return None;
    }
    let fixtures = Fixtures::find(std::slice::from_ref(&folder));
    let name = business.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let found = fixtures.and_then(|fixtures| business_in(&fixtures, &name).ok().flatten());
    match found.is_some_and(|found| canonical(&found) == business) {
        true => Some(name),
        false => Some(path_from(&folder, &business).display().to_string()),
    }
}

/// Returns the relative path from one absolute folder to another, or the absolute path if they have nothing in common.
fn path_from(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if common <= 1 {
        return to.to_owned();
    }
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_scenario_outside_of_its_business_names_it_by_the_path_from_its_folder() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        for folder in ["fixtures/stripe", "fixtures/shop", "fixtures/more/bakery", "mine/scenarios/found", "out/deep"] {
            fs::create_dir_all(at(folder)).expect("made");
        }
        for business in ["fixtures/shop", "fixtures/more/bakery", "mine"] {
            fs::write(at(business).join(CATALOG_FILE), "products: []\n").expect("written");
        }
        let named = |folder: &str, business: &str| named_in(&at(folder).join("found.yml"), &at(business));
        assert_eq!(named("out/deep", "mine").as_deref(), Some("../../mine"));
        assert_eq!(named("mine", "fixtures/shop").as_deref(), Some("shop"), "by its name in the fixtures");
        assert_eq!(named("mine", "fixtures/more/bakery").as_deref(), Some("bakery"), "also in a sub-folder");
        assert_eq!([named("mine/scenarios/found", "mine"), named("mine", "mine")], [None, None]);
        let fixtures = Fixtures { folder: Some(at("fixtures")), shapes: Shapes::built_in().expect("shapes") };
        for (file, name, folder) in [("out/deep/a.yml", "../../mine", "mine"), ("out/a.yml", "shop", "fixtures/shop")] {
            let found = fixtures.business_of(&at(file), name).expect(name);
            assert_eq!(found.canonicalize().ok(), at(folder).canonicalize().ok(), "{name}");
        }
        assert!(fixtures.business_of(&at("out/a.yml"), "nobody").is_err());
    }

    #[test]
    fn a_business_of_the_fixtures_is_found_in_sub_folders_by_its_name_alone() {
        let root = tempfile::tempdir().expect("a folder");
        let make = |business: &str| {
            let folder = root.path().join(business);
            fs::create_dir_all(&folder).expect("made");
            fs::write(folder.join(CATALOG_FILE), "products: []\n").expect("written");
            folder
        };
        let made = ["a/b/deep", "a/shop", "top"].map(make);
        // A feature of a business, and a folder that is too deep.
        make("top/features/extra");
        make("a/b/c/deeper");
        let shapes = Shapes::built_in().expect("shapes");
        let fixtures = Fixtures { folder: Some(root.path().to_owned()), shapes };
        assert_eq!(fixtures.businesses().expect("readable"), made);
        for (name, folder) in [("deep", 0), ("shop", 1), ("a/shop", 1), ("top", 2)] {
            assert_eq!(fixtures.business(name).expect(name), made[folder], "{name}");
        }
        let unknown = fixtures.business("extra").expect_err("a feature").to_string();
        assert!(unknown.contains("one of deep, shop, top,"), "{unknown}");
        assert!(fixtures.business("deeper").is_err());

        let twice = make("z/shop");
        let both = format!("two businesses are named `shop`: {} and {}", made[1].display(), twice.display());
        assert_eq!(fixtures.business("shop").expect_err("two").to_string(), both);
        assert_eq!(fixtures.business("z/shop").expect("one of them"), twice);
        assert_eq!(fixtures.business("top").expect("another one"), made[2]);
    }
}
