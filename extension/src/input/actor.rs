//! Who may act in an account.

use products_contract::{Account, Actor, ActorKind, Event, Payload};

/// Roles in which a person may do nothing but look.
const ONLOOKERS: [&str; 2] = ["guest", "viewer"];

/// Whether an event's actor may bring it about: a user in an account of their own, a member of an organization with a
/// role that does more than look, administrators, services and the host anywhere. The platform judges itself who makes a
/// product in an organization, and tells no roles.
pub(crate) fn may_act(event: &Event, account: Option<&Account>) -> bool {
    let actor = &event.actor;
    match (actor.kind, account) {
        (ActorKind::User, Some(Account::User(owner))) => actor.subject == *owner,
        (ActorKind::User, Some(Account::Organization(_))) => {
            matches!(event.payload, Payload::Product(_))
                || actor.roles.iter().any(|role| !ONLOOKERS.contains(&role.as_str()))
        }
        (ActorKind::User, Some(Account::Platform) | None) => false,
        _ => true,
    }
}

/// Whether an actor may ask about an account: what is on sale is everybody's, the rest is its owner's or its members'.
pub(crate) fn may_look(actor: &Actor, account: &Account) -> bool {
    match (actor.kind, account) {
        (ActorKind::User, Account::User(owner)) => actor.subject == *owner,
        (ActorKind::User, Account::Organization(_)) => !actor.roles.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(subject: &str, roles: &[&str]) -> Actor {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Actor { kind: ActorKind::User, subject: subject.to_owned(), roles }
    }

    fn command(actor: Actor) -> Event {
        Event {
            id: "cmd_1".to_owned(),
            source: "api".to_owned(),
            kind: "instance.create".to_owned(),
            business: "solobase".to_owned(),
            account: None,
            livemode: None,
            received_at: 0,
            attempt: 1,
            actor,
            reply_to: None,
            provider: None,
            payload: Payload::Command("{}".to_owned()),
        }
    }

    fn acts(actor: Actor, account: &Account) -> bool {
        may_act(&command(actor), Some(account))
    }

    #[test]
    fn a_user_acts_and_looks_in_an_account_of_their_own() {
        let account = Account::User("A".to_owned());
        assert!(acts(user("A", &[]), &account) && may_look(&user("A", &[]), &account));
        for other in [user("B", &["owner"]), user("", &[])] {
            assert!(!acts(other.clone(), &account) && !may_look(&other, &account), "{other:?}");
        }
        assert!(!acts(user("A", &["owner"]), &Account::Platform));
    }

    #[test]
    fn who_only_looks_at_an_organization_changes_nothing() {
        let account = Account::Organization("O".to_owned());
        assert!(acts(user("A", &["guest", "owner"]), &account));
        assert!(!acts(user("A", &["guest"]), &account) && may_look(&user("A", &["guest"]), &account));
        assert!(!acts(user("A", &[]), &account) && !may_look(&user("A", &[]), &account), "without a role: no member");
    }

    #[test]
    fn services_and_administrators_act_anywhere() {
        for kind in [ActorKind::Admin, ActorKind::Service, ActorKind::Extension, ActorKind::System] {
            let actor = Actor { kind, subject: String::new(), roles: Vec::new() };
            assert!(acts(actor, &Account::User("A".to_owned())), "{kind:?}");
        }
    }
}
