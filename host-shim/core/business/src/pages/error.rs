//! The reason why a page cannot be shown.

/// A page cannot be shown. It has no value of the page, since values are personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct PageError {
    /// File of the template.
    pub file: String,
    /// Line in the file.
    pub line: usize,
    /// Description of the mistake.
    pub problem: String,
}
