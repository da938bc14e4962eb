//! A text with a maximum length, into which a template is filled.

use std::io;

/// A text that refuses what exceeds its maximum.
#[derive(Debug)]
pub struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Bounded {
    /// Makes an empty text of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Bounded {
        Bounded { bytes: Vec::new(), bytes_max }
    }

    /// Returns the text; none if it is not UTF-8.
    pub fn into_text(self) -> Option<String> {
        String::from_utf8(self.bytes).ok()
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.bytes.len() + bytes.len() > self.bytes_max {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => self.bytes.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
