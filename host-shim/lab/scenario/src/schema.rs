//! JSON Schemas of the file formats, for editors. The readers are authoritative; tests check that both agree.

/// JSON Schema (2020-12) of a scenario file.
pub const SCENARIO: &str = include_str!("../../../../docs/schemas/scenario.json");
/// JSON Schema (2020-12) of `catalog.yml`, as this project's extension reads it.
pub const CATALOG: &str = include_str!("../../../../docs/schemas/catalog.json");
/// JSON Schema (2020-12) of `routes.yml`.
pub const ROUTES: &str = include_str!("../../../../docs/schemas/routes.json");
/// JSON Schema (2020-12) of `tables.yml`.
pub const TABLES: &str = include_str!("../../../../docs/schemas/tables.json");
/// JSON Schema (2020-12) of `business.yml`, with the commands and queries of this project's extension.
pub const BUSINESS: &str = include_str!("../../../../docs/schemas/business.json");
