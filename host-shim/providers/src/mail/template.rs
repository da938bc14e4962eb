//! Fills in the templates of mails.

use host_business::template::{
    FILE_BYTES_MAX, Form, LAYOUT, Locale, MailContext, MailSite, MailTemplate, MailText, TemplateError, built_in,
    is_name, is_switched_off, without_template,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Maximum length of a subject in characters.
const SUBJECT_MAX: usize = 200;

/// Reasons why a template can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTemplate {
    /// There is no template with this name.
    #[error("`template` is `{0}`: expected a name of at most 100 of a-z, 0-9 and _")]
    Name(String),
    /// The values have no names.
    #[error("`values` is {0}: expected an object")]
    Values(&'static str),
    /// A file cannot be read.
    #[error("template {name}.{}: {problem}: expected a text of 256 KiB at most", form.extension())]
    File {
        /// Name of the template.
        name: String,
        /// The file.
        form: Form,
        /// The problem.
        problem: String,
    },
    /// A template is invalid, or a value does not fit.
    #[error("template {name}.{}:{}: {}: expected {}", error.form.extension(), error.line, error.problem, error.expected)]
    Template {
        /// Name of the template.
        name: String,
        /// The mistake.
        error: TemplateError,
    },
}

/// A business's templates, and the details that all of its mails show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailTemplates {
    /// Folders of the templates, in the order in which they are searched.
    pub folders: Vec<PathBuf>,
    /// The business.
    pub site: MailSite,
}

/// A mail to fill in, apart from its values.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// Name of the template.
    pub template: &'w str,
    /// True if the mail goes to the operators.
    pub is_for_operators: bool,
    /// The account that the mail is about.
    pub account: &'w str,
    /// Names of the instances that the mail is about, by id, as far as they are known.
    pub instances: &'w BTreeMap<String, String>,
    /// Language tag of the recipient, such as `de-CH`; none if unknown.
    pub language: Option<&'w str>,
}

/// The text of a template, with its HTML and frame.
struct Found {
    text: String,
    html: Option<String>,
    language: &'static str,
}

/// Language of texts that have no language in their names.
const USUAL_LANGUAGE: &str = "en";

impl MailTemplates {
    /// Fills in a mail, using the first folder that has the template in the recipient's language or without a language, or otherwise the
    /// built-in template. A mail without any template lists its values.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or a value is missing or does not fit.
    pub fn fill(&self, wanted: &Wanted<'_>, values: &Value) -> Result<MailText, BadTemplate> {
        let name = wanted.template;
        if !is_name(name) {
            return Err(BadTemplate::Name(name.chars().take(80).collect()));
        }
        let nothing = Map::new();
        let values = match values {
            Value::Object(values) => values,
            Value::Null => &nothing,
            Value::Array(_) => return Err(BadTemplate::Values("a list")),
            _ => return Err(BadTemplate::Values("a single value")),
        };
        let locale = wanted.language.map_or_else(Locale::usual, Locale::accepted);
        let found = self.find(name, locale.language())?;
        let layout = self.layout()?;
        let context = MailContext {
            site: &self.site,
            template: name,
            is_for_operators: wanted.is_for_operators,
            account: wanted.account,
            instances: wanted.instances,
            locale,
        };
        let text = MailTemplate::parse(&found.text, found.html.as_deref())
            .and_then(|template| template.fill(values, &context, layout.as_deref(), found.language))
            .map_err(|error| BadTemplate::Template { name: name.to_owned(), error })?;
        Ok(MailText { subject: one_line(&text.subject), ..text })
    }

