//! The file that says how providers are reached.

use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Bytes of the file at most.
const BYTES_MAX: u64 = 256 * 1024;

/// How providers are reached. Secrets stand in it by reference, `secret:env/NAME` or `secret:file/NAME`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder that `secret:file/NAME` is read from.
    pub secrets_folder: Option<PathBuf>,
}

/// A file of settings that can't be taken.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct SettingsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl Settings {
    /// What stands in a file.
    pub fn read(path: &Path) -> Result<Settings, SettingsError> {
        let error = |problem: String| SettingsError { path: path.to_owned(), problem };
        let bytes = std::fs::metadata(path).map_err(|cause| error(cause.to_string()))?.len();
        if bytes > BYTES_MAX {
            return Err(error(format!("it has {bytes} bytes: expected {BYTES_MAX} at most")));
        }
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        serde_saphyr::from_str(&text).map_err(|cause| error(cause.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_nobody_reads_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("providers.yml");
        std::fs::write(&path, "secrets_folder: /run/secrets\n").expect("a file");
        assert_eq!(Settings::read(&path).expect("settings").secrets_folder, Some("/run/secrets".into()));
        std::fs::write(&path, "secret_folder: x\n").expect("a file");
        let told = Settings::read(&path).expect_err("an unknown member").to_string();
        assert!(told.contains("providers.yml") && told.contains("secret_folder"), "{told}");
        assert!(Settings::read(&folder.path().join("absent.yml")).is_err());
    }
}
