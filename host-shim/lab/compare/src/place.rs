//! Where an event that is compared stands.

use host_scenario::error::Place;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where an event stands: what was compared says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventPlace {
    /// A step of a scenario.
    Step {
        /// File and line.
        place: Place,
        /// The API version that is played.
        version: String,
    },
    /// An event of a raw stream.
    Raw {
        /// The stream's file.
        file: PathBuf,
        /// Number of the event in it, from 1.
        number: usize,
    },
    /// An event of a log, by its number there.
    Log(u64),
}

impl EventPlace {
    /// File and line, 0 for the file as a whole; none of a log, which is no file that people look into.
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
