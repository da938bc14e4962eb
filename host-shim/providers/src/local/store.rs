//! The folder of all resources. Each resource has its own folder in it, whose name is a hash of the resource's full id.

use crate::local::error::LocalError;
use host_provider_api::names::letters;
use host_provider_api::{Call, ResourceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The file with the record of a resource. A folder without this file is not a resource.
const RECORD: &str = "resource.json";
/// The file that stores the port.
const PORT: &str = "port.json";
/// Folder of host name labels, each with the resource that took it last.
const LABELS: &str = "labels";

/// Folder of the platform's buckets, and prefix of the paths in them.
pub(crate) const SHARED: &str = "objects";

/// The record of an existing resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub scope: String,
    pub resource: String,
    pub id: String,
    /// `running` or `suspended`.
    pub state: String,
    /// Generation of the latest `ensure` or `change`.
    pub generation: u32,
    /// The outputs of `ensure`.
    pub outputs: Value,
    /// The payload members of all `ensure` and `change` calls, except `state`. A later value replaces an earlier value.
    pub settings: Map<String, Value>,
}

impl Resource {
    /// Creates a running resource from a call.
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
        made.apply(call);
        made
    }

    /// Applies a call's generation, state and settings.
    pub fn apply(&mut self, call: &Call) {
        self.generation = call.generation;
        if let Some(state) = call.text("state") {
            self.state = state.to_owned();
        }
        let requested = call.payload.as_object().into_iter().flatten().filter(|(name, _)| *name != "state");
        self.settings.extend(requested.map(|(name, value)| (name.clone(), value.clone())));
    }

    pub fn full_id(&self) -> ResourceId {
        ResourceId { scope: self.scope.clone(), resource: self.resource.clone(), id: self.id.clone() }
    }

    /// Returns a string of the outputs.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).and_then(Value::as_str)
    }

    /// Returns a string of the settings.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Value::as_str)
    }
}

/// The short name of a resource and its record, or the problem with it.
type ListedRecord = (String, Result<Resource, LocalError>);

/// The folder with all resources.
#[derive(Clone, Debug)]
pub(crate) struct ResourceStore {
    folder: PathBuf,
}

impl ResourceStore {
    /// Opens or creates the folder, with access for its owner only.
    pub fn open(folder: &Path) -> Result<ResourceStore, LocalError> {
        let parts = ["resources", "backups", LABELS, SHARED].map(|part| folder.join(part));
        for part in std::iter::once(folder.to_owned()).chain(parts) {
            fs::create_dir_all(&part).map_err(LocalError::io(&part))?;
        }
        only_for_owner(folder)?;
        Ok(ResourceStore { folder: folder.to_owned() })
    }

