//! The provider of `user.invite`: a step of an instance that gives a person access to its account. In an account that a checkout created
//! and that nobody has yet, the person becomes its user; in an organization, a member with the role of the step. The output is the
//! reference to a link for the mail to the person.

use crate::records::UnreadRecords;
use extension_contract::Account;
use host_engine::clock::ClockSource;
use host_identity::{Address, IdentityError, Link, LinkError, LinkKind, LinkMaker, UsersError};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::json;

/// Prefix of the id of an account created by a checkout; [`DIGITS`] hexadecimal digits follow.
const MADE: &str = "usr_";
/// Number of digits of such an id. The id of a registered user has more.
const DIGITS: usize = 16;

/// Finds the user whose command led to a step of an account.
pub(crate) type Cause = Box<dyn Fn(Account, &Call) -> Result<Option<String>, UnreadRecords> + Send + Sync>;

/// The reason why there is no link now.
#[derive(Debug, thiserror::Error)]
enum NotInvited {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Records(#[from] UnreadRecords),
}

impl From<UsersError> for NotInvited {
    fn from(error: UsersError) -> Self {
        NotInvited::Link(IdentityError::from(error).into())
    }
}

/// Creates links with which people take over accounts and join organizations.
pub(crate) struct Invites {
    pub(crate) links: LinkMaker,
    pub(crate) cause: Cause,
    pub(crate) clock: ClockSource,
    /// The roles that members of organizations may have.
    pub(crate) roles: Vec<String>,
}

impl Invites {
    fn invite(&self, call: &Call) -> Result<CallOutcome, NotInvited> {
        let account = call.scope.rsplit_once('/').and_then(|(_, account)| account.parse().ok());
        // The answer does not repeat the address: failures are stored, and an address is personal.
        let Some(address) = call.text("email").and_then(Address::parse) else {
            return Ok(CallOutcome::refused("bad-address", "`email` is not an address: expected `name@example.com`"));
        };
        let link = match account {
            Some(Account::User(id)) => self.to_account(&id, &address)?,
            Some(Account::Organization(id)) => match self.role(call) {
                Ok(role) => match self.to_organization(&id, &address, role, call) {
                    Err(NotInvited::Link(error @ LinkError::NotAllowed)) => {
                        return Ok(CallOutcome::refused("not-allowed", error.to_string()));
                    }
                    found => found?,
                },
                Err(refused) => return Ok(refused),
            },
            Some(Account::Platform) | None => None,
        };
        Ok(match link {
            Some(reference) => CallOutcome::Done(json!({"link": reference})),
            None => CallOutcome::refused(
                "no-account",
                "expected the account of a user, or an organization that the server knows",
            ),
        })
    }

    /// Returns the role of a new member.
    fn role(&self, call: &Call) -> Result<String, CallOutcome> {
        let role = call.text("role").filter(|role| self.roles.iter().any(|known| known == role));
        role.map(str::to_owned).ok_or_else(|| {
            let expected = format!("`role` is not a role of members: expected one of {}", self.roles.join(", "));
            CallOutcome::refused("bad-role", expected)
        })
    }

    /// Returns the link to the account of a user. If somebody already has the account, here or at another server, it is the login page:
    /// nobody else gets access to a person's account.
    fn to_account(&self, id: &str, address: &Address) -> Result<Option<String>, NotInvited> {
        let (users, livemode) = (self.links.identity().users(), self.links.identity().partition().livemode);
        let account = Account::User(id.to_owned());
        match is_made_by_checkout(id) && !users.is_taken(livemode, &account)? {
            true => Ok(Some(self.make(&Link::new(LinkKind::Claim, livemode, address, account))?)),
            false => Ok(Some(self.links.log_in_page(&account)?)),
        }
    }

