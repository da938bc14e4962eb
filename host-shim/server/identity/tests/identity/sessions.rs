//! Registrations, logins, and links that set passwords.

use crate::{confirmed, identities, person, register};
use extension_contract::{Account, ActorKind};
use host_identity::access::Reach;
use host_identity::{Address, Identity, Link, LinkKind, LoggedIn, NewUser, Organization, Refused};
use std::sync::mpsc::channel;

const DAY: i64 = 24 * 3_600_000;

fn log_in(identity: &Identity, email: &str, password: &str) -> Result<LoggedIn, Refused> {
    let (sender, answer) = channel();
    identity.log_in(email, password.into(), DAY, move |told| sender.send(told).expect("a receiver"))?;
    answer.recv().expect("an answer")
}

#[test]
fn a_user_registers_logs_in_and_out() {
    for identity in identities() {
        let first = register(&identity, "Ada@Example.com", "correct horse").expect("registered");
        assert_eq!((first.user.email.as_str(), first.expires_at), ("ada@example.com", 14 * DAY));
        assert!(matches!(register(&identity, "ada@example.com", "another horse"), Err(Refused::Taken)));
        for (email, password) in
            [("ada@example.com", "wrong horse 1"), ("bob@example.com", "correct horse"), ("ada", "correct horse")]
        {
            assert!(matches!(log_in(&identity, email, password), Err(Refused::Wrong)), "{email}");
        }
        let second = log_in(&identity, "ADA@example.com", "correct horse").expect("logged in");
        assert_ne!(first.token, second.token);
        let caller = identity.caller(&second.token, DAY).expect("read").expect("a caller");
        assert_eq!(caller.reach, Reach::Accounts(vec![Account::User(first.user.id.clone())]));
        assert_eq!((caller.actor.kind, caller.is_operator()), (ActorKind::User, false));
        identity.log_out(&second.token, DAY).expect("written");
        assert_eq!(identity.caller(&second.token, DAY).expect("read"), None);
        assert!(identity.caller(&first.token, DAY).expect("read").is_some(), "another session goes on");
        assert_eq!(identity.caller(&first.token, 14 * DAY).expect("read"), None, "it has expired");
    }
}

fn set_password(identity: &Identity, token: &str, password: &str) -> Result<LoggedIn, Refused> {
    let (sender, answer) = channel();
    identity.set_password(token, password.into(), DAY, move |told| sender.send(told).expect("a receiver"))?;
    answer.recv().expect("an answer")
}

fn link(identity: &Identity, kind: LinkKind, account: &str) -> String {
    let token = identity.link_token().expect("random");
    let (email, account) = ("ada@example.com".to_owned(), Account::User(account.into()));
    let link = Link { kind, livemode: false, email, account, roles: Vec::new(), sender: None, cause: None };
    identity.users().add_link(&token, &link, None, DAY).expect("written");
    token
}

#[test]
fn a_link_sets_a_password_and_ends_the_sessions_of_whoever_had_the_old_one() {
    for identity in identities() {
        let first = register(&identity, "ada@example.com", "correct horse").expect("registered");
        let token = link(&identity, LinkKind::Reset, &first.user.id);
        assert!(
            matches!(set_password(&identity, &token, "short"), Err(Refused::Invalid(_))),
            "a weak one uses nothing up"
        );
        let second = set_password(&identity, &token, "battery staple").expect("set");
        assert_eq!((second.user.id.clone(), second.user.confirmed_at), (first.user.id.clone(), Some(DAY)));
        assert_eq!(identity.caller(&first.token, DAY).expect("read"), None, "the session has ended");
        assert!(identity.caller(&second.token, DAY).expect("read").is_some());
        assert!(matches!(set_password(&identity, &token, "battery staple 2"), Err(Refused::NoLink)), "it was used");
        assert!(matches!(log_in(&identity, "ada@example.com", "correct horse"), Err(Refused::Wrong)));
    }
}

