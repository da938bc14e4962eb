//! The views of `tables.yml` over a store that a story filled: in SQLite, in PostgreSQL, and for a tool that nobody here wrote.

mod postgres;
mod sqlite;
mod story;
