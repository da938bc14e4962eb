//! The generated bindings of the WIT world, as `wit-bindgen` writes them: `cargo xtask bindings`.

#![allow(clippy::all, missing_docs, reason = "generated")]

include!("../../../generated/guest.rs");