#[test]
fn a_link_proves_the_address_in_a_session_of_its_user_and_ends_the_other_sessions() {
    for identity in identities() {
        let phone = register(&identity, "ada@example.com", "correct horse").expect("registered");
        let laptop = log_in(&identity, "ada@example.com", "correct horse").expect("logged in");
        let eve = register(&identity, "eve@example.com", "correct horse").expect("registered");
        let token = link(&identity, LinkKind::Confirm, &phone.user.id);
        let confirm = |token: &str, login: &LoggedIn| {
            let (user, session) = identity.user(&login.token, DAY).expect("read").expect("a session");
            identity.confirm(token, (&user, &session), DAY)
        };
        assert!(matches!(confirm(&token, &eve), Err(Refused::OfAnother)), "another user uses nothing up");
        let reset = link(&identity, LinkKind::Reset, &phone.user.id);
        assert!(matches!(confirm(&reset, &laptop), Err(Refused::NoLink)), "of another kind");
        assert_eq!(confirm(&token, &laptop).expect("confirmed").confirmed_at, Some(DAY));
        assert!(matches!(confirm(&token, &laptop), Err(Refused::NoLink)), "it was used");
        assert_eq!(identity.user(&phone.token, DAY).expect("read"), None, "the other session has ended");
        // Later proofs end nothing.
        let again = log_in(&identity, "ada@example.com", "correct horse").expect("logged in");
        confirm(&link(&identity, LinkKind::Confirm, &phone.user.id), &laptop).expect("confirmed");
        assert!(identity.user(&again.token, DAY).expect("read").is_some());
    }
}

#[test]
fn without_a_session_the_link_that_proves_an_address_sets_a_password() {
    for identity in identities() {
        let stranger = register(&identity, "ada@example.com", "correct horse").expect("registered");
        let account = Account::User(stranger.user.id.clone());
        let token = link(&identity, LinkKind::Confirm, &stranger.user.id);
        let owner = set_password(&identity, &token, "battery staple").expect("set");
        assert_eq!((owner.user.confirmed_at, owner.proof.taken_over), (Some(DAY), Some(account)));
        assert_eq!(identity.user(&stranger.token, DAY).expect("read"), None, "the stranger's session has ended");
        assert!(matches!(log_in(&identity, "ada@example.com", "correct horse"), Err(Refused::Wrong)));
        let other = link(&identity, LinkKind::Confirm, "usr_other");
        assert!(matches!(set_password(&identity, &other, "battery staple"), Err(Refused::NoLink)), "of another user");
    }
}

#[test]
fn the_account_of_a_checkout_goes_to_the_owner_of_its_address() {
    for identity in identities() {
        let claimed =
            set_password(&identity, &link(&identity, LinkKind::Claim, "usr_made"), "battery staple").expect("set");
        assert_eq!((claimed.user.id.as_str(), claimed.user.confirmed_at), ("usr_made", Some(DAY)));
        // A user who registered before gets the account beside the own one.
        let again =
            set_password(&identity, &link(&identity, LinkKind::Claim, "usr_later"), "battery staple 2").expect("set");
        assert_eq!(again.user.id, "usr_made");
        let caller = identity.caller(&again.token, DAY).expect("read").expect("a caller");
        let later = Account::User("usr_later".into());
        assert_eq!(caller.reach, Reach::Accounts(vec![Account::User("usr_made".into()), later.clone()]));
        assert_eq!(caller.own_account(), Some(&Account::User("usr_made".into())));
        assert_eq!(caller.actor_in(&later).subject, "usr_later");
    }
}

#[test]
fn an_account_that_somebody_has_is_given_to_nobody_by_a_claim() {
    for identity in identities() {
        let bob = confirmed(&identity, "bob@example.com");
        for as_own in [true, false] {
            let account = if as_own { "usr_own" } else { "usr_further" };
            let token = link(&identity, LinkKind::Claim, account);
            match as_own {
                true => assert!(identity.users().add(&person(account), "").expect("written")),
                false => {
                    let account = Account::User(account.into());
                    assert!(identity.users().add_account(false, &account, &bob.user.id).expect("written"));
                }
            }
            let refused = set_password(&identity, &token, "battery staple");
            assert!(matches!(refused, Err(Refused::NoLink)), "the link of before has ended: {account}");
            let refused = set_password(&identity, &link(&identity, LinkKind::Claim, account), "battery staple");
            assert!(matches!(refused, Err(Refused::NoLink)), "there is no new one: {account}");
        }
        let address = Address::parse("ada@example.com").expect("an address");
        assert_eq!(identity.users().by_address(false, &address).expect("read"), None, "no user was made");
    }
}

