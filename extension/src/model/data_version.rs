//! The versions of stored rows.

/// Version of the rows that this library writes. In version 3 the history of a subscription was a list.
pub const DATA_VERSION: u32 = 4;

/// Version of the oldest rows that this library reads. In version 2 an instance had flags instead of a state.
pub const DATA_VERSION_MIN: u32 = 2;
