//! The version of stored rows.

/// Version of the rows that this library reads and writes.
pub const DATA_VERSION: u32 = 5;
