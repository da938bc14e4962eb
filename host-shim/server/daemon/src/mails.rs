//! Shows operators the mails of a business as they look.

use host_front::{MailPreview, MailPreviews};
use host_provider_set::{MailFolders, preview_mail};
use serde_json::Value;
use std::collections::BTreeMap;

/// The templates of a business.
pub(crate) struct Previews {
    /// Folders of the templates.
    pub(crate) folders: MailFolders,
    /// Placeholders by template.
    pub(crate) templates: BTreeMap<String, Value>,
}

impl MailPreviews for Previews {
    fn templates(&self) -> Vec<(String, Vec<String>)> {
        let texts = |places: &Value| {
            places.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        self.templates.iter().map(|(name, places)| (name.clone(), texts(places))).collect()
    }

    fn preview(&self, template: &str, values: &Value) -> Result<MailPreview, String> {
        let text = preview_mail(&self.folders, template, values).map_err(|error| error.to_string())?;
        Ok(MailPreview { subject: text.subject, plain: text.plain, html: text.html })
    }
}
