//! Generates the plain text and the HTML of a mail from one filled-in text. Its markup follows the habits of people who write mails: an
//! empty line ends a paragraph, a line that starts with `- ` is a list entry, and `[words](address)` is a link, or a button if it is
//! alone on its line.

use crate::template::guard::unguarded;
use host_provider_api::html::escaped;

/// Prefix of a list entry.
const ENTRY: &str = "- ";
/// Separator between the name and the value of a fact.
const FACT: &str = ": ";
/// Prefixes of addresses to which links may lead.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// A part of a line.
enum Part<'t> {
    Text(&'t str),
    /// An address that no link may lead to, such as a sample, is shown as text.
    Link {
        words: &'t str,
        address: String,
        is_address: bool,
    },
}

/// Returns the plain text: links are written as `words: address`.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = text.trim_start_matches(['\r', '\n']);
    let mut empty_lines = 0;
    for line in text.split_inclusive('\n') {
        empty_lines = if line.trim().is_empty() { empty_lines + 1 } else { 0 };
        // A condition that does not hold leaves an empty line.
        if empty_lines > 1 {
            continue;
        }
        for part in parts(line) {
            match part {
                Part::Text(text) => out.push_str(&unguarded(text)),
                Part::Link { words, address, .. } => out.push_str(&format!("{}: {address}", unguarded(words))),
            }
        }
    }
    out
}

/// Returns the HTML of the text, without the rest of the document.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut lines = text.lines().map(str::trim_end).peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(button) = button(line) {
            out.push_str(&button);
            continue;
        }
        let is_entry = line.starts_with(ENTRY);
        let mut group = vec![line];
        while let Some(next) = lines.peek()
            && !next.is_empty()
            && next.starts_with(ENTRY) == is_entry
            && button(next).is_none()
        {
            group.extend(lines.next());
        }
        out.push_str(&if is_entry { list(&group) } else { paragraph(&group) });
    }
    out
}

fn paragraph(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| inline(line)).collect();
    format!("<p>{}</p>\n", lines.join("<br>\n"))
}

/// Returns a list; a table if each entry is a fact, `Name: value`.
fn list(lines: &[&str]) -> String {
    let entries = lines.iter().map(|line| line.strip_prefix(ENTRY).unwrap_or(line));
    let facts: Option<Vec<(&str, &str)>> = entries.clone().map(|entry| entry.split_once(FACT)).collect();
    match facts {
        Some(facts) => {
            let rows = facts.iter().map(|(name, value)| {
                format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", inline(name), inline(value))
            });
            format!("<table class=\"facts\">\n{}</table>\n", rows.collect::<String>())
        }
        None => {
            let items = entries.map(|entry| format!("<li>{}</li>\n", inline(entry)));
            format!("<ul>\n{}</ul>\n", items.collect::<String>())
        }
    }
}

/// Returns the button for a line that contains only a link.
fn button(line: &str) -> Option<String> {
    let mut parts = parts(line);
    match (parts.next()?, parts.next()) {
        (Part::Link { words, address, is_address: true }, None) => Some(format!(
            "<p class=\"action\"><a class=\"button\" href=\"{}\">{}</a></p>\n",
            escaped(&address),
            escaped(&unguarded(words))
        )),
        _ => None,
    }
}

fn inline(line: &str) -> String {
    let shown = |part| match part {
        Part::Text(text) => with_addresses(text),
        Part::Link { words, address, is_address: true } => anchor(&address, &unguarded(words)),
        Part::Link { words, address, .. } => escaped(&format!("{}: {address}", unguarded(words))).into_owned(),
    };
    parts(line).map(shown).collect()
}

fn anchor(address: &str, words: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escaped(address), escaped(words))
}

