//! Reads a `.env` file: one `NAME=value` per line, with comments and quotes as in shells. Messages never contain
//! values.

use host_business::yaml::bad_input::{BadInput, Place, read_text};
use std::collections::BTreeMap;
use std::path::Path;

/// Maximum size of the file in bytes.
const BYTES_MAX: u64 = 256 * 1024;
/// Maximum length of a name in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The value of a variable.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) text: String,
    /// Line in the file, from 1.
    pub(crate) line: usize,
}

/// Reads a file. A file that does not exist has no variables.
pub(crate) fn read(file: &Path) -> Result<BTreeMap<String, Value>, Vec<BadInput>> {
    let Ok(metadata) = file.metadata() else { return Ok(BTreeMap::new()) };
    if metadata.len() > BYTES_MAX {
        let problem = format!("the file has {} bytes", metadata.len());
        return Err(vec![BadInput::new(Place::file(file), problem, format!("at most {BYTES_MAX} bytes"))]);
    }
    let text = read_text(file).map_err(|bad| vec![bad])?;
    let (mut values, mut faults) = (BTreeMap::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let place = || Place::line(file, at + 1);
        match parse(line) {
            Ok(None) => {}
            Ok(Some((name, text))) => {
                if values.insert(name.to_owned(), Value { text, line: at + 1 }).is_some() {
                    faults.push(BadInput::new(place(), format!("`{name}` is set twice"), "each variable once"));
                }
            }
            Err((problem, expected)) => faults.push(BadInput::new(place(), problem, expected)),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// Returns true for the name of a variable.
pub(crate) fn is_name(name: &str) -> bool {
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let begins = name.bytes().next().is_some_and(|c| !c.is_ascii_digit());
    begins && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_letter)
}

/// Parses a line; none for an empty line or a comment.
fn parse(line: &str) -> Result<Option<(&str, String)>, (String, &'static str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let name = line.split_once('=').map(|(name, value)| (name.trim_end(), value.trim_start()));
    let Some((name, value)) = name.filter(|(name, _)| is_name(name)) else {
        let expected = "`NAME=value`, with letters, digits and _ in the name, or a comment after `#`";
        return Err(("this is not a variable".to_owned(), expected));
    };
    let quotes = || (format!("the value of `{name}` has no closing quote"), "a closing quote in the same line");
    let after = |rest: &str| match rest.trim_start() {
        "" => Ok(()),
        rest if rest.starts_with('#') => Ok(()),
        _ => Err((format!("there is more after the quoted value of `{name}`"), "nothing, or a comment after `#`")),
    };
    let value = if let Some(quoted) = value.strip_prefix('\'') {
        let (value, rest) = quoted.split_once('\'').ok_or_else(quotes)?;
        after(rest)?;
        value.to_owned()
    } else if let Some(quoted) = value.strip_prefix('"') {
        let (value, rest) = unescaped(quoted).ok_or_else(quotes)?;
        after(rest)?;
        value
    } else if value.starts_with('#') {
        String::new()
    } else {
        value.split(" #").next().unwrap_or_default().trim_end().to_owned()
    };
    Ok(Some((name, value)))
}

/// Returns the text up to the closing quote, and the text after it.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let (mut out, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                other => out.push(other),
            },
            _ => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<BTreeMap<String, String>, Vec<BadInput>> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(".env");
        std::fs::write(&file, text).expect("written");
        Ok(read(&file)?.into_iter().map(|(name, value)| (name, value.text)).collect())
    }

    #[test]
    fn variables_are_read_with_comments_quotes_and_escapes() {
        let text = "# a comment\n\nA=1\nexport B = two words # a comment\nC='a # b\\n'\nD=\"a\\nb \\\"c\\\"\" # a comment\nE=\r\nF=a#b\nG= # nothing\n";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "a # b\\n"),
            ("D", "a\nb \"c\""),
            ("E", ""),
            ("F", "a#b"),
            ("G", ""),
        ];
        assert_eq!(of(text), Ok(expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()));
        assert!(read(Path::new("nowhere/.env")).is_ok_and(|values| values.is_empty()));
    }

    #[test]
    fn all_faults_are_reported_with_their_lines_and_without_values() {
        let faults = of("A=1\nhidden\nB='hidden\nC=\"hidden\" hidden\n1D=hidden\nA=hidden\n").expect_err("faults");
        let lines: Vec<usize> = faults.iter().map(|bad| bad.place.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        for bad in faults {
            assert!(!bad.to_string().contains("hidden"), "{bad}");
        }
    }
}
