//! The data of a resource with `backup` and `variant`: the variant that replaces another one takes over its data. The new resource
//! is made, the old one is backed up, the new one is restored from this backup, and then the old one is freed. The resources that
//! need it are changed after the restore.

use crate::catalog::schema::Resource as Decl;
use crate::model::records::instance::{Data, InstanceRecord, ResourceState, ResourceStatus, is_late};
use crate::model::shared::Shared;

/// Returns whether a resource waits for the backup of its predecessor.
pub(super) fn lacks_data(resource: &ResourceState) -> bool {
    resource.data == Data::Due && resource.backup.is_none()
}

/// Returns the entry of the variant in service that a resource replaces.
fn predecessor<'r>(record: &'r InstanceRecord, decl: &Decl, name: &str) -> Option<&'r str> {
    use ResourceStatus::{BackingUp, Present};
    let has_data = |resource: &ResourceState| {
        resource.data == Data::Own && (resource.status.is_changing() || matches!(resource.status, Present | BackingUp))
    };
    let mut others = record.resources.iter().filter(|(entry, _)| decl.has(entry) && *entry != name && !is_late(entry));
    others.find(|(_, other)| has_data(other)).map(|(entry, _)| entry.as_str())
}

/// Returns the entry of another variant whose backup an archive has.
fn archived(record: &InstanceRecord, decl: &Decl, name: &str) -> Option<String> {
    let mut others = record.resources.iter().filter(|(entry, _)| decl.has(entry) && *entry != name);
    others.find(|(_, other)| other.status.is_missing() && other.backup.is_some()).map(|(entry, _)| entry.clone())
}

/// Prepares a resource that is to be in service: it must be restored if it replaces a variant in service, or if an archive has the
/// backup of another variant. Once a resource is in service, its backup is stale. The record is copied only for a
/// change.
pub(super) fn prepare(record: &mut Shared<InstanceRecord>, decl: &Decl, name: &str) {
    let replaces = predecessor(record, decl, name).is_some();
    let mut next = record.resources.get(name).cloned().unwrap_or_default();
    if next.status.is_missing() && replaces {
        (next.data, next.backup) = (Data::Due, None);
    } else if next.status.is_missing() && next.backup.is_none() {
        let Some(other) = archived(record, decl, name) else { return };
        next.backup = record.resources.get_mut(&other).and_then(|other| other.backup.take());
    } else if next.status == ResourceStatus::Present {
        next.backup = next.backup.filter(|_| next.data == Data::Due && !replaces);
        next.data = if replaces || next.backup.is_some() { Data::Due } else { Data::Own };
    } else {
        return;
    }
    if record.resources.get(name) != Some(&next) {
        record.resources.insert(name.to_owned(), next);
    }
}

/// Returns the predecessor whose data a made resource waits for.
pub(super) fn awaited<'r>(record: &'r InstanceRecord, decl: &Decl, name: &str) -> Option<&'r str> {
    let known = record.resources.get(name)?;
    let waits = known.status == ResourceStatus::Present && lacks_data(known) && !known.blocked;
    predecessor(record, decl, name).filter(|_| waits)
}

/// Gives the backup of the predecessor to its successor, which can then be restored.
pub(super) fn complete(record: &mut InstanceRecord, before: &str, name: &str) {
    let Some(old) = record.resources.get_mut(before) else { return };
    old.data = Data::HandedOver;
    let backup = old.backup.take();
    if let Some(new) = record.resources.get_mut(name) {
        new.backup = backup;
    }
}
