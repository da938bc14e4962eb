//! `provisioner secrets`: an account's secrets are listed, rotated and removed, and never printed.

use crate::run::{Ran, run_with};
use std::path::Path;

const SCOPE: &str = "orchestra/test/user:o1";
const PLAIN: &str = "correct horse battery staple";

fn secrets(world: &Path, keys: &str, args: &[&str], stdin: &[u8]) -> Ran {
    let (verb, rest) = args.split_first().expect("a verb");
    let world = world.display().to_string();
    let args = [&["secrets", verb, "--world", &world], rest].concat();
    let ran = run_with(&args, stdin, &[("PROVISIONER_SECRETS_KEY", keys)]);
    assert!(!ran.stdout.contains(PLAIN) && !ran.stderr.contains(PLAIN), "{ran:?}");
    ran
}

#[test]
fn secrets_are_listed_rotated_and_removed_and_never_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = folder.path().join("world");
    let (old, new) = ("11".repeat(32), "22".repeat(32));
    let put = secrets(&world, &old, &["put", SCOPE, "db"], format!("{PLAIN}\n").as_bytes());
    assert_eq!((put.code, put.stderr.as_str()), (0, ""));
    let reference = put.stdout.trim();
    assert!(reference.starts_with("secret:vault/"), "{reference}");
    let again = secrets(&world, &old, &["put", SCOPE, "db"], b"another");
    assert_eq!(again.stdout.trim(), reference, "the same name has the same reference");
    let listed = secrets(&world, &old, &["list", "--format", "json"], b"");
    let [one] = listed.lines().try_into().expect("one secret");
    assert_eq!((&one["scope"], &one["name"], &one["reference"]), (&SCOPE.into(), &"db".into(), &reference.into()));

    let both = format!("{new},{old}");
    assert_eq!(secrets(&world, &both, &["rotate"], b"").stdout, "1 re-encrypted\n");
    assert_eq!(secrets(&world, &both, &["rotate"], b"").stdout, "0 re-encrypted\n");
    let rotated = secrets(&world, &new, &["list", "--format", "json"], b"").lines();
    assert_ne!(rotated[0]["key"], one["key"]);
    // The old key alone can't decrypt secrets that are encrypted with the new one.
    let (third, unopened) = ("33".repeat(32), secrets(&world, &format!("{},{old}", "33".repeat(32)), &["rotate"], b""));
    assert_eq!(unopened.code, 1, "{unopened:?}");
    assert!(
        unopened.stderr.contains("this vault is encrypted with key") && !unopened.stderr.contains(&third),
        "{unopened:?}"
    );

    assert_eq!(secrets(&world, &new, &["remove", SCOPE, reference], b"").code, 0);
    assert_eq!(secrets(&world, &new, &["list"], b"").stdout, "");
    let gone = secrets(&world, &new, &["remove", SCOPE, reference], b"");
    assert_eq!(gone.code, 2);
    assert!(gone.stderr.contains("is not a secret of orchestra/test/user:o1"), "{}", gone.stderr);
}

#[test]
fn wrong_keys_arguments_and_inputs_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = "11".repeat(32);
    let refused = |keys: &str, args: &[&str], stdin: &[u8], message: &str| {
        let ran = secrets(folder.path(), keys, args, stdin);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    };
    refused("", &["list"], b"", "64 hex digits");
    refused("zz", &["list"], b"", "64 hex digits");
    refused(&key, &["put", "user:o1", "db"], b"x", "business/test/ACCOUNT");
    refused(&key, &["put", "shop/test/nobody", "db"], b"x", "business/test/ACCOUNT");
    refused(&key, &["put", SCOPE, "db"], b"", "expected 1 to 16384");
    refused(&key, &["put", SCOPE, "db"], &[b'x'; 16_385], "expected 1 to 16384");
    refused(&key, &["put", SCOPE, "db"], &[0xff], "not UTF-8");
}
