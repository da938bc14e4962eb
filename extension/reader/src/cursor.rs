//! A position in the text, and functions that skip tokens without returning their value.

use crate::block::{Marks, SIZE};
use crate::error::Fault;

/// A position in the text. Loops copy it into a local variable, so that it stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'m> {
    bytes: &'m [u8],
    /// Marks of all blocks of the text. With the marks, the step to the next token takes a shift and a bit count
    /// instead of vector instructions, which have a longer latency.
    marks: &'m [Marks],
    pub at: usize,
    /// Start of the block that was searched last.
    block: usize,
    /// Marks of that block.
    now: Marks,
}

impl<'m> Cursor<'m> {
    pub fn new(bytes: &'m [u8], marks: &'m [Marks]) -> Cursor<'m> {
        Cursor { bytes, marks, at: 0, block: 0, now: marks.first().copied().unwrap_or_default() }
    }

    /// Moves to the position of a copy of this cursor.
    #[inline(always)]
    pub fn move_to(&mut self, copy: Cursor<'m>) {
        (self.at, self.block, self.now) = (copy.at, copy.block, copy.now);
    }

    /// Returns the current byte, or 0 at the end. No JSON text contains a 0, so one comparison covers both cases.
    #[inline(always)]
    pub fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Returns whether the whole text was read.
    pub fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Moves to the first marked byte from here and returns it, or 0 at the end.
    #[inline(always)]
    fn find(&mut self, marked: impl Fn(&Marks) -> u64) -> u8 {
        loop {
            // The position can be after the searched block. At the end of the text it can be before the block.
            let offset = self.at.wrapping_sub(self.block);
            if offset < SIZE {
                let found = marked(&self.now) >> offset;
                if found != 0 {
                    self.at += found.trailing_zeros() as usize;
                    return self.peek();
                }
                self.at = self.block + SIZE;
            }
            self.block += SIZE;
            match self.marks.get(self.block / SIZE) {
                Some(marks) => self.now = *marks,
                None => {
                    self.at = self.bytes.len();
                    return 0;
                }
            }
        }
    }

    /// Skips whitespace and returns the next byte, or 0 at the end.
    #[inline(always)]
    pub fn space(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' { byte } else { self.indentation() }
    }

    /// Like [`Cursor::space`], for positions where whitespace is usual.
    #[inline(always)]
    pub fn indentation(&mut self) -> u8 {
        loop {
            match self.find(|marks| marks.solid) {
                // Tabs and carriage returns are rare, so they have no mark of their own: `solid` includes them.
                b'\t' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// In a string, moves to the next quote, backslash or control character and returns it, or 0 at the end of the
    /// text.
    #[inline(always)]
    pub fn text_stop(&mut self) -> u8 {
        self.find(|marks| marks.stops)
    }

    /// Skips the literal, or fails if the text differs from it.
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

    /// Skips a colon and whitespace, and returns the first byte of the value. Fails without a colon.
    #[inline(always)]
    pub fn colon(&mut self) -> Result<u8, Fault> {
        if self.space() != b':' {
            return Err(Fault::Colon);
        }
        self.at += 1;
        // Stripe usually writes one space after the colon; this check skips it without a search.
        if self.peek() == b' ' {
            self.at += 1;
        }
        Ok(self.space())
    }

    /// Skips digits.
    #[inline(always)]
    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    /// Skips a number.
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
    use crate::block;
    use crate::error::Fault;

    fn run(bytes: &[u8], at: usize, step: impl Fn(&mut Cursor<'_>)) {
        let index = block::index(bytes);
        let mut cursor = Cursor::new(bytes, &index.blocks);
        cursor.at = at;
        step(&mut cursor);
    }

    /// Runs `step` on the texts that `of` returns for 0 to 64, at each alignment, with and without bytes after the
    /// text.
    fn at_all_positions(of: impl Fn(usize) -> Vec<u8>, step: impl Fn(&mut Cursor<'_>, usize)) {
        for alignment in 0..70 {
            for length in 0..=64 {
                let mut bytes = vec![b'~'; alignment];
                bytes.extend(of(length));
                run(&bytes, alignment, |cursor| step(cursor, alignment + length));
                bytes.extend([b'"'; 40]);
                run(&bytes, alignment, |cursor| step(cursor, alignment + length));
            }
        }
    }

    #[test]
    fn text_stop_finds_the_first_stop() {
        for stop in [b'"', b'\\', 0, 0x1f, b'\n'] {
            let of = |length| [vec![b'x'; length], vec![stop], vec![b'"'; 3]].concat();
            at_all_positions(of, |cursor, end| assert_eq!((cursor.text_stop(), cursor.at), (stop, end)));
        }
    }

    #[test]
    fn text_stop_without_a_stop_moves_to_the_end() {
        for length in 0..=64 {
            let bytes = vec![0xc3; length];
            run(&bytes, 0, |cursor| assert_eq!((cursor.text_stop(), cursor.at), (0, length)));
        }
    }

    #[test]
    fn whitespace_ends_at_the_first_other_byte() {
        for run in [&b" "[..], b"\n", b"\t", b"\r", b"\n   ", b"\r\n\t  "] {
            let of = |length| [run.iter().copied().cycle().take(length).collect(), vec![b'{']].concat();
            at_all_positions(of, |cursor, end| assert_eq!((cursor.space(), cursor.at), (b'{', end)));
        }
        for other in [0, 0x0b, 0x0c, 0x1f] {
            let of = |length| [vec![b' '; length], vec![other, b'{']].concat();
            at_all_positions(of, |cursor, end| assert_eq!((cursor.space(), cursor.at), (other, end)));
        }
    }

    #[test]
    fn a_number_ends_after_its_last_digit() {
        let of = |length| [vec![b'7'; length], b"]".to_vec()].concat();
        at_all_positions(of, |cursor, end| {
            let known = if cursor.at == end { Err(Fault::Number) } else { Ok(()) };
            assert_eq!((cursor.number(), cursor.at), (known, end));
        });
    }
}
