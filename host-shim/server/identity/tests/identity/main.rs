//! The same users in memory and in PostgreSQL behave the same, and several hosts share them.

mod copies;
mod hosts;
mod invitations;
mod issued;
mod keys;
mod leaving;
mod links;
mod organizations;
mod recipients;
mod search;
mod sessions;
mod users;

use counterparts::Postgres;
use extension_contract::Account;
use host_identity::{Address, Hasher, Identity, Link, LinkKind, LoggedIn, NewUser, Refused, Signer, User, Users};
use host_store::Partition;
use host_store_postgres::small::Place;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

/// Returns an empty place in PostgreSQL.
fn in_postgresql() -> Place {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let settings = Postgres::shared().shared_database("users").parse().expect("an address");
    Place::Postgres { settings, owner: NEXT.fetch_add(1, Ordering::Relaxed).to_string() }
}

/// Opens users in each of the two places.
fn all_users() -> impl Iterator<Item = Users> {
    [Place::Memory, in_postgresql()].into_iter().map(|place| {
        println!("in {place}");
        Users::open(place).expect("users")
    })
}

fn identity_of(users: Users) -> Identity {
    let partition = Partition { business: "shop".into(), livemode: false };
    let signer = Signer::new("shop/test", &[("k1".into(), vec![7; 32])]).expect("a signer");
    Identity::new(partition, Arc::new(users), Hasher::start(1, 8).expect("a thread"), signer)
}

/// Opens users in each of the two places, with what serves them.
fn identities() -> impl Iterator<Item = Identity> {
    all_users().map(identity_of)
}

fn register(identity: &Identity, email: &str, password: &str) -> Result<LoggedIn, Refused> {
    let (sender, answer) = channel();
    let new = NewUser { email: email.into(), password: password.into(), name: None, is_operator: false };
    identity.register(new, 0, move |told| sender.send(told).expect("a receiver"))?;
    answer.recv().expect("an answer")
}

/// Registers a user who proves the address at once.
fn confirmed(identity: &Identity, email: &str) -> LoggedIn {
    let login = register(identity, email, "correct horse").expect("registered");
    let (user, session) = identity.user(&login.token, 0).expect("read").expect("a session");
    let token = identity.link_token().expect("random");
    let address = Address::parse(email).expect("an address");
    let link = Link::new(LinkKind::Confirm, false, &address, Account::User(user.id.clone()));
    assert!(identity.users().add_link(&token, &link, None, 0).expect("written"));
    LoggedIn { user: identity.confirm(&token, (&user, &session), 0).expect("confirmed"), ..login }
}

/// A user without a password, who has proved the address.
fn proved(id: &str) -> User {
    User { confirmed_at: Some(0), ..person(id) }
}

/// A user without a password.
fn person(id: &str) -> User {
    User {
        id: id.into(),
        livemode: false,
        email: format!("{id}@example.com"),
        name: None,
        is_operator: false,
        created_at: 0,
        announced_at: None,
        confirmed_at: None,
    }
}
