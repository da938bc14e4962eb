//! Raw events: one JSON object, or one a line.

use super::Input;
use crate::error::{BadInput, Place};
use host_intake::Decoded;
use products_contract::Timestamp;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line, and longest single event, in bytes: 16 MiB. Stripe's largest events have about 1 MB.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// Room for a usual event, so that its line is read without growing.
const LINE_BYTES_USUAL: usize = 4096;

const EXPECTED: &str = "a Stripe event, a product event or a command as a JSON object, one a line";

/// The events of one input, read and decoded.
#[derive(Clone, Debug)]
pub struct RawInput {
    /// The events in order.
    pub events: Vec<Decoded>,
    /// The newest provider time among them, milliseconds since the epoch.
    pub newest: Option<Timestamp>,
    /// What ended the reading early; only standard input keeps what came before.
    pub bad: Option<BadInput>,
}

/// Reads an input whole. A bad line in a file is an error; on standard input what came before it is kept.
pub fn read_raw(input: &Input, stdin: &mut dyn Read, business: &str) -> Result<RawInput, BadInput> {
    let source = PathBuf::from(input.source());
    let mut raw = RawInput { events: Vec::new(), newest: None, bad: None };
    let read = match input {
        Input::Stdin => read_events(&mut BufReader::new(stdin), &source, business, &mut raw),
        Input::Scenario(file) | Input::Raw(file) => {
            let opened = File::open(file)
                .map_err(|cause| BadInput::new(Place::file(file), cause.to_string(), "a file that can be read"))?;
            read_events(&mut BufReader::with_capacity(1 << 18, opened), &source, business, &mut raw)
        }
    };
    match (read, input) {
        (Ok(()), _) if raw.events.is_empty() => Err(BadInput::new(Place::file(&source), "no events", EXPECTED)),
        (Ok(()), _) => Ok(raw),
        (Err(bad), Input::Stdin) if !raw.events.is_empty() => {
            raw.bad = Some(bad);
            Ok(raw)
        }
        (Err(bad), _) => Err(bad),
    }
}

fn read_events(reader: &mut dyn BufRead, source: &Path, business: &str, raw: &mut RawInput) -> Result<(), BadInput> {
    let mut number = 0;
    let mut is_lines = matches!(source.extension().and_then(|e| e.to_str()), Some("jsonl" | "ndjson"));
    while let Some(line) = next_line(reader, source, &mut number)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if !is_lines && serde_json::from_slice::<IgnoredAny>(&line).is_err() {
            let whole = rest(reader, source, number, line)?;
            return push(whole, source, number, business, raw);
        }
        is_lines = true;
        push(line, source, number, business, raw)?;
    }
    Ok(())
}

fn push(bytes: Vec<u8>, source: &Path, line: usize, business: &str, raw: &mut RawInput) -> Result<(), BadInput> {
    if let Err(error) = std::str::from_utf8(&bytes) {
        let before = &bytes[..error.valid_up_to()];
        let line = line + before.iter().filter(|byte| **byte == b'\n').count();
        return Err(BadInput::new(Place::line(source, line), "invalid UTF-8", EXPECTED));
    }
    let copy_for_errors = if bytes.contains(&b'\n') { Some(bytes.clone()) } else { None };
    match host_intake::raw::read(bytes, business, 0) {
        Ok(decoded) => {
            raw.newest = raw.newest.max(decoded.time);
            raw.events.push(decoded);
            Ok(())
        }
        Err(error) => {
            let within = copy_for_errors.map_or(1, |bytes| error.line(&bytes));
            Err(BadInput::new(Place::line(source, line + within - 1), error.to_string(), EXPECTED))
        }
    }
}

/// The next line without its end; none at the end of the input.
fn next_line(reader: &mut dyn BufRead, source: &Path, number: &mut usize) -> Result<Option<Vec<u8>>, BadInput> {
    let mut line = Vec::with_capacity(LINE_BYTES_USUAL);
    *number += 1;
    let unreadable = |cause: std::io::Error| BadInput::new(Place::line(source, *number), cause.to_string(), EXPECTED);
    let read = reader.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    if line.len() > LINE_BYTES_MAX {
        return Err(too_long(source, *number));
    }
    Ok(Some(line))
}

/// The rest of an input that is one event over several lines.
fn rest(reader: &mut dyn BufRead, source: &Path, line: usize, first: Vec<u8>) -> Result<Vec<u8>, BadInput> {
    let mut whole = first;
    whole.push(b'\n');
    let room = (LINE_BYTES_MAX + 1).saturating_sub(whole.len()) as u64;
    reader
        .take(room)
        .read_to_end(&mut whole)
        .map_err(|cause| BadInput::new(Place::line(source, line), cause.to_string(), EXPECTED))?;
    if whole.len() > LINE_BYTES_MAX {
        return Err(too_long(source, line));
    }
    Ok(whole)
}

fn too_long(source: &Path, line: usize) -> BadInput {
    let expected = format!("lines and events of at most {LINE_BYTES_MAX} bytes");
    BadInput::new(Place::line(source, line), format!("more than {LINE_BYTES_MAX} bytes"), expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"object":"event","id":"evt_1","type":"invoice.paid","created":1767225600,"livemode":false,"data":{"object":{"id":"in_1"}}}"#;

    fn from_stdin(text: &[u8]) -> Result<RawInput, BadInput> {
        read_raw(&Input::Stdin, &mut &text[..], "b")
    }

    #[test]
    fn lines_and_one_indented_event_are_told_apart() {
        let two = from_stdin(format!("{EVENT}\n\n{EVENT}\r\n").as_bytes()).expect("two events");
        assert_eq!(two.events.len(), 2);
        assert_eq!(two.newest, Some(1_767_225_600_000));
        let indented = EVENT.replace(",\"", ",\n  \"");
        let one = from_stdin(indented.as_bytes()).expect("one event");
        assert_eq!(one.events.len(), 1);
        assert_eq!(one.events[0].event.id, "evt_1");
    }

    #[test]
    fn from_standard_input_what_came_before_a_bad_line_is_kept() {
        for bad in ["not json", "[]", "{}", "7"] {
            let raw = from_stdin(format!("{EVENT}\n{bad}\n{EVENT}\n").as_bytes()).expect("one event");
            assert_eq!(raw.events.len(), 1, "{bad}");
            assert_eq!(raw.bad.expect("the bad line").place.line, 2, "{bad}");
        }
    }

    #[test]
    fn in_a_file_a_bad_line_is_an_error_with_its_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.jsonl");
        let mut text = format!("{EVENT}\n").into_bytes();
        text.extend(b"{\"object\":\"event\",\"id\":\"\xff\"}\n");
        std::fs::write(&file, text).expect("written");
        let error = read_raw(&Input::Raw(file), &mut std::io::empty(), "b").expect_err("invalid UTF-8");
        assert_eq!((error.place.line, error.problem.as_str()), (2, "invalid UTF-8"));
    }

    #[test]
    fn a_line_that_is_too_long_is_not_read_to_its_end() {
        let mut text = format!("{EVENT}\n").into_bytes();
        text.extend(std::iter::repeat_n(b'x', 20_000_000));
        let raw = from_stdin(&text).expect("one event");
        let bad = raw.bad.expect("the long line");
        assert_eq!(bad.place.line, 2);
        assert!(bad.problem.contains("16777216"), "{bad}");
    }

    #[test]
    fn an_input_without_events_is_an_error() {
        assert!(from_stdin(b"\n\n").is_err());
    }
}
