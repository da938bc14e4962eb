//! Reads the mail templates of a business. `templates/NAME.txt` starts with the subject, and `NAME.html` is optional.
//! `NAME.de.txt` is the same mail in another language, and `layout.html` is the layout of all mails. Placeholders are
//! written as `{{ value }}`.

use crate::template::{
    LAYOUT, MailTemplate, TemplateError, built_in, check_layout, is_language, is_name, is_switched_off,
};
use crate::yaml::bad_input::{BadInput, Place, read_text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Name of the optional folder of templates in a business folder.
pub(super) const FOLDER: &str = "templates";

/// Reads the templates. Returns the list of placeholders by template name, in the form for the extension.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, Value>, BadInput> {
    let folder = folder.join(FOLDER);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let unreadable =
        |cause: std::io::Error| BadInput::new(Place::file(&folder), cause.to_string(), "a folder that can be read");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        files.push(entry.map_err(unreadable)?.path());
    }
    files.sort();
    for file in &files {
        let stem = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bad = |problem: &str, expected: &str| BadInput::new(Place::file(file), problem, expected);
        let extension = file.extension().and_then(|extension| extension.to_str());
        if (stem.as_str(), extension) == (LAYOUT, Some("html")) {
            check_layout(&read_text(file)?).map_err(|error| mistake(file, error))?;
            continue;
        }
        let (name, language) = stem.split_once('.').map_or((stem.as_str(), None), |(name, tag)| (name, Some(tag)));
        if !is_name(name) {
            return Err(bad("the template has no valid name", "a name of at most 100 of a-z, 0-9 and _"));
        }
        if !language.is_none_or(is_language) {
            return Err(bad("the template has no valid language", "two letters, as in welcome.de.txt"));
        }
        match extension {
            Some("txt") => {}
            Some("html") if file.with_extension("txt").is_file() => continue,
            Some("html") => return Err(bad("the mail has no text", "a .txt file of the same name beside it")),
            _ => return Err(bad("this is not a template", "a .txt or .html file")),
        }
        let is_usual = || folder.join(format!("{name}.txt")).is_file() || built_in(name).is_some();
        if language.is_some() && !is_usual() {
            let expected = format!("{name}.txt beside it, for the other languages");
            return Err(bad("the mail has only a translation", &expected));
        }
        let html = file.with_extension("html");
        let html = html.is_file().then(|| read_text(&html)).transpose()?;
        let text = read_text(file)?;
        if is_switched_off(&text) && built_in(name).is_some() {
            continue;
        }
        let template = MailTemplate::parse(&text, html.as_deref()).map_err(|error| mistake(file, error))?;
        found.entry(name.to_owned()).or_default().extend(template.placeholders());
    }
    Ok(found.into_iter().map(|(name, placeholders)| (name, json!(placeholders))).collect())
}

/// Returns the mistake with its line. `file` is the mail's text; its HTML is in the file of the same name next to it.
fn mistake(file: &Path, error: TemplateError) -> BadInput {
    let file = file.with_extension(error.form.extension());
    BadInput::new(Place::line(&file, error.line), error.problem, error.expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_folder::TestFolder;

    fn read_of(files: &[(&str, &str)]) -> Result<BTreeMap<String, Value>, BadInput> {
        let folder = TestFolder::of(&[]);
        files.iter().for_each(|(name, text)| folder.write(&format!("{FOLDER}/{name}"), text));
        read(folder.path())
    }

    #[test]
    fn a_mail_has_a_text_and_optionally_html() {
        let result = read_of(&[
            ("welcome.txt", "Subject: Hello {{ name }}\n\nYour address is {{email}}.\n"),
            ("welcome.html", "<style>p { color: red }</style><p>{{ name }} {{ user.site }}</p>"),
            ("welcome.de.txt", "Subject: Hallo {{ name }}\n\n{{ site.title }}: {{ plan }}\n"),
            ("receipt.de.txt", "Subject: Ihre Quittung\n"),
            ("layout.html", "<html>{{ site.title }}{{ content }}"),
            ("bye.txt", "Subject: Bye\n"),
            ("instance_ready.txt", "\n"),
        ]);
        let expected =
            [("bye", json!([])), ("receipt", json!([])), ("welcome", json!(["email", "name", "plan", "user.site"]))];
        assert_eq!(result.expect("templates"), expected.map(|(name, places)| (name.to_owned(), places)).into());
        assert_eq!(read(Path::new("nowhere")).expect("none"), BTreeMap::new());
    }

    #[test]
    fn an_invalid_template_is_reported_with_its_file() {
        let long = format!("Subject: x\n{}", "x".repeat(crate::template::FILE_BYTES_MAX));
        for (files, expected) in [
            (vec![("a.txt", "Hello")], "a.txt:1: the mail has no subject"),
            (vec![("a.txt", "")], "a.txt:1: the mail has no subject"),
            (vec![("a.txt", "Subject: \n")], "a.txt:1: the subject is empty"),
            (vec![("a.html", "<p>")], "a.html: the mail has no text"),
            (vec![("a.md", "x")], "a.md: this is not a template"),
            (vec![("A.txt", "Subject: x")], "A.txt: the template has no valid name"),
            (vec![("a.txt", "Subject: x\n\n{{ name | uper }}")], "a.txt:3: `uper` is an unknown filter"),
            (
                vec![("a.txt", "Subject: x"), ("a.html", "<p>\n{{ name | uper }}")],
                "a.html:2: `uper` is an unknown filter",
            ),
            (vec![("a.txt", "Subject: x\n\n{{ name")], "a.txt:3: unexpected end of input"),
            (vec![("a.txt", long.as_str())], "bytes"),
            (vec![("a.de.txt", "Subject: x")], "a.de.txt: the mail has only a translation; expected a.txt beside it"),
            (
                vec![("a.txt", "Subject: x"), ("a.german.txt", "Subject: x")],
                "a.german.txt: the template has no valid language",
            ),
            (vec![("layout.html", "<html>")], "layout.html:1: the frame shows no content"),
        ] {
            let result = read_of(&files).expect_err("an invalid template").to_string();
            assert!(result.contains(expected), "{expected}: {result}");
        }
    }
}
