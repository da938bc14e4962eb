//! The folder in which each resource has a folder of its own, named by a hash of its whole id.

use crate::error::LocalError;
use host_provider_api::names::letters;
use host_provider_api::{Call, ResourceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file that says what a resource is; a folder without it is none.
const RECORD: &str = "resource.json";

/// A resource that exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub scope: String,
    pub resource: String,
    pub id: String,
    /// `running` or `suspended`.
    pub state: String,
    /// Generation of the last call that made or changed it.
    pub generation: u32,
    /// What `ensure` answered.
    pub outputs: Value,
    /// What `ensure` and `change` asked for, the last one of each name.
    pub settings: Map<String, Value>,
}

impl Resource {
    /// One that runs, as a call asks for it.
    pub fn new(call: &Call, outputs: Value) -> Resource {
        let ResourceId { scope, resource, id } = call.resource_id();
        let mut made = Resource {
            scope,
            resource,
            id,
            state: "running".to_owned(),
            generation: call.generation,
            outputs,
            settings: Map::new(),
        };
        made.take(call);
        made
    }

    /// Takes over what a call asks for.
    pub fn take(&mut self, call: &Call) {
        self.generation = call.generation;
        if let Some(state) = call.text("state") {
            self.state = state.to_owned();
        }
        let asked = call.payload.as_object().into_iter().flatten().filter(|(name, _)| *name != "state");
        self.settings.extend(asked.map(|(name, value)| (name.clone(), value.clone())));
    }

    pub fn full_id(&self) -> ResourceId {
        ResourceId { scope: self.scope.clone(), resource: self.resource.clone(), id: self.id.clone() }
    }

    /// A text among the outputs.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).and_then(Value::as_str)
    }

    /// A text among the settings.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Value::as_str)
    }
}

/// All resources of one folder.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The folder, made if need be, for its owner alone.
    pub fn open(folder: &Path) -> Result<Shelf, LocalError> {
        for part in [folder.to_owned(), folder.join("resources"), folder.join("backups")] {
            fs::create_dir_all(&part).map_err(LocalError::io(&part))?;
        }
        only_for_owner(folder)?;
        Ok(Shelf { folder: folder.to_owned() })
    }

    /// A file of the folder itself.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of backups, which outlive their databases.
    pub fn backups(&self) -> PathBuf {
        self.folder.join("backups")
    }

    /// The folder of a resource, whether or not there is one.
    pub fn place(&self, id: &ResourceId) -> PathBuf {
        self.folder.join("resources").join(letters(id))
    }

    pub fn find(&self, id: &ResourceId) -> Result<Option<Resource>, LocalError> {
        read(&self.place(id).join(RECORD))
    }

    /// The resource of this short name, which is the last part of its folder.
    pub fn by_letters(&self, letters: &str) -> Result<Option<Resource>, LocalError> {
        let is_name =
            !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        match is_name {
            true => read(&self.folder.join("resources").join(letters).join(RECORD)),
            false => Ok(None),
        }
    }

    /// Every resource.
    pub fn all(&self) -> Result<Vec<Resource>, LocalError> {
        let folder = self.folder.join("resources");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(LocalError::io(&folder))? {
            let entry = entry.map_err(LocalError::io(&folder))?;
            found.extend(read::<Resource>(&entry.path().join(RECORD))?);
        }
        Ok(found)
    }

    /// Keeps a resource: its record is there whole or not at all.
    pub fn keep(&self, resource: &Resource) -> Result<(), LocalError> {
        let place = self.place(&resource.full_id());
        fs::create_dir_all(&place).map_err(LocalError::io(&place))?;
        write(&place.join(RECORD), resource)
    }

    /// The record goes first: what is left of a folder without one is nobody's.
    pub fn remove(&self, id: &ResourceId) -> Result<(), LocalError> {
        let place = self.place(id);
        for gone in [fs::remove_file(place.join(RECORD)), fs::remove_dir_all(&place)] {
            match gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LocalError::Io { path: place, error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What stands in a file, if there is one.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, LocalError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| LocalError::Content { path: path.to_owned(), error: error.to_string() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LocalError::Io { path: path.to_owned(), error }),
    }
}

/// Writes a file whole: after a crash there is the old one or the new one.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), LocalError> {
    let new = path.with_extension("new");
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| LocalError::Content { path: path.to_owned(), error: error.to_string() })?;
    let mut file = File::create(&new).map_err(LocalError::io(&new))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(LocalError::io(&new))?;
    fs::rename(&new, path).map_err(LocalError::io(path))
}

#[cfg(unix)]
fn only_for_owner(folder: &Path) -> Result<(), LocalError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(LocalError::io(folder))
}

#[cfg(not(unix))]
fn only_for_owner(_: &Path) -> Result<(), LocalError> {
    Ok(())
}
