//! Keys in a SQLite file and in PostgreSQL, and keys that two hosts share.

use counterparts::Postgres;
use extension_contract::{Account, Actor, ActorKind};
use host_identity::access::{Keys, NewKey, Reach, SHAPE, Token};
use host_store::Partition;
use host_store_postgres::small::{Place, SmallStore, copy};
use std::thread;

/// The two places, empty.
struct Places {
    folder: tempfile::TempDir,
    postgres: Postgres,
}

impl Places {
    fn new() -> Places {
        Places { folder: tempfile::tempdir().expect("a folder"), postgres: Postgres::start() }
    }

    fn all(&self) -> [Place; 2] {
        let settings = self.postgres.shared_database("keys").parse().expect("an address");
        [Place::File(self.folder.path().join("keys.db")), Place::Postgres { settings, owner: "toys".to_owned() }]
    }

    /// Returns all that the places keep.
    fn bytes(&self) -> Vec<u8> {
        let file = std::fs::read(self.folder.path().join("keys.db")).expect("the file");
        let rows = self.postgres.sql("keys", "SELECT * FROM \"provisioner_keys:toys\".keys");
        [file, rows.into_bytes()].concat()
    }
}

fn of_user() -> NewKey {
    let account = Account::User("u_1".to_owned());
    NewKey {
        name: "laptop".to_owned(),
        partition: Partition { business: "toys".to_owned(), livemode: false },
        actor: Actor { kind: ActorKind::User, subject: "u_1".to_owned(), roles: vec!["member".to_owned()] },
        reach: Reach::Accounts(vec![account]),
    }
}

fn is_known(keys: &Keys, token: &Token) -> bool {
    keys.verify(token).expect("read").is_some()
}

#[test]
fn a_key_is_verified_until_it_is_revoked_by_any_host() {
    let places = Places::new();
    for place in places.all() {
        let [keys, other] = [0, 1].map(|_| Keys::open(&place).expect("keys"));
        let token = keys.make(&of_user(), 1).expect("made");
        let caller = other.verify(&token).expect("read").expect("known");
        assert_eq!((&caller.actor, &caller.reach), (&of_user().actor, &of_user().reach), "{place}");
        assert!(caller.reaches(&Account::User("u_1".into())) && !caller.reaches(&Account::Platform), "{place}");
        assert_eq!(other.list().expect("read").len(), 1, "{place}");
        assert!(other.revoke(token.id(), 2).expect("written"), "{place}");
        assert!(!other.revoke(token.id(), 3).expect("written"), "{place}: it is revoked");
        assert_eq!(keys.verify(&token).expect("read"), None, "{place}");
        assert_eq!(keys.list().expect("read")[0].revoked_at, Some(2), "{place}");
    }
}

#[test]
fn the_secret_of_another_key_does_not_fit_and_no_secret_is_kept() {
    let places = Places::new();
    let secret_of = |token: &Token| token.expose().rsplit('_').next().expect("a secret").to_owned();
    let mut secrets = Vec::new();
    for place in places.all() {
        let keys = Keys::open(&place).expect("keys");
        let operator = NewKey { reach: Reach::All, ..of_user() };
        let [first, second] = [of_user(), operator].map(|key| keys.make(&key, 1).expect("made"));
        let mixed = Token::parse(&format!("key_{}_{}", first.id(), secret_of(&second))).expect("a key");
        assert!(!is_known(&keys, &mixed), "{place}");
        assert!(!is_known(&keys, &Token::random().expect("random bytes")), "{place}");
        assert!(is_known(&keys, &second), "{place}");
        secrets.extend([secret_of(&first), secret_of(&second)]);
    }
    let bytes = places.bytes();
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("laptop") && !secrets.iter().any(|secret| has(secret)));
}

#[test]
fn of_hosts_that_revoke_a_key_at_once_one_does_and_all_refuse_it() {
    let places = Places::new();
    for place in places.all() {
        let hosts = [0, 1].map(|_| Keys::open(&place).expect("keys"));
        for now in 0..20 {
            let token = hosts[0].make(&of_user(), now).expect("made");
            let revoked = thread::scope(|scope| {
                let revokes = hosts.each_ref().map(|host| {
                    let token = &token;
                    scope.spawn(move || {
                        let is_first = host.revoke(token.id(), now).expect("written");
                        assert!(!is_known(host, token), "a key that is revoked is refused at once");
                        is_first
                    })
                });
                revokes.map(|revoke| revoke.join().expect("no panic"))
            });
            assert_eq!(revoked.into_iter().filter(|is_first| *is_first).count(), 1, "{place}");
        }
    }
}

#[test]
fn keys_move_to_another_place() {
    let places = Places::new();
    let [file, database] = places.all();
    let token = Keys::open(&file).expect("keys").make(&of_user(), 1).expect("made");
    let [from, to] = [&file, &database].map(|place| SmallStore::open(place, &SHAPE).expect("tables"));
    assert_eq!(copy(&SHAPE, &from, &to).expect("copied"), 1);
    assert!(is_known(&Keys::open(&database).expect("keys"), &token));
}
