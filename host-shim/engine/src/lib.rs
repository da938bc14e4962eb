//! Runs an extension: places an event, opens a transaction for its account, calls the component.
