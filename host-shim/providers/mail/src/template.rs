//! Fills in the templates of mails.

use host_template::{FILE_BYTES_MAX, Form, MailTemplate, MailText, TEXT_BYTES_MAX, TemplateError, is_name};
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Maximum characters of a subject.
const SUBJECT_MAX: usize = 200;

/// Reasons why a template can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTemplate {
    /// The name is none of a template.
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
    /// A template is wrong, or a value does not fit.
    #[error("template {name}.{}:{}: {}: expected {}", error.form.extension(), error.line, error.problem, error.expected)]
    Template {
        /// Name of the template.
        name: String,
        /// The mistake.
        error: TemplateError,
    },
}

/// Fills in a template: that of the first folder that has it. A mail without a template lists its values.
///
/// # Errors
/// Fails if a file cannot be read, or a value is missing or does not fit.
pub fn fill(folders: &[PathBuf], name: &str, values: &Value) -> Result<MailText, BadTemplate> {
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
    let read = |folder: &Path, form: Form| {
        let file = folder.join(format!("{name}.{}", form.extension()));
        read(&file).map_err(|problem| BadTemplate::File { name: name.to_owned(), form, problem })
    };
    let mut found = None;
    for folder in folders.iter().map(PathBuf::as_path) {
        if let Some(text) = read(folder, Form::Plain)? {
            found = Some((text, read(folder, Form::Html)?));
            break;
        }
    }
    let Some((text, html)) = found else { return Ok(by_default(name, values)) };
    let text = MailTemplate::parse(&text, html.as_deref())
        .and_then(|template| template.fill(values))
        .map_err(|error| BadTemplate::Template { name: name.to_owned(), error })?;
    Ok(MailText { subject: one_line(&text.subject), ..text })
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

/// Returns the text of a mail without a template file. The subject is the template's name; the body lists the values.
fn by_default(name: &str, values: &Map<String, Value>) -> MailText {
    let words = name.replace('_', " ");
    let mut letters = words.trim().chars();
    let subject = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let line = |(name, value): (&String, &Value)| format!("{}: {}\n", one_line(&name.replace('_', " ")), shown(value));
    let mut plain: String = values.iter().map(line).collect();
    if plain.len() > TEXT_BYTES_MAX {
        let mut end = TEXT_BYTES_MAX;
        while !plain.is_char_boundary(end) {
            end -= 1;
        }
        plain.truncate(end);
    }
    MailText { subject, plain, html: None }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Replaces control characters in a header's text with spaces, so that a value can't begin another header.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(SUBJECT_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fill_of(files: &[(&str, &str)], name: &str, values: Value) -> Result<MailText, BadTemplate> {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        fill(&[folder.path().to_owned()], name, &values)
    }

    #[test]
    fn placeholders_are_filled_once_and_escaped_in_html() {
        let files = [
            ("hi.txt", "Subject: Hello {{ name }}\n\nDear {{name}}, you have {{ count }}. {a b} {\n"),
            ("hi.html", "<style>p { color: red }</style><p title=\"{{ name }}\">{{ name }}</p>"),
        ];
        let text = fill_of(&files, "hi", json!({"name": "<Ana> & {{ count }}'\"", "count": 3})).expect("a text");
        assert_eq!(text.subject, "Hello <Ana> & {{ count }}'\"");
        assert_eq!(text.plain, "Dear <Ana> & {{ count }}'\", you have 3. {a b} {\n");
        let name = "&lt;Ana&gt; &amp; {{ count }}&#39;&quot;";
        let html = format!("<style>p {{ color: red }}</style><p title=\"{name}\">{name}</p>");
        assert_eq!(text.html, Some(html));
    }

    #[test]
    fn the_first_folder_with_a_template_has_it() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let paths = folders.each_ref().map(|folder| folder.path().to_owned());
        for (at, name) in [(0, "hi"), (1, "hi"), (1, "bye")] {
            std::fs::write(paths[at].join(format!("{name}.txt")), format!("Subject: {at}")).expect("written");
        }
        let subject = |name: &str| fill(&paths, name, &Value::Null).expect("a text").subject;
        assert_eq!((subject("hi"), subject("bye"), subject("none")), ("0".into(), "1".into(), "None".into()));
    }

    #[test]
    fn a_value_can_not_begin_a_header() {
        let files = [("hi.txt", "Subject: Hello {{ name }}\n\n.")];
        let text = fill_of(&files, "hi", json!({"name": "Ana\r\nBcc: all@example.com\u{0}"})).expect("a text");
        assert_eq!(text.subject, "Hello Ana  Bcc: all@example.com");
    }

    #[test]
    fn a_mail_without_a_template_lists_its_values() {
        let values = json!({"login_url": "https://a.example/login", "days": 3});
        let expected = MailText {
            subject: "Orchestra welcome".to_owned(),
            plain: "days: 3\nlogin url: https://a.example/login\n".to_owned(),
            html: None,
        };
        assert_eq!(fill_of(&[], "orchestra_welcome", values.clone()).expect("a text"), expected);
        assert_eq!(fill(&[], "orchestra_welcome", &values).expect("a text"), expected);
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
            ("Subject: x\n\n{name}", "template a.txt:3: `{name}` is not a placeholder: expected `{{ name }}`"),
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

    /// The bytes are those of the releases before, whose placeholders were `{name}`.
    #[test]
    fn the_mails_of_the_fixtures_keep_their_bytes() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/saas-plugins");
        let of = |folder: &str, name: &str, values: Value| {
            let text = fill(&[fixture.join(folder)], name, &values).expect("a mail");
            (text.subject, text.plain, text.html)
        };
        let dashboard = "https://plugins.example/dashboard";
        let expected = (
            "Welcome".to_owned(),
            format!(
                "You are registered with o'neil+a/b@example.com. Choose what to run on your dashboard: {dashboard}\n"
            ),
            Some(format!(
                "<p>You are registered with <b>o&#39;neil+a/b@example.com</b>.</p>\n\
                 <p><a href=\"{dashboard}\">Choose what to run</a></p>\n"
            )),
        );
        assert_eq!(of("templates", "welcome", json!({"email": "o'neil+a/b@example.com"})), expected);
        let plain = "Downloads that it paid for can't be begun any more. Your subscription was sub_1.\n".to_owned();
        let expected = ("Your subscription has ended".to_owned(), plain, None);
        assert_eq!(of("templates", "goodbye", json!({"subscription": "sub_1"})), expected);
        let link = "https://plugins.example/unsubscribe/user:u1";
        let expected = (
            "Spring & more".to_owned(),
            format!(
                "There is a new release. Choose what to run on your dashboard: {dashboard}\n\n\
                 You get this since you have an account. If you want no more of it: {link}\n"
            ),
            Some(format!(
                "<p>There is a new release.</p>\n<p><a href=\"{dashboard}\">Choose what to run</a></p>\n\
                 <p><small><a href=\"{link}\">No more of these</a></small></p>\n"
            )),
        );
        let values = json!({"campaign": "Spring & more", "unsubscribe": "user:u1"});
        assert_eq!(of("features/campaigns/templates", "news", values), expected);
    }
}
