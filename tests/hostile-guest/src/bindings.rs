//! The generated bindings of the WIT world. `cargo xtask bindings` writes them with `wit-bindgen`.

#![allow(clippy::all, missing_docs, reason = "generated")]

include!("../../../generated/guest.rs");
