//! Finds out who created a webhook endpoint, and whether that key or user may still have it.

use crate::access::with_user;
use crate::problem::Problem;
use crate::state::HostedSite;
use crate::webhooks::{Endpoint, Maker};
use extension_contract::{Account, ActorKind};
use host_identity::access::{AccessError, Caller, Keys, Reach};
use host_identity::{OWNER, Users, UsersError};
use host_store::Partition;
use std::sync::Arc;

/// Prefix of the id of a maker who is a user of the business.
const USER: &str = "user:";
/// Prefix of the id of a maker for whom a trusted issuer vouches. The server does not learn when the issuer no longer does.
const ISSUED: &str = "issued:";

/// The keys and users of a business in one mode, who create its webhook endpoints.
pub struct Makers {
    /// The keys of the server.
    pub keys: Arc<Keys>,
    /// The users of the business.
    pub users: Arc<Users>,
    /// The business and the mode.
    pub partition: Partition,
}

/// The reason why it could not be determined whether a maker may still have an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum MakerError {
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] AccessError),
    /// The users cannot be read.
    #[error(transparent)]
    Users(#[from] UsersError),
}

impl Makers {
    /// Returns true if the maker of an endpoint may still have it: the key has not been revoked and its user has not left, or the user
    /// still exists, and the key or user still manages the account. An endpoint without a known maker stays.
    ///
    /// # Errors
    /// Fails if the keys or the users cannot be read.
    pub fn stands(&self, endpoint: &Endpoint) -> Result<bool, MakerError> {
        let account = endpoint.account.as_ref();
        let Some(maker) = endpoint.maker.as_ref().filter(|maker| !maker.id.starts_with(ISSUED)) else {
            return Ok(true);
        };
        if let Some(user) = maker.id.strip_prefix(USER) {
            return Ok(self.user_manages(user, account)?);
        }
        let key = self.keys.caller_of(&maker.id)?.filter(|key| key.partition == self.partition);
        let key = key.map(|key| with_user(&self.users, key)).transpose()?.flatten();
        Ok(key.is_some_and(|key| manages(&key, account)))
    }

    fn user_manages(&self, user: &str, account: Option<&Account>) -> Result<bool, UsersError> {
        let Some((user, _)) = self.users.by_id(self.partition.livemode, user)? else { return Ok(false) };
        Ok(match account {
            _ if user.is_operator => true,
            None | Some(Account::Platform) => false,
            Some(Account::User(id)) if *id == user.id => true,
            Some(account @ Account::User(_)) => self.users.further_accounts(&user.id)?.contains(account),
            Some(Account::Organization(id)) => {
                let joined = self.users.organizations_of(&user.id)?;
                joined.iter().any(|(of, roles)| of.id == *id && roles.iter().any(|role| role == OWNER))
            }
        })
    }
}

/// Returns true if a caller may manage endpoints of an account, or of all accounts: operators, services, users of their own account,
/// and owners of an organization.
pub(crate) fn manages(caller: &Caller, account: Option<&Account>) -> bool {
    let Some(account) = account else { return caller.is_service() };
    if !caller.reaches(account) {
        return false;
    }
    let actor = caller.actor_in(account);
    let is_owner = || actor.roles.iter().any(|role| role == OWNER);
    actor.kind != ActorKind::User || matches!(account, Account::User(_)) || is_owner()
}