    /// Returns the link to an organization: an invitation, or the login page for somebody who is already a member. None if the server
    /// does not know the organization.
    fn to_organization(
        &self,
        id: &str,
        address: &Address,
        role: String,
        call: &Call,
    ) -> Result<Option<String>, NotInvited> {
        let (users, livemode) = (self.links.identity().users(), self.links.identity().partition().livemode);
        let Some(organization) = users.organization(livemode, id)? else {
            return Ok(None);
        };
        let members = users.members(&organization.id)?;
        let has_role = members.iter().any(|(user, roles)| user.email == address.as_str() && roles.contains(&role));
        let account = Account::Organization(id.to_owned());
        if has_role {
            return Ok(Some(self.links.log_in_page(&account)?));
        }
        let cause = (self.cause)(account.clone(), call)?;
        let link = Link { roles: vec![role], cause, ..Link::new(LinkKind::Invitation, livemode, address, account) };
        Ok(Some(self.make(&link)?))
    }

    fn make(&self, link: &Link) -> Result<String, LinkError> {
        self.links.make(link, self.clock.now())
    }
}

/// Returns true for the id of an account created by a checkout. Other accounts have a user from the start, here or elsewhere.
fn is_made_by_checkout(id: &str) -> bool {
    id.strip_prefix(MADE).is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|c| c.is_ascii_hexdigit()))
}

