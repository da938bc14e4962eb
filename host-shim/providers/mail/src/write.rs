//! Builds a mail's MIME message.

use host_provider_api::{Call, ResourceId, names};
use host_template::MailText;
use lettre::Address;
use lettre::error::Error;
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

/// Returns the id of a mail, derived from the effect's scope and key.
pub(crate) fn id(call: &Call) -> String {
    names::letters(&ResourceId { scope: call.scope.clone(), resource: "mail".to_owned(), id: call.key.clone() })
}

pub(crate) struct Mail<'m> {
    pub from: &'m Mailbox,
    pub to: &'m [Address],
    pub id: &'m str,
    pub message_id: &'m str,
    pub text: &'m MailText,
}

impl Mail<'_> {
    pub fn message(&self) -> Result<Message, Error> {
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(&self.text.subject)
            .message_id(Some(format!("<{}>", self.message_id)))
            .date_now();
        for to in self.to {
            mail = mail.to(Mailbox::new(None, to.clone()));
        }
        let plain = SinglePart::plain(self.text.plain.clone());
        // With a random boundary, the message of a repeated call would differ from the first message.
        let both = MultiPart::alternative().boundary(self.id);
        mail.multipart(both.singlepart(plain).singlepart(SinglePart::html(self.text.html.clone())))
    }
}
