//! Who `account` and `admin` are in mails, as the settings say.

use crate::settings::MailSettings;
use host_mail::{AddressBook, NobodyKnown};

/// The addresses of the settings. On this machine alone, where a mail is a file, everybody has an address.
pub(crate) struct Listed {
    settings: MailSettings,
    is_local: bool,
}

impl Listed {
    pub fn new(settings: MailSettings, is_local: bool) -> Listed {
        Listed { settings, is_local }
    }
}

impl AddressBook for Listed {
    fn addresses(&self, scope: &str, to: &str) -> Result<Vec<String>, NobodyKnown> {
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
    fn everybody_has_an_address_on_this_machine_and_only_who_is_listed_elsewhere() {
        let mut settings = MailSettings::default();
        settings.accounts.insert("user:u1".into(), vec!["u1@example.com".into()]);
        let of = |is_local, to| Listed::new(settings.clone(), is_local).addresses("solobase/test/user:u2", to);
        assert_eq!(of(true, "account"), Ok(vec!["user.u2@localhost".to_owned()]));
        assert_eq!(of(true, "admin"), Ok(vec!["admin@localhost".to_owned()]));
        assert_eq!(of(false, "account"), Ok(Vec::new()));
        let listed = Listed::new(settings, true).addresses("solobase/live/user:u1", "account");
        assert_eq!(listed, Ok(vec!["u1@example.com".to_owned()]));
    }
}
