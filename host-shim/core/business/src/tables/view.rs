//! Views as described in a file.

use crate::tables::kind::{Kind, Type};
use crate::tables::path::Path;
use crate::yaml::bad_input::Place;

/// The views of a business, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    /// The views; no two have the same name.
    pub views: Vec<View>,
}

/// A view: a row for each row of its kind that meets its conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Name.
    pub name: String,
    /// The kind of rows it shows.
    pub kind: Kind,
    /// True if the rows of closed accounts are hidden.
    pub open_accounts: bool,
    /// Other rows that columns read from.
    pub lookups: Vec<Lookup>,
    /// Conditions; all must be met.
    pub conditions: Vec<Condition>,
    /// Columns, at least one.
    pub columns: Vec<Column>,
    /// Position in the file.
    pub place: Place,
}

/// One other row of the same account or of the catalog: of those that meet the conditions, the most recently changed one.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// Name used in paths.
    pub name: String,
    /// Kind of the row.
    pub kind: Kind,
    /// Conditions; all must be met.
    pub conditions: Vec<Condition>,
}

/// A condition: a member has one of several values.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The member.
    pub path: Path,
    /// The values.
    pub wanted: Vec<Wanted>,
}

/// A value of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// The member is null or missing.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A string.
    Text(String),
    /// The value of a member of the view's row, or of an earlier lookup's row.
    Member(Path),
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// The member; none counts as 0 before `minus`, and is null otherwise.
    pub from: Option<Path>,
    /// Members that are subtracted; a missing one counts as 0.
    pub minus: Vec<Path>,
    /// A string: the column then shows whether the member equals it.
    pub is: Option<String>,
    /// The text that replaces each value of the member.
    pub present: Option<String>,
    /// Type.
    pub column_type: Type,
    /// Value that replaces null.
    pub default: Option<Wanted>,
}
