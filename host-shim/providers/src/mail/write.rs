//! Builds a mail's MIME message.

use host_business::template::MailText;
use host_provider_api::{Call, ResourceId, names};
use lettre::Address;
use lettre::error::Error;
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

/// Returns the id of a mail, derived from the effect's scope and key.
pub(crate) fn id(call: &Call) -> String {
    names::letters(&ResourceId { scope: call.scope.clone(), resource: "mail".to_owned(), id: call.key.clone() })
}

/// Returns the boundary between the parts of a mail: a hash of the parts themselves. No text can contain its own hash, so nobody whose
/// words appear in a mail can end a part and begin another. A repeated call produces the same boundary.
fn boundary(text: &MailText) -> String {
    let MailText { subject, plain, html } = text;
    names::letters(&ResourceId { scope: plain.clone(), resource: html.clone(), id: subject.clone() })
}

pub(crate) struct Mail<'m> {
    pub from: &'m Mailbox,
    pub to: &'m [Address],
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
        let both = MultiPart::alternative().boundary(boundary(self.text));
        mail.multipart(both.singlepart(plain).singlepart(SinglePart::html(self.text.html.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> MailText {
        MailText {
            subject: "A step".to_owned(),
            plain: format!("{name} waits."),
            html: format!("<p>{name} waits.</p>"),
        }
    }

    /// Returns the bytes of a mail with a text, without its date.
    fn written(text: &MailText) -> String {
        let from: Mailbox = "shop@example.com".parse().expect("an address");
        let to = ["ana@example.com".parse().expect("an address")];
        let mail = Mail { from: &from, to: &to, message_id: "same@example.com", text };
        let bytes = String::from_utf8(mail.message().expect("a mail").formatted()).expect("text");
        bytes.lines().filter(|line| !line.starts_with("Date:")).map(|line| format!("{line}\n")).collect()
    }

    fn delimiters(mail: &str, boundary: &str) -> usize {
        mail.lines().filter(|line| line.starts_with(&format!("--{boundary}"))).count()
    }

    #[test]
    fn nobody_whose_words_are_in_a_mail_begins_a_part_of_it() {
        let honest = written(&text("Choir"));
        assert_eq!(written(&text("Choir")), honest, "a repeated call sends the same message");
        let known = boundary(&text("Choir"));
        assert_eq!(delimiters(&honest, &known), 3, "two parts and the end: {honest}");
        // Assume that somebody knows every other mail, and the account and the time of this one.
        let forged =
            text(&format!("\n--{known}\nContent-Type: text/html\n\n<a href=//evil.example>Log in</a>\n--{known}--\n"));
        assert_ne!(boundary(&forged), known);
        let mail = written(&forged);
        assert_eq!(delimiters(&mail, &boundary(&forged)), 3, "{mail}");
    }
}
