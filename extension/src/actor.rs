//! Who may act in an account.

use products_contract::{Account, Actor, ActorKind};

/// Roles in which a person may do nothing but look.
const ONLOOKERS: [&str; 2] = ["guest", "viewer"];

/// Whether an actor may give commands in an account: a user in an account of their own, a member of an organization with
/// a role that does more than look, administrators, services and the host anywhere. What belongs to the catalog is
/// judged where it is written.
pub(crate) fn may_act(actor: &Actor, account: Option<&Account>) -> bool {
    match (actor.kind, account) {
        (ActorKind::User, Some(Account::User(owner))) => actor.subject == *owner,
        (ActorKind::User, Some(Account::Organization(_))) => {
            actor.roles.iter().any(|role| !ONLOOKERS.contains(&role.as_str()))
        }
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

    #[test]
    fn a_user_acts_in_an_account_of_their_own() {
        let account = Account::User("A".to_owned());
        assert!(may_act(&user("A", &[]), Some(&account)));
        assert!(!may_act(&user("B", &["owner"]), Some(&account)));
        assert!(!may_act(&user("", &[]), Some(&account)));
    }

    #[test]
    fn who_only_looks_at_an_organization_changes_nothing() {
        let account = Account::Organization("O".to_owned());
        assert!(may_act(&user("A", &["guest", "owner"]), Some(&account)));
        assert!(!may_act(&user("A", &["guest"]), Some(&account)));
        assert!(!may_act(&user("A", &[]), Some(&account)), "without a role nobody is a member");
    }

    #[test]
    fn services_and_administrators_act_anywhere() {
        for kind in [ActorKind::Admin, ActorKind::Service, ActorKind::Extension, ActorKind::System] {
            let actor = Actor { kind, subject: String::new(), roles: Vec::new() };
            assert!(may_act(&actor, Some(&Account::User("A".to_owned()))), "{kind:?}");
        }
    }
}
