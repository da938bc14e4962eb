//! The scenario format as a JSON Schema, for editors. The reader of scenarios is what decides; tests hold the two together.

/// JSON Schema (2020-12) of a scenario file.
pub const SCENARIO: &str = include_str!("../../../docs/schemas/scenario.json");
