//! Keeps authentic bytes that are not events as files in the data folder, for operators.

use crate::data::{DataFolder, write_private_bytes};
use host_api::Quarantine;
use host_intake::body::Quarantined;
use std::fs;

/// Folder in the data folder.
const FOLDER: &str = "quarantine";
/// Maximum number of files. Only a sender with the signing secret can fill the folder.
const FILES_MAX: usize = 1000;

/// The folder of quarantined bodies.
pub(crate) struct QuarantineFolder(pub(crate) DataFolder);

impl Quarantine for QuarantineFolder {
    /// Keeps the bytes under their hash. The delivery is answered in the same way if they cannot be kept.
    fn keep(&self, quarantined: &Quarantined) {
        let path = self.0.path(FOLDER);
        let kept = DataFolder::open(&path, None).and_then(|folder| {
            let files = fs::read_dir(&path).map_or(0, Iterator::count);
            match files < FILES_MAX {
                true => write_private_bytes(&folder.path(&quarantined.sha256), &quarantined.bytes),
                false => Ok(()),
            }
        });
        if let Err(error) = kept {
            tracing::error!(%error, "a quarantined body cannot be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_intake::testing::sign;
    use host_intake::{EndpointSecrets, Mode, Refused, SecretConfig, receive};

    #[test]
    fn authentic_bytes_are_kept_under_their_hash_once() {
        let secret = SecretConfig { name: "s".into(), mode: Mode::Test, connect: None, secret: "whsec_s".into() };
        let secrets = EndpointSecrets::new(vec![secret], 300).expect("a secret");
        let body = b"\xef\xbb\xbf[1]".to_vec();
        let signature = sign("whsec_s", 1_000, &body);
        let refused =
            receive("toys", &secrets, [signature.as_bytes()], body.clone(), 1_000_000).expect_err("no object");
        let Refused::Quarantined(quarantined) = refused else { panic!("{refused:?}") };
        let dir = tempfile::tempdir().expect("a folder");
        let folder = QuarantineFolder(DataFolder::open(dir.path(), None).expect("a folder"));
        folder.keep(&quarantined);
        folder.keep(&quarantined);
        let path = dir.path().join(FOLDER);
        assert_eq!(fs::read_dir(&path).expect("a folder").count(), 1);
        assert_eq!(fs::read(path.join(&quarantined.sha256)).expect("the bytes"), body);
    }
}
