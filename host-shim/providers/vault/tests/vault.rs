//! Tests the contents of the vault's file, access to secrets, and key rotation.

use host_provider_api::{SecretError, Secrets};
use host_vault::{Keys, Vault, VaultError};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const SCOPE: &str = "solobase/test/user:u1";

fn key(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn open(path: &Path, keys: &str) -> Vault {
    Vault::open(path, Keys::parse(keys).expect("keys")).expect("a vault")
}

fn refusal(path: &Path, keys: &str) -> VaultError {
    Vault::open(path, Keys::parse(keys).expect("keys")).err().expect("the vault is refused")
}

// covers: ORC-24
#[test]
fn a_secret_is_made_once_and_readable_by_its_account_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = open(&folder.path().join("secrets.db"), &key('1'));
    let made = vault.make(SCOPE, "inst_1/database", 32).expect("a secret");
    assert_eq!(vault.make(SCOPE, "inst_1/database", 32), Ok(made.clone()), "the same name returns the same secret");
    let plain = vault.resolve(SCOPE, &made.reference).expect("its value");
    assert_eq!(plain.expose().len(), 64, "256 bits in hex");
    assert_eq!(made.sha256, hex::encode(Sha256::digest(plain.expose())));
    for other in ["solobase/live/user:u1", "solobase/test/user:u2", "twobot/test/user:u1"] {
        let found = vault.resolve(other, &made.reference);
        assert_eq!(found, Err(SecretError::Unknown(made.reference.clone())), "{other}");
    }
    let elsewhere = vault.make("solobase/test/user:u2", "inst_1/database", 32).expect("a secret");
    assert_ne!(elsewhere.reference, made.reference);
    assert!(vault.make(SCOPE, "short", 31).is_err(), "less than 256 bits");
}

#[test]
fn a_forgotten_secret_is_replaced_by_a_new_one() {
    let vault = Vault::in_memory().expect("a vault");
    let first = vault.make(SCOPE, "a", 32).expect("a secret");
    vault.forget("solobase/test/user:u2", &first.reference).expect("no error");
    assert!(vault.resolve(SCOPE, &first.reference).is_ok(), "another account can't forget it");
    vault.forget(SCOPE, &first.reference).expect("forgotten");
    vault.forget(SCOPE, &first.reference).expect("forgotten already");
    assert!(vault.resolve(SCOPE, &first.reference).is_err());
    assert_ne!(vault.make(SCOPE, "a", 32).expect("a secret").sha256, first.sha256);
}

#[test]
fn the_file_contains_no_plain_values_and_none_of_their_hashes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let vault = open(&path, &key('1'));
    vault.put(SCOPE, "stripe", "sk_live_canary_in_the_file").expect("kept");
    drop(vault);
    for entry in std::fs::read_dir(folder.path()).expect("the folder") {
        let bytes = std::fs::read(entry.expect("a file").path()).expect("its bytes");
        // Whoever has the file could find a value that a person chose by its hash, without the key.
        let hash = Sha256::digest("sk_live_canary_in_the_file");
        for canary in [b"sk_live_canary".as_slice(), hash.as_slice(), hex::encode(hash).as_bytes()] {
            let found = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!found, "the plain value or its hash is in a file");
        }
    }
}

#[test]
fn a_forgotten_secret_is_overwritten_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let vault = open(&path, &key('1'));
    let kept = vault.put(SCOPE, "stripe", "sk_test_value").expect("kept");
    let file = Connection::open(&path).expect("the file");
    let sealed: Vec<u8> = file.query_row("SELECT sealed FROM secrets", [], |row| row.get(0)).expect("what is stored");
    let stands = || {
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
        std::fs::read(&path).expect("its bytes").windows(sealed.len()).any(|window| window == sealed)
    };
    assert!(stands());
    vault.forget(SCOPE, &kept.reference).expect("forgotten");
    assert!(!stands());
}

#[cfg(unix)]
#[test]
fn the_file_is_accessible_to_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    std::fs::write(&path, "").expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    drop(open(&path, &key('1')));
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_copied_row_can_not_be_decrypted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let vault = open(&path, &key('1'));
    let (mine, theirs) =
        (vault.put(SCOPE, "mine", "mine").expect("kept"), vault.put(SCOPE, "theirs", "theirs").expect("kept"));
    let file = Connection::open(&path).expect("the file");
    file.execute(
        "UPDATE secrets SET (nonce, sealed) = (SELECT nonce, sealed FROM secrets WHERE reference = ?) WHERE reference = ?",
        [&theirs.reference, &mine.reference],
    )
    .expect("a copied row");
    let found = vault.resolve(SCOPE, &mine.reference);
    assert!(
        matches!(&found, Err(SecretError::Unavailable { reason, .. }) if reason.contains("not what was stored")),
        "{found:?}"
    );
}

#[test]
fn after_a_rotation_the_old_key_is_not_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let kept = open(&path, &key('1')).put(SCOPE, "stripe", "sk_test_value").expect("kept");
    let both = open(&path, &format!("{},{}", key('2'), key('1')));
    assert_eq!(both.resolve(SCOPE, &kept.reference).expect("by the old key").expose(), "sk_test_value");
    assert_eq!(both.rotate().expect("rotated"), 1);
    assert_eq!(both.rotate().expect("nothing left"), 0);
    drop(both);
    let new = open(&path, &key('2'));
    assert_eq!(new.resolve(SCOPE, &kept.reference).expect("by the new key").expose(), "sk_test_value");
    drop(new);
    let refused = refusal(&path, &key('1'));
    assert!(matches!(refused, VaultError::WrongKey { .. }), "the old key alone: {refused}");
}

