//! A story: what Stripe and people did to one account, written as a scenario, in segments.
//!
//! Within a segment provider events may come in any order; the commands after them are decided in theirs.

use crate::world::{fixtures, root};
use host_replay::prepare::prepare;
use host_replay::scenario::Scenario;
use products_contract::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The API versions that stories are told in.
pub const VERSIONS: [&str; 2] = ["2020-08-27", "2025-03-31.basil"];

/// A part of a story between two points at which commands may be decided.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// The clock at which all of it arrives, milliseconds since the epoch.
    pub clock: Timestamp,
    /// Provider events, as scenario steps, in the order in which they were made.
    pub events: Vec<Value>,
    /// Commands, as scenario steps.
    pub commands: Vec<Value>,
}

/// A story.
#[derive(Clone, Debug)]
pub struct Story {
    /// The account, `user:…`.
    pub account: String,
    /// Its parts, with rising clocks.
    pub segments: Vec<Segment>,
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
    /// The story as a scenario document; JSON is YAML, so it can be written into a scenario file as it is.
    pub fn scenario(&self, name: &str) -> Value {
        let mut steps = Vec::new();
        for segment in &self.segments {
            steps.push(json!({"until": host_replay::time::text(segment.clock)}));
            steps.extend(segment.events.iter().cloned());
            steps.extend(segment.commands.iter().cloned());
        }
        json!({"name": name, "given": {"account": self.account}, "events": steps})
    }

    /// The bodies of the story in an API version.
    pub fn told_in(&self, version: &str) -> Vec<Part> {
        let text = self.scenario("story").to_string();
        let scenario = Scenario::parse(Path::new("story.yml"), &text).unwrap_or_else(|bad| panic!("{bad}\n{text}"));
        let cases = prepare(&scenario, &fixtures().shapes).unwrap_or_else(|bad| panic!("{bad}\n{text}"));
        let case = cases.into_iter().find(|case| case.version == version).expect("both versions have all bodies");
        let mut deliveries = scenario.steps.iter().zip(case.deliveries);
        let mut take = |count: usize| -> Vec<Delivery> {
            let taken = deliveries.by_ref().take(count);
            taken
                .filter_map(|(step, delivery)| {
                    Some(Delivery { id: step.action.event_id()?.to_owned(), bytes: delivery?.bytes })
                })
                .collect()
        };
        self.segments
            .iter()
            .map(|segment| {
                take(1);
                let (events, commands) = (take(segment.events.len()), take(segment.commands.len()));
                Part { clock: segment.clock, events, commands }
            })
            .collect()
    }

    /// Writes the story where a person finds it, as a scenario that `host-shim replay` plays. Returns the file.
    pub fn write(&self, property: &str) -> PathBuf {
        let folder = root().join("target/failed-stories");
        let file = folder.join(format!("{property}.yml"));
        let text = serde_json::to_string_pretty(&self.scenario(property)).expect("a JSON value can be written");
        std::fs::create_dir_all(&folder).expect("the target folder can be written");
        std::fs::write(&file, text).expect("the target folder can be written");
        file
    }
}
