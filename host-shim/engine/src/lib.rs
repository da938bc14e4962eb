//! Runs an extension: places an event, opens its account'.