    /// Returns the path of a file in the folder itself.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns a path within the folder, relative to the folder.
    pub fn within(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).unwrap_or(path).to_owned()
    }

    /// Returns the random key in a file, if there is one.
    pub fn key(&self, name: &str) -> Result<Option<Vec<u8>>, LocalError> {
        let file = self.file(name);
        let key = read::<String>(&file)?.map(hex::decode);
        key.transpose().map_err(|error| LocalError::Content { path: file, error: error.to_string() })
    }

    /// Returns the random key in a file, creating it if needed. Calls must be made one at a time.
    pub fn key_or_new(&self, name: &str) -> Result<Vec<u8>, LocalError> {
        if let Some(known) = self.key(name)? {
            return Ok(known);
        }
        let file = self.file(name);
        let mut key = [0; 32];
        let failed =
            |error: getrandom::Error| LocalError::Io { path: file.clone(), error: std::io::Error::other(error) };
        getrandom::fill(&mut key).map_err(failed)?;
        write(&file, &hex::encode(key))?;
        Ok(key.to_vec())
    }

    /// Returns the stored port of the HTTP server.
    pub fn port(&self) -> Result<Option<u16>, LocalError> {
        read(&self.file(PORT))
    }

    /// Stores the port of the HTTP server.
    pub fn set_port(&self, port: u16) -> Result<(), LocalError> {
        write(&self.file(PORT), &port)
    }

    /// Opens a file that processes lock in turn.
    pub fn lock_file(&self, name: &str) -> Result<File, LocalError> {
        let path = self.file(name);
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        opened.map_err(LocalError::io(&path))
    }

    /// Returns the folder of backups. It is separate from the databases' folders, so backups remain when a database is
    /// destroyed.
    pub fn backups(&self) -> PathBuf {
        self.folder.join("backups")
    }

    /// Returns the path of a resource's folder, which may not exist.
    pub fn folder_of(&self, id: &ResourceId) -> PathBuf {
        self.folder.join("resources").join(letters(id))
    }

    pub fn find(&self, id: &ResourceId) -> Result<Option<Resource>, LocalError> {
        read(&self.folder_of(id).join(RECORD))
    }

    /// Returns the resource whose folder has this name.
    pub fn by_letters(&self, letters: &str) -> Result<Option<Resource>, LocalError> {
        let is_name =
            !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        match is_name {
            true => read(&self.folder.join("resources").join(letters).join(RECORD)),
            false => Ok(None),
        }
    }

    /// Returns all resources with readable records.
    pub fn all(&self) -> Result<Vec<Resource>, LocalError> {
        Ok(self.list()?.into_iter().filter_map(|(_, found)| found.ok()).collect())
    }

    /// Returns the short names of the resources whose records can't be read, with the problems.
    pub fn unreadable(&self) -> Result<Vec<(String, LocalError)>, LocalError> {
        Ok(self.list()?.into_iter().filter_map(|(name, found)| Some((name, found.err()?))).collect())
    }

    /// Reads the records of all resources. A broken record is an entry with an error, so it does not hide the others.
    fn list(&self) -> Result<Vec<ListedRecord>, LocalError> {
        let folder = self.folder.join("resources");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(LocalError::io(&folder))? {
            let entry = entry.map_err(LocalError::io(&folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(read) = read::<Resource>(&entry.path().join(RECORD)).transpose() {
                found.push((name, read));
            }
        }
        Ok(found)
    }

    /// Remembers the resource that takes a host name label, even after the resource is destroyed.
    pub fn remember_label(&self, label: &str, id: &ResourceId) -> Result<(), LocalError> {
        write(&self.label_file(label), &(&id.scope, &id.resource, &id.id))
    }

    /// Returns the resource that took a label last. The label must be valid, because it is part of a path.
    pub fn holder_of_label(&self, label: &str) -> Result<Option<ResourceId>, LocalError> {
        let found: Option<(String, String, String)> = read(&self.label_file(label))?;
        Ok(found.map(|(scope, resource, id)| ResourceId { scope, resource, id }))
    }

    fn label_file(&self, label: &str) -> PathBuf {
        self.folder.join(LABELS).join(format!("{label}.json"))
    }

    /// Stores a resource's record atomically.
    pub fn save(&self, resource: &Resource) -> Result<(), LocalError> {
        let folder = self.folder_of(&resource.full_id());
        fs::create_dir_all(&folder).map_err(LocalError::io(&folder))?;
        write(&folder.join(RECORD), resource)
    }

    /// Removes a resource. The record is removed first, because a folder without a record is not a resource.
    pub fn remove(&self, id: &ResourceId) -> Result<(), LocalError> {
        let folder = self.folder_of(id);
        for gone in [fs::remove_file(folder.join(RECORD)), fs::remove_dir_all(&folder)] {
            match gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LocalError::Io { path: folder, error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads a JSON file, if it exists.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, LocalError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| LocalError::Content { path: path.to_owned(), error: error.to_string() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LocalError::Io { path: path.to_owned(), error }),
    }
}

/// Writes a file atomically: after a crash it has either the old or the new contents.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), LocalError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| LocalError::Content { path: path.to_owned(), error: error.to_string() })?;
    write_bytes(path, &text)
}

/// Writes a file atomically and durably. Another process that writes it at the same time uses a different temporary
/// file.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), LocalError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let new = path.with_extension(format!("{}-{number}.new", std::process::id()));
    let mut file = File::create(&new).map_err(LocalError::io(&new))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(LocalError::io(&new))?;
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
