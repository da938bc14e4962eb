//! The versions of stored rows.

/// Version of the rows that this library writes.
pub const DATA_VERSION: u32 = 3;

/// Version of the oldest rows that this library reads. In version 2 an instance had flags instead of a state.
pub const DATA_VERSION_MIN: u32 = 2;
