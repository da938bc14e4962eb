//! Splits the file of a page into its head and its template, and finds the templates that it uses.

use crate::template::of_files;
use crate::yaml::Node;
use crate::yaml::bad_input::{BadInput, Place};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The line before and after a head.
const FENCE: &str = "---";

/// A file of a page, a block or a layout.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    /// Path, for messages.
    pub(crate) file: PathBuf,
    /// The head; none for a layout, or a file of macros.
    pub(crate) head: Option<Node>,
    /// The template. The lines of the head are empty, so that line numbers stay correct.
    pub(crate) template: String,
}

impl Source {
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Source, BadInput> {
        let text = text.replace("\r\n", "\n");
        let Some(rest) = text.strip_prefix(&format!("{FENCE}\n")) else {
            return Ok(Source { file: file.to_owned(), head: None, template: text });
        };
        let Some((head, template)) = rest.split_once(&format!("\n{FENCE}\n")) else {
            let problem = format!("the head does not end: there is no second line `{FENCE}`");
            return Err(BadInput::new(Place::line(file, 1), problem, format!("`{FENCE}` after the head")));
        };
        let lines = head.lines().count() + 2;
        // The head begins in line 2, so that its mistakes get the right lines.
        let head = Node::parse(file, &format!("\n{head}\n"))?;
        Ok(Source { file: file.to_owned(), head: Some(head), template: "\n".repeat(lines) + template })
    }

    /// Returns the names of the templates that this one includes, extends or imports.
    pub(crate) fn used(&self) -> BTreeSet<&str> {
        let quoted = of_files(&self.template).flat_map(|statement| statement.text.split(['"', '\'']));
        quoted.filter(|part| part.ends_with(".html")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_head_and_a_template_with_its_lines() {
        let text = "---\npath: /a\ntitle: A\n---\n{% extends \"layout.html\" %}\n{% include 'blocks/b.html' %}{{ \"c.html\" }}";
        let source = Source::parse(Path::new("a.html"), text).expect("a source");
        let head = source.head.as_ref().expect("a head");
        assert_eq!(head.member("title").map(|node| node.place().line), Some(3));
        assert_eq!(source.template.lines().nth(4), Some("{% extends \"layout.html\" %}"));
        assert_eq!(source.used().into_iter().collect::<Vec<_>>(), ["blocks/b.html", "layout.html"]);
        let without = Source::parse(Path::new("b.html"), "{% macro a() %}{% endmacro %}").expect("a source");
        assert_eq!((without.head, without.template.lines().count()), (None, 1));
        let open = Source::parse(Path::new("c.html"), "---\npath: /a\n").expect_err("no end");
        assert!(open.to_string().contains("the head does not end"), "{open}");
    }
}
