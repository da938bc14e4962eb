//! Looks up variables in the process environment and in `.env` files. The process takes precedence, then the file that was added
//! last. An empty value counts as missing, so that a copied `.env.example` sets nothing.

use crate::config::dotenv::{self, Value};
use host_business::yaml::bad_input::{BadInput, Place};
use host_provider_api::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Name of the file with variables.
pub(crate) const DOT_ENV: &str = ".env";

/// Returns the names of the variables in a file such as `.env.example`.
///
/// # Errors
/// Fails with all faults of the file.
pub fn names_in_file(file: &Path) -> Result<BTreeSet<String>, Vec<BadInput>> {
    Ok(dotenv::read(file)?.into_keys().collect())
}

/// Variables of the process and of files.
#[derive(Clone, Default)]
pub struct Environment {
    process: BTreeMap<String, String>,
    /// The files, the one with the highest precedence last.
    files: Vec<(PathBuf, BTreeMap<String, Value>)>,
}

/// Omits the values.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.iter().map(|(file, _)| file);
        f.debug_struct("Environment").field("files", &files.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Environment {
    /// Returns the variables of the process. Those that are not UTF-8 are left out.
    pub fn of_this_process() -> Environment {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Environment { process: texts.collect(), files: Vec::new() }
    }

    /// Returns these variables as if they came from the process.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
        Environment { process: variables.into_iter().collect(), files: Vec::new() }
    }

    /// Adds the `.env` file of a folder, if it exists and has not been added before.
    ///
    /// # Errors
    /// Fails with all faults of the file.
    pub fn with_folder(mut self, folder: &Path) -> Result<Environment, Vec<BadInput>> {
        let file = folder.join(DOT_ENV);
        let same = |other: &Path| {
            other == file || matches!((other.canonicalize(), file.canonicalize()), (Ok(a), Ok(b)) if a == b)
        };
        if !self.files.iter().any(|(other, _)| same(other)) {
            let values = dotenv::read(&file)?;
            self.files.push((file, values));
        }
        Ok(self)
    }

    /// Returns only the variables of the process, in order to read the files again. A variable that the process got from a file, as a
    /// service does from systemd, is left out, because its value may have changed there.
    pub fn without_files(&self) -> Environment {
        let is_copy = |name: &str, value: &str| self.of_file(name).is_some_and(|(_, found)| found.text == value);
        let own = self.process.iter().filter(|(name, value)| !is_copy(name, value));
        Environment::of(own.map(|(name, value)| (name.clone(), value.clone())))
    }

    /// Returns the value of a variable; none if it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.of_process(name).or_else(|| Some(self.of_file(name)?.1.text.as_str()))
    }

    fn of_process(&self, name: &str) -> Option<&str> {
        self.process.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn of_file(&self, name: &str) -> Option<(&Path, &Value)> {
        let values = self.files.iter().rev().filter_map(|(file, values)| Some((file.as_path(), values.get(name)?)));
        values.into_iter().find(|(_, value)| !value.text.is_empty())
    }

    /// Returns the position of a variable, for messages.
    pub(crate) fn place_of(&self, name: &str) -> Place {
        match self.of_file(name).filter(|_| self.of_process(name).is_none()) {
            Some((file, value)) => Place::line(file, value.line),
            None => Place::file(Path::new("the environment")),
        }
    }

    /// Returns the variables of the files, for code that reads the process environment itself.
    pub fn of_files(&self) -> BTreeMap<String, Secret> {
        let names = self.files.iter().flat_map(|(_, values)| values.keys());
        names.filter_map(|name| Some((name.clone(), Secret::new(self.get(name)?)))).collect()
    }

    /// Returns the places where a variable may be set, for messages.
    pub(crate) fn places(&self) -> String {
        let files = self.files.iter().rev().map(|(file, _)| format!(" or in {}", file.display()));
        format!("in the environment{}", files.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_read_again_give_new_values_to_copies_and_to_no_other_variable_of_the_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |text: &str| std::fs::write(folder.path().join(DOT_ENV), text).expect("written");
        write("A=old\nB=old\n");
        let of_process = [("A", "old"), ("B", "own")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let started = Environment::of(of_process).with_folder(folder.path()).expect("a file");
        write("A=new\nB=new\n");
        let again = started.without_files().with_folder(folder.path()).expect("a file");
        assert_eq!(["A", "B"].map(|name| again.get(name)), [Some("new"), Some("own")]);
    }

    // covers: SOL-46
    #[test]
    fn the_process_takes_precedence_over_files_and_an_empty_value_is_none() {
        let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::fs::write(first.path().join(DOT_ENV), "A=first\nB=first\nC=first\nE=\n").expect("written");
        std::fs::write(second.path().join(DOT_ENV), "B=second\nC=\n").expect("written");
        let of_process = [("A", "process"), ("D", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::of(of_process).with_folder(first.path()).expect("a file");
        let environment =
            environment.with_folder(second.path()).expect("a file").with_folder(first.path()).expect("added");
        let values = ["A", "B", "C", "D", "E"].map(|name| environment.get(name));
        assert_eq!(values, [Some("process"), Some("second"), Some("first"), None, None]);
        let files: Vec<String> = environment.of_files().into_keys().collect();
        assert_eq!(files, ["A", "B", "C"]);
        assert!(!format!("{environment:?}").contains("second\""), "{environment:?}");
    }
}
