//! Measures coverage of small folders of scenarios and of the fixtures.

// Links its allocator.
use test_support as _;

#[path = "coverage/catalogs.rs"]
mod catalogs;
#[path = "coverage/near.rs"]
mod near;
#[path = "coverage/other_extension.rs"]
mod other_extension;
#[path = "coverage/support.rs"]
mod support;
#[path = "coverage/table.rs"]
mod table;
