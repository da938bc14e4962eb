//! Reads raw events: one JSON object, or one JSON object per line. The input is checked completely before the replay,
//! and read again event by event during the replay, so that memory does not grow with the input.

mod chunks;

use super::Input;
use chunks::{Chunk, Chunks};
use extension_contract::{Payload, Timestamp};
use host_intake::Decoded;
use host_scenario::error::{BadInput, Place};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use chunks::LINE_BYTES_MAX;

/// The number of bytes at the beginning of an input whose events stay in memory: 16 MiB. Usual inputs are not longer,
/// so they are decoded only once.
const FIRST_BYTES_MAX: u64 = 16 << 20;

/// Size of the read buffer, in bytes.
const READ_BYTES: usize = 1 << 18;

const EXPECTED: &str = "a Stripe event, a product event, a command or measurements as a JSON object, one a line";

/// The checked events of one input.
#[derive(Debug)]
pub struct RawInput {
    source: PathBuf,
    business: String,
    /// The first events, in order.
    first: Vec<Decoded>,
    /// The events after `first`; none if all events are in memory.
    rest: Option<Rest>,
    /// The newest time in the bodies of all events, in milliseconds since the epoch.
    pub newest: Option<Timestamp>,
    /// The mistake that ended the reading early. This occurs only on standard input, whose events before the mistake
    /// are replayed.
    pub bad: Option<BadInput>,
}

/// The events that are read again, one per line: from the input file or, for a pipe, from a temporary file.
#[derive(Debug)]
struct Rest {
    file: File,
    /// Range of bytes of these events in the file.
    span: (u64, u64),
    /// Number of their first line in the input, from 1.
    line: usize,
}

/// The position of an event in an input, with the properties that a shuffle needs.
#[derive(Debug)]
pub struct Located {
    /// Id of the event.
    pub id: Box<str>,
    /// True if the event comes from Stripe.
    pub is_provider: bool,
    place: EventPlace,
}

#[derive(Clone, Copy, Debug)]
enum EventPlace {
    /// The event is in `first`, at this index.
    First(usize),
    /// The event is in `rest`: its range of bytes in the file, and the number of its line in the input.
    Rest { span: (u64, u64), line: usize },
}

/// Reads and checks all events of an input.
///
/// # Errors
///
/// Fails if the input can't be read, has no events or contains a bad line. On standard input, a bad line only ends the
/// reading.
pub fn read_raw(input: &Input, stdin: &mut dyn Read, business: &str) -> Result<RawInput, BadInput> {
    let source = PathBuf::from(input.source());
    let mut check = Check { source: &source, business, first: Vec::new(), rest: None, newest: None };
    let (read, file) = match input {
        Input::Stdin => check.pipe(stdin),
        Input::Scenario(path) | Input::Raw(path) => {
            let unreadable =
                |cause: std::io::Error| BadInput::new(Place::file(path), cause.to_string(), "a file that can be read");
            let mut file = File::open(path).map_err(unreadable)?;
            match file.metadata().map_err(unreadable)?.is_file() {
                true => (check.all(BufReader::with_capacity(READ_BYTES, &file), &mut Reread::InPlace), Some(file)),
                false => check.pipe(&mut file),
            }
        }
    };
    let Check { first, rest, newest, .. } = check;
    let bad = match (read, input) {
        (Ok(()), _) if first.is_empty() => return Err(BadInput::new(Place::file(&source), "no events", EXPECTED)),
        (Ok(()), _) => None,
        (Err(bad), Input::Stdin) if !first.is_empty() => Some(bad),
        (Err(bad), _) => return Err(bad),
    };
    let rest = rest.zip(file).map(|((span, line), file)| Rest { file, span, line });
    Ok(RawInput { source, business: business.to_owned(), first, rest, newest, bad })
}

/// The state of a check.
struct Check<'a> {
    source: &'a Path,
    business: &'a str,
    first: Vec<Decoded>,
    /// Range of bytes of the events that are read again, and the number of their first line.
    rest: Option<((u64, u64), usize)>,
    newest: Option<Timestamp>,
}

/// The source from which events are read again.
enum Reread {
    /// The input itself.
    InPlace,
    /// A temporary file, if it has been created, and its size in bytes.
    Aside(Option<BufWriter<File>>, u64),
}

