//! Creates the nodes of the translation, each with the place of the node that it comes from.

use crate::yaml::{Entry, Node, Tree};

/// The place of a clause of the core level. Its methods create values of the full level that stand there.
#[derive(Clone, Copy)]
pub(super) struct From<'n>(pub &'n Node);

impl From<'_> {
    fn node(self, value: Tree) -> Node {
        let Node { line, file, .. } = self.0;
        // Without a column: the value itself is not in the file.
        Node { line: *line, column: 0, file: file.clone(), source: None, value }
    }

    pub fn text(self, text: impl Into<String>) -> Node {
        self.node(Tree::Text(text.into()))
    }

    pub fn int(self, number: i64) -> Node {
        self.node(Tree::Int(number))
    }

    pub fn truth(self, truth: bool) -> Node {
        self.node(Tree::Bool(truth))
    }

    pub fn list(self, values: impl IntoIterator<Item = Node>) -> Node {
        self.node(Tree::List(values.into_iter().collect()))
    }

    pub fn map(self, entries: impl IntoIterator<Item = Entry>) -> Node {
        self.node(Tree::Map(entries.into_iter().collect()))
    }
}

/// Returns an entry on the line of its value.
pub(super) fn entry(key: impl Into<String>, value: Node) -> Entry {
    Entry { key: key.into(), line: value.line, value }
}
