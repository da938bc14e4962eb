//! Shows operators what the mails of a business look like.

use host_api::{MailKind, MailPreview, MailPreviews, ShownMail};
use host_providers::{MailTemplates, Wanted, built_in_mails};
use serde_json::Value;
use std::collections::BTreeMap;

/// The mails of a business.
pub(crate) struct Previews {
    /// The templates.
    pub(crate) templates: MailTemplates,
    /// Placeholders of the business's own templates, by name.
    pub(crate) own: BTreeMap<String, Value>,
}

impl MailPreviews for Previews {
    fn kinds(&self) -> Vec<MailKind> {
        let mut kinds: BTreeMap<String, MailKind> = built_in_mails()
            .map(|(name, placeholders)| {
                (name.to_owned(), MailKind { template: name.to_owned(), placeholders, is_own: false })
            })
            .collect();
        for (name, places) in &self.own {
            let texts = places.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            let kind = MailKind { template: name.clone(), placeholders: texts.collect(), is_own: true };
            kinds.insert(name.clone(), kind);
        }
        kinds.into_values().collect()
    }

    fn preview(&self, mail: ShownMail<'_>, values: &Value) -> Result<MailPreview, String> {
        let wanted = Wanted {
            template: mail.template,
            is_for_operators: mail.to == "admin",
            account: mail.account,
            instances: &BTreeMap::new(),
            language: None,
        };
        if self.templates.is_switched_off(mail.template).map_err(|error| error.to_string())? {
            return Err("the business does not send this mail: its template is empty".to_owned());
        }
        let text = self.templates.fill(&wanted, values).map_err(|error| error.to_string())?;
        Ok(MailPreview { subject: text.subject, plain: text.plain, html: text.html })
    }
}
