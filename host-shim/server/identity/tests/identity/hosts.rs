//! Two hosts that use the same users at once.

use crate::{identity_of, in_postgresql, person, proved};
use extension_contract::Account;
use host_identity::{Identity, Issued, Link, LinkKind, Organization, Removed, Users};
use host_store_postgres::small::Place;
use std::sync::Barrier;
use std::thread;

const ROUNDS: usize = 20;

/// Two hosts of a place.
type Hosts = [Identity; 2];

/// Runs a test with two hosts that share a file, and with two that share a database.
fn shared(test: impl Fn(&Hosts)) {
    let folder = tempfile::tempdir().expect("a folder");
    for place in [Place::File(folder.path().join("users.db")), in_postgresql()] {
        println!("in {place}");
        test(&[0, 1].map(|_| identity_of(Users::open(&place).expect("users"))));
    }
}

/// Lets each host do something at the same time.
fn at_once<T: Send>(hosts: &Hosts, act: impl Fn(usize, &Identity) -> T + Sync) -> [T; 2] {
    let start = Barrier::new(hosts.len());
    let (act, start) = (&act, &start);
    thread::scope(|scope| {
        let acting = [0, 1].map(|number| {
            scope.spawn(move || {
                start.wait();
                act(number, &hosts[number])
            })
        });
        acting.map(|host| host.join().expect("no panic"))
    })
}

#[test]
fn a_link_is_used_by_one_of_two() {
    shared(|hosts| {
        for round in 0..ROUNDS {
            let (token, account) = (format!("t{round}"), Account::User("usr_1".into()));
            let email = "ada@example.com".to_owned();
            let link = Link {
                kind: LinkKind::Reset,
                livemode: false,
                email,
                account,
                roles: Vec::new(),
                sender: None,
                cause: None,
            };
            hosts[0].users().add_link(&token, &link, None, 0).expect("written");
            let mut used = at_once(hosts, |_, host| host.users().use_link(false, &token).expect("written"));
            used.sort_unstable();
            assert_eq!(used, [false, true]);
        }
    });
}

#[test]
fn of_two_owners_who_are_removed_at_once_one_stays() {
    shared(|hosts| {
        let users = hosts[0].users();
        for id in ["ada", "bob"] {
            assert!(users.add(&proved(id), "").expect("written"));
        }
        for round in 0..ROUNDS {
            let choir = Organization { id: format!("org_{round}"), name: "Choir".into(), created_at: 0 };
            assert!(users.found(false, &choir, "ada").expect("written"));
            users.join(&choir.id, "bob", &["owner".into()], 1).expect("written");
            let removed =
                at_once(hosts, |number, host| host.users().remove(&choir.id, ["ada", "bob"][number]).expect("written"));
            assert!(removed.contains(&Removed::Done) && removed.contains(&Removed::LastOwner), "{removed:?}");
            assert_eq!(users.members(&choir.id).expect("read").len(), 1);
        }
    });
}

#[test]
fn roles_that_two_give_a_member_at_once_are_both_kept() {
    shared(|hosts| {
        let users = hosts[0].users();
        assert!(users.add(&proved("ada"), "").expect("written"));
        for round in 0..ROUNDS {
            let choir = Organization { id: format!("org_{round}"), name: "Choir".into(), created_at: 0 };
            assert!(users.found(false, &choir, "ada").expect("written"));
            at_once(hosts, |number, host| {
                let role = ["billing", "member"][number].to_owned();
                host.users().join(&choir.id, "ada", &[role], 1).expect("written");
            });
            let (_, mut roles) = users.members(&choir.id).expect("read").remove(0);
            roles.sort();
            assert_eq!(roles, ["billing", "member", "owner"]);
        }
    });
}

#[test]
fn an_account_goes_to_one_of_two_users() {
    shared(|hosts| {
        for id in ["ada", "bob"] {
            assert!(hosts[0].users().add(&person(id), "").expect("written"));
        }
        for round in 0..ROUNDS {
            let account = Account::User(format!("usr_{round}"));
            let mut given = at_once(hosts, |number, host| {
                host.users().add_account(false, &account, ["ada", "bob"][number]).expect("written")
            });
            given.sort_unstable();
            assert_eq!(given, [false, true]);
        }
    });
}

#[test]
fn somebody_who_logs_in_at_an_issuer_twice_at_once_is_one_user() {
    shared(|hosts| {
        for round in 0..ROUNDS {
            let (subject, email) = (format!("s{round}"), format!("ada{round}@example.com"));
            let issued =
                Issued { issuer: "https://id.example", subject: &subject, email: Some(&email), name: Some("Ada") };
            let [first, second] = at_once(hosts, |_, host| host.log_in_issued(issued, 1).expect("logged in"));
            assert_eq!(first.user.id, second.user.id);
        }
        assert_eq!(hosts[1].users().all(false).expect("read").len(), ROUNDS);
    });
}

#[test]
fn a_session_that_one_host_ends_is_over_for_the_other() {
    shared(|hosts| {
        let issued = Issued { issuer: "https://id.example", subject: "s1", email: Some("ada@example.com"), name: None };
        let token = hosts[0].log_in_issued(issued, 1).expect("logged in").token;
        assert!(hosts[1].caller(&token, 2).expect("read").is_some());
        hosts[0].log_out(&token, 3).expect("written");
        assert_eq!(hosts[1].caller(&token, 3).expect("read"), None);
    });
}
