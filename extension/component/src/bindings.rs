//! Includes the bindings of the WIT world. `cargo xtask bindings` generates them with `wit-bindgen`.

#![allow(clippy::all, missing_docs, reason = "generated")]

include!("../../../generated/guest.rs");
