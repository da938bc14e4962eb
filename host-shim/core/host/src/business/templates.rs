//! Which mail templates does a business have? `templates/NAME.txt`, with the subject in its first line, and optionally
//! `NAME.html`. Placeholders are written as `{value}`.

use crate::bad_input::{BadInput, Place, read_text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the optional folder of templates in a business folder.
pub(super) const FOLDER: &str = "templates";
/// Prefix of the first line of a text template.
const SUBJECT: &str = "Subject: ";
/// Maximum size of a file, in bytes.
const BYTES_MAX: usize = 256 * 1024;

/// Reads the templates. Returns the list of placeholders by template name, as the extension gets it.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, Value>, BadInput> {
    let folder = folder.join(FOLDER);
    let mut out = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(out);
    }
    let unreadable =
        |cause: std::io::Error| BadInput::new(Place::file(&folder), cause.to_string(), "a folder that can be read");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        files.push(entry.map_err(unreadable)?.path());
    }
    files.sort();
    for file in &files {
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bad = |problem: &str, expected: &str| BadInput::new(Place::file(file), problem, expected);
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return Err(bad("the template has no valid name", "a name of a-z, 0-9 and _"));
        }
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("txt") => {}
            Some("html") if file.with_extension("txt").is_file() => continue,
            Some("html") => return Err(bad("the mail has no text", "a .txt file of the same name beside it")),
            _ => return Err(bad("this is not a template", "a .txt or .html file")),
        }
        let text = bounded(file)?;
        let Some(subject) = text.lines().next().and_then(|line| line.strip_prefix(SUBJECT)) else {
            let problem = "the mail has no subject";
            return Err(BadInput::new(Place::line(file, 1), problem, "a first line `Subject: …`"));
        };
        if subject.trim().is_empty() {
            return Err(BadInput::new(Place::line(file, 1), "the subject is empty", "a text after `Subject: `"));
        }
        let mut names = placeholders(file, &text)?;
        let html = file.with_extension("html");
        if html.is_file() {
            names.extend(placeholders(&html, &bounded(&html)?)?);
        }
        names.sort();
        names.dedup();
        out.insert(name, json!(names));
    }
    Ok(out)
}

fn bounded(file: &Path) -> Result<String, BadInput> {
    let text = read_text(file)?;
    match text.len() > BYTES_MAX {
        true => Err(BadInput::new(Place::file(file), format!("it has {} bytes", text.len()), "256 KiB at most")),
        false => Ok(text),
    }
}

/// Returns the placeholders of a text: words in braces. Other text in braces, such as a CSS rule, is literal.
fn placeholders(file: &Path, text: &str) -> Result<Vec<String>, BadInput> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for part in line.split('{').skip(1) {
            let Some((place, _)) = part.split_once('}') else { continue };
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !place.is_empty() && place.chars().all(is_word) {
                found.push(place.to_owned());
            } else if place.trim() != place && place.trim().chars().all(is_word) && !place.trim().is_empty() {
                let problem = format!("`{{{place}}}` has spaces in it");
                return Err(BadInput::new(Place::line(file, index + 1), problem, format!("`{{{}}}`", place.trim())));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(files: &[(&str, &str)]) -> Result<BTreeMap<String, Value>, BadInput> {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join(FOLDER)).expect("made");
        for (name, text) in files {
            std::fs::write(dir.path().join(FOLDER).join(name), text).expect("written");
        }
        read(dir.path())
    }

    #[test]
    fn a_mail_has_a_text_and_optionally_html() {
        let result = read_of(&[
            ("welcome.txt", "Subject: Hello {name}\n\nYour address is {email}.\n"),
            ("welcome.html", "<style>p { color: red }</style><p>{name} {unsubscribe_url}</p>"),
            ("bye.txt", "Subject: Bye\n"),
        ]);
        let expected = [("bye", json!([])), ("welcome", json!(["email", "name", "unsubscribe_url"]))];
        assert_eq!(result.expect("templates"), expected.map(|(name, places)| (name.to_owned(), places)).into());
        assert_eq!(read(Path::new("nowhere")).expect("none"), BTreeMap::new());
    }

    #[test]
    fn an_invalid_template_is_reported_with_its_file() {
        let long = format!("Subject: x\n{}", "x".repeat(BYTES_MAX));
        for (files, expected) in [
            (vec![("a.txt", "Hello")], "a.txt:1: the mail has no subject"),
            (vec![("a.txt", "Subject: \n")], "a.txt:1: the subject is empty"),
            (vec![("a.html", "<p>")], "a.html: the mail has no text"),
            (vec![("a.md", "x")], "a.md: this is not a template"),
            (vec![("A.txt", "Subject: x")], "A.txt: the template has no valid name"),
            (vec![("a.txt", "Subject: x\n\n{ name }")], "a.txt:3: `{ name }` has spaces in it"),
            (vec![("a.txt", long.as_str())], "bytes"),
        ] {
            let result = read_of(&files).expect_err("an invalid template").to_string();
            assert!(result.contains(expected), "{expected}: {result}");
        }
    }
}
