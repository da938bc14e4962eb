//! Stripe's shapes: the base bodies of Stripe's objects in several API versions, from which the events of scenarios are
//! built.
//!
//! A version is a folder with one file for each complete object, including `event.json`, and `places.yml`, which maps
//! the names that a scenario sets to paths of this version.

mod build;
mod built_in;
mod places;

use crate::error::{BadInput, Mistakes, Place};
use crate::model::{Action, Scenario, read_text};
use places::Rule;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use build::{BuiltEvent, EventTimes};

/// The folder that appears in messages about the built-in bodies.
const BUILT_IN: &str = "(built in)/stripe";
/// The suffix of body files.
const BODY_SUFFIX: &str = ".json";
/// The file that maps a scenario's names to paths of a version.
const PLACES_FILE: &str = "places.yml";

/// The bodies of one API version.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The API version, exactly as in `api_version`.
    pub version: String,
    folder: PathBuf,
    bodies: BTreeMap<String, Value>,
    places: BTreeMap<String, BTreeMap<String, Rule>>,
}

/// The bodies of all API versions.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    versions: BTreeMap<String, Shape>,
}

impl Shapes {
    /// Reads every version in a folder.
    ///
    /// # Errors
    ///
    /// Fails if a file can't be read or is malformed.
    pub fn load(folder: &Path) -> Result<Shapes, Mistakes> {
        let mut versions = BTreeMap::new();
        for entry in sorted_entries(folder)? {
            if entry.join("event.json").is_file() {
                let shape = Shape::load(&entry)?;
                versions.insert(shape.version.clone(), shape);
            }
        }
        Ok(Shapes { versions })
    }

    /// Returns the built-in versions.
    ///
    /// # Errors
    ///
    /// Fails if a built-in file is malformed.
    pub fn built_in() -> Result<Shapes, Mistakes> {
        let versions = built_in::VERSIONS.iter().map(|(version, files)| {
            let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            let shape = Shape::read(&Path::new(BUILT_IN).join(version), files.collect())?;
            Ok((shape.version.clone(), shape))
        });
        Ok(Shapes { versions: versions.collect::<Result<_, Mistakes>>()? })
    }

    /// Returns a version by its exact name.
    pub fn version(&self, version: &str) -> Option<&Shape> {
        self.versions.get(version)
    }

    /// Returns the names of all versions, in order.
    pub fn names(&self) -> Vec<&str> {
        self.versions.keys().map(String::as_str).collect()
    }

    /// Returns the API versions in which a scenario runs: all versions that have a body for each of its events, within
    /// the scenario's restriction. A scenario without Stripe events runs once, in the newest version.
    ///
    /// # Errors
    ///
    /// Fails if the scenario refers to an unknown version or no version is left.
    pub fn of_scenario(&self, scenario: &Scenario) -> Result<Vec<&Shape>, BadInput> {
        let known = || format!("one of {}", self.names().join(", "));
        let unknown = |version: &str, line: usize| {
            BadInput::new(Place::line(&scenario.file, line), format!("no bodies of API version `{version}`"), known())
        };
        if let Some(version) = scenario.versions.iter().flat_map(|v| &v.only).find(|v| self.version(v).is_none()) {
            return Err(unknown(version, 0));
        }
        let mut has_shape = false;
        for step in &scenario.steps {
            if let Some(version) = step.only.iter().find(|v| self.version(v).is_none()) {
                return Err(unknown(version, step.line));
            }
            let Action::Stripe(stripe) = &step.action else { continue };
            has_shape |= stripe.version.is_none();
            let pinned = stripe.version.iter().chain(stripe.version_patches.iter().map(|(v, _)| v));
            if let Some(version) = pinned.into_iter().find(|v| self.version(v).is_none()) {
                return Err(unknown(version, step.line));
            }
        }
        let wanted = |name: &str| scenario.versions.as_ref().is_none_or(|v| v.only.iter().any(|only| only == name));
        let mut found: Vec<&Shape> = self.versions.values().filter(|s| wanted(&s.version)).collect();
        if !has_shape && scenario.versions.is_none() {
            return Ok(found.pop().into_iter().collect());
        }
        let mut missing = None;
        found.retain(|shape| match shape.missing_base(scenario) {
            None => true,
            Some(error) => {
                missing = Some(error);
                false
            }
        });
        match (found.is_empty(), missing) {
            (true, Some(error)) => Err(error),
            (true, None) => Err(BadInput::new(Place::file(&scenario.file), "no API version to play it in", known())),
            _ => Ok(found),
        }
    }

    /// Returns the shape of an event: the shape of `version` if it exists, otherwise `played`.
    pub fn for_event<'s>(&'s self, played: &'s Shape, version: Option<&str>) -> &'s Shape {
        version.and_then(|version| self.version(version)).unwrap_or(played)
    }
}

