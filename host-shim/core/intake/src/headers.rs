//! Headers of a request, looked up without regard to case.

/// All headers of a request, each with its name and its value, in the order in which they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'h>(pub &'h [(&'h str, &'h [u8])]);

impl<'h> Headers<'h> {
    /// The values of a header, whatever the case of its name.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Whether there is one.
    pub fn has(self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}
