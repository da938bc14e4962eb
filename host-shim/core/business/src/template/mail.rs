//! The templates of one mail: subject, text and optionally HTML.

use crate::template::error::{Form, TemplateError};
use crate::template::layout::framed;
use crate::template::marked;
use crate::template::site::MailContext;
use crate::template::text::Template;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Maximum size of a template's file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;
/// Maximum size of a filled-in mail, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Maximum size of a mail's HTML in its layout, in bytes; markup makes it longer than the text.
const HTML_BYTES_MAX: usize = 4 * TEXT_BYTES_MAX;
/// Maximum length of a template's name, in bytes.
const NAME_MAX: usize = 100;
/// What identifies a whole HTML document; other HTML is put into the layout.
const WHOLE: &str = "<html";
/// Prefix of the first line of a text.
const SUBJECT: &str = "Subject: ";

/// Returns true if a mail's template can have this name: 1 to 100 characters from a-z, 0-9 and `_`.
pub fn is_name(name: &str) -> bool {
    let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_right)
}

/// Returns true if a mail can have a variant for this language: two letters, such as `de`.
pub fn is_language(language: &str) -> bool {
    language.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Returns true if a template says that its mail is not sent: a business switches off a built-in mail with an empty file.
pub fn is_switched_off(text: &str) -> bool {
    text.trim().is_empty()
}

/// The parsed templates of a mail.
#[derive(Debug)]
pub struct MailTemplate<'s> {
    subject: Template<'s>,
    plain: Template<'s>,
    /// The HTML, and whether it is a whole document.
    html: Option<(Template<'s>, bool)>,
    /// Lines of the file before the text.
    lines_before: usize,
}

/// A filled-in mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailText {
    /// Subject. It may contain line breaks from values.
    pub subject: String,
    /// Plain text.
    pub plain: String,
    /// HTML.
    pub html: String,
}

impl<'s> MailTemplate<'s> {
    /// Parses `NAME.txt`, whose first line is `Subject: …`, and `NAME.html`. An empty line after the subject is not part
    /// of the text.
    ///
    /// # Errors
    /// Fails with [`TemplateError`] if a file is too long or not a template, or the mail has no subject.
    pub fn parse(text: &'s str, html: Option<&'s str>) -> Result<Self, TemplateError> {
        check_length(text, Form::Plain)?;
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let of_subject = |problem: &str, expected: &str| TemplateError::new(Form::Plain, 1, problem, expected);
        let subject = first
            .strip_prefix(SUBJECT)
            .ok_or_else(|| of_subject("the mail has no subject", "a first line `Subject: …`"))?;
        if subject.trim().is_empty() {
            return Err(of_subject("the subject is empty", "a text after `Subject: `"));
        }
        let body = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'));
        let lines_before = 1 + usize::from(body.is_some());
        let html = html.map(|html| {
            check_length(html, Form::Html)?;
            Ok((Template::parse(html, Form::Html)?, html.to_ascii_lowercase().contains(WHOLE)))
        });
        Ok(MailTemplate {
            subject: Template::parse(subject, Form::Plain)?,
            plain: Template::parse_marked(body.unwrap_or(rest)).map_err(|error| error.moved(lines_before))?,
            html: html.transpose()?,
            lines_before,
        })
    }

    /// Returns the placeholders of all parts.
    pub fn placeholders(&self) -> BTreeSet<String> {
        let parts = [Some(&self.subject), Some(&self.plain), self.html.as_ref().map(|(html, _)| html)];
        parts.into_iter().flatten().flat_map(Template::placeholders).collect()
    }

