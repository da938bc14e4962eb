//! Finds the inputs of a replay: files, folders and standard input.

mod raw;

use host_scenario::business::{
    BUSINESS_FILE, CATALOG_FILE, CONFIG_FILE, PAGES_FOLDER, ROUTES_FILE, TABLES_FILE, business_of,
};
use host_scenario::error::{BadInput, Place};
use host_scenario::shapes::sorted_entries;
use std::path::{Path, PathBuf};

pub use raw::{LINE_BYTES_MAX, Located, RawInput, read_raw};

/// The argument that means standard input.
pub const STDIN: &str = "-";
/// The maximum nesting of folders.
const DEPTH_MAX: usize = 32;
/// The files of a business, which are not inputs.
const OF_BUSINESS: [&str; 5] = [CATALOG_FILE, BUSINESS_FILE, CONFIG_FILE, ROUTES_FILE, TABLES_FILE];
/// The file that marks a folder of base bodies, which has no inputs.
const PLACES_FILE: &str = "places.yml";

/// One input of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A scenario file.
    Scenario(PathBuf),
    /// A file with raw events.
    Raw(PathBuf),
    /// Raw events from standard input.
    Stdin,
}

impl Input {
    /// Returns the name of the input in reports.
    pub fn source(&self) -> String {
        match self {
            Input::Scenario(file) | Input::Raw(file) => file.display().to_string(),
            Input::Stdin => STDIN.to_owned(),
        }
    }
}

/// The businesses and inputs at or below some paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundPaths {
    /// Folders of the businesses.
    pub businesses: Vec<PathBuf>,
    /// Inputs.
    pub inputs: Vec<Input>,
}

/// Finds the inputs at or below some paths. The entries of a folder are in alphabetical order.
///
/// # Errors
///
/// Fails if a path does not exist, or a folder has no input, is nested too deeply or can't be read.
pub fn collect(paths: &[PathBuf]) -> Result<Vec<Input>, BadInput> {
    let mut found = FoundPaths::default();
    for path in paths {
        if path.as_os_str() == STDIN {
            found.inputs.push(Input::Stdin);
        } else if path.is_dir() {
            let before = found.inputs.len();
            walk(path, 0, &mut found)?;
            if found.inputs.len() == before {
                let expected = "scenarios (.yml) or raw events (.json, .jsonl, .ndjson) in it";
                return Err(BadInput::new(Place::file(path), "a folder without cases", expected));
            }
        } else if !path.exists() {
            return Err(no_such(path, "a scenario, raw events, a folder or -"));
        } else {
            found.inputs.push(classify(path).unwrap_or_else(|| Input::Raw(path.clone())));
        }
    }
    Ok(found.inputs)
}

/// Finds businesses and inputs, for a check without a replay. Unlike in [`collect`], a path may also be a file of a
/// business (such as `catalog.yml`), or a folder that contains only a business.
///
/// # Errors
///
/// Fails if a path does not exist, or a folder has neither a business nor an input, is nested too deeply or can't be
/// read.
pub fn find(paths: &[PathBuf]) -> Result<FoundPaths, BadInput> {
    let mut found = FoundPaths::default();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            let before = found.clone();
            walk(path, 0, &mut found)?;
            if found == before {
                let expected = "catalog.yml, scenarios (.yml) or raw events (.json, .jsonl, .ndjson) in it";
                return Err(BadInput::new(Place::file(path), "a folder without a business or cases", expected));
            }
        } else if !path.exists() {
            return Err(no_such(path, "the folder of a business, a scenario or raw events"));
        } else if OF_BUSINESS.contains(&name) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let business = business_of(folder).unwrap_or(folder).to_owned();
            if !found.businesses.contains(&business) {
                found.businesses.push(business);
            }
        } else {
            found.inputs.push(classify(path).unwrap_or_else(|| Input::Raw(path.clone())));
        }
    }
    Ok(found)
}

fn no_such(path: &Path, expected: &str) -> BadInput {
    BadInput::new(Place::file(path), "no such file or folder", expected)
}

