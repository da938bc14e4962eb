//! Merges the features of a business. Each folder in `features` adds a catalog, a `business.yml`, routes and mails, and
//! removing the folder removes them. A name defined in two files is refused, with both positions.

use super::{
    BUSINESS_FILE, CATALOG_FILE, ROUTES_FILE, answers, costs, measured, own, paths, recorded, retry, templates,
    variables, webhooks,
};
use crate::core_level;
use crate::routes::RouteFile;
use crate::yaml::bad_input::{BadInput, Mistakes, Place, read_text};
use crate::yaml::{Checked, Checker, Entry, Node, Noted};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the optional folder of features in a business folder.
const FOLDER: &str = "features";
/// Clauses of `business.yml`: policies, roles of organizations' members, configuration keys, resources, retries, webhooks and
/// their paths, the platform's paths, costs, measurements, recorded effects, and unused variables.
pub(super) const CLAUSES: [&str; 13] = [
    super::POLICIES,
    "may",
    own::CONFIG,
    own::RESOURCES,
    retry::CLAUSE,
    webhooks::CLAUSE,
    paths::CLAUSE,
    paths::PLATFORM,
    answers::CLAUSE,
    costs::CLAUSE,
    measured::CLAUSE,
    recorded::CLAUSE,
    variables::CLAUSE,
];
/// The clauses of [`CLAUSES`] that the extension does not get: all but the first four.
pub(super) const OF_HOST: &[&str] = CLAUSES.split_at(4).1;
/// Returns whether a clause of the extension's document does not belong in `catalog.yml`.
pub(crate) fn is_of_another_file(clause: &str) -> bool {
    CLAUSES.contains(&clause) || clause == templates::FOLDER
}

/// Clauses that only one file may have, since they are not collections.
const WHOLE: [&str; 3] = [super::POLICIES, "campaigns", paths::PLATFORM];
/// Clauses that are lists of named entries, each with the member that contains the name.
const NAMED: [(&str, &str); 2] = [("product_types", "name"), ("products", "id")];

/// Returns the business folder of a feature folder; none if the folder is not a feature.
pub fn business_of(feature: &Path) -> Option<&Path> {
    let features = feature.parent().filter(|parent| parent.file_name().is_some_and(|name| name == FOLDER))?;
    features.parent().filter(|business| business.join(CATALOG_FILE).is_file())
}

/// The merged files of a business and its features.
pub(super) struct MergedFiles {
    /// Clauses with their positions.
    pub lines: Node,
    /// Mail templates: the list of placeholders by template name.
    pub templates: BTreeMap<String, Value>,
    /// Routes of the business, and of each feature that has any.
    pub routes: Vec<RouteFile>,
}

/// Reads a business folder with its features, in name order.
///
/// # Errors
/// Fails with the mistakes in the first faulty file, or with the names that are defined twice.
pub(super) fn read(folder: &Path) -> Result<MergedFiles, Mistakes> {
    let mut lines = catalog(folder)?;
    add_own(&mut lines, folder)?;
    let mut templates = templates::read(folder)?;
    let mut routes: Vec<RouteFile> = routes(folder)?.map(RouteFile::of_business).into_iter().collect();
    for feature in folders(&folder.join(FOLDER))? {
        let files = [CATALOG_FILE, BUSINESS_FILE, ROUTES_FILE].map(|name| feature.join(name));
        let of_feature = templates::read(&feature)?;
        let has_pages = feature.join(crate::pages::FOLDER).is_dir();
        if !files.iter().any(|file| file.is_file()) && of_feature.is_empty() && !has_pages {
            let expected = format!(
                "{CATALOG_FILE}, {BUSINESS_FILE}, {ROUTES_FILE}, {}/ or {}/",
                crate::pages::FOLDER,
                templates::FOLDER
            );
            return Err(BadInput::new(Place::file(&feature), "the feature is empty", expected).into());
        }
        if files[0].is_file() {
            add(&mut lines, catalog(&feature)?)?;
        }
        add_own(&mut lines, &feature)?;
        if let Some(file) = self::routes(&feature)? {
            let name = feature.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            routes.push(RouteFile::of_feature(&name, file));
        }
        for (name, places) in of_feature {
            if templates.insert(name.clone(), places).is_some() {
                let file = feature.join(templates::FOLDER).join(format!("{name}.txt"));
                let problem = format!("the template `{name}` is already defined");
                return Err(BadInput::new(Place::file(&file), problem, "another name").into());
            }
        }
    }
    let (mut lines, translated) = core_level::translate(lines)?;
    add(&mut lines, translated)?;
    Checker::read(|check| check_names(check, &lines))?;
    Ok(MergedFiles { lines, templates, routes })
}

