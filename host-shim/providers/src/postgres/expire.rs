//! Deletes scheduled backups that have expired.

use crate::postgres::PROVIDER;
use crate::postgres::backup::BackupManifest;
use crate::postgres::config::Config;
use crate::postgres::names;
use host_provider_api::{BackupExpiry, NotExpired};
use std::{fs, io};

/// Deletes the expired backups and returns their number. An unreadable manifest is an error, but does not prevent the deletion of the
/// others.
pub(crate) fn expire(config: &Config, expiry: &BackupExpiry<'_>) -> Result<usize, NotExpired> {
    let failed = |error: io::Error| NotExpired { provider: PROVIDER, reason: error.to_string() };
    let mut failure = None;
    let mut scheduled = Vec::new();
    for id in complete(config).map_err(failed)? {
        match BackupManifest::find(config, &id) {
            Ok(found) => scheduled.extend(found.and_then(|manifest| Some((manifest.schedule?, id)))),
            Err(error) => failure = Some(io::Error::other(format!("{id}.json: {error}"))),
        }
    }
    let mut deleted = 0;
    for id in expiry.expired(scheduled) {
        // If only the file is deleted, its manifest leads to another attempt next time.
        let gone = delete(&BackupManifest::file(config, &id)).and_then(|()| delete(&BackupManifest::path(config, &id)));
        match gone {
            Ok(()) => deleted += 1,
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(deleted), |error| Err(failed(error)))
}

/// Returns the ids of the backups that have a manifest.
fn complete(config: &Config) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(&config.backups) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
        ids.extend(id.filter(|id| names::is_backup(id)).map(str::to_owned));
    }
    Ok(ids)
}

fn delete(path: &std::path::Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