/// Returns a text in which written-out addresses are links. Those within values remain text.
fn with_addresses(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = SCHEMES[..2].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let found = &rest[at..];
        let end = found.find(char::is_whitespace).unwrap_or(found.len());
        let address = found[..end].trim_end_matches(['.', ',', ';', ')']);
        out.push_str(&escaped(&unguarded(&rest[..at])));
        let shown = unguarded(address);
        out.push_str(&anchor(&shown, &shown));
        rest = &found[address.len()..];
    }
    out.push_str(&escaped(&unguarded(rest)));
    out
}

/// Splits a line into text and links.
fn parts(line: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = line;
    let mut link = None;
    std::iter::from_fn(move || {
        if let Some(link) = link.take() {
            return Some(link);
        }
        if rest.is_empty() {
            return None;
        }
        match next_link(rest) {
            Some((at, end, found)) => {
                let before = &rest[..at];
                rest = &rest[end..];
                if before.is_empty() {
                    return Some(found);
                }
                link = Some(found);
                Some(Part::Text(before))
            }
            None => Some(Part::Text(std::mem::take(&mut rest))),
        }
    })
}

/// Returns the first link in a text, with its start and end.
fn next_link(text: &str) -> Option<(usize, usize, Part<'_>)> {
    text.match_indices("](").find_map(|(middle, _)| {
        let at = text[..middle].rfind('[')?;
        let end = middle + text[middle..].find(')')?;
        let (words, address) = (&text[at + 1..middle], unguarded(text[middle + 2..end].trim()));
        let is_address = SCHEMES.iter().any(|scheme| address.starts_with(scheme))
            && !address.contains(|letter: char| letter.is_whitespace() || letter.is_control());
        (!words.trim().is_empty()).then_some((at, end + 1, Part::Link { words, address, is_address }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::guard::guarded;

    #[test]
    fn a_text_becomes_paragraphs_lists_facts_and_buttons() {
        let text = "Hello & welcome.\nSecond line\n\n\n\n- one\n- two\n\n- Name: Ada\n- Due: 1:30\n\n[Pay now](https://a.example/?x=1&y=2)\n\
            See https://b.example/c. Or [here](mailto:d@example.com)!\n";
        assert_eq!(
            html(text),
            "<p>Hello &amp; welcome.<br>\nSecond line</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n\
             <table class=\"facts\">\n<tr><th scope=\"row\">Name</th><td>Ada</td></tr>\n\
             <tr><th scope=\"row\">Due</th><td>1:30</td></tr>\n</table>\n\
             <p class=\"action\"><a class=\"button\" href=\"https://a.example/?x=1&amp;y=2\">Pay now</a></p>\n\
             <p>See <a href=\"https://b.example/c\">https://b.example/c</a>. Or <a href=\"mailto:d@example.com\">here</a>!</p>\n"
        );
        assert_eq!(
            plain(text),
            "Hello & welcome.\nSecond line\n\n- one\n- two\n\n- Name: Ada\n- Due: 1:30\n\nPay now: https://a.example/?x=1&y=2\n\
             See https://b.example/c. Or here: mailto:d@example.com!\n"
        );
    }

    #[test]
    fn a_value_makes_no_link_no_list_and_no_tag() {
        let value = guarded("- a\n[b](https://evil.example) https://evil.example <b>");
        let shown = html(&format!("{value}\n"));
        assert_eq!(
            shown, "<p>- a\n[b](https://evil.example) https://evil.example &lt;b&gt;</p>\n",
            "the value is shown as it is"
        );
        for address in ["javascript:alert(1)", "https://a.example\nx", ""] {
            let text = format!("[words]({})", guarded(address));
            assert!(!html(&text).contains("<a ") && html(&text).contains("words: "), "{address}");
        }
        let (words, address) = (guarded("<A>"), guarded("https://a.example/?\"x\""));
        let shown = html(&format!("[{words}]({address})"));
        assert!(shown.contains("href=\"https://a.example/?&quot;x&quot;\">&lt;A&gt;</a>"), "{shown}");
    }
}
