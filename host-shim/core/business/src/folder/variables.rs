//! Reads the clause `unused_variables` of `business.yml`: environment variables that the business lists but does not
//! use, each with the reason. If such a variable is set, the server reports it.

use crate::yaml::{Checked, Checker, Entry, Node, Tree};
use std::collections::BTreeMap;

/// Name of the clause.
pub(super) const CLAUSE: &str = "unused_variables";
/// Maximum number of variables.
const VARIABLES_MAX: usize = 100;
/// Maximum length of a name or a reason in bytes.
const TEXT_BYTES_MAX: usize = 300;

/// Returns true for a name that an environment variable may have.
pub(super) fn is_name(name: &str) -> bool {
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let begins = name.bytes().next().is_some_and(|c| !c.is_ascii_digit());
    begins && name.len() <= TEXT_BYTES_MAX && name.bytes().all(is_letter)
}

/// Reads the clause.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<BTreeMap<String, String>> {
    let entries = check.map(CLAUSE, clause)?;
    check.at_most(CLAUSE, clause.place(), entries.len(), VARIABLES_MAX)?;
    check.each(entries, |entry| read_variable(check, entry))
}

fn read_variable(check: &Checker, entry: &Entry) -> Checked<(String, String)> {
    if !is_name(&entry.key) {
        let problem = format!("`{}` is not a name of an environment variable", entry.key);
        return Err(check.bad(entry.place(), problem, "letters, digits and _, not beginning with a digit"));
    }
    match &entry.value.value {
        Tree::Text(reason) if (1..=TEXT_BYTES_MAX).contains(&reason.len()) => Ok((entry.key.clone(), reason.clone())),
        _ => {
            let expected = format!("the reason, a text of 1 to {TEXT_BYTES_MAX} bytes");
            Err(check.wrong(&entry.key, &entry.value, expected))
        }
    }
}
