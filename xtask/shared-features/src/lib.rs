//! No code: `Cargo.toml` requests the same features of dependencies for `xtask`, the host and the tests.
