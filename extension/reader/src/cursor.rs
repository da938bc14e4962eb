//! A place in the text, and the steps over tokens that need no answer but where they end.

use crate::block::{Block, SIZE};
use crate::error::Fault;

/// A place in the text. It is copied into a local variable where it moves often, so that it stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Cursor<'a> {
    /// The byte here. 0 at the end, which stands nowhere in a JSON text, so that one comparison judges both.
    #[inline(always)]
    pub fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// The sixteen bytes from here, unless fewer are left.
    #[inline(always)]
    fn block(&self) -> Option<Block> {
        Some(Block::new(self.bytes.get(self.at..)?.first_chunk::<SIZE>()?))
    }

    /// Go to what is no whitespace, and return that byte.
    #[inline(always)]
    pub fn space(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' { byte } else { self.spaces(byte) }
    }

    /// The same after a colon, where one space is usual.
    #[inline(always)]
    pub fn space_after_colon(&mut self) -> u8 {
        if self.peek() == b' ' {
            self.at += 1;
        }
        self.space()
    }

    #[inline(always)]
    fn spaces(&mut self, mut byte: u8) -> u8 {
        loop {
            match byte {
                // A line break is followed by the next line's indentation.
                b'\n' => {
                    self.at += 1;
                    while let Some(block) = self.block() {
                        let length = block.no_space();
                        self.at += length;
                        if length < SIZE {
                            break;
                        }
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => return byte,
            }
            byte = self.peek();
            if byte > b' ' {
                return byte;
            }
        }
    }

    /// Go from within a text to its next quote, backslash or control character, and return that byte; 0 at the end.
    #[inline(always)]
    pub fn text_stop(&mut self) -> u8 {
        while let Some(block) = self.block() {
            let length = block.text_stop();
            self.at += length;
            if length < SIZE {
                return self.peek();
            }
        }
        loop {
            match self.peek() {
                stop @ (b'"' | b'\\' | 0..0x20) => return stop,
                _ => self.at += 1,
            }
        }
    }

    /// Step over a literal.
    #[inline(always)]
    pub fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Result<(), Fault> {
        match self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(found) if found == literal => {
                self.at += N;
                Ok(())
            }
            _ => Err(Fault::Value),
        }
    }

    /// Step over a colon and go to the value behind it.
    #[inline(always)]
    pub fn colon(&mut self) -> Result<u8, Fault> {
        if self.space() != b':' {
            return Err(Fault::Colon);
        }
        self.at += 1;
        Ok(self.space_after_colon())
    }

    /// Step over digits.
    #[inline(always)]
    fn digits(&mut self) {
        while let Some(block) = self.block() {
            let length = block.no_digit();
            self.at += length;
            if length < SIZE {
                return;
            }
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    /// Step over a number.
    #[inline(always)]
    pub fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => {
                self.at += 1;
                if self.peek().is_ascii_digit() {
                    return Err(Fault::Number);
                }
            }
            b'1'..=b'9' => self.digits(),
            _ => return Err(Fault::Number),
        }
        if matches!(self.peek(), b'.' | b'e' | b'E') { self.fraction_and_exponent() } else { Ok(()) }
    }

    #[cold]
    fn fraction_and_exponent(&mut self) -> Result<(), Fault> {
        if self.peek() == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        if !self.peek().is_ascii_digit() {
            return Err(Fault::Number);
        }
        self.digits();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;
    use crate::error::Fault;

    /// Run `step` on each text of 0 to 64 bytes that `of` makes, at each alignment, with and without bytes behind it.
    fn at_all_places(of: impl Fn(usize) -> Vec<u8>, step: impl Fn(&mut Cursor<'_>, usize)) {
        for alignment in 0..16 {
            for length in 0..=64 {
                let mut bytes = vec![b'~'; alignment];
                bytes.extend(of(length));
                step(&mut Cursor { bytes: &bytes, at: alignment }, alignment + length);
                bytes.extend([b'"'; 40]);
                step(&mut Cursor { bytes: &bytes, at: alignment }, alignment + length);
            }
        }
    }

    #[test]
    fn a_text_stops_where_its_first_stop_is() {
        for stop in [b'"', b'\\', 0, 0x1f, b'\n'] {
            let of = |length| [vec![b'x'; length], vec![stop], vec![b'"'; 3]].concat();
            at_all_places(of, |cursor, end| assert_eq!((cursor.text_stop(), cursor.at), (stop, end)));
        }
    }

    #[test]
    fn a_text_without_a_stop_ends_with_the_bytes() {
        for length in 0..=64 {
            let mut cursor = Cursor { bytes: &vec![0xc3; length], at: 0 };
            assert_eq!((cursor.text_stop(), cursor.at), (0, length));
        }
    }

    #[test]
    fn whitespace_ends_where_something_stands() {
        for run in [&b" "[..], b"\n", b"\t", b"\r", b"\n   ", b"\r\n\t  "] {
            let of = |length| [run.iter().copied().cycle().take(length).collect(), vec![b'{']].concat();
            at_all_places(of, |cursor, end| assert_eq!((cursor.space(), cursor.at), (b'{', end)));
        }
        for other in [0, 0x0b, 0x0c, 0x1f] {
            let of = |length| [vec![b' '; length], vec![other, b'{']].concat();
            at_all_places(of, |cursor, end| assert_eq!((cursor.space(), cursor.at), (other, end)));
        }
    }

    #[test]
    fn a_number_ends_behind_its_last_digit() {
        let of = |length| [vec![b'7'; length], b"]".to_vec()].concat();
        at_all_places(of, |cursor, end| {
            let known = if cursor.at == end { Err(Fault::Number) } else { Ok(()) };
            assert_eq!((cursor.number(), cursor.at), (known, end));
        });
    }
}