/// Reads the routes of a folder, if it has any.
fn routes(folder: &Path) -> Result<Option<Node>, Mistakes> {
    let file = folder.join(ROUTES_FILE);
    match file.is_file() {
        true => mapping(&file, "it").map(Some),
        false => Ok(None),
    }
}

/// Returns the folders of the features of a business.
pub(super) fn names(business: &Path) -> Result<Vec<PathBuf>, BadInput> {
    folders(&business.join(FOLDER))
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, BadInput> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable =
        |cause: std::io::Error| BadInput::new(Place::file(folder), cause.to_string(), "a folder that can be read");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        found.push(entry.map_err(unreadable)?.path());
    }
    found.sort();
    match found.iter().find(|path| !path.is_dir()) {
        Some(file) => Err(BadInput::new(Place::file(file), "this is not a feature", "a folder")),
        None => Ok(found),
    }
}

/// Reads a file that must be a mapping.
fn mapping(file: &Path, what: &str) -> Result<Node, Mistakes> {
    let lines = Node::parse(file, &read_text(file)?)?;
    lines.quoted_placeholders()?;
    match lines.entries() {
        Some(_) => Ok(lines),
        None => Err(BadInput::new(Place::file(file), format!("{what} is not a mapping"), "a mapping").into()),
    }
}

fn catalog(folder: &Path) -> Result<Node, Mistakes> {
    let lines = mapping(&folder.join(CATALOG_FILE), "the catalog")?;
    Checker::read(|check| {
        check.every(lines.entries().unwrap_or_default(), |entry| {
            let instead = match entry.key.as_str() {
                key if CLAUSES.contains(&key) => format!("this clause in {BUSINESS_FILE}"),
                templates::FOLDER => format!("files in {}/", templates::FOLDER),
                _ => return Ok(()),
            };
            let problem = format!("`{}` is not a clause of the catalog", entry.key);
            Err(check.bad(entry.place(), problem, instead))
        })
    })?;
    Ok(lines)
}

/// Adds the clauses of `business.yml`, if the file exists.
fn add_own(lines: &mut Node, folder: &Path) -> Result<(), Mistakes> {
    let file = folder.join(BUSINESS_FILE);
    if !file.is_file() {
        return Ok(());
    }
    let own = mapping(&file, "it")?;
    Checker::read(|check| check.only_known(BUSINESS_FILE, own.entries().unwrap_or_default(), &CLAUSES))?;
    add(lines, own)
}

/// Adds another file, clause by clause.
fn add(lines: &mut Node, other: Node) -> Result<(), Mistakes> {
    Checker::read(|check| {
        check.every(other.into_entries(), |entry| {
            match lines.entry_mut(&entry.key) {
                Some(known) => {
                    check_free(check, known, &entry)?;
                    known.extend(entry.value);
                }
                None => lines.push(entry),
            }
            Ok(())
        })
    })
}

/// Checks that `entry` can extend the clause `known`: it must not define an existing entry again.
fn check_free(check: &Checker, known: &Node, entry: &Entry) -> Checked<()> {
    if WHOLE.contains(&entry.key.as_str()) {
        return Err(taken(check, entry.place(), &format!("`{}`", entry.key), &known.place()));
    }
    if known.kind() != entry.value.kind() {
        let problem = format!("`{}` is {}", entry.key, entry.value.kind());
        return Err(check.bad(entry.place(), problem, known.kind()));
    }
    check.every(entry.value.entries().unwrap_or_default(), |new| {
        match known.entries().unwrap_or_default().iter().find(|old| old.key == new.key) {
            Some(old) => {
                let what = format!("`{}` of `{}`", new.key, entry.key);
                Err(taken(check, new.place(), &what, &old.place()))
            }
            None => Ok(()),
        }
    })
}

/// Reports a name that is already defined.
fn taken(check: &Checker, place: Place, what: &str, there: &Place) -> Noted {
    let problem = format!("{what} is already defined: {}:{}", there.file.display(), there.line);
    check.bad(place, problem, "one definition")
}

