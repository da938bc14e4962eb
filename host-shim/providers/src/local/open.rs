//! Opens the local provider, together with a mail provider that writes mails to a folder.

use crate::builder::{OpenError, ProviderBuilder};
use crate::local::{Local, PATTERNS};
use crate::mail::MailTransport;
use host_provider_api::ProviderName;
use std::path::Path;
use std::sync::Arc;

impl ProviderBuilder<'_> {
    /// Registers the local provider, and a mail provider that writes mails to a folder.
    pub(crate) fn local(&mut self, folder: &Path) -> Result<(), OpenError> {
        let folder_of_local = folder.join("local");
        let local = match self.options.is_beside {
            true => Local::beside(&folder_of_local)?,
            false => Local::open(&folder_of_local, self.options.port)?,
        };
        self.serves = Some(local.address());
        self.away = Some(local.away().clone());
        let objects = self.add(&PATTERNS, Arc::new(local), None);
        self.signers.objects = Some(objects);
        self.mail(ProviderName::Local, MailTransport::Folder(folder.join("mails")), None)
    }
}