impl Provider for Invites {
    fn call(&self, call: &Call) -> CallOutcome {
        match call.kind.as_str() {
            "user.invite" => {
                self.invite(call).unwrap_or_else(|error| CallOutcome::retry("users-unavailable", error.to_string()))
            }
            _ => CallOutcome::unsupported(call),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_engine::clock::Clock;
    use host_identity::{Hasher, Identity, Organization, Signer, User, Users};
    use host_provider_api::Secrets;
    use host_providers::Vault;
    use host_store::Partition;
    use host_store_postgres::small::Place;
    use serde_json::Value;
    use std::sync::Arc;

    fn user(id: &str) -> User {
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

    /// Returns a server's users, including ana, who owns the organization `acme`, and her vault. She has caused all steps.
    fn invites() -> (Invites, Arc<Vault>) {
        let vault = Arc::new(Vault::in_memory().expect("a vault"));
        let users = Users::open(Place::Memory).expect("users");
        let ana = User { confirmed_at: Some(0), ..user("ana") };
        assert!(users.add(&ana, "hash").expect("added"));
        let acme = Organization { id: "acme".into(), name: "Acme".into(), created_at: 0 };
        assert!(users.found(false, &acme, "ana").expect("made"));
        let partition = Partition { business: "shop".into(), livemode: false };
        let signer = Signer::new("shop/test", &[("k1".into(), vec![7; 32])]).expect("a signer");
        let hasher = Hasher::start(1, 8).expect("a thread");
        let identity = Identity::new(partition, Arc::new(users), hasher, signer);
        let links = LinkMaker::new(identity, vault.clone(), "https://shop.example".into());
        let roles = ["owner", "writer"].map(str::to_owned).to_vec();
        let cause: Cause = Box::new(|_, _| Ok(Some("ana".to_owned())));
        (Invites { links, cause, clock: Clock::system().source().clone(), roles }, vault)
    }

    /// Calls the step in an account. Returns the address of the link, or the code of the refusal.
    fn invite(invites: &Invites, vault: &Vault, account: &str, payload: Value) -> String {
        let scope = format!("shop/test/{account}");
        let call = Call {
            kind: "user.invite".into(),
            scope: scope.clone(),
            key: "inst_1/person/run".into(),
            payload,
            ..Call::default()
        };
        match invites.call(&call) {
            CallOutcome::Done(outputs) => {
                let reference = outputs["link"].as_str().expect("a reference");
                vault.resolve(&scope, reference).expect("a secret").expose().to_owned()
            }
            CallOutcome::Refused { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_person_is_invited_to_an_organization_with_the_role_of_the_step() {
        let (invites, vault) = invites();
        let bob = json!({"email": "bob@example.com", "role": "writer"});
        let link = invite(&invites, &vault, "organization:acme", bob.clone());
        let token = link.strip_prefix("https://shop.example/auth/invitation?token=").expect("an invitation");
        let found = invites.links.identity().link(token, &[LinkKind::Invitation], invites.clock.now()).expect("a link");
        assert_eq!(
            (found.email.as_str(), found.account, found.roles),
            ("bob@example.com", Account::Organization("acme".into()), vec!["writer".to_owned()])
        );
        // A member with the role needs no invitation.
        let users = invites.links.identity().users();
        users.add(&user("bob"), "hash").expect("added");
        users.join("acme", "bob", &["writer".to_owned()], 0).expect("joined");
        assert_eq!(invite(&invites, &vault, "organization:acme", bob), "https://shop.example/login");
    }

    #[test]
    fn an_invitation_that_leads_nowhere_is_refused() {
        let (invites, vault) = invites();
        let bob = |role: Option<&str>| json!({"email": "bob@example.com", "role": role});
        assert_eq!(invite(&invites, &vault, "organization:acme", bob(Some("wirter"))), "bad-role");
        assert_eq!(invite(&invites, &vault, "organization:acme", bob(None)), "bad-role");
        assert_eq!(invite(&invites, &vault, "organization:other", bob(Some("writer"))), "no-account");
        assert_eq!(invite(&invites, &vault, "platform", bob(Some("writer"))), "no-account");
        assert_eq!(invite(&invites, &vault, "user:new", json!({"email": "bob"})), "bad-address");
    }

    #[test]
    fn an_account_without_a_user_is_claimed_and_that_of_a_user_is_given_to_nobody() {
        let (invites, vault) = invites();
        let bob = json!({"email": "bob@example.com"});
        let claim = invite(&invites, &vault, "user:usr_00000000000000c0", bob.clone());
        assert!(claim.starts_with("https://shop.example/auth/claim?token="), "{claim}");
        let address = Address::parse("bob@example.com").expect("an address");
        let users = invites.links.identity().users();
        assert_eq!(users.claimable(false, &address).expect("links"), [Account::User("usr_00000000000000c0".into())]);
        let further = Account::User("usr_00000000000000c1".into());
        assert!(users.add_account(false, &further, "ana").expect("written"));
        users.close(false, &Account::User("usr_00000000000000c2".into()), 1).expect("written");
        let own = "user:usr_00000000000000000000ad0a";
        // A user, a user's additional account, a closed account, that of somebody who has registered, and those of other servers' users.
        let others = ["user:ana", &further.to_string(), "user:usr_00000000000000c2", own, "user:zoe", "user:usr_zoe"];
        for taken in others {
            assert_eq!(invite(&invites, &vault, taken, bob.clone()), "https://shop.example/login", "{taken}");
        }
    }

    #[test]
    fn an_invitation_has_the_member_whose_command_led_to_it_and_no_other() {
        let (mut invites, vault) = invites();
        let bob = json!({"email": "bob@example.com", "role": "writer"});
        let link = invite(&invites, &vault, "organization:acme", bob.clone());
        let token = link.rsplit_once('=').expect("a token").1;
        let found = invites.links.identity().link(token, &[LinkKind::Invitation], invites.clock.now()).expect("a link");
        assert_eq!((found.sender, found.cause.as_deref()), (None, Some("ana")));
        invites.links.identity().users().add(&User { confirmed_at: Some(0), ..user("eve") }, "").expect("added");
        invites.cause = Box::new(|_, _| Ok(Some("eve".to_owned())));
        assert_eq!(invite(&invites, &vault, "organization:acme", bob.clone()), "not-allowed", "she is no member");
        invites.cause = Box::new(|_, _| Ok(None));
        assert!(invite(&invites, &vault, "organization:acme", bob).contains("/auth/invitation?token="));
    }
}