/// Checks that the names in a list are unique.
fn check_names(check: &Checker, lines: &Node) -> Checked<()> {
    check.every(NAMED, |(clause, member)| {
        let all = lines.member(clause).and_then(Node::items).unwrap_or_default();
        let mut seen: BTreeMap<String, &Node> = BTreeMap::new();
        check.every(all, |value| {
            let Some(name) = value.member(member).and_then(Node::scalar) else { return Ok(()) };
            let what = format!("`{name}` of `{clause}`");
            match seen.insert(name, value) {
                Some(before) => Err(taken(check, value.place(), &what, &before.place())),
                None => Ok(()),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_folder::TestFolder;
    use serde_json::json;

    fn read_of(files: &[(&str, &str)]) -> Result<MergedFiles, String> {
        let folder = TestFolder::of(files);
        read(folder.path()).map_err(|bad| folder.shorten(&bad))
    }

    const BASE: (&str, &str) =
        ("catalog.yml", "campaigns: {batch: 9, every: 1m}\nentitlements: {a: {kind: flag}}\nproducts: [{id: p}]\n");

    // covers: PLG-01, PLG-03, D-42
    #[test]
    fn a_feature_folder_adds_its_clauses_and_templates() {
        let alone = read_of(&[BASE]).expect("a business");
        let with = read_of(&[
            BASE,
            (
                "features/b/catalog.yml",
                "entitlements: {b: {kind: limit}}\nproducts: [{id: q}]\nreactions: [{event: x.y}]\n",
            ),
            ("features/b/business.yml", "resources: {tent: [ensure]}\n"),
            ("features/b/templates/hello.txt", "Subject: Hello {{ name }}\n"),
            ("features/a/templates/bye.txt", "Subject: Bye\n"),
        ])
        .expect("a business");
        let expected = json!({
            "campaigns": {"batch": 9, "every": "1m"}, "entitlements": {"a": {"kind": "flag"}, "b": {"kind": "limit"}},
            "products": [{"id": "p"}, {"id": "q"}], "reactions": [{"event": "x.y"}], "resources": {"tent": ["ensure"]},
        });
        assert_eq!(with.lines.json(), expected);
        assert_eq!(with.templates.keys().collect::<Vec<_>>(), ["bye", "hello"]);
        assert!(with.lines.place_at("/products/1").file.ends_with("features/b/catalog.yml"));
        assert!(with.lines.place_at("/products/0").file.ends_with("catalog.yml"));
        let without = json!({
            "campaigns": {"batch": 9, "every": "1m"}, "entitlements": {"a": {"kind": "flag"}}, "products": [{"id": "p"}],
        });
        assert_eq!((alone.lines.json(), alone.templates.len()), (without, 0));
    }

    #[test]
    fn a_name_defined_twice_is_refused_with_both_places() {
        let feature = "features/b/catalog.yml";
        for (name, text, expected) in [
            (
                feature,
                "x: 1\nentitlements: {a: {kind: limit}}",
                "/features/b/catalog.yml:2: `a` of `entitlements` is already defined: /catalog.yml:2",
            ),
            (
                feature,
                "products: [{id: p}]",
                "/features/b/catalog.yml:1: `p` of `products` is already defined: /catalog.yml:3",
            ),
            (
                feature,
                "products: [{id: q}, {id: q}]",
                "/features/b/catalog.yml:1: `q` of `products` is already defined",
            ),
            (
                feature,
                "campaigns: {batch: 1, every: 1m}",
                "/features/b/catalog.yml:1: `campaigns` is already defined: /catalog.yml:1",
            ),
            (feature, "products: {id: q}", "/features/b/catalog.yml:1: `products` is a mapping"),
            (feature, "may: {}", "/features/b/catalog.yml:1: `may` is not a clause of the catalog"),
            (feature, "policies: {}", "/features/b/catalog.yml:1: `policies` is not a clause of the catalog"),
            (feature, "[]", "/features/b/catalog.yml: the catalog is not a mapping"),
            (
                "features/b/business.yml",
                "products: []",
                "/features/b/business.yml:1: unknown field `products` in business.yml",
            ),
            ("features/b/readme.md", "x", "/features/b: the feature is empty"),
            ("features/readme.md", "x", "/features/readme.md: this is not a feature"),
        ] {
            let error = read_of(&[BASE, (name, text)]).map(|_| ()).expect_err("refused");
            assert!(error.starts_with(expected), "{error}");
        }
        let mails = ["templates/a.txt", "features/b/templates/a.txt"].map(|name| (name, "Subject: x"));
        let error = read_of(&[BASE, mails[0], mails[1]]).map(|_| ()).expect_err("refused");
        assert!(error.starts_with("/features/b/templates/a.txt: the template `a` is already defined"), "{error}");
        let features = ["features/b/business.yml", "features/c/business.yml"];
        let twice = read_of(&[BASE, (features[0], "policies: {grace: 3d}"), (features[1], "policies: {grace: 3d}")]);
        let error = twice.map(|_| ()).expect_err("refused");
        assert!(error.starts_with("/features/c/business.yml:1: `policies` is already defined: /features/b"), "{error}");
        let error = read_of(&[BASE, (features[0], "config: {k: {}}"), (features[1], "config: {k: {}}")]);
        let error = error.map(|_| ()).expect_err("refused");
        assert!(
            error.starts_with(
                "/features/c/business.yml:1: `k` of `config` is already defined: /features/b/business.yml:1"
            ),
            "{error}"
        );
    }
}