    /// Returns true if the business does not send this mail: its template is an empty file.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub fn is_switched_off(&self, name: &str) -> Result<bool, BadTemplate> {
        Ok(is_name(name) && is_switched_off(&self.find(name, USUAL_LANGUAGE)?.text))
    }

    fn find(&self, name: &str, language: &'static str) -> Result<Found, BadTemplate> {
        for folder in &self.folders {
            for (file, language) in [(format!("{name}.{language}"), language), (name.to_owned(), USUAL_LANGUAGE)] {
                if let Some(text) = file_of(folder, &file, Form::Plain)? {
                    return Ok(Found { text, html: file_of(folder, &file, Form::Html)?, language });
                }
            }
        }
        let text = built_in(name).unwrap_or_else(without_template).to_owned();
        Ok(Found { text, html: None, language: USUAL_LANGUAGE })
    }

    /// Returns the frame from the first folder that has one.
    fn layout(&self) -> Result<Option<String>, BadTemplate> {
        let mut folders = self.folders.iter();
        folders.find_map(|folder| file_of(folder, LAYOUT, Form::Html).transpose()).transpose()
    }
}

fn file_of(folder: &Path, name: &str, form: Form) -> Result<Option<String>, BadTemplate> {
    let file = folder.join(format!("{name}.{}", form.extension()));
    read(&file).map_err(|problem| BadTemplate::File { name: name.to_owned(), form, problem })
}

/// Returns the contents of the file; none if the file does not exist.
fn read(path: &Path) -> Result<Option<String>, String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match read > FILE_BYTES_MAX {
        true => Err("it is too long".to_owned()),
        false => Ok(Some(text)),
    }
}

/// Returns the built-in mails in alphabetical order, each with its placeholders.
pub fn built_in_mails() -> impl Iterator<Item = (&'static str, Vec<String>)> {
    host_business::template::built_in_mails().filter_map(|name| {
        let template = MailTemplate::parse(built_in(name)?, None).ok()?;
        Some((name, template.placeholders().into_iter().collect()))
    })
}

