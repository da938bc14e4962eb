//! Invitations to organizations.

use crate::{confirmed, identities, register};
use extension_contract::Account;
use host_identity::{
    Address, INVITATIONS_MAX, Identity, Link, LinkKind, LoggedIn, Organization, Refused, Removed, User,
};

const ORGANIZATION: &str = "org_1";

/// Ada's organization, with Bob as a further owner.
fn choir(identity: &Identity) -> (LoggedIn, LoggedIn) {
    let (ada, bob) = (confirmed(identity, "ada@example.com"), confirmed(identity, "bob@example.com"));
    let choir = Organization { id: ORGANIZATION.into(), name: "Choir".into(), created_at: 0 };
    assert!(identity.users().found(false, &choir, &ada.user.id).expect("written"));
    identity.users().join(ORGANIZATION, &bob.user.id, &["owner".into()], 0).expect("written");
    (ada, bob)
}

/// Invites an address; returns the token of the invitation, or none if it may not be sent.
fn invite(identity: &Identity, sender: &User, email: &str, role: &str) -> Option<String> {
    let (token, address) = (identity.link_token().expect("random"), Address::parse(email).expect("an address"));
    let link = Link::new(LinkKind::Invitation, false, &address, Account::Organization(ORGANIZATION.into()));
    let link = Link { roles: vec![role.to_owned()], sender: Some(sender.id.clone()), ..link };
    identity.users().add_link(&token, &link, None, 0).expect("written").then_some(token)
}

fn join(identity: &Identity, login: &LoggedIn, token: &str) -> Result<User, Refused> {
    let (user, session) = identity.user(&login.token, 0).expect("read").expect("a session");
    identity.join(token, (&user, &session), None, 1).map(|(user, _)| user)
}

#[test]
fn an_organization_has_no_more_members_than_seats() {
    for identity in identities() {
        let (ada, bob) = choir(&identity);
        let (eve, dan) = (confirmed(&identity, "eve@example.com"), confirmed(&identity, "dan@example.com"));
        let [eves, dans] =
            [&eve, &dan].map(|user| invite(&identity, &ada.user, &user.user.email, "member").expect("sent"));
        let join = |login: &LoggedIn, token: &str, seats| {
            let (user, session) = identity.user(&login.token, 0).expect("read").expect("a session");
            identity.join(token, (&user, &session), seats, 1)
        };
        assert!(matches!(join(&eve, &eves, Some(2)), Err(Refused::NoSeat)), "Ada and Bob have the two seats");
        assert!(join(&eve, &eves, Some(3)).is_ok(), "the refusal has not used the invitation up");
        assert!(matches!(join(&dan, &dans, Some(3)), Err(Refused::NoSeat)));
        // A member who gets another role has a seat already, and a member who leaves makes room.
        let role = invite(&identity, &ada.user, &eve.user.email, "writer").expect("sent");
        assert!(join(&eve, &role, Some(3)).is_ok());
        assert_eq!(identity.users().remove(ORGANIZATION, &bob.user.id).expect("written"), Removed::Done);
        assert!(join(&dan, &dans, Some(3)).is_ok());
    }
}

#[test]
fn who_accepts_an_invitation_has_proved_the_address() {
    for identity in identities() {
        let (ada, _) = choir(&identity);
        let elsewhere = register(&identity, "eve@example.com", "correct horse").expect("registered");
        let token = invite(&identity, &ada.user, "eve@example.com", "member").expect("sent");
        assert!(matches!(join(&identity, &ada, &token), Err(Refused::OfAnother)));
        let (sender, told) = std::sync::mpsc::channel();
        let then = move |login| sender.send(login).expect("a receiver");
        identity.log_in("eve@example.com", "correct horse".into(), 0, then).expect("taken");
        let eve = told.recv().expect("an answer").expect("logged in");
        assert_eq!(join(&identity, &eve, &token).expect("joined").confirmed_at, Some(1));
        assert!(matches!(join(&identity, &eve, &token), Err(Refused::NoLink)), "it was used");
        assert_eq!(identity.user(&elsewhere.token, 1).expect("read"), None, "the first proof ends other sessions");
    }
}

#[test]
fn a_removal_ends_the_invitations_to_the_member_and_those_that_the_member_sent() {
    for identity in identities() {
        let (ada, bob) = choir(&identity);
        let eve = confirmed(&identity, "eve@example.com");
        let to_eve = invite(&identity, &bob.user, "eve@example.com", "owner").expect("sent");
        let to_bob = invite(&identity, &ada.user, "bob@example.com", "billing").expect("sent");
        let to_tom = invite(&identity, &ada.user, "tom@example.com", "member").expect("sent");
        assert_eq!(identity.users().remove(ORGANIZATION, &bob.user.id).expect("written"), Removed::Done);
        assert!(matches!(join(&identity, &eve, &to_eve), Err(Refused::NoLink)));
        assert!(matches!(join(&identity, &bob, &to_bob), Err(Refused::NoLink)));
        let tom = confirmed(&identity, "tom@example.com");
        join(&identity, &tom, &to_tom).expect("the invitation of another owner counts");
        assert_eq!(invite(&identity, &bob.user, "eve@example.com", "member"), None, "he owns it no more");
    }
}

