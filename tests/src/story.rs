//! A story: what Stripe and people did to one account, in segments.
//!
//! Within a segment provider events may come in any order; the commands after them are decided in theirs.

use crate::books::Books;
use crate::world::root;
use products_contract::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The API versions that stories are told in.
pub const VERSIONS: [&str; 2] = ["2020-08-27", "2025-03-31.basil"];

/// A part of a story between two points at which commands may be decided.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// The clock at which all of it arrives, milliseconds since the epoch.
    pub clock: Timestamp,
    /// Provider events, in the order in which they were made.
    pub events: Vec<Told>,
    /// Commands.
    pub commands: Vec<Told>,
}

/// An event or command, with its body in each of [`VERSIONS`].
#[derive(Clone, Debug)]
pub struct Told {
    /// Its id.
    pub id: String,
    bodies: [Value; VERSIONS.len()],
}

impl Told {
    /// What `body` makes of it in each version.
    pub fn of(id: &str, body: impl Fn(&str) -> Value) -> Self {
        Told { id: id.to_owned(), bodies: VERSIONS.map(body) }
    }

    /// The same under another id.
    pub fn under(&self, id: String) -> Self {
        let mut other = Told { id, bodies: self.bodies.clone() };
        other.bodies.iter_mut().for_each(|body| body["id"] = json!(other.id));
        other
    }

    fn in_version(&self, version: &str) -> &Value {
        let index = VERSIONS.iter().position(|known| *known == version).expect("one of the versions");
        &self.bodies[index]
    }
}

/// A story.
#[derive(Clone, Debug)]
pub struct Story {
    /// The business, by its folder's name.
    pub business: String,
    /// The account, `user:…`.
    pub account: String,
    /// Its parts, with rising clocks.
    pub segments: Vec<Segment>,
    /// What Stripe says of its end.
    pub books: Books,
}

/// An event or command as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// Its body.
    pub bytes: Vec<u8>,
}

/// A segment in one API version.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The clock at which all of it arrives, milliseconds since the epoch.
    pub clock: Timestamp,
    /// Provider events.
    pub events: Vec<Delivery>,
    /// Commands.
    pub commands: Vec<Delivery>,
}

impl Story {
    /// The story in an API version as a scenario document; JSON is YAML, so it can be written into a scenario file as it
    /// is.
    fn scenario(&self, name: &str, version: &str) -> Value {
        let mut steps = Vec::new();
        for segment in &self.segments {
            steps.push(json!({"until": host_replay::time::text(segment.clock)}));
            let told = segment.events.iter().chain(&segment.commands);
            steps.extend(told.map(|told| json!({"raw": told.in_version(version)})));
        }
        json!({
            "name": name,
            "versions": {"only": [version], "because": "its bodies are written down"},
            "given": {"business": self.business, "account": self.account},
            "events": steps,
        })
    }

    /// The bodies of the story in an API version.
    pub fn told_in(&self, version: &str) -> Vec<Part> {
        let deliveries = |told: &[Told]| {
            let delivery = |told: &Told| {
                let bytes = told.in_version(version).to_string().into_bytes();
                Delivery { id: told.id.clone(), bytes }
            };
            told.iter().map(delivery).collect()
        };
        let parts = self.segments.iter().map(|segment| Part {
            clock: segment.clock,
            events: deliveries(&segment.events),
            commands: deliveries(&segment.commands),
        });
        parts.collect()
    }

    /// Writes the story where a person finds it, as scenarios that `host-shim replay` plays, one for each API version.
    /// Returns the files.
    pub fn write(&self, property: &str) -> Vec<PathBuf> {
        let folder = root().join("target/failed-stories");
        std::fs::create_dir_all(&folder).expect("the target folder can be written");
        let written = VERSIONS.map(|version| {
            let file = folder.join(format!("{property}-{version}.yml"));
            let scenario = self.scenario(property, version);
            let text = serde_json::to_string_pretty(&scenario).expect("a JSON value can be written");
            std::fs::write(&file, text).expect("the target folder can be written");
            file
        });
        written.to_vec()
    }
}