impl Reread {
    /// Stores the text of an event if it can't be read again from the input. Returns the range of bytes from which it
    /// is read again.
    fn keep(&mut self, chunk: &Chunk) -> std::io::Result<(u64, u64)> {
        let Reread::Aside(file, length) = self else { return Ok(chunk.span) };
        let file = match file {
            Some(file) => file,
            None => file.insert(BufWriter::with_capacity(READ_BYTES, tempfile::tempfile()?)),
        };
        file.write_all(&chunk.bytes)?;
        file.write_all(b"\n")?;
        let from = *length;
        *length += chunk.bytes.len() as u64 + 1;
        Ok((from, *length))
    }
}

impl Check<'_> {
    /// Checks an input that can be read only once, and returns the temporary file with the events that do not stay in
    /// memory.
    fn pipe(&mut self, pipe: &mut dyn Read) -> (Result<(), BadInput>, Option<File>) {
        let mut again = Reread::Aside(None, 0);
        let read = self.all(BufReader::with_capacity(READ_BYTES, pipe), &mut again);
        let Reread::Aside(Some(file), _) = again else { return (read, None) };
        match file.into_inner() {
            Ok(file) => (read, Some(file)),
            Err(error) => (Err(no_room(self.source, 0, error.error())), None),
        }
    }

    fn all(&mut self, reader: impl BufRead, again: &mut Reread) -> Result<(), BadInput> {
        for chunk in Chunks::new(reader, self.source) {
            let chunk = chunk?;
            if self.rest.is_none() && chunk.span.0 < FIRST_BYTES_MAX {
                let decoded = decode(chunk, self.source, self.business)?;
                self.newest = self.newest.max(decoded.time);
                self.first.push(decoded);
                continue;
            }
            let line = chunk.line;
            let (from, to) = again.keep(&chunk).map_err(|cause| no_room(self.source, line, &cause))?;
            let decoded = decode(chunk, self.source, self.business)?;
            self.newest = self.newest.max(decoded.time);
            let ((from, _), line) = self.rest.unwrap_or(((from, to), line));
            self.rest = Some(((from, to), line));
        }
        Ok(())
    }
}

impl RawInput {
    /// Returns the events in the order of the input. An error means that the input can't be read again.
    pub fn events(&self) -> impl Iterator<Item = Result<Decoded, BadInput>> {
        let rest = self.rest.iter().flat_map(|rest| {
            let chunks = self.chunks(rest.span, rest.line);
            chunks.map(|chunk| decode(chunk?, &self.source, &self.business))
        });
        self.first.iter().cloned().map(Ok).chain(rest)
    }

    /// Returns the position of each event, in order.
    ///
    /// # Errors
    ///
    /// Fails if the input can't be read again.
    pub fn located(&self) -> Result<Vec<Located>, BadInput> {
        let located = |decoded: &Decoded, place: EventPlace| Located {
            id: decoded.event.id.as_str().into(),
            is_provider: matches!(decoded.event.payload, Payload::Payment(_)),
            place,
        };
        let first = self.first.iter().enumerate().map(|(at, decoded)| located(decoded, EventPlace::First(at)));
        let mut all: Vec<Located> = first.collect();
        if let Some(rest) = &self.rest {
            for chunk in self.chunks(rest.span, rest.line) {
                let chunk = chunk?;
                let place = EventPlace::Rest { span: chunk.span, line: chunk.line };
                all.push(located(&decode(chunk, &self.source, &self.business)?, place));
            }
        }
        Ok(all)
    }

    /// Reads one event.
    ///
    /// # Errors
    ///
    /// Fails if the input can't be read again.
    pub fn event(&self, located: &Located) -> Result<Decoded, BadInput> {
        let missing = |line| {
            BadInput::new(
                Place::line(&self.source, line),
                "the event is gone",
                "an input that does not change during the replay",
            )
        };
        match located.place {
            EventPlace::First(at) => self.first.get(at).cloned().ok_or_else(|| missing(0)),
            EventPlace::Rest { span, line } => {
                let chunk = self.chunks(span, line).next().ok_or_else(|| missing(line))?;
                decode(chunk?, &self.source, &self.business)
            }
        }
    }

