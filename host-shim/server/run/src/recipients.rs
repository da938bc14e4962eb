//! Finds who gets the mails of an account: its user, at the current address, or else the buyer whose checkout created it.

use crate::records::{Records, UnreadRecords};
use extension_contract::Account;
use host_api::site::questions::NotAsked;
use host_identity::{Address, Users, UsersError, fits_in_mail};
use host_providers::{AddressBook, AddressUnavailable, Recipient};
use std::sync::{Arc, OnceLock, Weak};

/// The users as an address book.
pub(crate) struct Recipients {
    pub(crate) users: Arc<Users>,
    pub(crate) livemode: bool,
    /// The records of the business, once it has started. They end with the site.
    pub(crate) records: OnceLock<Weak<Records>>,
}

impl Recipients {
    /// Returns the records.
    ///
    /// # Errors
    /// Fails before the business has started, and after it has stopped.
    pub(crate) fn records(&self) -> Result<Arc<Records>, UnreadRecords> {
        Ok(self.records.get().and_then(Weak::upgrade).ok_or(NotAsked::Ended)?)
    }

    fn found(&self, scope: &str, to: &str) -> Result<Vec<Recipient>, NotFound> {
        match to {
            "admin" => Ok(Vec::new()),
            "account" => {
                let Some(account) = account_of(scope) else { return Ok(Vec::new()) };
                let found = self.users.mailed(self.livemode, &account)?;
                if found.is_empty()
                    && let Some(records) = self.records.get().and_then(Weak::upgrade)
                {
                    return Ok(records.buyer(account)?.map(Recipient::new).into_iter().collect());
                }
                let found = found.into_iter();
                Ok(found.map(|user| Recipient { address: user.email, language: user.language }).collect())
            }
            address => {
                let own = account_of(scope).map(|account| self.own_address(&account)).transpose()?.flatten();
                let address = own.as_deref().unwrap_or(address);
                let parsed = Address::parse(address);
                let language = parsed.map(|address| self.users.language_of(self.livemode, &address)).transpose()?;
                Ok(vec![Recipient { address: address.to_owned(), language: language.flatten() }])
            }
        }
    }

    /// Returns a name chosen by the owner of an account, if the account's mails may show it. Before the address is verified, it would be
    /// somebody's words to a stranger in the name of the business.
    fn name_in_mail(&self, account: &Account, name: impl FnOnce() -> Option<String>) -> Option<String> {
        let is_proved = self.users.is_unproved(self.livemode, account).is_ok_and(|is_unproved| !is_unproved);
        is_proved.then(name).flatten().filter(|name| fits_in_mail(name))
    }

    /// Returns the address to which all mails of an account go, including those meant for others: that of a user who has not verified
    /// it.
    fn own_address(&self, account: &Account) -> Result<Option<String>, UsersError> {
        let Account::User(id) = account else { return Ok(None) };
        let user = self.users.by_id(self.livemode, id)?.map(|(user, _)| user);
        Ok(user.filter(|user| user.confirmed_at.is_none()).map(|user| user.email))
    }
}

/// The reason why nobody is found now.
enum NotFound {
    Users,
    Records,
}

impl From<UsersError> for NotFound {
    fn from(_: UsersError) -> Self {
        NotFound::Users
    }
}

impl From<UnreadRecords> for NotFound {
    fn from(_: UnreadRecords) -> Self {
        NotFound::Records
    }
}

/// Returns the account of a scope, `business/mode/account`.
fn account_of(scope: &str) -> Option<Account> {
    scope.splitn(3, '/').nth(2)?.parse().ok()
}

impl AddressBook for Recipients {
    fn recipients(&self, scope: &str, to: &str) -> Result<Vec<Recipient>, AddressUnavailable> {
        // The message of the database may contain an address.
        self.found(scope, to).map_err(|not_found| {
            AddressUnavailable(match not_found {
                NotFound::Users => "the users cannot be read".to_owned(),
                NotFound::Records => "the account cannot be read".to_owned(),
            })
        })
    }

    fn instance_name(&self, scope: &str, instance: &str) -> Option<String> {
        let (records, account) = (self.records.get()?.upgrade()?, account_of(scope)?);
        self.name_in_mail(&account, || records.product_name(account.clone(), instance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_identity::{Link, LinkKind, User};

    fn user(id: &str, confirmed_at: Option<i64>) -> User {
        let email = format!("{id}@example.com");
        let (name, announced_at) = (None, None);
        User {
            id: id.into(),
            livemode: false,
            email,
            name,
            is_operator: false,
            created_at: 0,
            announced_at,
            confirmed_at,
        }
    }

    #[test]
    fn a_user_writes_to_others_once_the_own_address_is_proved() {
        let users = Arc::new(Users::in_memory().expect("users"));
        for user in [user("unproved", None), user("proved", Some(1))] {
            assert!(users.add(&user, "").expect("written"));
        }
        let recipients = Recipients { users, livemode: false, records: OnceLock::new() };
        let to = |account: &str, to: &str| {
            let found = recipients.recipients(&format!("shop/test/{account}"), to).expect("read");
            found.into_iter().map(|found| found.address).collect::<Vec<_>>()
        };
        assert_eq!(to("user:proved", "victim@example.net"), ["victim@example.net"]);
        assert_eq!(
            to("user:unproved", "victim@example.net"),
            ["unproved@example.com"],
            "the account's own mails stay there"
        );
        assert_eq!(to("user:unproved", "account"), ["unproved@example.com"]);
        assert_eq!(to("user:guest", "buyer@example.net"), ["buyer@example.net"], "an account of a checkout");
        assert_eq!(to("organization:choir", "invited@example.net"), ["invited@example.net"]);
    }

    #[test]
    fn a_mail_shows_the_name_of_an_instance_once_the_address_is_proved_and_never_a_link_in_it() {
        let users = Arc::new(Users::in_memory().expect("users"));
        for user in [user("unproved", None), user("proved", Some(1))] {
            assert!(users.add(&user, "").expect("written"));
        }
        let buyer = Address::parse("buyer@example.net").expect("an address");
        let link = Link::new(LinkKind::Claim, false, &buyer, Account::User("guest".into()));
        assert!(users.add_link("t1", &link, None, 0).expect("written"));
        let recipients = Recipients { users, livemode: false, records: OnceLock::new() };
        let shown = |account: &str, name: &str| {
            recipients.name_in_mail(&account.parse().expect("an account"), || Some(name.to_owned()))
        };
        for account in ["user:proved", "organization:choir", "user:of-another-server"] {
            assert_eq!(shown(account, "My site").as_deref(), Some("My site"), "{account}");
            assert_eq!(shown(account, "Your payment failed: log in at evil.example"), None, "{account}");
        }
        for account in ["user:unproved", "user:guest"] {
            assert_eq!(shown(account, "Your payment failed"), None, "{account}");
        }
    }
}
