//! A story: the events of Stripe and the commands of one account, in segments.
//!
//! Within a segment Stripe events may arrive in any order; the commands after them keep their order.

use crate::books::Books;
use extension_contract::Timestamp;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// The API versions of stories.
pub const VERSIONS: [&str; 2] = ["2020-08-27", "2025-03-31.basil"];

/// The API versions of a stream of events with several shapes: the first and the last of each shape.
const MIXED: [&str; 6] =
    ["2020-08-27", "2022-11-15", "2024-09-30.acacia", "2025-03-31.basil", "2025-09-30.clover", "2026-10-28.endive"];

/// Two API versions of an object in a stream with several shapes, chosen by its id: of its body, and of a repeated
/// body.
pub fn mixed_versions(id: &str) -> [&'static str; 2] {
    let number = id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    [MIXED[number % MIXED.len()], MIXED[number / MIXED.len() % MIXED.len()]]
}

/// A part of a story: events in any order, then commands.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// Time of arrival, in milliseconds since the epoch.
    pub clock: Timestamp,
    /// Stripe events, in order of creation.
    pub events: Vec<Incoming>,
    /// Commands.
    pub commands: Vec<Incoming>,
}

/// An event or command with its body in several API versions.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Id of the event or command.
    pub id: String,
    /// API versions with their JSON bodies.
    bodies: Vec<(&'static str, String)>,
}

impl Incoming {
    /// Creates the bodies of these versions with `body`.
    pub fn of(id: &str, versions: &[&'static str], body: impl Fn(&str) -> String) -> Self {
        Incoming { id: id.to_owned(), bodies: versions.iter().map(|version| (*version, body(version))).collect() }
    }

    /// A copy under another id.
    pub fn under(&self, id: String) -> Self {
        let mut other = Incoming { id, bodies: self.bodies.clone() };
        for (_, text) in &mut other.bodies {
            let mut body = parsed(text);
            body["id"] = json!(other.id);
            *text = body.to_string();
        }
        other
    }

    /// The same event with the bodies in the opposite order of versions: as another endpoint delivers it.
    pub fn of_other_endpoint(&self) -> Self {
        Incoming { id: self.id.clone(), bodies: self.bodies.iter().rev().cloned().collect() }
    }

    /// The JSON body in an API version, else in the first version that has a body.
    pub fn in_version(&self, version: &str) -> &str {
        let incoming = self.bodies.iter().find(|(known, _)| *known == version).or(self.bodies.first());
        incoming.map_or("{}", |(_, text)| text)
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a JSON value")
}

/// A story of one account.
#[derive(Clone, Debug)]
pub struct Story {
    /// Folder name of the business.
    pub business: String,
    /// The account, for example `user:ana`.
    pub account: String,
    /// Segments, with ascending clocks.
    pub segments: Vec<Segment>,
    /// The state of Stripe at the end.
    pub books: Books,
}

/// An event or command in one API version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the event or command.
    pub id: String,
    /// JSON body.
    pub bytes: Vec<u8>,
}

/// A segment in one API version.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Time of arrival, in milliseconds since the epoch.
    pub clock: Timestamp,
    /// Stripe events.
    pub events: Vec<Delivery>,
    /// Commands.
    pub commands: Vec<Delivery>,
}

impl Story {
    /// The story in an API version as a scenario document. JSON is YAML, so it can be written to a scenario file.
    fn scenario(&self, name: &str, version: &str) -> Value {
        let mut steps = Vec::new();
        for segment in &self.segments {
            steps.push(json!({"until": host_engine::time::text(segment.clock)}));
            let incoming = segment.events.iter().chain(&segment.commands);
            steps.extend(incoming.map(|incoming| json!({"raw": parsed(incoming.in_version(version))})));
        }
        json!({
            "name": name,
            "versions": {"only": [version], "because": "its bodies are written down"},
            "given": {"business": self.business, "account": self.account},
            "events": steps,
        })
    }

    /// The segments of the story in an API version.
    pub fn parts_in(&self, version: &str) -> Vec<Part> {
        let deliveries = |incoming: &[Incoming]| {
            let delivery = |incoming: &Incoming| {
                let bytes = incoming.in_version(version).as_bytes().to_vec();
                Delivery { id: incoming.id.clone(), bytes }
            };
            incoming.iter().map(delivery).collect()
        };
        let parts = self.segments.iter().map(|segment| Part {
            clock: segment.clock,
            events: deliveries(&segment.events),
            commands: deliveries(&segment.commands),
        });
        parts.collect()
    }

    /// Writes the story as scenarios for `provisioner replay`, one per API version, and creates the folder. Returns the
    /// files.
    ///
    /// # Errors
    ///
    /// Fails if the folder or a file can't be written.
    pub fn write(&self, folder: &Path, property: &str) -> io::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let write = |version: &&str| {
            let file = folder.join(format!("{property}-{version}.yml"));
            std::fs::write(&file, format!("{:#}", self.scenario(property, version)))?;
            Ok(file)
        };
        VERSIONS.iter().map(write).collect()
    }
}
