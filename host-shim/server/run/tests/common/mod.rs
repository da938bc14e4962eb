//! Writes configuration files and businesses for tests.

use host_business::yaml::bad_input::BadInput;
use host_run::config::{Environment, ServerConfig};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with a configuration file.
pub struct Folder(pub TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// Reads the configuration file with this text.
    pub fn read(&self, text: &str, environment: &Environment) -> Result<ServerConfig, Vec<BadInput>> {
        self.write("solobase.config.yml", text);
        Ok(ServerConfig::read(&self.path("solobase.config.yml"), environment)?)
    }

    /// Returns the faults of the configuration file with this text, each as line and message.
    pub fn faults(&self, text: &str, environment: &Environment) -> Vec<(usize, String)> {
        let faults = self.read(text, environment).err().unwrap_or_default();
        faults.iter().map(|bad| (bad.place.line, bad.to_string())).collect()
    }
}

pub fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}
