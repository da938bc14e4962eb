//! The locations of the businesses in this repository.

use std::path::{Path, PathBuf};

/// Folders of businesses: those with an owner, those that only tests use, and those that readers copy.
const PLACES: [&str; 3] = ["fixtures/businesses", "fixtures/catalogs", "examples"];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is two folders below the root").to_path_buf()
}

/// The folder of the fixtures.
pub fn fixtures() -> PathBuf {
    root().join("fixtures")
}

/// Returns the folders whose scenarios need nothing apart from a host: the fixtures, and those of the examples. The scenarios in
/// their `at-stripe` folders are played against a local Stripe.
///
/// # Panics
///
/// Panics if a folder can't be read.
pub fn played() -> Vec<PathBuf> {
    let examples = businesses().into_iter().filter(|folder| folder.starts_with(root().join("examples")));
    [fixtures()].into_iter().chain(examples.map(|folder| folder.join("scenarios"))).collect()
}

/// The folders of all businesses, ordered by name.
///
/// # Panics
///
/// Panics if a folder can't be read.
pub fn businesses() -> Vec<PathBuf> {
    let in_place = |place: &str| std::fs::read_dir(root().join(place)).expect("a folder of businesses");
    let entries = PLACES.into_iter().flat_map(in_place).map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries.filter(|folder| folder.join("catalog.yml").is_file()).collect();
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    found
}

/// Returns the folder of a business by its name, or a file in it: `path` begins with the name. A path that belongs to no business is
/// taken from the fixtures.
pub fn in_business(path: &str) -> PathBuf {
    let places = PLACES.map(|place| root().join(place).join(path));
    places.into_iter().find(|at| at.exists()).unwrap_or_else(|| fixtures().join(path))
}

#[cfg(test)]
mod tests {
    use super::{PathBuf, businesses, fixtures, in_business, played};

    #[test]
    fn each_business_is_found_by_its_name() {
        let folders = businesses();
        for folder in &folders {
            let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
            assert_eq!(&in_business(name), folder);
            let is_played = |played: &PathBuf| folder.starts_with(played) || played.starts_with(folder);
            assert!(played().iter().any(is_played), "{name} is played");
        }
        assert!(folders.len() > 9, "{folders:?}");
        assert!(in_business("seats/catalog.yml").is_file());
        assert_eq!(in_business("no-such.yml"), fixtures().join("no-such.yml"));
    }
}
