//! Reasons why a request could not be answered, and mistakes in the form of a note.

use crate::name::NAME_MAX;
use crate::storage::StorageError;

/// Maximum bytes of a note's text.
pub(crate) const TEXT_MAX: usize = 64 * 1024;
/// Maximum characters of the name of a file.
pub(crate) const FILE_NAME_MAX: usize = 200;

/// Reasons why a request could not be answered. They are for the log, not for the customer.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    /// The database or the bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A page could not be rendered.
    #[error("a page can't be rendered: {0}")]
    Page(#[from] minijinja::Error),
}

/// A mistake in a form, which the page shows at the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("The name is “{0}”: expected 1 to {NAME_MAX} letters, digits, - and _")]
    Name(String),
    #[error("The name is “{0}”: expected a name that no other note has")]
    NameTaken(String),
    #[error("The text has {0} bytes: expected at most {TEXT_MAX}")]
    TextLong(usize),
    #[error("The text contains the character NUL: expected one without it")]
    TextNul,
    #[error("The text is empty: expected a text or a file")]
    Empty,
    #[error("The file has a name of {0} characters: expected at most {FILE_NAME_MAX}")]
    FileNameLong(usize),
    #[error("The file has no name: expected a file with a name")]
    FileUnnamed,
    #[error("The file and the text have {0} bytes: expected at most {max}", max = crate::routes::BODY_MAX)]
    BodyLarge(usize),
    #[error("There is a file: expected none, since this instance has no bucket")]
    NoBucket,
    #[error("The file has {bytes} bytes: expected at most {free}, the rest of the plan's limit")]
    FilesFull { bytes: u64, free: u64 },
}

impl Mistake {
    /// Returns the name of the field.
    pub fn field(&self) -> &'static str {
        match self {
            Mistake::Name(_) | Mistake::NameTaken(_) => "name",
            Mistake::TextLong(_) | Mistake::TextNul | Mistake::Empty => "text",
            Mistake::BodyLarge(_)
            | Mistake::FileNameLong(_)
            | Mistake::FileUnnamed
            | Mistake::NoBucket
            | Mistake::FilesFull { .. } => "file",
        }
    }
}
