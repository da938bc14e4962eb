//! A place in the text, and the steps over tokens that need no answer but where they end.

use crate::block::{Marks, SIZE};
use crate::error::Fault;

/// A place in the text. It is copied into a local variable where it moves often, so that it stays in registers.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'m> {
    bytes: &'m [u8],
    /// Marks of all its blocks. From token to token a processor waits for a shift and a count of bits, where looking at the
    /// bytes themselves it would wait for vector instructions.
    marks: &'m [Marks],
    pub at: usize,
    /// Where the block begins that was searched last, and its marks.
    block: usize,
    now: Marks,
}

impl<'m> Cursor<'m> {
    pub fn new(bytes: &'m [u8], marks: &'m [Marks]) -> Cursor<'m> {
        Cursor { bytes, marks, at: 0, block: 0, now: marks.first().copied().unwrap_or_default() }
    }

    /// Go where a copy of this place went.
    #[inline(always)]
    pub fn move_to(&mut self, copy: Cursor<'m>) {
        (self.at, self.block, self.now) = (copy.at, copy.block, copy.now);
    }

    /// The byte here. 0 at the end, which stands nowhere in a JSON text, so that one comparison judges both.
    #[inline(always)]
    pub fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Whether nothing is left.
    pub fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Go to the first byte from here that is marked, and return it; 0 at the end.
    #[inline(always)]
    fn find(&mut self, marked: impl Fn(&Marks) -> u64) -> u8 {
        loop {
            // The block can be behind the place, or past it where that is the end.
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

    /// Go to what is no whitespace, and return that byte.
    #[inline(always)]
    pub fn space(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' { byte } else { self.indentation() }
    }

    /// The same where whitespace is usual.
    #[inline(always)]
    pub fn indentation(&mut self) -> u8 {
        loop {
            match self.find(|marks| marks.solid) {
                // Rare, so that they aren't marked as whitespace.
                b'\t' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Go from within a text to its next quote, backslash or control character, and return that byte; 0 at the end.
    #[inline(always)]
    pub fn text_stop(&mut self) -> u8 {
        self.find(|marks| marks.stops)
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
        // One space is usual here, and needs no search.
        if self.peek() == b' ' {
            self.at += 1;
        }
        Ok(self.space())
    }

    /// Step over digits.
    #[inline(always)]
    fn digits(&mut self) {
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
    use crate::block;
    use crate::error::Fault;

    fn run(bytes: &[u8], at: usize, step: impl Fn(&mut Cursor<'_>)) {
        let index = block::index(bytes);
        let mut cursor = Cursor::new(bytes, &index.blocks);
        cursor.at = at;
        step(&mut cursor);
    }

    /// Run `step` on each text of 0 to 64 bytes that `of` makes, at each alignment, with and without bytes behind it.
    fn at_all_places(of: impl Fn(usize) -> Vec<u8>, step: impl Fn(&mut Cursor<'_>, usize)) {
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
    fn a_text_stops_where_its_first_stop_is() {
        for stop in [b'"', b'\\', 0, 0x1f, b'\n'] {
            let of = |length| [vec![b'x'; length], vec![stop], vec![b'"'; 3]].concat();
            at_all_places(of, |cursor, end| assert_eq!((cursor.text_stop(), cursor.at), (stop, end)));
        }
    }

    #[test]
    fn a_text_without_a_stop_ends_with_the_bytes() {
        for length in 0..=64 {
            let bytes = vec![0xc3; length];
            run(&bytes, 0, |cursor| assert_eq!((cursor.text_stop(), cursor.at), (0, length)));
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
