//! The tables of a business as data: `tables.yml`. A store keeps the rows of all businesses in a few tables of its own; [`Tables`]
//! describes views over these rows, with names and columns for people, psql and BI tools. [`Tables::read`] checks a file and reports
//! every mistake with its line; [`sqlite`] and [`postgres`] write the SQL that creates and removes the views. Text from a file only
//! becomes part of the SQL quoted.

mod kind;
mod path;
pub mod postgres;
mod reader;
mod sql;
pub mod sqlite;
mod view;

pub use kind::{Kind, Type};
pub use path::Path;
pub use view::{Column, Condition, Lookup, Tables, View, Wanted};

use host_store::{Partition, mode};

/// Returns the name that distinguishes the views of a business in a mode from those of others in one store: `saas_plugins_test`. It
/// is the prefix of the views in SQLite, and the schema in PostgreSQL.
pub fn space(partition: &Partition) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("{}_{}", partition.business.chars().map(word).collect::<String>(), mode(partition.livemode))
}
