//! The replay's tests, in one program.

mod all_mistakes;
mod catalog_schema;
mod catalogs;
mod extensions;
mod guide;
mod idle_clauses;
mod kill;
mod local_stripe;
mod manifest;
mod reference;
mod schema;
mod unmakeable;
mod usage;