#[test]
fn a_value_stored_during_a_rotation_stays() {
    const VALUES: u32 = 100;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let [writer, one, other] = ["1", "2,1", "1,2"]
        .map(|keys| open(&path, &keys.split(',').map(|it| it.repeat(64)).collect::<Vec<_>>().join(",")));
    // With this many secrets, a rotation takes some time.
    (0..40).for_each(|number| drop(writer.put(SCOPE, &format!("other-{number}"), "value").expect("kept")));
    let both = open(&path, &format!("{},{}", key('1'), key('2')));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                one.rotate().and_then(|_| other.rotate()).expect("rotated");
                // SQLite's lock is not fair: without a pause, the other writer would not get it.
                thread::sleep(Duration::from_millis(10));
            }
        });
        for value in 0..VALUES {
            let kept = writer.put(SCOPE, "stripe", &value.to_string()).expect("kept");
            thread::sleep(Duration::from_millis(2));
            let found = both.resolve(SCOPE, &kept.reference).map(|it| it.expose().to_owned());
            if found != Ok(value.to_string()) {
                is_over.store(true, Ordering::Relaxed);
                panic!("{value} was stored, but {found:?} was found");
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn too_large_or_empty_values_are_refused() {
    let vault = Vault::in_memory().expect("a vault");
    for value in ["", &"x".repeat(16 * 1024 + 1)] {
        let error = vault.put(SCOPE, "a", value).expect_err("not kept");
        assert!(matches!(error, VaultError::Size { .. }), "{error}");
    }
}

#[test]
fn a_wrong_key_is_refused_before_the_first_secret_and_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let vault = open(&path, &key('1'));
    for _ in 0..2 {
        let refused = refusal(&path, &key('2'));
        let message = refused.to_string();
        assert!(matches!(refused, VaultError::WrongKey { .. }), "{message}");
        assert!(message.contains("secrets.db") && message.contains("PROVISIONER_SECRETS_KEY"), "{message}");
        assert!(!message.contains(&"1".repeat(32)) && !message.contains(&"2".repeat(32)), "{message}");
        vault.make(SCOPE, "a", 32).expect("a secret");
    }
    // A vault with secrets of two keys needs both.
    open(&path, &format!("{},{}", key('2'), key('1'))).make(SCOPE, "b", 32).expect("a secret");
    assert!(matches!(refusal(&path, &key('1')), VaultError::WrongKey { .. }));
    assert!(matches!(refusal(&path, &key('2')), VaultError::WrongKey { .. }));
}

/// Removes the vault's file and its journal.
fn remove(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        // The journal exists only if the last connection did not close in order.
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    assert!(!path.exists());
}

#[test]
fn a_removed_vault_is_refused_until_it_is_restored_or_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    drop(open(&path, &key('1')));
    remove(&path);
    let vault = open(&path, &key('1'));
    let made = vault.make(SCOPE, "a", 32).expect("a secret");
    drop(vault);
    let backup = folder.path().join("backup");
    std::fs::copy(&path, &backup).expect("a copy");
    remove(&path);
    // The first refusal leaves an empty file, which the second one finds.
    for _ in 0..2 {
        let refused = refusal(&path, &key('1'));
        assert!(matches!(refused, VaultError::Missing { .. }), "{refused}");
        assert!(refused.to_string().contains("secrets begin"), "{refused}");
    }
    remove(&path);
    std::fs::copy(&backup, &path).expect("restored");
    assert!(open(&path, &key('1')).resolve(SCOPE, &made.reference).is_ok());
    remove(&path);
    let (new, kept) = Vault::begin(&path, Keys::parse(&key('1')).expect("keys")).expect("a new vault");
    assert!(new.is_begun_anew() && kept.is_none(), "{kept:?}");
    assert!(new.resolve(SCOPE, &made.reference).is_err());
    new.make(SCOPE, "a", 32).expect("a secret");
    drop(new);
    assert!(open(&path, &key('1')).is_begun_anew(), "the file says how it began");
}

#[test]
fn an_exchanged_vault_is_refused_and_begin_keeps_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let other = folder.path().join("other.db");
    open(&path, &key('1')).make(SCOPE, "a", 32).expect("a secret");
    let made = open(&other, &key('1')).make(SCOPE, "b", 32).expect("a secret");
    remove(&path);
    std::fs::copy(&other, &path).expect("exchanged");
    let refused = refusal(&path, &key('1'));
    assert!(matches!(refused, VaultError::Exchanged { .. }), "{refused}");
    let (new, kept) = Vault::begin(&path, Keys::parse(&key('1')).expect("keys")).expect("a new vault");
    assert!(new.list().expect("its secrets").is_empty());
    let kept = kept.expect("the exchanged file");
    let old = Vault::open(Path::new(&kept), Keys::parse(&key('1')).expect("keys")).expect("a vault");
    assert!(old.resolve(SCOPE, &made.reference).is_ok());
}

#[test]
fn concurrent_starts_of_a_new_vault_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets.db");
    let made: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> =
            (0..8).map(|_| scope.spawn(|| open(&path, &key('1')).make(SCOPE, "a", 32).expect("a secret"))).collect();
        starts.into_iter().map(|start| start.join().expect("it starts")).collect()
    });
    assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
    assert!(open(&path, &key('1')).resolve(SCOPE, &made[0].reference).is_ok());
}
