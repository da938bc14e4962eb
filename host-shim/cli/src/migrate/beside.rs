//! Copies what a server stores in addition to its accounts: API keys, users, secrets and webhook endpoints.

use anyhow::Context;
use host_providers::{SECRETS, VAULT};
use host_run::data::{DataFolder, KEYS, PROVIDERS, SERVER, STORE, USERS};
use host_run::{BACKUPS, backups_of, webhooks_of};
use host_store::{Partition, Read};
use host_store_postgres::Settings;
use host_store_postgres::small::{Place, Shape, SmallStore, copy};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Tables in a file, and their owner in the database.
struct Part {
    shape: Shape,
    file: PathBuf,
    owner: String,
}

/// The data folder of a business, and the database.
pub(super) struct Parts {
    folder: PathBuf,
    settings: Settings,
    parts: Vec<Part>,
}

impl Parts {
    /// Returns the parts that belong to a store; none if the file is not in a data folder.
    pub(super) fn of(store: &impl Read, file: &Path, settings: &Settings) -> anyhow::Result<Option<Parts>> {
        let Some(folder) = file.parent().filter(|_| file.ends_with(STORE)).map(Path::to_owned) else { return Ok(None) };
        let scopes = store.scopes(None).context("the businesses of the store can't be read")?;
        let businesses: BTreeSet<String> = scopes.into_iter().map(|scope| scope.business).collect();
        let mut businesses = businesses.into_iter();
        let (Some(business), None) = (businesses.next(), businesses.next()) else {
            anyhow::bail!(
                "{}: the data folder of a server has one business, and the store has none or several: copy into a file with \
                 another name",
                file.display()
            );
        };
        let part = |shape, file: PathBuf, owner: &str| Part { shape, file, owner: owner.to_owned() };
        let mut parts = vec![
            part(host_identity::access::SHAPE, keys(&folder), SERVER),
            part(host_identity::SHAPE, folder.join(USERS), &business),
            part(VAULT, folder.join(PROVIDERS).join(SECRETS), &business),
        ];
        for livemode in [false, true] {
            let (file, owner) = webhooks_of(&Partition { business: business.clone(), livemode });
            parts.push(part(host_api::webhooks::SHAPE, folder.join(file), &owner));
            let (file, owner) = backups_of(&Partition { business: business.clone(), livemode });
            parts.push(part(BACKUPS, folder.join(file), &owner));
        }
        Ok(Some(Parts { folder, settings: settings.clone(), parts }))
    }

    fn place(&self, part: &Part) -> Place {
        Place::Postgres { settings: self.settings.clone(), owner: part.owner.clone() }
    }

    /// Copies the files that exist into the database.
    pub(super) fn copy_into_database(&self) -> anyhow::Result<()> {
        for part in self.parts.iter().filter(|part| part.file.is_file()) {
            copied(part, &Place::File(part.file.clone()), &self.place(part))?;
        }
        Ok(())
    }

    /// Copies the tables of the database into files.
    pub(super) fn copy_into_files(&self) -> anyhow::Result<()> {
        for part in &self.parts {
            if let Some(folder) = part.file.parent() {
                std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            }
            copied(part, &self.place(part), &Place::File(part.file.clone()))?;
        }
        Ok(())
    }

    /// Records in the folder that everything is in the database.
    pub(super) fn note_database(&self) -> anyhow::Result<()> {
        Ok(DataFolder::moved(&self.folder, Some(&self.settings))?)
    }

    /// Records in the folder that everything is in its files.
    pub(super) fn note_files(&self) -> anyhow::Result<()> {
        Ok(DataFolder::moved(&self.folder, None)?)
    }
}

/// Returns the file of API keys: with several businesses, it is in their parent folder.
fn keys(folder: &Path) -> PathBuf {
    let above = folder.parent().map(|above| above.join(KEYS)).filter(|file| file.is_file());
    above.filter(|_| !folder.join(KEYS).is_file()).unwrap_or_else(|| folder.join(KEYS))
}

fn copied(part: &Part, from: &Place, to: &Place) -> anyhow::Result<()> {
    let open = |place: &Place| SmallStore::open(place, &part.shape).with_context(|| place.to_string());
    let (from, to) = (open(from)?, open(to)?);
    copy(&part.shape, &from, &to).map(drop).with_context(|| format!("the copy of {} failed", part.file.display()))
}