    /// Reads the events in a range of bytes of `rest`. `line` is the number of the first line.
    fn chunks(&self, (from, to): (u64, u64), line: usize) -> impl Iterator<Item = Result<Chunk, BadInput>> {
        let found = self.rest.iter().map(move |rest| {
            let mut file = &rest.file;
            match file.seek(SeekFrom::Start(from)) {
                Ok(_) => Ok(BufReader::with_capacity(READ_BYTES, file.take(to - from))),
                Err(cause) => Err(BadInput::new(Place::line(&self.source, line), cause.to_string(), EXPECTED)),
            }
        });
        found.flat_map(move |reader| {
            let (reader, error) = match reader {
                Ok(reader) => (Some(reader), None),
                Err(error) => (None, Some(Err(error))),
            };
            let chunks = reader.map(|reader| Chunks::lines(reader, &self.source, from, line));
            chunks.into_iter().flatten().chain(error)
        })
    }
}

fn decode(chunk: Chunk, source: &Path, business: &str) -> Result<Decoded, BadInput> {
    let Chunk { bytes, line, .. } = chunk;
    if let Err(error) = std::str::from_utf8(&bytes) {
        let before = &bytes[..error.valid_up_to()];
        let line = line + before.iter().filter(|byte| **byte == b'\n').count();
        return Err(BadInput::new(Place::line(source, line), "invalid UTF-8", EXPECTED));
    }
    let copy_for_errors = if bytes.contains(&b'\n') { Some(bytes.clone()) } else { None };
    host_intake::raw::read(bytes, business, 0).map_err(|error| {
        // If the end of the object is missing, the mistake is reported at the last line with text.
        let within = copy_for_errors.map_or(1, |bytes| error.line(bytes.trim_ascii_end()));
        BadInput::new(Place::line(source, line + within - 1), error.to_string(), EXPECTED)
    })
}

