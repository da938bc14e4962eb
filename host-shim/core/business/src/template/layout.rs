//! The layout of a mail in HTML: the name of the business at the top, and its addresses at the bottom. A business can replace it
//! with `layout.html`.

use crate::template::error::{Form, TemplateError};
use crate::template::site::MailContext;
use crate::template::text::Template;
use serde_json::{Map, Value, json};

/// Name of the file in a folder of templates, without `.html`.
pub const LAYOUT: &str = "layout";
/// The built-in layout.
const BUILT_IN: &str = include_str!("../../built-in/mails/layout.html");
/// Names that a layout may use.
const NAMES: [&str; 9] = [
    "account",
    "content",
    "is_for_operators",
    "language",
    "site.accent",
    "site.accent_text",
    "site.support",
    "site.title",
    "site.url",
];

/// Checks a business's layout.
///
/// # Errors
/// Fails with [`TemplateError`] if it is not a template, uses an unknown name, or does not show the content.
pub fn check_layout(text: &str) -> Result<(), TemplateError> {
    let names = Template::parse(text, Form::Html)?.all_placeholders();
    let bad = |problem: String, expected: String| Err(TemplateError::new(Form::Html, 1, problem, expected));
    if let Some(name) = names.iter().find(|name| *name != "subject" && !NAMES.contains(&name.as_str())) {
        return bad(format!("`{name}` has no value"), format!("subject, {}", NAMES.join(", ")));
    }
    match names.contains("content") {
        true => Ok(()),
        false => bad("the frame shows no content".to_owned(), "`{{ content }}`".to_owned()),
    }
}

/// Puts the HTML of a mail into a layout.
pub(crate) fn framed(
    layout: Option<&str>,
    subject: &str,
    content: &str,
    language: &str,
    context: &MailContext<'_>,
    bytes_max: usize,
) -> Result<String, TemplateError> {
    let site = context.site;
    let values = json!({
        "subject": subject, "language": language, "is_for_operators": context.is_for_operators, "account": context.account,
        "site": {
            "title": site.title, "support": site.support, "url": site.url, "accent": site.accent,
            "accent_text": site.accent_text,
        },
    });
    let values = values.as_object().cloned().unwrap_or_else(Map::<String, Value>::new);
    let template = Template::parse(layout.unwrap_or(BUILT_IN), Form::Html)?;
    template.fill_around(&values, content, bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_shows_the_content_and_names_only_what_it_gets() {
        assert_eq!(check_layout(BUILT_IN), Ok(()));
        for (text, expected) in [
            ("<p>{{ site.title }}</p>", "the frame shows no content"),
            ("{{ content }}{{ site.name }}", "`site.name` has no value"),
            ("{{ content", "unexpected end of input"),
        ] {
            let error = check_layout(text).expect_err("a mistake").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
