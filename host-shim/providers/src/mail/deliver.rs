//! Delivers a mail to the configured SMTP server or folder.

use crate::mail::config::{BadConfig, MailTransport};
use crate::mail::drafts;
use crate::mail::smtp::Server;
use host_provider_api::{Call, CallOutcome};
use lettre::Message;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) enum Delivery {
    Smtp(Box<Server>),
    Folder(PathBuf),
}

impl Delivery {
    pub fn new(transport: MailTransport) -> Result<Delivery, BadConfig> {
        match transport {
            MailTransport::Folder(folder) => {
                drafts::clean(&folder);
                Ok(Delivery::Folder(folder))
            }
            MailTransport::Smtp(smtp) => Ok(Delivery::Smtp(Box::new(Server::new(smtp)?))),
        }
    }

    /// Delivers the mail. On failure, returns the outcome of the call.
    pub fn deliver(&self, call: &Call, id: &str, mail: &Message) -> Result<(), CallOutcome> {
        match self {
            Delivery::Smtp(server) => server.deliver(call, mail),
            Delivery::Folder(folder) => file(folder, id, mail)
                .map_err(|error| CallOutcome::retry("folder-unavailable", format!("{}: {error}", folder.display()))),
        }
    }
}

/// Writes the mail to its file. An existing file is left alone, because files are always complete.
fn file(folder: &Path, id: &str, mail: &Message) -> io::Result<()> {
    let path = folder.join(format!("{id}.eml"));
    if path.try_exists()? {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    // Concurrent calls for the same mail each write a draft. The file is the draft that is renamed last.
    let mut draft = tempfile::Builder::new().prefix(drafts::PREFIX).tempfile_in(folder)?;
    // The lock shows other processes that this draft is being written.
    draft.as_file().lock()?;
    draft.write_all(&mail.formatted())?;
    draft.as_file().sync_all()?;
    draft.persist(&path).map(drop).map_err(|error| error.error)
}
