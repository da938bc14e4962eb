//! The scanner: checks a JSON text in one pass and records its values.

use super::{Document, JsonError, JsonKind, Member, Node, POINTER_BYTES_MAX, push_token};
use crate::body::DEPTH_MAX;
use std::borrow::Cow;

/// Up to this number of members, pairwise comparison is faster than sorting.
const PAIRWISE_MAX: usize = 32;

/// An open array or object.
struct Frame {
    /// Offset of the opening bracket.
    start: usize,
    /// Index of the current item of an array; none for an object.
    item: Option<usize>,
    /// Length of `open` at the opening bracket, which is the index of an object's first member.
    base: usize,
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    frames: Vec<Frame>,
    /// Members of open objects, innermost last.
    open: Vec<Member<'t>>,
    /// Members of closed objects, contiguous per object.
    closed: Vec<Member<'t>>,
    duplicate: Option<String>,
}

pub(super) fn scan(text: &str) -> Result<Document<'_>, JsonError> {
    let mut scanner = Scanner::new(text, 0);
    let root = scanner.document()?;
    Ok(Document { text, root, members: scanner.closed, duplicate: scanner.duplicate })
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, at: usize) -> Self {
        Scanner { text, at, frames: Vec::new(), open: Vec::new(), closed: Vec::new(), duplicate: None }
    }

    fn document(&mut self) -> Result<Node, JsonError> {
        let node = self.complete()?;
        self.space();
        if self.at == self.text.len() { Ok(node) } else { Err(self.expected("the end")) }
    }

    /// Scans one value with all its content.
    fn complete(&mut self) -> Result<Node, JsonError> {
        loop {
            let Some(mut node) = self.value()? else { continue };
            // The end of a value may be followed by the ends of its containers.
            loop {
                let Some(frame) = self.frames.last_mut() else { return Ok(node) };
                if let Some(item) = &mut frame.item {
                    *item += 1;
                    match self.after_space() {
                        Some(b',') => {
                            self.at += 1;
                            break;
                        }
                        Some(b']') => node = self.close(JsonKind::Array),
                        _ => return Err(self.expected("`,` or `]`")),
                    }
                } else {
                    if let Some(member) = self.open.last_mut() {
                        member.value = node;
                    }
                    match self.after_space() {
                        Some(b',') => {
                            self.at += 1;
                            self.name()?;
                            break;
                        }
                        Some(b'}') => node = self.close(JsonKind::Object),
                        _ => return Err(self.expected("`,` or `}`")),
                    }
                }
            }
        }
    }

    /// Scans a scalar or an empty container. Enters a container with content and returns none.
    fn value(&mut self) -> Result<Option<Node>, JsonError> {
        let Some(byte) = self.after_space() else { return Err(self.expected("a value")) };
        let start = self.at;
        let kind = match byte {
            b'{' => {
                self.enter(None)?;
                if self.after_space() == Some(b'}') {
                    return Ok(Some(self.close(JsonKind::Object)));
                }
                self.name()?;
                return Ok(None);
            }
            b'[' => {
                self.enter(Some(0))?;
                return Ok((self.after_space() == Some(b']')).then(|| self.close(JsonKind::Array)));
            }
            b'"' => {
                self.string()?;
                JsonKind::String
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                JsonKind::Number
            }
            b't' => self.literal("true", JsonKind::Bool)?,
            b'f' => self.literal("false", JsonKind::Bool)?,
            b'n' => self.literal("null", JsonKind::Null)?,
            _ => return Err(self.expected("a value")),
        };
        Ok(Some(node(kind, start, self.at)))
    }

    fn enter(&mut self, item: Option<usize>) -> Result<(), JsonError> {
        if self.frames.len() == DEPTH_MAX {
            return Err(JsonError::TooDeep { offset: self.at });
        }
        self.frames.push(Frame { start: self.at, item, base: self.open.len() });
        self.at += 1;
        Ok(())
    }

    /// Closes the innermost container at its closing bracket.
    fn close(&mut self, kind: JsonKind) -> Node {
        self.at += 1;
        let Some(frame) = self.frames.pop() else { return node(kind, self.at, self.at) };
        let mut node = node(kind, frame.start, self.at);
        if kind == JsonKind::Object {
            if self.duplicate.is_none()
                && let Some(name) = duplicate_name(&self.open[frame.base..])
            {
                let mut pointer = self.pointer(frame.base);
                push_token(&mut pointer, &name);
                self.duplicate = Some(pointer);
            }
            let from = self.closed.len();
            self.closed.extend(self.open.drain(frame.base..));
            node.members = (from as u32, self.closed.len() as u32);
        }
        node
    }

    /// Returns the JSON Pointer of the container that was just closed and whose members begin at `base`.
    fn pointer(&self, base: usize) -> String {
        let mut pointer = String::new();
        for (i, frame) in self.frames.iter().enumerate() {
            if pointer.len() >= POINTER_BYTES_MAX {
                break;
            }
            let inner_base = self.frames.get(i + 1).map_or(base, |inner| inner.base);
            match frame.item {
                Some(item) => push_token(&mut pointer, &item.to_string()),
                None => push_token(&mut pointer, &self.open[inner_base - 1].name),
            }
        }
        pointer
    }

    /// Scans the name of a member and its colon.
    fn name(&mut self) -> Result<(), JsonError> {
        if self.after_space() != Some(b'"') {
            return Err(self.expected("a member's name"));
        }
        let start = self.at;
        self.string()?;
        let name = unescape(&self.text[start..self.at]);
        let name_span = (start as u32, self.at as u32);
        if self.after_space() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        self.open.push(Member { name, name_span, value: node(JsonKind::Null, self.at, self.at) });
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        let bytes = self.text.as_bytes();
        loop {
            while let Some(byte) = bytes.get(self.at)
                && *byte != b'"'
                && *byte != b'\\'
                && *byte >= 0x20
            {
                self.at += 1;
            }
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.expected("no control character in a string")),
                None => return Err(self.expected("the string's end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => match self.unit(self.at)? {
                0xD800..=0xDBFF => {
                    let low = self.at + 6;
                    if !matches!(self.unit(low), Ok(0xDC00..=0xDFFF)) {
                        return Err(self.expected("a pair of surrogates"));
                    }
                    self.at = low + 6;
                    Ok(())
                }
                0xDC00..=0xDFFF => Err(self.expected("a pair of surrogates")),
                _ => {
                    self.at += 6;
                    Ok(())
                }
            },
            _ => Err(self.expected("an escape")),
        }
    }

    /// Parses the code unit of `\uXXXX` at `offset`.
    fn unit(&self, offset: usize) -> Result<u16, JsonError> {
        let error = JsonError::Syntax { offset, expected: "`\\u` and four hex digits" };
        match self.text.as_bytes().get(offset..offset + 6) {
            Some([b'\\', b'u', digits @ ..]) => hex_unit(digits).ok_or(error),
            _ => Err(error),
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, word: &'static str, kind: JsonKind) -> Result<JsonKind, JsonError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(kind)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn after_space(&mut self) -> Option<u8> {
        self.space();
        self.peek()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax { offset: self.at, expected }
    }
}

