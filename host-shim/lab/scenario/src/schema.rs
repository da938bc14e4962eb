//! The file formats as JSON Schemas, for editors. The readers are what decides; tests hold the two together.

/// JSON Schema (2020-12) of a scenario file.
pub const SCENARIO: &str = include_str!("../../../../docs/schemas/scenario.json");
/// JSON Schema (2020-12) of `catalog.yml`, as this project's extension reads it.
pub const CATALOG: &str = include_str!("../../../../docs/schemas/catalog.json");
/// JSON Schema (2020-12) of `business.yml`, with the commands and questions of this project's extension.
pub const BUSINESS: &str = include_str!("../../../../docs/schemas/business.json");
