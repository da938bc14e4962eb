//! The provider of `user.invite`: a step of an instance whose buyer may have no account, such as after a checkout on the business's own
//! site. Its output is the reference of a link for the welcome mail.

use extension_contract::Account;
use host::clock::ClockSource;
use host_identity::{Address, IdentityError, Link, LinkError, LinkKind, LinkMaker};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::json;

/// Makes links by which buyers take over their accounts.
pub(crate) struct Invites {
    pub(crate) links: LinkMaker,
    pub(crate) clock: ClockSource,
}

impl Invites {
    fn invite(&self, call: &Call) -> Result<CallOutcome, LinkError> {
        let users = self.links.identity().users();
        let partition = self.links.identity().partition();
        let account = call.scope.rsplit_once('/').and_then(|(_, account)| account.parse().ok());
        let Some(account @ Account::User(_)) = account else {
            return Ok(CallOutcome::refused("no-user", "expected the account of a user"));
        };
        // The answer does not repeat the address: failures are stored, and an address is personal.
        let Some(address) = call.text("email").and_then(Address::parse) else {
            return Ok(CallOutcome::refused("bad-address", "`email` is not an address: expected `name@example.com`"));
        };
        let Account::User(id) = &account else { return Ok(CallOutcome::refused("no-user", "expected a user")) };
        let known = users.by_id(partition.livemode, id).map_err(IdentityError::from)?;
        let reference = match known {
            Some(_) => self.links.log_in_page(&account)?,
            None => {
                let email = address.as_str().to_owned();
                let (kind, livemode) = (LinkKind::Claim, partition.livemode);
                let link = Link { kind, livemode, email, account, roles: Vec::new() };
                self.links.make(&link, self.clock.now())?
            }
        };
        Ok(CallOutcome::Done(json!({"link": reference})))
    }
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