/// Returns a node. Offsets fit in `u32`: a text has at most `BODY_BYTES_MAX` bytes.
fn node(kind: JsonKind, start: usize, end: usize) -> Node {
    Node { kind, span: (start as u32, end as u32), members: (0, 0) }
}

fn hex_unit(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |unit, digit| Some(unit << 4 | (*digit as char).to_digit(16)? as u16))
}

/// Returns a name that two members have. Takes at most n·log n steps for n members.
fn duplicate_name(members: &[Member<'_>]) -> Option<String> {
    if members.len() <= PAIRWISE_MAX {
        let twice = |(i, member): (usize, &Member<'_>)| {
            members[..i].iter().any(|earlier| earlier.name == member.name).then(|| member.name.to_string())
        };
        return members.iter().enumerate().find_map(twice);
    }
    let mut names: Vec<&str> = members.iter().map(|member| member.name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_owned())
}

/// Returns the items of a checked array if all are strings.
pub(super) fn strings(raw: &str) -> Option<Vec<String>> {
    let mut scanner = Scanner::new(raw, 1);
    let mut items = Vec::new();
    loop {
        match scanner.after_space()? {
            b',' => scanner.at += 1,
            b']' => return Some(items),
            b'"' => {
                let start = scanner.at;
                scanner.string().ok()?;
                items.push(unescape(&raw[start..scanner.at]).into_owned());
            }
            _ => return None,
        }
    }
}

/// Returns the items of a checked array if all are objects.
pub(super) fn objects(raw: &str) -> Option<Vec<Document<'_>>> {
    let mut scanner = Scanner::new(raw, 1);
    let mut items = Vec::new();
    loop {
        match scanner.after_space()? {
            b',' => scanner.at += 1,
            b']' => return Some(items),
            b'{' => {
                let start = scanner.at;
                scanner.complete().ok()?;
                items.push(scan(&raw[start..scanner.at]).ok()?);
            }
            _ => return None,
        }
    }
}

/// Returns the content of a checked string with quotes.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let inner = &raw[1..raw.len() - 1];
    let Some(first) = inner.find('\\') else { return Cow::Borrowed(inner) };
    let mut content = String::with_capacity(inner.len());
    content.push_str(&inner[..first]);
    let mut rest = &inner[first..];
    while let Some(escaped) = rest.strip_prefix('\\') {
        let unit = |at: usize| escaped.as_bytes().get(at..at + 4).and_then(hex_unit).unwrap_or(0);
        let (c, used) = match escaped.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => match char::decode_utf16([unit(1), unit(7)]).next() {
                Some(Ok(c)) => (c, 5 + 6 * (c.len_utf16() - 1)),
                _ => (char::REPLACEMENT_CHARACTER, 5),
            },
            Some(other) => (*other as char, 1),
            None => break,
        };
        content.push(c);
        let after = &escaped[used..];
        let plain = after.find('\\').unwrap_or(after.len());
        content.push_str(&after[..plain]);
        rest = &after[plain..];
    }
    Cow::Owned(content)
}
