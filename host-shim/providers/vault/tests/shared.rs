//! Tests a vault in PostgreSQL, which several hosts share.

use counterparts::Postgres;
use host_provider_api::Secrets;
use host_store_postgres::small::{Place, SmallStore, copy};
use host_vault::{Keys, SHAPE, Vault, VaultError};
use std::path::PathBuf;
use std::thread;

const SCOPE: &str = "solobase/test/user:u1";

fn keys(digits: &str) -> Keys {
    let all: Vec<String> = digits.chars().map(|digit| digit.to_string().repeat(64)).collect();
    Keys::parse(&all.join(",")).expect("keys")
}

/// Hosts with a folder each and one database.
struct Hosts {
    folder: tempfile::TempDir,
    postgres: Postgres,
    place: Place,
}

impl Hosts {
    fn new() -> Hosts {
        let postgres = Postgres::start();
        let settings = postgres.database("vault").parse().expect("an address");
        let place = Place::Postgres { settings, owner: "solobase".to_owned() };
        Hosts { folder: tempfile::tempdir().expect("a folder"), postgres, place }
    }

    fn beside(&self, host: usize) -> PathBuf {
        let folder = self.folder.path().join(format!("host{host}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder.join("secrets.db")
    }

    fn open(&self, host: usize, digits: &str) -> Result<Vault, VaultError> {
        Vault::open_at(&self.place, &self.beside(host), keys(digits))
    }
}

#[test]
fn what_one_host_makes_the_other_reads_and_the_database_has_no_plain_value() {
    let hosts = Hosts::new();
    let [first, second] = [0, 1].map(|host| hosts.open(host, "1").expect("a vault"));
    let made = thread::scope(|scope| {
        let making = [&first, &second].map(|vault| scope.spawn(|| vault.make(SCOPE, "inst_1/database", 32)));
        making.map(|making| making.join().expect("no panic").expect("a secret"))
    });
    assert_eq!(made[0], made[1], "of two that make it at once, the first value stays");
    let kept = first.put(SCOPE, "stripe", "sk_live_canary").expect("kept");
    assert_eq!(second.resolve(SCOPE, &kept.reference).expect("its value").expose(), "sk_live_canary");
    assert!(second.resolve("solobase/test/user:u2", &kept.reference).is_err(), "another account");
    assert_eq!(second.list().expect("the list").len(), 2);
    let rows = hosts.postgres.sql("vault", "SELECT s::text FROM \"provisioner_vault:solobase\".secrets s");
    assert!(rows.contains(&kept.reference) && !rows.contains("canary"), "{rows}");
    second.forget(SCOPE, &kept.reference).expect("forgotten");
    assert!(first.resolve(SCOPE, &kept.reference).is_err());
}

#[test]
fn a_new_key_is_given_to_one_host_after_the_other() {
    let hosts = Hosts::new();
    let kept = hosts.open(0, "1").expect("a vault").put(SCOPE, "a", "value").expect("kept");
    let refused = hosts.open(1, "2").err().expect("another key");
    assert!(matches!(refused, VaultError::WrongKey { .. }), "{refused}");
    let [first, second] = [0, 1].map(|host| hosts.open(host, "21").expect("both keys"));
    assert_eq!(first.rotate().expect("rotated"), 1);
    assert_eq!(second.rotate().expect("rotated"), 0);
    assert_eq!(
        hosts.open(1, "2").expect("a vault").resolve(SCOPE, &kept.reference).expect("its value").expose(),
        "value"
    );
}

#[test]
fn a_vault_begun_by_one_host_is_that_of_the_others_and_the_former_one_is_kept() {
    let hosts = Hosts::new();
    let [first, second] = [0, 1].map(|host| hosts.open(host, "1").expect("a vault"));
    let made = first.make(SCOPE, "a", 32).expect("a secret");
    drop(second.put(SCOPE, "b", "value").expect("kept"));
    drop((first, second));
    let (new, kept) = Vault::begin_at(&hosts.place, &hosts.beside(0), keys("2")).expect("a new vault");
    assert!(new.is_begun_anew() && new.list().expect("its secrets").is_empty());
    assert!(kept.expect("where it is kept").starts_with("in the table `former_secrets` of postgres"));
    new.make(SCOPE, "c", 32).expect("a secret");
    for _ in 0..2 {
        let second = hosts.open(1, "2").expect("the new vault");
        assert!(second.is_begun_anew() && second.resolve(SCOPE, &made.reference).is_err());
    }
    let former = "SELECT count(*) FROM \"provisioner_vault:solobase\".former_secrets";
    assert_eq!(hosts.postgres.sql("vault", former).trim(), "2");
}

#[test]
fn an_emptied_or_exchanged_database_is_refused() {
    let hosts = Hosts::new();
    hosts.open(0, "1").expect("a vault").make(SCOPE, "a", 32).expect("a secret");
    hosts.postgres.sql("vault", "DROP SCHEMA \"provisioner_vault:solobase\" CASCADE");
    let refused = hosts.open(0, "1").err().expect("an empty vault");
    assert!(matches!(refused, VaultError::Missing { .. }), "{refused}");
    hosts.open(1, "1").expect("a new host begins the vault").make(SCOPE, "a", 32).expect("a secret");
    let refused = hosts.open(0, "1").err().expect("another vault");
    assert!(matches!(refused, VaultError::Exchanged { .. }), "{refused}");
}

#[test]
fn a_vault_moves_from_a_file_into_the_database() {
    let hosts = Hosts::new();
    let path = hosts.beside(0);
    let kept = Vault::open(&path, keys("1")).expect("a vault").put(SCOPE, "a", "value").expect("kept");
    let [from, to] = [&Place::File(path), &hosts.place].map(|place| SmallStore::open(place, &SHAPE).expect("tables"));
    assert_eq!(copy(&SHAPE, &from, &to).expect("copied"), 2, "a secret and the identity");
    let moved = hosts.open(0, "1").expect("the vault that belongs to the folder");
    assert_eq!(moved.resolve(SCOPE, &kept.reference).expect("its value").expose(), "value");
}
