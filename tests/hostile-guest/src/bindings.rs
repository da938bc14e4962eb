//! The generated bindings of the WIT world. `cargo xtask bindings` writes them with `wit-bindgen`.

#![allow(clippy::all, clippy::unwrap_used, missing_docs, reason = "generated")]

include!("../../../generated/guest.rs");