/// Replaces control characters in a header's text with spaces, so that a value can't start another header.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(SUBJECT_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    static NO_NAMES: BTreeMap<String, String> = BTreeMap::new();

    fn wanted<'w>(template: &'w str, language: Option<&'w str>) -> Wanted<'w> {
        Wanted { template, is_for_operators: false, account: "user:u1", instances: &NO_NAMES, language }
    }

    fn templates(folders: &[&Path]) -> MailTemplates {
        let folders = folders.iter().map(|folder| (*folder).to_owned()).collect();
        MailTemplates { folders, site: MailSite::new("Shop".to_owned(), "https://shop.example") }
    }

    fn fill_of(files: &[(&str, &str)], name: &str, values: Value) -> Result<MailText, BadTemplate> {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        templates(&[folder.path()]).fill(&wanted(name, None), &values)
    }

    #[test]
    fn placeholders_are_filled_once_and_escaped_in_html() {
        let files = [
            ("hi.txt", "Subject: Hello {{ name }}\n\nDear {{name}}, you have {{ count }}. {a b} {\n"),
            ("hi.html", "<html><style>p { color: red }</style><p title=\"{{ name }}\">{{ name }}</p>"),
        ];
        let text = fill_of(&files, "hi", json!({"name": "<Ana> & {{ count }}'\"", "count": 3})).expect("a text");
        assert_eq!(text.subject, "Hello <Ana> & {{ count }}'\"");
        assert_eq!(text.plain, "Dear <Ana> & {{ count }}'\", you have 3. {a b} {\n");
        let name = "&lt;Ana&gt; &amp; {{ count }}&#39;&quot;";
        let html = format!("<html><style>p {{ color: red }}</style><p title=\"{name}\">{name}</p>");
        assert_eq!(text.html, html);
    }

    #[test]
    fn the_first_folder_with_a_template_has_it_and_in_it_the_language_of_the_recipient() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let files = [
            (0, "hi.txt"),
            (0, "hi.de.txt"),
            (1, "hi.txt"),
            (1, "hi.fr.txt"),
            (1, "bye.txt"),
            (1, "receipt.de.txt"),
            (1, "layout.html"),
        ];
        for (at, name) in files {
            let text = if name == "layout.html" {
                "<html lang={{ language }}>{{ content }}".to_owned()
            } else {
                format!("Subject: {at} {name}")
            };
            std::fs::write(folders[at].path().join(name), text).expect("written");
        }
        let templates = templates(&[folders[0].path(), folders[1].path()]);
        let values = json!({"amount_paid_minor": 1500, "currency": "usd", "invoice": "in_1"});
        for (name, language, subject, html) in [
            ("hi", None, "0 hi.txt", "<html lang=en>"),
            ("hi", Some("de-AT"), "0 hi.de.txt", "<html lang=de>"),
            ("hi", Some("fr"), "0 hi.txt", "<html lang=en>"),
            ("bye", Some("de"), "1 bye.txt", "<html lang=en>"),
            ("receipt", Some("de"), "1 receipt.de.txt", "<html lang=de>"),
            ("receipt", Some("fr"), "Your receipt from Shop: 15,00\u{a0}$", "<html lang=en><p>"),
            ("receipt", None, "Your receipt from Shop: $15.00", "<html lang=en><p>"),
        ] {
            let text = templates.fill(&wanted(name, language), &values).expect("a text");
            assert_eq!((text.subject.as_str(), text.html.starts_with(html)), (subject, true), "{name} {language:?}");
        }
    }

    #[test]
    fn a_value_can_not_begin_a_header() {
        let files = [("hi.txt", "Subject: Hello {{ name }}\n\n.")];
        let text = fill_of(&files, "hi", json!({"name": "Ana\r\nBcc: all@example.com\u{0}"})).expect("a text");
        assert_eq!(text.subject, "Hello Ana Bcc: all@example.com");
    }

    #[test]
    fn a_mail_without_a_template_lists_its_values_in_words() {
        let values = json!({
            "login_url": "https://a.example/login", "days": 3, "ends_at": "2026-01-31T10:00:00Z",
            "of": {"user": "Ada", "tags": ["a", "b"]}, "none": null,
        });
        let text = fill_of(&[], "orchestra_welcome", values).expect("a text");
        assert_eq!(text.subject, "Shop: Orchestra welcome");
        assert_eq!(
            text.plain,
            "Shop has news for you: Orchestra welcome.\n\n- Days: 3\n- Ends at: Jan 31, 2026, 10:00 UTC\n- Of tags: a, b\n- Of user: Ada\n\n\
             Login URL: https://a.example/login\n\nOpen Shop: https://shop.example/dashboard\n"
        );
        assert!(
            text.html.contains("<a class=\"button\" href=\"https://a.example/login\">Login URL</a>"),
            "{}",
            text.html
        );
    }

    #[test]
    fn an_invalid_template_is_refused_with_its_file_and_line() {
        for name in ["", "../etc/passwd", "A", "a.b", &"a".repeat(101)] {
            assert!(matches!(fill_of(&[], name, Value::Null), Err(BadTemplate::Name(_))), "{name}");
        }
        assert!(matches!(fill_of(&[], "a", json!([])), Err(BadTemplate::Values(_))));
        let long = format!("Subject: x\n{}", "x".repeat(256 * 1024));
        for (text, expected) in [
            ("Hello", "template a.txt:1: the mail has no subject: expected a first line `Subject: …`"),
            (long.as_str(), "template a.txt: it is too long: expected a text of 256 KiB at most"),
            (
                "Subject: x\n\n{{ name | uper }}",
                "template a.txt:3: `uper` is an unknown filter: expected a filter or test",
            ),
            ("Subject: x\n\n{{ name }}", "template a.txt:3: `name` has no value: expected a value, or "),
        ] {
            let error = fill_of(&[("a.txt", text)], "a", Value::Null).expect_err("no template").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let text = format!("Subject: x\n\n{}", "{{ x }}".repeat(1_000));
        let error =
            fill_of(&[("a.txt", &text)], "a", json!({"x": "y".repeat(2_000)})).expect_err("too long").to_string();
        assert!(error.starts_with("template a.txt:3: it is too long when filled: expected"), "{error}");
    }
}
