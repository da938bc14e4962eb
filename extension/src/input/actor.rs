//! Who may act in an account, and look at it.

use crate::catalog::settings::Roles;
use extension_contract::{Account, Actor, ActorKind, Event, Payload};

/// Roles in which a person may do nothing but look, unless the business says otherwise.
const ONLOOKERS: [&str; 2] = ["guest", "viewer"];
/// The role that may everything that the business gives to no other.
const OWNER: &str = "owner";

/// Whether an event's actor may bring it about: a user in an account of their own, a member of an organization by role,
/// administrators, services and the host anywhere. The platform judges itself who makes a product in an organization,
/// and tells no roles.
pub(crate) fn may_act(event: &Event, account: Option<&Account>, may: &Roles) -> bool {
    let actor = &event.actor;
    match (actor.kind, account) {
        (ActorKind::User, Some(Account::User(owner))) => actor.subject == *owner,
        (ActorKind::User, Some(Account::Organization(_))) => {
            matches!(event.payload, Payload::Product(_)) || is_in_role(actor, &event.kind, may)
        }
        (ActorKind::User, Some(Account::Platform) | None) => false,
        _ => true,
    }
}

/// Whether a member of an organization may do something: in a role that the business lists for it; in none but `owner`
/// where the business lists roles for other things; in any that does more than look where it lists none.
fn is_in_role(actor: &Actor, what: &str, may: &Roles) -> bool {
    actor.roles.iter().any(|role| match may.get(what) {
        Some(roles) => roles.contains(role),
        None if may.is_empty() => !ONLOOKERS.contains(&role.as_str()),
        None => role == OWNER,
    })
}

/// Whether an actor may ask something about an account: what is on sale is everybody's, the rest is its owner's or its
/// members', those in a role that the business lists for the question, if it lists any.
pub(crate) fn may_look(actor: &Actor, account: &Account, question: &str, may: &Roles) -> bool {
    match (actor.kind, account) {
        (ActorKind::User, Account::User(owner)) => actor.subject == *owner,
        (ActorKind::User, Account::Organization(_)) => match may.get(question) {
            Some(roles) => actor.roles.iter().any(|role| roles.contains(role)),
            None => !actor.roles.is_empty(),
        },
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
            business: "toys".to_owned(),
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

    fn looks(actor: &Actor, account: &Account) -> bool {
        may_look(actor, account, "entitlements", &Roles::new())
    }

    fn acts(actor: Actor, account: &Account) -> bool {
        may_act(&command(actor), Some(account), &Roles::new())
    }

    #[test]
    fn a_user_acts_and_looks_in_an_account_of_their_own() {
        let account = Account::User("A".to_owned());
        assert!(acts(user("A", &[]), &account) && looks(&user("A", &[]), &account));
        for other in [user("B", &["owner"]), user("", &[])] {
            assert!(!acts(other.clone(), &account) && !looks(&other, &account), "{other:?}");
        }
        assert!(!acts(user("A", &["owner"]), &Account::Platform));
    }

    #[test]
    fn who_only_looks_at_an_organization_changes_nothing() {
        let account = Account::Organization("O".to_owned());
        assert!(acts(user("A", &["guest", "owner"]), &account));
        assert!(!acts(user("A", &["guest"]), &account) && looks(&user("A", &["guest"]), &account));
        assert!(!acts(user("A", &[]), &account) && !looks(&user("A", &[]), &account), "without a role: no member");
    }

    #[test]
    fn a_business_says_which_roles_may_what() {
        let list = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let may: Roles = [
            ("purchase.create".to_owned(), list(&["owner", "billing"])),
            ("instance.create".to_owned(), list(&["member", "guest"])),
            ("balances".to_owned(), list(&["billing"])),
        ]
        .into();
        let account = Account::Organization("O".to_owned());
        let kinds = ["purchase.create", "instance.create", "subscription.cancel", "entitlements", "balances"];
        let allowed = |roles: &[&str]| {
            kinds.map(|kind| match kind.contains('.') {
                true => {
                    let event = Event { kind: kind.to_owned(), ..command(user("A", roles)) };
                    may_act(&event, Some(&account), &may)
                }
                false => may_look(&user("A", roles), &account, kind, &may),
            })
        };
        assert_eq!(allowed(&["owner"]), [true, false, true, true, false]);
        assert_eq!(allowed(&["billing"]), [true, false, false, true, true]);
        assert_eq!(allowed(&["member"]), [false, true, false, true, false]);
        assert_eq!(allowed(&["guest"]), [false, true, false, true, false], "a listed role may, whatever its name");
        assert_eq!(allowed(&["guest", "owner"]), [true, true, true, true, false]);
        assert_eq!(allowed(&[]), [false; 5], "without a role: no member");
    }

    #[test]
    fn services_and_administrators_act_anywhere() {
        for kind in [ActorKind::Admin, ActorKind::Service, ActorKind::Extension, ActorKind::System] {
            let actor = Actor { kind, subject: String::new(), roles: Vec::new() };
            assert!(acts(actor, &Account::User("A".to_owned())), "{kind:?}");
        }
    }
}