    /// Fills in all parts. A mail without its own HTML gets HTML generated from its text. `layout` is the business's
    /// layout; `None` means the built-in one. `language` is the language of the text.
    ///
    /// # Errors
    /// Fails with [`TemplateError`] if a placeholder has no value, an expression does not fit its values, or the mail is
    /// too long.
    pub fn fill(
        &self,
        values: &Map<String, Value>,
        context: &MailContext<'_>,
        layout: Option<&str>,
        language: &str,
    ) -> Result<MailText, TemplateError> {
        let values = context.with(values);
        let subject = one_line(&self.subject.fill(&values, TEXT_BYTES_MAX)?);
        let text = self.plain.fill(&values, TEXT_BYTES_MAX).map_err(|error| error.moved(self.lines_before))?;
        let plain = marked::plain(&text);
        let left = TEXT_BYTES_MAX - plain.len().min(TEXT_BYTES_MAX);
        let (html, is_whole) = match &self.html {
            Some((html, is_whole)) => (html.fill(&values, left)?, *is_whole),
            None => (marked::html(&text), false),
        };
        let html = match is_whole {
            true => html,
            false => framed(layout, &subject, &html, language, context, HTML_BYTES_MAX)?,
        };
        Ok(MailText { subject, plain, html })
    }
}

