//! Finds the statements by which a template uses other files.

/// Words of the statements that use another template.
const OF_FILES: [&str; 4] = ["extends", "from", "import", "include"];

/// A statement of a template: `{% include "a.html" %}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'t> {
    /// Line in the template, from 1.
    pub line: usize,
    /// First word.
    pub word: &'t str,
    /// The text between `{%` and `%}`.
    pub text: &'t str,
}

/// Returns the statements that use another template, in the order of the text.
pub fn of_files(template: &str) -> impl Iterator<Item = Statement<'_>> {
    template.match_indices("{%").filter_map(|(at, _)| {
        let rest = &template[at + 2..];
        let text = rest.find("%}").map_or(rest, |end| &rest[..end]);
        let begin = text.trim_start_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let word = &begin[..begin.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(begin.len())];
        let line = template[..at].matches('\n').count() + 1;
        OF_FILES.contains(&word).then_some(Statement { line, word, text })
    })
}
