//! State, inbox, outbox and claims: one trait, in memory and in SQLite.