impl Shape {
    fn load(folder: &Path) -> Result<Shape, Mistakes> {
        let mut files = Vec::new();
        for file in sorted_entries(folder)? {
            let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if name.ends_with(BODY_SUFFIX) || name == PLACES_FILE {
                files.push((name.to_owned(), read_text(&file)?));
            }
        }
        Shape::read(folder, files)
    }

    /// Reads the files of a version from pairs of name and text; `folder` is used for messages and the version's name.
    fn read(folder: &Path, files: Vec<(String, String)>) -> Result<Shape, Mistakes> {
        let (mut bodies, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (name, text) in files {
            let file = folder.join(&name);
            match name.strip_suffix(BODY_SUFFIX) {
                Some(name) => drop(bodies.insert(name.to_owned(), json_of(&file, &text)?)),
                None => places = places::read(&file, &text)?,
            }
        }
        let version = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let of_event = bodies.get("event").and_then(|event: &Value| event["api_version"].as_str());
        if of_event != Some(&version) {
            let problem = format!("`api_version` is {:?}", of_event.unwrap_or_default());
            let place = Place::file(&folder.join("event.json"));
            return Err(BadInput::new(place, problem, format!("`{version}`, as the folder")).into());
        }
        Ok(Shape { version, folder: folder.to_owned(), bodies, places })
    }

    /// Returns the base body of an event type: `invoice` for `invoice.paid`, `dispute` for `charge.dispute.created`.
    pub(crate) fn base_of_type<'k>(&self, kind: &'k str) -> Option<&'k str> {
        let object = kind.rsplit_once('.').map_or(kind, |(object, _)| object);
        let last = object.rsplit_once('.').map_or(object, |(_, last)| last);
        [object, last].into_iter().find(|name| self.bodies.contains_key(*name))
    }

    fn missing_base(&self, scenario: &Scenario) -> Option<BadInput> {
        scenario.steps.iter().find_map(|step| {
            let Action::Stripe(stripe) = &step.action else { return None };
            let elsewhere = stripe.version.as_ref().is_some_and(|version| *version != self.version);
            let skipped = !step.only.is_empty() && !step.only.contains(&self.version);
            if elsewhere || skipped {
                return None;
            }
            let base = match &stripe.base {
                Some(base) => self.bodies.contains_key(base).then_some(base.as_str()),
                None => self.base_of_type(&stripe.kind),
            };
            let names: Vec<&str> = self.bodies.keys().map(String::as_str).filter(|name| *name != "event").collect();
            base.is_none().then(|| {
                let wanted = stripe.base.as_deref().unwrap_or(&stripe.kind);
                let problem = format!("no base body for `{wanted}` in {}", self.version);
                let expected = format!("`base` with one of {}", names.join(", "));
                // A base body has the name of an object, so the guess compares only the object in the event type.
                let object = |kind: &'_ str| kind.rsplit('.').nth(1).unwrap_or(kind).to_owned();
                let word = stripe.base.clone().unwrap_or_else(|| object(&stripe.kind));
                BadInput::new(Place::line(&scenario.file, step.line), problem, expected).guessing(&word, names)
            })
        })
    }
}

/// Returns the entries of a folder in order of their names.
///
/// # Errors
///
/// Fails if the folder can't be read.
pub fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, BadInput> {
    let bad =
        |cause: std::io::Error| BadInput::new(Place::file(folder), cause.to_string(), "a folder that can be read");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(bad)? {
        found.push(entry.map_err(bad)?.path());
    }
    found.sort();
    Ok(found)
}

/// Reads a JSON file.
///
/// # Errors
///
/// Fails if the file can't be read or is not JSON.
pub fn read_json(file: &Path) -> Result<Value, BadInput> {
    json_of(file, &read_text(file)?)
}

fn json_of(file: &Path, text: &str) -> Result<Value, BadInput> {
    serde_json::from_str(text)
        .map_err(|error| BadInput::new(Place::line(file, error.line()), error.to_string(), "a JSON value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_shapes_are_those_of_the_fixtures_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/stripe");
        let name = |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let versions: Vec<PathBuf> =
            sorted_entries(&folder).expect("versions").into_iter().filter(|entry| entry.is_dir()).collect();
        assert_eq!(versions.iter().map(name).collect::<Vec<_>>(), built_in::VERSIONS.map(|(version, _)| version));
        for (of_folder, (_, files)) in versions.iter().zip(built_in::VERSIONS) {
            let listed: Vec<String> = sorted_entries(of_folder).expect("files").iter().map(name).collect();
            assert_eq!(listed, files.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "in {}", of_folder.display());
        }
        let built_in = Shapes::built_in().expect("shapes");
        let loaded = Shapes::load(&folder).expect("shapes");
        assert_eq!(built_in.names(), loaded.names());
        for name in loaded.names() {
            let [a, b] = [&built_in, &loaded].map(|shapes| &shapes.version(name).expect("a version").bodies);
            assert_eq!(a, b, "the bodies of {name}");
        }
    }
}
