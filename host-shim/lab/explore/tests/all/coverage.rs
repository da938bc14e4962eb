//! Measures coverage of small folders of scenarios and of the fixtures.

mod catalogs;
mod near;
mod other_extension;
mod support;
mod table;
