//! Reads a JSON text token by token, for a caller that needs the positions of values. The caller combines the tokens.

use crate::block;
use crate::error::Fault;
use crate::reader::{Reader, Text};
use std::borrow::Cow;

/// The positions in a text at which [`Tokens`] stops.
pub struct Index(block::Index);

impl Index {
    /// Reads the whole text once.
    pub fn of(text: &str) -> Index {
        Index(block::index(text.as_bytes()))
    }
}

/// A position in a JSON text. After an error, the position is at or shortly after the invalid token.
pub struct Tokens<'t, 'm>(Reader<'t, 'm>);

impl<'t, 'm> Tokens<'t, 'm> {
    /// Starts at the beginning of a text.
    pub fn new(text: &'t str, index: &'m Index) -> Tokens<'t, 'm>
    where
        't: 'm,
    {
        Tokens(Reader::new(text, &index.0.blocks))
    }

    /// Returns the position in bytes.
    pub fn offset(&self) -> usize {
        self.0.cursor.at
    }

    /// Returns whether the whole text was read.
    pub fn is_at_end(&self) -> bool {
        self.0.cursor.at_end()
    }

    /// Skips whitespace and returns the next byte; 0 at the end, since a JSON text contains no 0.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        self.0.cursor.space()
    }

    /// Skips one byte: a bracket, a comma or a colon.
    #[inline]
    pub fn skip(&mut self) {
        self.0.cursor.at += 1;
    }

    /// Reads a string, starting at its opening quote. Borrows it from the text unless it has escapes.
    ///
    /// # Errors
    /// [`Fault`] if the string does not end, or contains a control character, an invalid escape or half a surrogate pair.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'t, str>, Fault> {
        Ok(match self.0.read_text()? {
            Text::Borrowed(text) => Cow::Borrowed(text),
            Text::Built => Cow::Owned(self.0.built().to_owned()),
        })
    }

    /// Skips a number, `true`, `false` or `null`.
    ///
    /// # Errors
    /// [`Fault`] if another token begins here.
    #[inline]
    pub fn skip_plain(&mut self) -> Result<(), Fault> {
        let cursor = &mut self.0.cursor;
        match cursor.peek() {
            b'-' | b'0'..=b'9' => cursor.number(),
            b't' => cursor.literal(b"true"),
            b'f' => cursor.literal(b"false"),
            b'n' => cursor.literal(b"null"),
            _ => Err(Fault::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, Tokens};
    use crate::error::Fault;
    use std::borrow::Cow;

    #[test]
    fn tokens_are_read_one_after_another() {
        let text = " [ \"a\\u0041\" ,\"b\",-1.5e3,true,null ] ";
        let index = Index::of(text);
        let mut tokens = Tokens::new(text, &index);
        assert_eq!((tokens.peek(), tokens.offset()), (b'[', 1));
        tokens.skip();
        assert_eq!((tokens.peek(), tokens.string()), (b'"', Ok(Cow::Owned("aA".to_owned()))));
        assert_eq!((tokens.peek(), tokens.offset()), (b',', 13));
        tokens.skip();
        assert!(matches!(tokens.string(), Ok(Cow::Borrowed("b"))));
        for _ in 0..3 {
            assert_eq!(tokens.peek(), b',');
            tokens.skip();
            assert_eq!(tokens.skip_plain(), Ok(()));
        }
        assert_eq!(tokens.peek(), b']');
        tokens.skip();
        assert!(!tokens.is_at_end());
        assert_eq!((tokens.peek(), tokens.is_at_end()), (0, true));
    }

    #[test]
    fn an_invalid_token_is_an_error_at_its_position() {
        for (text, fault, offset) in [
            ("\"a", Fault::Quote, 2),
            ("\"a\n\"", Fault::Control, 2),
            ("\"a\\x\"", Fault::Escape, 2),
            ("\"\\u12g4\"", Fault::Escape, 1),
            ("\"\\ud800\"", Fault::Surrogate, 1),
            ("\"ab\\ud800\\u0041\"", Fault::Surrogate, 3),
            ("\"\\udc00\"", Fault::Surrogate, 1),
        ] {
            let index = Index::of(text);
            let mut tokens = Tokens::new(text, &index);
            assert_eq!((tokens.string(), tokens.offset()), (Err(fault), offset), "{text}");
        }
        for (text, fault) in [("tru", Fault::Value), ("01", Fault::Number), ("-", Fault::Number), ("x", Fault::Value)] {
            let index = Index::of(text);
            assert_eq!(Tokens::new(text, &index).skip_plain(), Err(fault), "{text}");
        }
    }
}
