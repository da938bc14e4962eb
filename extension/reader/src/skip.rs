//! Skips values that are not needed, and still rejects invalid JSON.

use crate::cursor::Cursor;
use crate::error::Fault;

/// The stack of open objects and arrays, one bit per level: 1 for an object. The heap is used only beyond 64 levels.
#[derive(Default)]
struct Nesting {
    depth: usize,
    word: u64,
    outer: Vec<u64>,
}

impl Nesting {
    #[inline(always)]
    fn enter(&mut self, object: bool) {
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.word);
        }
        self.word = self.word << 1 | u64::from(object);
        self.depth += 1;
    }

    #[inline(always)]
    fn leave(&mut self) {
        self.depth -= 1;
        self.word >>= 1;
        if self.depth != 0
            && self.depth.is_multiple_of(64)
            && let Some(word) = self.outer.pop()
        {
            self.word = word;
        }
    }

    #[inline(always)]
    fn in_object(&self) -> bool {
        self.word & 1 != 0
    }
}

impl Cursor<'_> {
    /// Skips the value that begins here. Not recursive, so the nesting depth is unlimited.
    pub fn skip_value(&mut self) -> Result<(), Fault> {
        let mut here = *self;
        let result = here.skip();
        self.move_to(here);
        result
    }

    /// Skips the members of an object, from the current name up to the closing brace.
    pub fn skip_members(&mut self) -> Result<(), Fault> {
        let mut here = *self;
        let result = here.members();
        self.move_to(here);
        result
    }

    #[inline(always)]
    fn members(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_key()?;
            self.skip()?;
            match self.space() {
                b',' => self.at += 1,
                b'}' => return Ok(()),
                _ => return Err(Fault::CommaOrBrace),
            }
            self.indentation();
        }
    }

    #[inline(always)]
    fn skip(&mut self) -> Result<(), Fault> {
        let mut nesting = Nesting::default();
        loop {
            match self.space() {
                b'"' => self.skip_text()?,
                b'n' => self.literal(b"null")?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'-' | b'0'..=b'9' => self.number()?,
                b'{' => {
                    self.at += 1;
                    if self.indentation() != b'}' {
                        nesting.enter(true);
                        self.skip_key()?;
                        continue;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    if self.indentation() != b']' {
                        nesting.enter(false);
                        continue;
                    }
                    self.at += 1;
                }
                _ => return Err(Fault::Value),
            }
            // After a value: leaves each object or array that ends here, then goes to the next value.
            loop {
                if nesting.depth == 0 {
                    return Ok(());
                }
                let object = nesting.in_object();
                match self.space() {
                    b',' => {
                        self.at += 1;
                        if object {
                            self.indentation();
                            self.skip_key()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return Err(if object { Fault::CommaOrBrace } else { Fault::CommaOrBracket }),
                }
                self.at += 1;
                nesting.leave();
            }
        }
    }

    #[inline(always)]
    fn skip_key(&mut self) -> Result<(), Fault> {
        if self.peek() != b'"' {
            return Err(Fault::Key);
        }
        self.skip_text()?;
        self.colon()?;
        Ok(())
    }

    /// Skips a string, starting at its opening quote. As in serde_json, a lone half of a surrogate pair is allowed.
    #[inline(always)]
    fn skip_text(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            match self.text_stop() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.skip_escape()?,
                _ => return Err(self.control()),
            }
        }
    }

    #[cold]
    fn skip_escape(&mut self) -> Result<(), Fault> {
        self.escape().map(|_| ())
    }
}