#[test]
fn an_invitation_of_a_step_counts_while_whoever_has_caused_it_is_a_member() {
    for identity in identities() {
        let (ada, bob) = choir(&identity);
        let (writer, eve) = (confirmed(&identity, "writer@example.com"), confirmed(&identity, "eve@example.com"));
        identity.users().join(ORGANIZATION, &writer.user.id, &["writer".into()], 0).expect("written");
        let unproved = register(&identity, "unproved@example.com", "correct horse").expect("registered");
        identity.users().join(ORGANIZATION, &unproved.user.id, &["writer".into()], 0).expect("written");
        let caused = |cause: Option<&str>, email: &str| {
            let (token, address) = (identity.link_token().expect("random"), Address::parse(email).expect("an address"));
            let link = Link::new(LinkKind::Invitation, false, &address, Account::Organization(ORGANIZATION.into()));
            let link = Link { roles: vec!["member".into()], cause: cause.map(str::to_owned), ..link };
            identity.users().add_link(&token, &link, None, 0).expect("written").then_some(token)
        };
        let to_eve = caused(Some(&writer.user.id), "eve@example.com").expect("a member has caused it");
        let by_nobody = caused(None, "tom@example.com").expect("nobody has caused it");
        caused(Some("of another server"), "zoe@example.com").expect("the business knows who that is");
        assert_eq!(caused(Some(&eve.user.id), "tom@example.com"), None, "she is no member");
        assert_eq!(caused(Some(&unproved.user.id), "tom@example.com"), None, "it may be anybody");
        let open = identity.users().invitations(false, ORGANIZATION, 1).expect("read");
        assert!(open.iter().any(|open| open.sender.as_ref() == Some(&writer.user.id)), "owners see who it was");
        assert_eq!(identity.users().remove(ORGANIZATION, &writer.user.id).expect("written"), Removed::Done);
        assert!(matches!(join(&identity, &eve, &to_eve), Err(Refused::NoLink)));
        let tom = confirmed(&identity, "tom@example.com");
        join(&identity, &tom, &by_nobody).expect("it goes on");
        let to_eve = caused(Some(&bob.user.id), "eve@example.com").expect("a member has caused it");
        identity.users().delete(&bob.user, 1).expect("written");
        assert!(matches!(join(&identity, &eve, &to_eve), Err(Refused::NoLink)));
        assert_eq!(caused(Some(&bob.user.id), "eve@example.com"), None, "he has left");
        assert!(caused(Some(&ada.user.id), "eve@example.com").is_some());
    }
}

#[test]
fn only_an_owner_who_has_proved_the_address_invites() {
    for identity in identities() {
        choir(&identity);
        let member = confirmed(&identity, "member@example.com");
        identity.users().join(ORGANIZATION, &member.user.id, &["member".into()], 0).expect("written");
        let unproved = register(&identity, "unproved@example.com", "correct horse").expect("registered");
        identity.users().join(ORGANIZATION, &unproved.user.id, &["owner".into()], 0).expect("written");
        for sender in [&member.user, &unproved.user] {
            assert_eq!(invite(&identity, sender, "eve@example.com", "member"), None, "{}", sender.email);
        }
    }
}

#[test]
fn owners_see_and_withdraw_open_invitations_of_which_there_are_not_too_many() {
    for identity in identities() {
        let (ada, bob) = choir(&identity);
        let users = identity.users();
        for number in 0..INVITATIONS_MAX {
            assert!(invite(&identity, &ada.user, &format!("p{number}@example.com"), "member").is_some());
        }
        assert_eq!(invite(&identity, &bob.user, "eve@example.com", "member"), None, "too many are open");
        invite(&identity, &bob.user, "p0@example.com", "billing").expect("it takes the place of the earlier one");
        let open = users.invitations(false, ORGANIZATION, 1).expect("read");
        assert_eq!(open.len(), usize::try_from(INVITATIONS_MAX).expect("a number"));
        let first = &open[0];
        assert_eq!(
            (first.email.as_str(), &first.roles, first.sender.as_ref()),
            ("p0@example.com", &vec!["billing".to_owned()], Some(&bob.user.id))
        );
        assert!(!users.withdraw(false, "org_2", &first.id, 1).expect("written"), "of another organization");
        assert!(users.withdraw(false, ORGANIZATION, &first.id, 1).expect("written"));
        assert!(!users.withdraw(false, ORGANIZATION, &first.id, 1).expect("written"), "once");
        assert!(invite(&identity, &bob.user, "eve@example.com", "member").is_some());
        assert_eq!(users.invitations(false, ORGANIZATION, first.expires_at).expect("read"), [], "they expire");
    }
}
