//! Authorization: which actors may change an account, and which may read it.

use crate::catalog::settings::Roles;
use extension_contract::{Account, Actor, ActorKind, Event, Payload};

/// Read-only roles, unless the business defines roles.
const READ_ONLY_ROLES: [&str; 2] = ["guest", "viewer"];
/// The role that may do everything for which the business lists no roles.
const OWNER: &str = "owner";

/// Returns whether the actor may cause the event: a user in their own account, a member of an organization by role,
/// administrators, services and the host in any account. The platform itself authorizes changes of an organization's
/// products and sends no roles with them.
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

/// Returns whether a member of an organization may do something: with a role that the business lists for it; as `owner`
/// if the business lists roles for other actions only; with any role that is not read-only if it lists no roles at all.
fn is_in_role(actor: &Actor, what: &str, may: &Roles) -> bool {
    actor.roles.iter().any(|role| match may.get(what) {
        Some(roles) => roles.contains(role),
        None if may.is_empty() => !READ_ONLY_ROLES.contains(&role.as_str()),
        None => role == OWNER,
    })
}

/// Returns whether an actor may run a query about an account: the owner of a user's account, and members of an
/// organization. If the business lists roles for the query, a member needs one of them.
pub(crate) fn may_read(actor: &Actor, account: &Account, question: &str, may: &Roles) -> bool {
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
            payment: None,
            payload: Payload::Command("{}".to_owned()),
        }
    }

    fn reads(actor: &Actor, account: &Account) -> bool {
        may_read(actor, account, "entitlements", &Roles::new())
    }

    fn acts(actor: Actor, account: &Account) -> bool {
        may_act(&command(actor), Some(account), &Roles::new())
    }

    #[test]
    fn a_user_acts_in_and_reads_only_their_own_account() {
        let account = Account::User("A".to_owned());
        assert!(acts(user("A", &[]), &account) && reads(&user("A", &[]), &account));
        for other in [user("B", &["owner"]), user("", &[])] {
            assert!(!acts(other.clone(), &account) && !reads(&other, &account), "{other:?}");
        }
        assert!(!acts(user("A", &["owner"]), &Account::Platform));
    }

    #[test]
    fn a_read_only_member_of_an_organization_changes_nothing() {
        let account = Account::Organization("O".to_owned());
        assert!(acts(user("A", &["guest", "owner"]), &account));
        assert!(!acts(user("A", &["guest"]), &account) && reads(&user("A", &["guest"]), &account));
        assert!(
            !acts(user("A", &[]), &account) && !reads(&user("A", &[]), &account),
            "an actor without a role is not a member"
        );
    }

    #[test]
    fn a_business_can_list_the_roles_for_each_action() {
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
                false => may_read(&user("A", roles), &account, kind, &may),
            })
        };
        assert_eq!(allowed(&["owner"]), [true, false, true, true, false]);
        assert_eq!(allowed(&["billing"]), [true, false, false, true, true]);
        assert_eq!(allowed(&["member"]), [false, true, false, true, false]);
        assert_eq!(
            allowed(&["guest"]),
            [false, true, false, true, false],
            "a listed role is allowed even if its name is read-only"
        );
        assert_eq!(allowed(&["guest", "owner"]), [true, true, true, true, false]);
        assert_eq!(allowed(&[]), [false; 5], "an actor without a role is not a member");
    }

    #[test]
    fn services_and_administrators_act_anywhere() {
        for kind in [ActorKind::Admin, ActorKind::Service, ActorKind::Extension, ActorKind::System] {
            let actor = Actor { kind, subject: String::new(), roles: Vec::new() };
            assert!(acts(actor, &Account::User("A".to_owned())), "{kind:?}");
        }
    }
}
