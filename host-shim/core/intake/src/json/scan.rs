//! The scanner: checks a JSON text in one pass and records its values.

use super::{Document, JsonError, JsonKind, Member, Node, POINTER_BYTES_MAX, push_token};
use crate::body::DEPTH_MAX;
use extension_reader::Fault;
use extension_reader::tokens::{Index, Tokens};

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

struct Scanner<'t, 'm> {
    tokens: Tokens<'t, 'm>,
    frames: Vec<Frame>,
    /// Members of open objects, innermost last.
    open: Vec<Member<'t>>,
    /// Members of closed objects, contiguous per object.
    closed: Vec<Member<'t>>,
    duplicate: Option<String>,
}

pub(super) fn scan(text: &str) -> Result<Document<'_>, JsonError> {
    let index = Index::of(text);
    let tokens = Tokens::new(text, &index);
    let mut scanner = Scanner { tokens, frames: Vec::new(), open: Vec::new(), closed: Vec::new(), duplicate: None };
    let root = scanner.document()?;
    Ok(Document { text, root, members: scanner.closed, duplicate: scanner.duplicate })
}

impl Scanner<'_, '_> {
    fn document(&mut self) -> Result<Node, JsonError> {
        let node = self.complete()?;
        self.tokens.peek();
        if self.tokens.is_at_end() { Ok(node) } else { Err(self.error(Fault::End)) }
    }

    /// Scans one value with all its contents.
    fn complete(&mut self) -> Result<Node, JsonError> {
        loop {
            let Some(mut node) = self.value()? else { continue };
            // The end of a value may be followed by the ends of its containers.
            loop {
                let Some(frame) = self.frames.last_mut() else { return Ok(node) };
                if let Some(item) = &mut frame.item {
                    *item += 1;
                    match self.tokens.peek() {
                        b',' => {
                            self.tokens.skip();
                            break;
                        }
                        b']' => node = self.close(JsonKind::Array),
                        _ => return Err(self.error(Fault::CommaOrBracket)),
                    }
                } else {
                    if let Some(member) = self.open.last_mut() {
                        member.value = node;
                    }
                    match self.tokens.peek() {
                        b',' => {
                            self.tokens.skip();
                            self.name()?;
                            break;
                        }
                        b'}' => node = self.close(JsonKind::Object),
                        _ => return Err(self.error(Fault::CommaOrBrace)),
                    }
                }
            }
        }
    }

    /// Scans a scalar or an empty container. Enters a container that has contents and returns none.
    fn value(&mut self) -> Result<Option<Node>, JsonError> {
        let byte = self.tokens.peek();
        let start = self.tokens.offset();
        let kind = match byte {
            b'{' => {
                self.enter(None)?;
                if self.tokens.peek() == b'}' {
                    return Ok(Some(self.close(JsonKind::Object)));
                }
                self.name()?;
                return Ok(None);
            }
            b'[' => {
                self.enter(Some(0))?;
                return Ok((self.tokens.peek() == b']').then(|| self.close(JsonKind::Array)));
            }
            b'"' => {
                self.tokens.string().map_err(|fault| self.error(fault))?;
                JsonKind::String
            }
            _ => {
                self.tokens.skip_plain().map_err(|fault| self.error(fault))?;
                match byte {
                    b't' | b'f' => JsonKind::Bool,
                    b'n' => JsonKind::Null,
                    _ => JsonKind::Number,
                }
            }
        };
        Ok(Some(node(kind, start, self.tokens.offset())))
    }

    fn enter(&mut self, item: Option<usize>) -> Result<(), JsonError> {
        let start = self.tokens.offset();
        if self.frames.len() == DEPTH_MAX {
            return Err(JsonError::TooDeep { offset: start });
        }
        self.frames.push(Frame { start, item, base: self.open.len() });
        self.tokens.skip();
        Ok(())
    }

    /// Closes the innermost container at its closing bracket.
    fn close(&mut self, kind: JsonKind) -> Node {
        self.tokens.skip();
        let end = self.tokens.offset();
        let Some(frame) = self.frames.pop() else { return node(kind, end, end) };
        let mut node = node(kind, frame.start, end);
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
        if self.tokens.peek() != b'"' {
            return Err(self.error(Fault::Key));
        }
        let start = self.tokens.offset();
        let name = self.tokens.string().map_err(|fault| self.error(fault))?;
        let end = self.tokens.offset();
        if self.tokens.peek() != b':' {
            return Err(self.error(Fault::Colon));
        }
        self.tokens.skip();
        self.open.push(Member { name, name_span: (start as u32, end as u32), value: node(JsonKind::Null, end, end) });
        Ok(())
    }

    fn error(&self, fault: Fault) -> JsonError {
        JsonError::Syntax { offset: self.tokens.offset(), expected: fault.expected() }
    }
}

/// Returns a node. Offsets fit in `u32`: a text has at most `BODY_BYTES_MAX` bytes.
fn node(kind: JsonKind, start: usize, end: usize) -> Node {
    Node { kind, span: (start as u32, end as u32), members: (0, 0) }
}

/// Returns a name that two members share. Takes at most n·log n steps for n members.
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