#[test]
fn a_new_password_and_the_first_proof_end_the_other_links_of_the_user() {
    for identity in identities() {
        for proves in [LinkKind::Confirm, LinkKind::Reset, LinkKind::Claim] {
            let id = match identity.users().by_address(false, &Address::parse("ada@example.com").expect("an address")) {
                Ok(Some((user, _))) => user.id,
                _ => register(&identity, "ada@example.com", "correct horse").expect("registered").user.id,
            };
            let to = |kind: LinkKind| match kind {
                LinkKind::Claim => link(&identity, kind, &format!("usr_of_{}", proves.name())),
                kind => link(&identity, kind, &id),
            };
            let all = [LinkKind::Confirm, LinkKind::Reset, LinkKind::Claim].map(|kind| (kind, to(kind)));
            let (_, token) = all.iter().find(|(kind, _)| *kind == proves).expect("a link");
            set_password(&identity, token, "battery staple").expect("set");
            for (kind, token) in &all {
                assert!(matches!(set_password(&identity, token, "eves own words"), Err(Refused::NoLink)), "{kind:?}");
            }
        }
        let address = Address::parse("ada@example.com").expect("an address");
        let claimable = identity.users().claimable(false, &address).expect("read");
        assert_eq!(claimable.len(), 2, "a further link to the accounts of checkouts may be asked for");

        let bob = register(&identity, "bob@example.com", "correct horse").expect("registered");
        let [confirm, reset] = [LinkKind::Confirm, LinkKind::Reset].map(|kind| {
            let (token, address) = (identity.link_token().expect("random"), Address::parse("bob@example.com"));
            let account = Account::User(bob.user.id.clone());
            let link = Link::new(kind, false, &address.expect("an address"), account);
            assert!(identity.users().add_link(&token, &link, None, DAY).expect("written"));
            token
        });
        let (user, session) = identity.user(&bob.token, DAY).expect("read").expect("a session");
        identity.confirm(&confirm, (&user, &session), DAY).expect("confirmed");
        assert!(matches!(set_password(&identity, &reset, "eves own words"), Err(Refused::NoLink)), "the first proof");
    }
}

#[test]
fn whoever_takes_an_account_over_has_not_the_name_of_the_one_before() {
    for identity in identities() {
        for takes_over in [true, false] {
            let email = format!("{takes_over}@example.com");
            let (sender, answer) = channel();
            let (name, password) = (Some("Eve".to_owned()), "correct horse".to_owned());
            let new = NewUser { email: email.clone(), password, name: name.clone(), is_operator: false };
            identity.register(new, 0, move |told| sender.send(told).expect("a receiver")).expect("taken");
            let login = answer.recv().expect("an answer").expect("registered");
            let token = identity.link_token().expect("random");
            let (address, account) = (Address::parse(&email), Account::User(login.user.id.clone()));
            let link = Link::new(LinkKind::Confirm, false, &address.expect("an address"), account);
            assert!(identity.users().add_link(&token, &link, None, DAY).expect("written"));
            let (user, session) = identity.user(&login.token, DAY).expect("read").expect("a session");
            let user = match takes_over {
                true => set_password(&identity, &token, "battery staple").expect("set").user,
                false => identity.confirm(&token, (&user, &session), DAY).expect("confirmed"),
            };
            assert_eq!(user.name, name.filter(|_| !takes_over));
            assert_eq!(identity.users().by_id(false, &user.id).expect("read").map(|(user, _)| user), Some(user));
        }
    }
}

#[test]
fn a_member_has_the_roles_of_the_organization_only_there() {
    for identity in identities() {
        let ada = confirmed(&identity, "ada@example.com");
        let choir = Organization { id: "org_1".into(), name: "Choir".into(), created_at: 0 };
        assert!(identity.users().found(false, &choir, &ada.user.id).expect("written"));
        let caller = identity.caller(&ada.token, DAY).expect("read").expect("a caller");
        assert_eq!(caller.actor_in(&Account::Organization("org_1".into())).roles, ["owner"]);
        assert_eq!(caller.actor_in(&Account::User(ada.user.id)).roles, Vec::<String>::new());
    }
}

#[test]
fn wrong_values_are_told_by_field() {
    for identity in identities() {
        let paths = |email: &str, password: &str| match register(&identity, email, password) {
            Err(Refused::Invalid(errors)) => errors.into_iter().map(|error| error.path).collect::<Vec<_>>(),
            other => panic!("{:?}", other.err()),
        };
        assert_eq!(paths("ada", "correct horse"), ["/email"]);
        assert_eq!(paths("ada@example.com", "short"), ["/password"]);
    }
}
