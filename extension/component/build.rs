//! Linker settings of the component. This build script sets them, not a Cargo configuration, so that they apply to
//! every build of the crate, including `cargo component build`.

/// Stack of the component in bytes: four times the stack that serde_json needs for its deepest JSON (128 levels). Each
/// new instance must map this memory, so the default of 1 MiB is too large.
const STACK_BYTES: u32 = 128 * 1024;

/// Initial memory in bytes: enough for one event, so that a new instance need not grow its memory. Untouched pages cost
/// nothing.
const MEMORY_BYTES: u32 = 1024 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
        println!("cargo::rustc-link-arg-cdylib=--initial-memory={MEMORY_BYTES}");
    }
}
