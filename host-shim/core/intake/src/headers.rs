//! The headers of a request, with case-insensitive look-up.

/// All headers of a request as name and value, in the order of the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'h>(pub &'h [(&'h str, &'h [u8])]);

impl<'h> Headers<'h> {
    /// Returns the values of a header. Ignores the case of the name.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Returns true if the request has the header. Ignores the case of the name.
    pub fn has(self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}
