//! Splits an input into the texts of its events, by lines.

use super::EXPECTED;
use host_scenario::error::{BadInput, Place};
use serde::de::IgnoredAny;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// The maximum length of a line or a single event, in bytes: the intake's limit, 1 MiB.
pub const LINE_BYTES_MAX: usize = host_intake::body::BODY_BYTES_MAX;

/// The text of one event.
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// Range of bytes in the input, including the line break.
    pub(super) span: (u64, u64),
    /// Number of the event's first line, from 1.
    pub(super) line: usize,
}

/// An iterator over the texts of an input's events. It ends with the first error.
pub(super) struct Chunks<R> {
    reader: R,
    source: PathBuf,
    /// The number of bytes read.
    at: u64,
    /// The last line, without its line break.
    line: Vec<u8>,
    /// Number of the last line, from 1.
    number: usize,
    /// True if each further line is one event.
    is_lines: bool,
    has_ended: bool,
}

impl<R: BufRead> Chunks<R> {
    /// Reads an input from its beginning. With the file extension `jsonl` or `ndjson`, each line must be one event.
    pub(super) fn new(reader: R, source: &Path) -> Self {
        let is_lines = matches!(source.extension().and_then(|e| e.to_str()), Some("jsonl" | "ndjson"));
        Chunks { reader, source: source.to_owned(), at: 0, line: Vec::new(), number: 0, is_lines, has_ended: false }
    }

    /// Reads a part of an input with one event per line. `at` is the number of bytes before this part, and `line` the
    /// number of its first line.
    pub(super) fn lines(reader: R, source: &Path, at: u64, line: usize) -> Self {
        Chunks {
            reader,
            source: source.to_owned(),
            at,
            line: Vec::new(),
            number: line - 1,
            is_lines: true,
            has_ended: false,
        }
    }

    fn read(&mut self) -> Result<Option<Chunk>, BadInput> {
        loop {
            let from = self.at;
            if !self.next_line()? {
                return Ok(None);
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // The copy has no spare capacity, because it may stay in memory.
            let mut bytes = self.line.clone();
            let line = self.number;
            if !self.is_lines && serde_json::from_slice::<IgnoredAny>(&bytes).is_err() {
                self.read_rest(&mut bytes)?;
            }
            self.is_lines = true;
            return Ok(Some(Chunk { bytes, span: (from, self.at), line }));
        }
    }

    /// Reads the next line. Returns false at the end of the input.
    fn next_line(&mut self) -> Result<bool, BadInput> {
        self.line.clear();
        self.number += 1;
        let read = self.reader.by_ref().take(LINE_BYTES_MAX as u64 + 2).read_until(b'\n', &mut self.line);
        let read = read.map_err(|cause| self.unreadable(&cause))?;
        self.at += read as u64;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        }
        if self.line.len() > LINE_BYTES_MAX { Err(self.too_long()) } else { Ok(read > 0) }
    }

    /// Reads the rest of an input that is a single event over several lines.
    fn read_rest(&mut self, whole: &mut Vec<u8>) -> Result<(), BadInput> {
        whole.push(b'\n');
        let room = (LINE_BYTES_MAX + 1).saturating_sub(whole.len()) as u64;
        let read = self.reader.by_ref().take(room).read_to_end(whole).map_err(|cause| self.unreadable(&cause))?;
        self.at += read as u64;
        if whole.len() > LINE_BYTES_MAX { Err(self.too_long()) } else { Ok(()) }
    }

    fn unreadable(&self, cause: &std::io::Error) -> BadInput {
        BadInput::new(Place::line(&self.source, self.number), cause.to_string(), EXPECTED)
    }

    fn too_long(&self) -> BadInput {
        let expected = format!("lines and events of at most {LINE_BYTES_MAX} bytes");
        BadInput::new(Place::line(&self.source, self.number), format!("more than {LINE_BYTES_MAX} bytes"), expected)
    }
}

impl<R: BufRead> Iterator for Chunks<R> {
    type Item = Result<Chunk, BadInput>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.read().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}
