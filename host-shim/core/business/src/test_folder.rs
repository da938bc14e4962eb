//! A folder of files for tests.

use crate::folder::BusinessFolder;
use crate::yaml::bad_input::Mistakes;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder that is deleted when this value is dropped.
pub(crate) struct TestFolder(TempDir);

impl TestFolder {
    /// Creates a folder with files, by their paths below it.
    pub(crate) fn of(files: &[(&str, &str)]) -> TestFolder {
        let folder = TestFolder(tempfile::tempdir().expect("a folder"));
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, text).expect("written");
    }

    pub(crate) fn load(&self) -> Result<BusinessFolder, Mistakes> {
        BusinessFolder::load(self.path())
    }

    /// Returns a text without the path of the folder.
    pub(crate) fn shorten(&self, text: &dyn ToString) -> String {
        text.to_string().replace(&self.path().display().to_string(), "")
    }
}
