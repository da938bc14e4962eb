//! The templates of one mail: subject, text and optionally HTML.

use crate::error::{Form, TemplateError};
use crate::template::Template;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Maximum size of a template's file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;
/// Maximum size of a filled-in mail, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Maximum bytes of a template's name.
const NAME_MAX: usize = 100;
/// Prefix of the first line of a text.
const SUBJECT: &str = "Subject: ";

/// Returns true if a mail's template can have this name: 1 to 100 of a-z, 0-9 and `_`.
pub fn is_name(name: &str) -> bool {
    let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_right)
}

/// The parsed templates of a mail.
#[derive(Debug)]
pub struct MailTemplate<'s> {
    subject: Template<'s>,
    plain: Template<'s>,
    html: Option<Template<'s>>,
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
    pub html: Option<String>,
}

impl<'s> MailTemplate<'s> {
    /// Parses `NAME.txt`, whose first line is `Subject: …`, and `NAME.html`. An empty line after the subject is not part
    /// of the text.
    ///
    /// # Errors
    /// [`TemplateError`] if a file is too long or not a template, or the mail has no subject.
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
            Template::parse(html, Form::Html)
        });
        Ok(MailTemplate {
            subject: Template::parse(subject, Form::Plain)?,
            plain: Template::parse(body.unwrap_or(rest), Form::Plain).map_err(|error| error.moved(lines_before))?,
            html: html.transpose()?,
            lines_before,
        })
    }

    /// Returns the placeholders of all parts.
    pub fn placeholders(&self) -> BTreeSet<String> {
        let parts = [Some(&self.subject), Some(&self.plain), self.html.as_ref()];
        parts.into_iter().flatten().flat_map(Template::placeholders).collect()
    }

    /// Fills in all parts.
    ///
    /// # Errors
    /// [`TemplateError`] if a placeholder has no value, an expression does not fit its values, or the mail is too long.
    pub fn fill(&self, values: &Map<String, Value>) -> Result<MailText, TemplateError> {
        let subject = self.subject.fill(values, TEXT_BYTES_MAX)?;
        let plain = self.plain.fill(values, TEXT_BYTES_MAX).map_err(|error| error.moved(self.lines_before))?;
        let left = TEXT_BYTES_MAX - plain.len();
        let html = self.html.as_ref().map(|html| html.fill(values, left)).transpose()?;
        Ok(MailText { subject, plain, html })
    }
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
    use serde_json::json;

    fn fill(text: &str, html: Option<&str>, values: Value) -> Result<MailText, String> {
        let values = values.as_object().expect("an object");
        let text = MailTemplate::parse(text, html).and_then(|template| template.fill(values));
        text.map_err(|error| error.to_string())
    }

    #[test]
    fn a_mail_has_a_subject_a_text_and_optionally_html() {
        let text = "Subject: To {{ name }}\n\nHello {{ name }}\n\n";
        let result = fill(text, Some("<p>{{ name }}</p>\n"), json!({"name": "<A>"})).expect("a mail");
        assert_eq!((result.subject.as_str(), result.plain.as_str()), ("To <A>", "Hello <A>\n\n"));
        assert_eq!(result.html.as_deref(), Some("<p>&lt;A&gt;</p>\n"));
        for (text, plain) in [("Subject: x", ""), ("Subject: x\r\n\r\ny\r\n", "y\r\n"), ("Subject: x\ny", "y")] {
            assert_eq!(fill(text, None, json!({})).map(|text| (text.plain, text.html)), Ok((plain.to_owned(), None)));
        }
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
            ("Subject: {a}\n", None, "line 1 of the .txt: `{a}` is not a placeholder; expected `{{ a }}`"),
            ("Subject: x\n\ny\n{a}", None, "line 4 of the .txt: `{a}` is not a placeholder"),
            ("Subject: x\n{a}", None, "line 2 of the .txt: `{a}` is not a placeholder"),
            ("Subject: x\n", Some("\n{a}"), "line 2 of the .html: `{a}` is not a placeholder"),
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
