//! The data of a resource with `backup` and `variant`: the variant that replaces another one takes over its data. The new resource
//! is made, the old one is backed up, the new one is restored from this backup, and then the old one is freed. The resources that
//! need it are changed after the restore.

use crate::catalog::schema::Resource as Decl;
use crate::model::records::instance::{InstanceRecord, ResourceState, ResourceStatus, is_late};

/// Returns whether a resource waits for the backup of its predecessor.
pub(super) fn lacks_data(resource: &ResourceState) -> bool {
    resource.restore_due && resource.backup.is_none()
}

/// Returns the entry of the variant in service that a resource replaces.
fn predecessor<'r>(record: &'r InstanceRecord, decl: &Decl, name: &str) -> Option<&'r str> {
    use ResourceStatus::{BackingUp, Changing, Present};
    let has_data =
        |r: &ResourceState| matches!(r.status, Present | Changing | BackingUp) && !r.handed_over && !r.restore_due;
    let mut others = record.resources.iter().filter(|(entry, _)| decl.has(entry) && *entry != name && !is_late(entry));
    others.find(|(_, other)| has_data(other)).map(|(entry, _)| entry.as_str())
}

/// Prepares a resource that is to be in service: it must be restored if it replaces a variant in service, or if an archive has the
/// backup of another variant. The backup of a resource in service is no longer its data.
pub(super) fn prepare(record: &mut InstanceRecord, decl: &Decl, name: &str) {
    let replaces = predecessor(record, decl, name).is_some();
    let known = record.resources.get(name).cloned().unwrap_or_default();
    let next = match known.status {
        status if status.is_missing() && replaces => ResourceState { restore_due: true, backup: None, ..known.clone() },
        status if status.is_missing() && known.backup.is_none() => {
            let others = record.resources.iter_mut().filter(|(entry, _)| decl.has(entry) && *entry != name);
            let archived =
                others.filter(|(_, other)| other.status.is_missing()).find_map(|(_, other)| other.backup.take());
            ResourceState { backup: archived, ..known.clone() }
        }
        ResourceStatus::Present => {
            let backup = known.backup.clone().filter(|_| known.restore_due && !replaces);
            let restore_due = replaces || backup.is_some();
            ResourceState { restore_due, backup, handed_over: false, ..known.clone() }
        }
        _ => return,
    };
    if next != known {
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
    old.handed_over = true;
    let backup = old.backup.take();
    if let Some(new) = record.resources.get_mut(name) {
        new.backup = backup;
    }
}