fn no_room(source: &Path, line: usize, cause: &std::io::Error) -> BadInput {
    let expected = "space for the input of a pipe in the folder of temporary files";
    BadInput::new(Place::line(source, line), cause.to_string(), expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"object":"event","id":"evt_1","type":"invoice.paid","created":1767225600,"livemode":false,"data":{"object":{"id":"in_1"}}}"#;

    fn ids(raw: &RawInput) -> Vec<String> {
        raw.events().map(|event| event.expect("checked").event.id).collect()
    }

    fn from_file(name: &str, text: &[u8]) -> Result<RawInput, BadInput> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        read_raw(&Input::Raw(file), &mut std::io::empty(), "b")
    }

    fn from_stdin(text: &[u8]) -> Result<RawInput, BadInput> {
        read_raw(&Input::Stdin, &mut &text[..], "b")
    }

    #[test]
    fn lines_and_one_indented_event_are_distinguished() {
        let two = from_stdin(format!("{EVENT}\n\n{EVENT}\r\n").as_bytes()).expect("two events");
        assert_eq!(two.events().count(), 2);
        assert_eq!(two.newest, Some(1_767_225_600_000));
        let indented = EVENT.replace(",\"", ",\n  \"");
        let one = from_stdin(indented.as_bytes()).expect("one event");
        assert_eq!(ids(&one), ["evt_1"]);
    }

    #[test]
    fn standard_input_keeps_the_events_before_a_bad_line() {
        for bad in ["not json", "[]", "{}", "7"] {
            let raw = from_stdin(format!("{EVENT}\n{bad}\n{EVENT}\n").as_bytes()).expect("one event");
            assert_eq!(ids(&raw), ["evt_1"], "{bad}");
            assert_eq!(raw.bad.expect("the bad line").place.line, 2, "{bad}");
        }
    }

    #[test]
    fn a_bad_line_in_a_file_is_an_error_with_its_number() {
        let mut text = format!("{EVENT}\n").into_bytes();
        text.extend(b"{\"object\":\"event\",\"id\":\"\xff\"}\n");
        let error = from_file("a.jsonl", &text).expect_err("invalid UTF-8");
        assert_eq!((error.place.line, error.problem.as_str()), (2, "invalid UTF-8"));
    }

    #[test]
    fn a_line_that_is_too_long_is_not_read_to_its_end() {
        let mut text = format!("{EVENT}\n").into_bytes();
        text.extend(std::iter::repeat_n(b'x', 20_000_000));
        let raw = from_stdin(&text).expect("one event");
        let bad = raw.bad.expect("the long line");
        assert_eq!(bad.place.line, 2);
        assert!(bad.problem.contains(&LINE_BYTES_MAX.to_string()), "{bad}");
    }

    #[test]
    fn a_line_may_be_as_long_as_the_intakes_longest_event() {
        let event = |length: usize| {
            let pad = "x".repeat(length - EVENT.len() - ",\"pad\":\"\"".len());
            EVENT.replace("\"data\"", &format!("\"pad\":\"{pad}\",\"data\"")) + "\r\n"
        };
        assert_eq!(event(1000).trim_end().len(), 1000);
        let longest = from_stdin((event(LINE_BYTES_MAX) + EVENT).as_bytes()).expect("two events");
        assert_eq!((longest.bad.is_none(), longest.events().count()), (true, 2));
        let error = from_stdin(event(LINE_BYTES_MAX + 1).as_bytes()).expect_err("too long");
        assert!(error.problem.contains(&LINE_BYTES_MAX.to_string()), "{error}");
    }

    #[test]
    fn an_input_without_events_is_an_error() {
        assert!(from_stdin(b"\n\n").is_err());
    }

    #[test]
    fn a_broken_single_event_is_reported_at_its_line() {
        for (text, line) in [
            ("{\"object\":\"event\",", 1),
            ("{\"object\":\"event\",\n", 1),
            ("\n\n{\"object\":\"event\",\n\n", 3),
            ("{\n\"object\":\"event\",\n", 2),
            ("{\n\"object\" \"event\"}\n", 2),
        ] {
            let error = from_file("a.json", text.as_bytes()).expect_err("broken");
            assert_eq!(error.place.line, line, "{text:?}: {error}");
        }
    }

    /// More events than stay in memory, with ids from `evt_0`.
    fn many() -> (Vec<u8>, usize) {
        let pad = "x".repeat(1 << 16);
        let count = 2 * (FIRST_BYTES_MAX as usize >> 16);
        let line = |n: usize| EVENT.replace("evt_1\"", &format!("evt_{n}\",\"pad\":\"{pad}\"")) + "\n";
        ((0..count).map(line).collect::<String>().into_bytes(), count)
    }

    #[test]
    fn events_outside_of_memory_can_be_read_repeatedly_and_in_any_order() {
        let (text, count) = many();
        let expected: Vec<String> = (0..count).map(|n| format!("evt_{n}")).collect();
        for raw in [from_file("a.jsonl", &text), from_file("a.json", &text), from_stdin(&text)] {
            let raw = raw.expect("right");
            assert!((1..count).contains(&raw.first.len()), "{} of {count} are kept", raw.first.len());
            assert_eq!((ids(&raw), ids(&raw)), (expected.clone(), expected.clone()));
            let located = raw.located().expect("there");
            let backwards: Vec<String> =
                located.iter().rev().map(|at| raw.event(at).expect("there").event.id).collect();
            assert!(backwards.iter().eq(expected.iter().rev()));
            assert!(located.iter().all(|at| at.is_provider));
        }
    }

    #[test]
    fn a_bad_line_outside_of_memory_is_found_before_the_first_event_is_replayed() {
        let (mut text, count) = many();
        text.extend(b"not json\n");
        let error = from_file("a.jsonl", &text).expect_err("a bad line");
        assert_eq!(error.place.line, count + 1);
        let raw = from_stdin(&text).expect("those before");
        assert_eq!((ids(&raw).len(), raw.bad.expect("the bad line").place.line), (count, count + 1));
    }

    #[test]
    fn lines_added_to_a_file_after_its_check_are_not_replayed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.jsonl");
        let (mut text, count) = many();
        std::fs::write(&file, &text).expect("written");
        let raw = read_raw(&Input::Raw(file.clone()), &mut std::io::empty(), "b").expect("right");
        text.extend(b"not json\n");
        std::fs::write(&file, &text).expect("written");
        assert_eq!(ids(&raw).len(), count);
    }
}
