//! Looks up the addresses of the mail recipients `account` and `admin` in the settings.

use crate::settings::MailSettings;
use host_mail::{AddressBook, AddressUnavailable};

/// Address book with the addresses of the settings. The local provider writes mails to files, so with it every account
/// has an address, listed or derived from its name.
pub(crate) struct SettingsAddressBook {
    settings: MailSettings,
    is_local: bool,
}

impl SettingsAddressBook {
    pub fn new(settings: MailSettings, is_local: bool) -> SettingsAddressBook {
        SettingsAddressBook { settings, is_local }
    }
}

impl AddressBook for SettingsAddressBook {
    fn addresses(&self, scope: &str, to: &str) -> Result<Vec<String>, AddressUnavailable> {
        let account = scope.splitn(3, '/').nth(2).unwrap_or_default();
        let listed = match to {
            "admin" => Some(&self.settings.admin),
            _ => self.settings.accounts.get(account),
        };
        let listed = listed.cloned().unwrap_or_default();
        if !listed.is_empty() || !self.is_local {
            return Ok(listed);
        }
        let plain = |char: char| if char.is_ascii_alphanumeric() || "-_".contains(char) { char } else { '.' };
        Ok(vec![match to {
            "admin" => "admin@localhost".to_owned(),
            _ => format!("{}@localhost", account.chars().map(plain).collect::<String>()),
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locally_everybody_has_an_address_and_elsewhere_only_listed_accounts() {
        let mut settings = MailSettings::default();
        settings.accounts.insert("user:u1".into(), vec!["u1@example.com".into()]);
        let of =
            |is_local, to| SettingsAddressBook::new(settings.clone(), is_local).addresses("solobase/test/user:u2", to);
        assert_eq!(of(true, "account"), Ok(vec!["user.u2@localhost".to_owned()]));
        assert_eq!(of(true, "admin"), Ok(vec!["admin@localhost".to_owned()]));
        assert_eq!(of(false, "account"), Ok(Vec::new()));
        let listed = SettingsAddressBook::new(settings, true).addresses("solobase/live/user:u1", "account");
        assert_eq!(listed, Ok(vec!["u1@example.com".to_owned()]));
    }
}
