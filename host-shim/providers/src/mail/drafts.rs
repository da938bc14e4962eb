//! Removes drafts of mails that a killed process left in the folder.

use std::fs::{self, DirEntry, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Prefix of a draft's file name.
pub(crate) const PREFIX: &str = ".draft-";
/// Age at which a draft without a lock is removed. A writer locks its draft immediately after creating it, and this age
/// is much longer than the time in between.
const OLD: Duration = Duration::from_secs(60);

/// Removes old drafts that no process is writing. Other drafts, and drafts that can't be removed, stay until the next
/// start.
pub(crate) fn clean(folder: &Path) {
    // Without the folder there are no drafts.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(is_left_over) {
        // The next start tries again.
        let _ = fs::remove_file(entry.path());
    }
}

fn is_left_over(entry: &DirEntry) -> bool {
    let is_draft = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
    let written = entry.metadata().and_then(|known| known.modified()).ok();
    let is_old =
        written.and_then(|written| SystemTime::now().duration_since(written).ok()).is_some_and(|age| age > OLD);
    is_draft && is_old && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_drafts_that_nobody_writes_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str, age: Duration| {
            let file = File::create(folder.path().join(name)).expect("a file");
            file.set_modified(SystemTime::now() - age).expect("its age");
            file
        };
        make(".draft-old", OLD * 2);
        make(".draft-new", Duration::ZERO);
        make("mail.eml", OLD * 2);
        let written = make(".draft-written", OLD * 2);
        written.lock().expect("a lock");
        clean(folder.path());
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, [".draft-new", ".draft-written", "mail.eml"]);
    }
}
