//! Decides whether reports on standard output are coloured.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};

/// Returns true if a report on standard output may have colours: on a terminal, unless `NO_COLOR` is set to any text.
pub fn has_colours() -> bool {
    io::stdout().is_terminal() && allows_colours(std::env::var_os("NO_COLOR").as_deref())
}

/// Returns true if this value of `NO_COLOR` allows colours; an empty value counts as unset.
fn allows_colours(no_color: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_in_no_color_refuses_colours() {
        let allowed = [None, Some(""), Some("1"), Some("0")].map(|value| allows_colours(value.map(OsStr::new)));
        assert_eq!(allowed, [true, true, false, false]);
    }
}