/// Returns the caller of a request as the maker of an endpoint.
pub(crate) fn maker(hosted: &HostedSite, caller: &Caller) -> Result<Maker, Problem> {
    let own = caller.key.strip_prefix(USER);
    let users = hosted.users.as_ref().map(|users| users.identity().users());
    let known = own.zip(users).map(|(id, users)| users.by_id(caller.partition.livemode, id)).transpose()?.flatten();
    let id = match own {
        Some(id) if known.is_none() => format!("{ISSUED}{id}"),
        _ => caller.key.clone(),
    };
    Ok(Maker { id, is_customer: matches!(caller.reach, Reach::Accounts(_)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::Actor;
    use host_identity::access::NewKey;
    use host_identity::{Organization, User};

    fn makers() -> Makers {
        Makers {
            keys: Arc::new(Keys::in_memory().expect("keys")),
            users: Arc::new(Users::in_memory().expect("users")),
            partition: Partition { business: "shop".to_owned(), livemode: false },
        }
    }

    fn endpoint(maker: &str, account: Option<&str>) -> Endpoint {
        Endpoint {
            id: "ep_1".to_owned(),
            account: account.map(|account| account.parse().expect("an account")),
            url: "https://hooks.example/in".to_owned(),
            types: Vec::new(),
            description: String::new(),
            secret: String::new(),
            old_secrets: Vec::new(),
            maker: Some(Maker { id: maker.to_owned(), is_customer: true }),
            disabled_at: None,
            disabled_reason: None,
            failing_since: None,
            created_at: 0,
        }
    }

    #[test]
    fn an_endpoint_stands_as_long_as_its_key_does() {
        let makers = makers();
        let make = |kind, reach, partition: &Partition| {
            let actor = Actor { kind, subject: "ada".to_owned(), roles: Vec::new() };
            let key = NewKey { name: String::new(), partition: partition.clone(), actor, reach };
            makers.keys.make(&key, 0).expect("made").id().to_owned()
        };
        let ada = Reach::Accounts(vec![Account::User("ada".to_owned())]);
        let service = make(ActorKind::Service, Reach::All, &makers.partition);
        let user = make(ActorKind::User, ada, &makers.partition);
        let other = Partition { business: "toys".to_owned(), livemode: false };
        let foreign = make(ActorKind::Service, Reach::All, &other);
        let stands = |key: &str, account| makers.stands(&endpoint(key, account)).expect("read");
        assert!(stands(&service, None) && stands(&service, Some("user:zoe")) && stands(&user, Some("user:ada")));
        assert!(!stands(&user, None) && !stands(&user, Some("user:zoe")), "it never reached them");
        assert!(!stands(&foreign, None), "a key of another business");
        makers.users.close(false, &Account::User("ada".to_owned()), 1).expect("written");
        assert!(!stands(&user, Some("user:ada")), "her account is closed");
        assert!(stands(&service, None), "a program of this name");
        for key in [&service, &user] {
            assert!(makers.keys.revoke(key, 1).expect("written"));
        }
        assert!(!stands(&service, None) && !stands(&service, Some("user:zoe")) && !stands(&user, Some("user:ada")));
    }

    #[test]
    fn an_endpoint_stands_as_long_as_its_user_is_an_owner_of_the_account() {
        let makers = makers();
        let users = &makers.users;
        let add = |id: &str, is_operator| {
            let (email, name) = (format!("{id}@example.com"), None);
            let (created_at, announced_at, confirmed_at) = (0, None, Some(0));
            let user = User {
                id: id.to_owned(),
                livemode: false,
                email,
                name,
                is_operator,
                created_at,
                announced_at,
                confirmed_at,
            };
            assert!(users.add(&user, "").expect("written"));
        };
        for (id, is_operator) in [("ada", false), ("bob", false), ("root", true)] {
            add(id, is_operator);
        }
        let choir = Organization { id: "choir".to_owned(), name: "Choir".to_owned(), created_at: 0 };
        assert!(users.found(false, &choir, "ada").expect("written"));
        users.join("choir", "bob", &["member".to_owned()], 0).expect("written");
        let stands = |user: &str, account| makers.stands(&endpoint(&format!("user:{user}"), account)).expect("read");
        let of_choir = Some("organization:choir");
        assert!(stands("ada", of_choir) && stands("ada", Some("user:ada")) && stands("root", of_choir));
        assert!(!stands("bob", of_choir), "a member is no owner");
        users.join("choir", "bob", &[OWNER.to_owned()], 0).expect("written");
        assert!(stands("bob", of_choir));
        users.remove("choir", "bob").expect("written");
        assert!(!stands("bob", of_choir) && stands("bob", Some("user:bob")));
        assert!(stands("root", None) && !stands("ada", None));
        assert!(!stands("zoe", Some("user:zoe")), "a user who is gone");
        assert!(makers.stands(&endpoint("issued:zoe", Some("user:zoe"))).expect("read"), "only the issuer knows");
    }
}
