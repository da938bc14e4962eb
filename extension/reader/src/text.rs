//! Decodes the escapes in JSON strings.

use crate::cursor::Cursor;
use crate::error::Fault;

/// The value of one escape.
pub(crate) enum Escape {
    Char(char),
    /// One half of a surrogate pair.
    Half(u16),
}

impl Cursor<'_> {
    /// Returns the error for a string that stops here without a quote: at a control character or at the end of the
    /// text.
    #[cold]
    pub fn control(&self) -> Fault {
        if self.at_end() { Fault::Quote } else { Fault::Control }
    }

    /// Decodes an escape, starting at its backslash.
    pub fn escape(&mut self) -> Result<Escape, Fault> {
        self.at += 1;
        let character = match self.peek() {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let unit = self.four_digits()?;
                return Ok(char::from_u32(u32::from(unit)).map_or(Escape::Half(unit), Escape::Char));
            }
            _ => return Err(Fault::Escape),
        };
        self.at += 1;
        Ok(Escape::Char(character))
    }

    fn four_digits(&mut self) -> Result<u16, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()).to_digit(16).ok_or(Fault::Escape)?;
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Decodes an escape, starting at its backslash, including the second half of a surrogate pair.
    pub fn character(&mut self) -> Result<char, Fault> {
        let first = match self.escape()? {
            Escape::Char(character) => return Ok(character),
            Escape::Half(unit) => unit,
        };
        // An escape with the other half must follow. The two halves are then decoded together, which also checks their
        // order.
        if self.peek() != b'\\' {
            return Err(Fault::Surrogate);
        }
        let Escape::Half(second) = self.escape()? else { return Err(Fault::Surrogate) };
        match char::decode_utf16([first, second]).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(Fault::Surrogate),
        }
    }
}
