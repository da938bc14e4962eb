//! The journal behind `--state`: one JSON line per request that may have changed something, written before the answer.
//!
//! State is a pure function of settings and requests, so reading the lines back gives the same account, byte for byte.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sandbox::{Request, Sandbox};
use crate::settings::{Dunning, Faults, Settings};
use crate::version::Version;

/// Changes whenever the same requests would give another state.
const FORMAT: u32 = 1;

/// Why a journal can't be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Reading or writing failed.
    #[error("the state file can't be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// The first line isn't a header of this format.
    #[error("the state file was not written by this version of the sandbox; start with a new file")]
    Format,
    /// A line in the middle can't be read.
    #[error("line {0} of the state file is damaged")]
    Line(usize),
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    local_stripe: u32,
    seed: u64,
    start_s: i64,
    version: Version,
    dunning: Dunning,
    faults: Faults,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A request, its number and the answer's.
    Request(u64, Request),
    /// The sandbox's own clock moved to a time.
    Clock(i64),
    /// The first so many events are done with.
    Delivered(usize),
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

/// What a journal held.
#[derive(Debug)]
pub struct Opened {
    /// The journal, ready for more.
    pub journal: Journal,
    /// The account as it was.
    pub sandbox: Sandbox,
    /// How many events were delivered already.
    pub delivered: usize,
}

impl Journal {
    /// Opens a journal, or begins one with these settings. An existing one's seed, start and dunning win.
    pub fn open(path: &Path, mut settings: Settings) -> Result<Opened, JournalError> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        if file.metadata()?.len() == 0 {
            let header = Header {
                local_stripe: FORMAT,
                seed: settings.seed,
                start_s: settings.start_s,
                version: settings.version.clone(),
                dunning: settings.dunning.clone(),
                faults: settings.faults.clone(),
            };
            write_line(&mut file, &header)?;
            return Ok(Opened { journal: Self { file }, sandbox: Sandbox::new(settings), delivered: 0 });
        }
        let mut reader = BufReader::new(&file);
        let mut text = Vec::new();
        let mut whole = reader.read_until(b'\n', &mut text)?;
        let header: Header = serde_json::from_slice(&text).map_err(|_| JournalError::Format)?;
        if header.local_stripe != FORMAT {
            return Err(JournalError::Format);
        }
        settings.seed = header.seed;
        settings.start_s = header.start_s;
        settings.version = header.version;
        settings.dunning = header.dunning;
        settings.faults = header.faults;
        let mut sandbox = Sandbox::new(settings);
        let mut delivered = 0;
        for number in 2.. {
            text.clear();
            let length = reader.read_until(b'\n', &mut text)?;
            if !text.ends_with(b"\n") {
                // Cut off by a kill: it was never answered.
                break;
            }
            match serde_json::from_slice(&text).map_err(|_| JournalError::Line(number))? {
                Line::Request(count, mut request) => {
                    request.authorization = Some("Bearer sk_test_journal".into());
                    sandbox.set_requests(count - 1);
                    sandbox.handle(&request);
                }
                Line::Clock(now_s) => sandbox.tick(now_s),
                Line::Delivered(count) => delivered = count,
            }
            whole += length;
        }
        drop(reader);
        sandbox.take_resends();
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Opened { journal: Self { file }, sandbox, delivered })
    }

    /// Remembers a request that was just handled.
    pub fn request(&mut self, number: u64, request: &Request) -> Result<(), JournalError> {
        self.write(&Line::Request(number, request.clone()))
    }

    /// Remembers a move of the clock.
    pub fn clock(&mut self, now_s: i64) -> Result<(), JournalError> {
        self.write(&Line::Clock(now_s))
    }

    /// Remembers that the first so many events are done with.
    pub fn delivered(&mut self, count: usize) -> Result<(), JournalError> {
        self.write(&Line::Delivered(count))
    }

    fn write(&mut self, line: &Line) -> Result<(), JournalError> {
        write_line(&mut self.file, line)
    }
}

/// One write per line: a kill leaves whole lines and at most one torn end.
fn write_line(file: &mut File, line: &impl Serialize) -> Result<(), JournalError> {
    let mut text = serde_json::to_vec(line).map_err(|_| JournalError::Format)?;
    text.push(b'\n');
    Ok(file.write_all(&text)?)
}
