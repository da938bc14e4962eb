//! Logins at an issuer.

use crate::{confirmed, identities, register};
use extension_contract::Account;
use host_identity::{Issued, Proof, Refused};
use std::sync::mpsc::channel;

fn of<'a>(subject: &'a str, email: Option<&'a str>) -> Issued<'a> {
    Issued { issuer: "https://id.example", subject, email, name: Some("Ada\n") }
}

#[test]
fn somebody_new_becomes_a_user_and_is_known_by_the_id_at_the_issuer() {
    for identity in identities() {
        let refused = identity.log_in_issued(of("s1", None), 1);
        assert!(matches!(refused, Err(Refused::Unproved)), "anybody can name an address");
        let first = identity.log_in_issued(of("s1", Some("Ada@Example.com")), 1).expect("logged in");
        let user = &first.user;
        assert_eq!((user.email.as_str(), user.name.as_deref()), ("ada@example.com", Some("Ada")));
        assert_eq!((user.confirmed_at, user.announced_at, user.is_operator), (Some(1), None, false));
        let again = identity.log_in_issued(of("s1", None), 2).expect("the address may change or be gone");
        assert_eq!(again.user.id, user.id);
        let other = Issued { issuer: "https://other.example", ..of("s1", None) };
        assert!(matches!(identity.log_in_issued(other, 2), Err(Refused::Unproved)), "the same id at another issuer");
        identity.users().delete(user, 3).expect("deleted");
        assert!(matches!(identity.log_in_issued(of("s1", None), 3), Err(Refused::Unproved)), "the user is gone");
    }
}

#[test]
fn whoever_has_another_address_at_the_issuer_has_it_here_too() {
    for identity in identities() {
        let address = |subject: &str, email: &str| {
            let login = identity.log_in_issued(of(subject, Some(email)), 2).expect("logged in");
            (login.user.email, login.proof)
        };
        address("s1", "old@example.com");
        let moved = Proof { taken_over: None, has_moved: true };
        assert_eq!(address("s1", "New@example.com"), ("new@example.com".into(), moved));
        assert_eq!(address("s1", "new@example.com").1, Proof::default(), "nothing is new");
        // Somebody has registered with the next address, and has not proved it.
        let eve = register(&identity, "next@example.com", "correct horse").expect("registered");
        let account = Account::User(eve.user.id.clone());
        let taken = Proof { taken_over: Some(account.clone()), has_moved: true };
        assert_eq!(address("s1", "next@example.com"), ("next@example.com".into(), taken));
        assert_eq!(identity.caller(&eve.token, 2).expect("read"), None, "who has proved nothing has to go");
        let me = identity.log_in_issued(of("s1", None), 3).expect("logged in").user;
        assert_eq!(identity.users().further_accounts(&me.id).expect("read"), [account]);
        // Who has proved the address keeps it.
        confirmed(&identity, "bob@example.com");
        assert_eq!(address("s1", "bob@example.com"), ("next@example.com".into(), Proof::default()));
    }
}

#[test]
fn a_registered_user_logs_in_at_the_issuer_too_and_nobody_else_keeps_the_account() {
    for identity in identities() {
        let registered = register(&identity, "ada@example.com", "correct horse").expect("registered");
        let (sender, answer) = channel();
        let issued = identity.log_in_issued(of("s1", Some("ada@example.com")), 1).expect("logged in");
        assert_eq!((&issued.user.id, issued.user.confirmed_at), (&registered.user.id, Some(1)));
        assert_eq!(issued.proof.taken_over, Some(Account::User(registered.user.id.clone())));
        assert_eq!(identity.caller(&registered.token, 1).expect("read"), None, "the address was not proved before");
        identity
            .log_in("ada@example.com", "correct horse".into(), 1, move |told| {
                sender.send(told.is_err()).expect("a receiver");
            })
            .expect("taken");
        assert!(answer.recv().expect("an answer"), "the password may be somebody else's");

        let proved = confirmed(&identity, "bob@example.com");
        let issued = identity.log_in_issued(of("s2", Some("bob@example.com")), 2).expect("logged in");
        assert_eq!(issued.user.id, proved.user.id);
        assert!(identity.caller(&proved.token, 2).expect("read").is_some(), "both ways are the user's");
    }
}
