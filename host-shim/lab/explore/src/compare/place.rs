//! The location of a compared event: in a scenario, a raw stream or a log.

use host_scenario::error::Place;
use std::fmt;
use std::path::{Path, PathBuf};

/// The location of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventPlace {
    /// A step of a scenario.
    Step {
        /// File and line.
        place: Place,
        /// The API version of the run.
        version: String,
    },
    /// An event of a raw stream.
    Raw {
        /// The stream's file.
        file: PathBuf,
        /// Number of the event in the stream, from 1.
        number: usize,
    },
    /// An event of a log, by its inbox number.
    Log(u64),
}

impl EventPlace {
    /// File and line (0 for the whole file); None for an event of a log.
    pub fn file(&self) -> Option<(&Path, usize)> {
        match self {
            EventPlace::Step { place, .. } => Some((&place.file, place.line)),
            EventPlace::Raw { file, .. } => Some((file, 0)),
            EventPlace::Log(_) => None,
        }
    }
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventPlace::Step { place, version } => write!(f, "{place} ({version})"),
            EventPlace::Raw { file, number } => write!(f, "{}, event {number}", file.display()),
            EventPlace::Log(number) => write!(f, "event {number} of the log"),
        }
    }
}