fn walk(folder: &Path, depth: usize, found: &mut FoundPaths) -> Result<(), BadInput> {
    if depth > DEPTH_MAX {
        return Err(BadInput::new(
            Place::file(folder),
            "folders nested too deeply",
            format!("at most {DEPTH_MAX} levels"),
        ));
    }
    if folder.join(PLACES_FILE).is_file() {
        return Ok(());
    }
    if folder.join(CATALOG_FILE).is_file() && business_of(folder).is_none() {
        found.businesses.push(folder.to_owned());
    }
    for entry in sorted_entries(folder)? {
        let name = entry.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if entry.is_dir() {
            // A business's pages have their own files.
            let is_pages =
                name == PAGES_FOLDER && (folder.join(CATALOG_FILE).is_file() || business_of(folder).is_some());
            if !is_pages {
                walk(&entry, depth + 1, found)?;
            }
        } else if !OF_BUSINESS.contains(&name) && !name.ends_with(".snap.json") {
            let Some(input) = classify(&entry) else { continue };
            // A pipe could block forever, so it is read only if it is given as a path, not if a folder contains it.
            if entry.metadata().is_ok_and(|found| !found.is_file()) {
                let expected = "a regular file; a pipe is read if it is named itself";
                return Err(BadInput::new(Place::file(&entry), "not a regular file", expected));
            }
            found.inputs.push(input);
        }
    }
    Ok(())
}

/// Returns true if this is the name of a scenario's file.
pub fn is_scenario(file: &Path) -> bool {
    matches!(classify(file), Some(Input::Scenario(_)))
}

fn classify(file: &Path) -> Option<Input> {
    match file.extension().and_then(|e| e.to_str()) {
        Some("yml" | "yaml") => Some(Input::Scenario(file.to_owned())),
        Some("json" | "jsonl" | "ndjson") => Some(Input::Raw(file.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_is_walked_in_order_and_other_files_are_skipped() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in [
            "b/two.yml",
            "a/one.yaml",
            "a/raw.jsonl",
            "a/one.snap.json",
            "catalog.yml",
            "config.yml",
            "notes.md",
            "pages/site.yml",
            "stripe/v/places.yml",
            "stripe/v/event.json",
            ".hidden/x.yml",
            "z.json",
        ] {
            fs::create_dir_all(at(name).parent().expect("a parent")).expect("made");
            fs::write(at(name), "").expect("written");
        }
        let found = collect(&[folder.path().to_owned()]).expect("cases");
        let expected = [
            Input::Scenario(at("a/one.yaml")),
            Input::Raw(at("a/raw.jsonl")),
            Input::Scenario(at("b/two.yml")),
            Input::Raw(at("z.json")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn find_returns_businesses_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["a/catalog.yml", "a/features/f/catalog.yml", "b/catalog.yml", "b/scenarios/one.yml", "c/two.yml"] {
            fs::create_dir_all(at(name).parent().expect("a parent")).expect("made");
            fs::write(at(name), "").expect("written");
        }
        fs::create_dir(at("d")).expect("made");
        let found = find(&[folder.path().to_owned()]).expect("businesses");
        assert_eq!(found.businesses, [at("a"), at("b")]);
        assert_eq!(found.inputs, [at("b/scenarios/one.yml"), at("c/two.yml")].map(Input::Scenario));
        let of_feature = find(&[at("a/features/f/catalog.yml"), at("a/catalog.yml")]).expect("a business");
        assert_eq!(of_feature.businesses, [at("a")], "a feature is a part of its business");
        assert_eq!(find(&[at("a/catalog.yml")]).expect("a business").businesses, [at("a")]);
        let error = find(&[at("d")]).expect_err("nothing in it");
        assert_eq!(error.problem, "a folder without a business or cases");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_a_folder_is_an_error_and_is_never_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("a.jsonl");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("run");
        assert!(made.success());
        let error = collect(&[folder.path().to_owned()]).expect_err("a pipe");
        assert_eq!((&error.place.file, error.problem.as_str()), (&pipe, "not a regular file"));
        assert_eq!(collect(std::slice::from_ref(&pipe)), Ok(vec![Input::Raw(pipe.clone())]), "it is named itself");
        let events = r#"{"object":"event","id":"evt_1","type":"t","created":1,"data":{"object":{}}}"#;
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, events).expect("written")
        });
        let raw = read_raw(&Input::Raw(pipe), &mut std::io::empty(), "b").expect("an event");
        assert_eq!(raw.events().count(), 1);
        writer.join().expect("ended");
    }

    #[test]
    fn an_empty_folder_and_a_missing_file_are_bad_input() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = collect(&[folder.path().to_owned()]).expect_err("nothing in it");
        assert!(error.to_string().contains("a folder without cases"), "{error}");
        let error = collect(&[folder.path().join("no.yml")]).expect_err("missing");
        assert!(error.to_string().contains("no such file"), "{error}");
    }
}
