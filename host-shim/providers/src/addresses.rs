//! Looks up the addresses of the mail recipients `account` and `admin`, first in the settings and then in the server's directory.

use crate::mail::{AddressBook, AddressUnavailable, MailSettings, Recipient};
use std::fmt;
use std::sync::Arc;

/// A directory of a server's users.
#[derive(Clone)]
pub struct Directory(pub Arc<dyn AddressBook>);

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

/// Address book with the addresses in the settings, which take precedence over those in the directory. With the local provider, which
/// writes mails to files, every account has an address, either known or derived from its name.
pub(crate) struct SettingsAddressBook {
    settings: MailSettings,
    directory: Option<Directory>,
    is_local: bool,
}

impl SettingsAddressBook {
    pub fn new(settings: MailSettings, directory: Option<Directory>, is_local: bool) -> SettingsAddressBook {
        SettingsAddressBook { settings, directory, is_local }
    }
}

impl AddressBook for SettingsAddressBook {
    fn recipients(&self, scope: &str, to: &str) -> Result<Vec<Recipient>, AddressUnavailable> {
        let account = scope.splitn(3, '/').nth(2).unwrap_or_default();
        let listed = match to {
            "admin" => Some(&self.settings.admin),
            "account" => self.settings.accounts.get(account),
            _ => None,
        };
        let listed: Vec<Recipient> = listed.into_iter().flatten().map(Recipient::new).collect();
        if !listed.is_empty() {
            return Ok(listed);
        }
        let known = self.directory.as_ref().map(|Directory(book)| book.recipients(scope, to)).transpose()?;
        let known = known.unwrap_or_default();
        let plain = |char: char| if char.is_ascii_alphanumeric() || "-_".contains(char) { char } else { '.' };
        match to {
            _ if !known.is_empty() => Ok(known),
            "admin" if self.is_local => Ok(vec![Recipient::new("admin@localhost")]),
            "account" if self.is_local => {
                let name: String = account.chars().map(plain).collect();
                Ok(vec![Recipient::new(format!("{name}@localhost"))])
            }
            "admin" | "account" => Ok(Vec::new()),
            address => Ok(vec![Recipient::new(address)]),
        }
    }

    fn instance_name(&self, scope: &str, instance: &str) -> Option<String> {
        self.directory.as_ref().and_then(|Directory(book)| book.instance_name(scope, instance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with one user.
    struct Users;
    impl AddressBook for Users {
        fn recipients(&self, scope: &str, to: &str) -> Result<Vec<Recipient>, AddressUnavailable> {
            let is_known = (scope, to) == ("solobase/test/user:u3", "account");
            Ok(is_known.then(|| Recipient::new("u3@example.com")).into_iter().collect())
        }
    }

    #[test]
    fn settings_come_before_the_directory_and_locally_everybody_has_an_address() {
        let mut settings = MailSettings::default();
        for account in ["user:u1", "user:u3"] {
            settings.accounts.insert(account.into(), vec![format!("{}@listed.example", &account[5..])]);
        }
        let of = |settings: &MailSettings, is_local, user: &str, to| {
            let book = SettingsAddressBook::new(settings.clone(), Some(Directory(Arc::new(Users))), is_local);
            book.recipients(&format!("solobase/test/user:{user}"), to)
                .map(|found| found.into_iter().map(|one| one.address).collect::<Vec<_>>())
        };
        let none = MailSettings::default();
        for (settings, is_local, user, to, expected) in [
            (&settings, true, "u2", "account", &["user.u2@localhost"][..]),
            (&settings, true, "u2", "admin", &["admin@localhost"]),
            (&settings, false, "u2", "account", &[]),
            (&settings, false, "u2", "admin", &[]),
            (&settings, false, "u1", "account", &["u1@listed.example"]),
            (&settings, false, "u3", "account", &["u3@listed.example"]),
            (&none, false, "u3", "account", &["u3@example.com"]),
            (&none, true, "u3", "account", &["u3@example.com"]),
            (&none, false, "u3", "ada@example.com", &["ada@example.com"]),
        ] {
            let found = of(settings, is_local, user, to).expect("an answer");
            assert_eq!(found, expected, "{user} {to} {is_local}");
        }
    }
}