/// Returns a subject on one line, whatever values it contains.
fn one_line(subject: &str) -> String {
    subject.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn check_length(text: &str, form: Form) -> Result<(), TemplateError> {
    match text.len() > FILE_BYTES_MAX {
        true => Err(TemplateError::new(form, 1, format!("it has {} bytes", text.len()), "256 KiB at most")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::locale::Locale;
    use crate::template::site::MailSite;
    use serde_json::json;

    fn fill(text: &str, html: Option<&str>, values: Value) -> Result<MailText, String> {
        let values = values.as_object().expect("an object");
        let site = MailSite::new("The <Shop>".to_owned(), "https://shop.example");
        let instances = &[("inst_1".to_owned(), "My site".to_owned())].into();
        let (account, locale) = ("user:u1", Locale::tagged("de"));
        let context =
            MailContext { site: &site, template: "hello", is_for_operators: false, account, instances, locale };
        let text = MailTemplate::parse(text, html).and_then(|template| template.fill(values, &context, None, "de"));
        text.map_err(|error| error.to_string())
    }

    #[test]
    fn a_mail_has_a_subject_a_text_and_optionally_html() {
        let text = "Subject: To {{ name }}\n\nHello {{ name }}\n\n";
        let result = fill(text, Some("<p>{{ name }}</p>\n"), json!({"name": "<A>"})).expect("a mail");
        assert_eq!((result.subject.as_str(), result.plain.as_str()), ("To <A>", "Hello <A>\n\n"));
        let lines = fill(text, None, json!({"name": "A\r\nBcc: b@example.com\0"})).expect("a mail");
        assert_eq!(lines.subject, "To A Bcc: b@example.com", "a subject is one line");
        assert!(
            result.html.contains("<p>&lt;A&gt;</p>\n") && result.html.contains("The &lt;Shop&gt;"),
            "{}",
            result.html
        );
        for (text, plain) in [("Subject: x", ""), ("Subject: x\r\n\r\ny\r\n", "y\r\n"), ("Subject: x\ny", "y")] {
            assert_eq!(fill(text, None, json!({})).map(|text| text.plain), Ok(plain.to_owned()));
        }
        let whole = fill("Subject: x", Some("<!doctype html><HTML><p>{{ a }}"), json!({"a": "&"})).expect("a mail");
        assert_eq!(whole.html, "<!doctype html><HTML><p>&amp;", "a whole document has no frame");
    }

    #[test]
    fn a_text_has_the_business_the_links_and_the_writing_of_the_recipient() {
        let text = "Subject: {{ site.title }}: {{ sum_minor | money(currency) }}\n\nPaid on {{ at | date }}, due {{ at | time }}.\n\n\
            {% if number %}\nInvoice {{ number }}.\n{% endif %}\n- Key: {{ key | words }}\n\n[Open]({{ links.billing }})\n\
            {% for fact in more | facts %}\n- {{ fact.name }}: {{ fact.value }}\n{% endfor %}";
        let values = json!({
            "sum_minor": 123_450, "currency": "eur", "at": "2026-01-31T23:59:59Z", "key": "api_requests", "number": null,
            "more": {"is_new": true, "left": [1, "[x](https://evil.example)"], "in": {"fee_minor": 5, "currency": "usd"}, "none": null},
        });
        let mail = fill(text, None, values).expect("a mail");
        assert_eq!(mail.subject, "The <Shop>: 1.234,50\u{a0}€");
        assert_eq!(
            mail.plain,
            "Paid on 31.01.2026, due 31.01.2026, 23:59 UTC.\n\n- Key: API requests\n\nOpen: https://shop.example/billing\n\
             \n- In fee: 0,05\u{a0}$\n\n- Is new: yes\n\n- Left: 1, [x](https://evil.example)\n"
        );
        assert!(mail.html.contains("href=\"https://shop.example/billing\">Open</a>"), "{}", mail.html);
        assert!(mail.html.contains("lang=\"de\"") && !mail.html.contains("href=\"https://evil"), "{}", mail.html);
        let sample = fill(
            text,
            None,
            json!({"sum_minor": "[sum]", "currency": "[currency]", "at": "[at]", "key": "[key]", "more": {}}),
        );
        let sample = sample.expect("a sample");
        assert_eq!(sample.subject, "The <Shop>: [sum]", "a value that is not an amount is shown as it is");
        assert!(sample.plain.starts_with("Paid on [at], due [at]."), "{}", sample.plain);
    }

    #[test]
    fn placeholders_of_all_parts_are_found() {
        let text = "Subject: {{ c }}\n\n{{ b }}{{ c }}";
        let template = MailTemplate::parse(text, Some("{{ a.b }}")).expect("a template");
        assert_eq!(template.placeholders().into_iter().collect::<Vec<_>>(), ["a.b", "b", "c"]);
    }

    #[test]
    fn a_mistake_is_reported_with_its_line_in_the_file() {
        let long = "x".repeat(FILE_BYTES_MAX + 1);
        for (text, html, expected) in [
            ("Hello", None, "line 1 of the .txt: the mail has no subject"),
            ("Subject: \n", None, "line 1 of the .txt: the subject is empty"),
            (
                "Subject: {{ a | uper }}\n",
                None,
                "line 1 of the .txt: `uper` is an unknown filter; expected a filter or test",
            ),
            ("Subject: x\n\ny\n{{ a | uper }}", None, "line 4 of the .txt: `uper` is an unknown filter"),
            ("Subject: x\n{{ a | uper }}", None, "line 2 of the .txt: `uper` is an unknown filter"),
            ("Subject: x\n", Some("\n{{ a | uper }}"), "line 2 of the .html: `uper` is an unknown filter"),
            ("Subject: x\n\n{{ a }}", None, "line 3 of the .txt: `a` has no value"),
            ("Subject: x\n", Some("{{ a }}"), "line 1 of the .html: `a` has no value"),
            (long.as_str(), None, "line 1 of the .txt: it has 262145 bytes; expected 256 KiB at most"),
            ("Subject: x\n", Some(long.as_str()), "line 1 of the .html: it has 262145 bytes"),
        ] {
            let error = fill(text, html, json!({})).expect_err("a mistake");
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn text_and_html_share_one_maximum() {
        let (text, html) = ("Subject: x\n\n{{ x }}", Some("{{ x }}"));
        let half = json!({"x": "y".repeat(TEXT_BYTES_MAX / 2)});
        assert!(fill(text, html, half).is_ok());
        let more = json!({"x": "y".repeat(TEXT_BYTES_MAX / 2 + 1)});
        assert!(fill(text, html, more).expect_err("too long").contains("too long"));
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(is_name("a_1") && is_name(&"a".repeat(100)));
        assert!(["", "../etc/passwd", "A", "a.b", &"a".repeat(101)].iter().all(|name| !is_name(name)));
    }
}
