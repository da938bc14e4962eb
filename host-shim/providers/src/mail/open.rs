//! The mail settings, and how their provider is opened.

use crate::addresses::SettingsAddressBook;
use crate::builder::{OpenError, ProviderBuilder};
use crate::limits::ProviderLimits;
use crate::mail::{BadConfig, Config, Mail, MailTransport, Password, Smtp};
use host_provider_api::ProviderName;
use std::sync::Arc;
use std::time::Duration;

/// Timeout of each step with an SMTP server.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of pooled connections to an SMTP server.
const SMTP_CONNECTIONS: u32 = 4;

impl ProviderBuilder<'_> {
    pub(crate) fn smtp(&mut self) -> Result<(), OpenError> {
        let problem = |problem: &str| OpenError::Settings { name: ProviderName::Smtp, problem: problem.to_owned() };
        let smtp = self.options.settings.smtp.as_ref();
        let smtp = smtp.ok_or_else(|| problem("expected `smtp: {host: …}` in the file of --provider-settings"))?;
        let login = match (&smtp.user, &smtp.password) {
            (Some(user), Some(password)) => Some((user.clone(), Password::Reference(password.clone()))),
            (None, None) => None,
            _ => return Err(problem("expected `user` and `password`, or neither")),
        };
        let transport = MailTransport::Smtp(Smtp {
            host: smtp.host.clone(),
            port: smtp.port,
            security: smtp.security,
            login,
            timeout: TIMEOUT,
            connections: SMTP_CONNECTIONS,
        });
        let limits = self.options.settings.limits_of(ProviderName::Smtp.as_str());
        self.mail(ProviderName::Smtp, transport, Some(limits))
    }

    pub(crate) fn mail(
        &mut self,
        name: ProviderName,
        transport: MailTransport,
        limits: Option<ProviderLimits>,
    ) -> Result<(), OpenError> {
        let settings = &self.options.settings.mail;
        let templates = self.options.mail_templates();
        let mail = Mail::new(Config {
            from: settings.from.clone().unwrap_or_else(|| sender(&templates.site.title)),
            templates,
            addresses: Arc::new(SettingsAddressBook::new(
                settings.clone(),
                self.options.directory.clone(),
                name == ProviderName::Local,
            )),
            transport,
        });
        let mail = mail.map_err(|error: BadConfig| OpenError::Settings { name, problem: error.to_string() })?;
        self.add(&["mail"], Arc::new(mail), limits.map(|limits| (name, limits)));
        Ok(())
    }
}

/// Returns the default sender of mails, used if the settings have none: the business at this machine.
fn sender(title: &str) -> String {
    let quoted: String = title.chars().filter(|letter| !matches!(letter, '"' | '\\')).collect();
    format!("\"{quoted}\" <host@localhost>")
}
