//! Linker settings of the component. They are set here and not in a Cargo configuration, so that they apply to every
//! build of the crate, including `cargo component build`.

/// Stack of the component in bytes: four times the need of the deepest JSON that serde_json reads (128 levels). A fresh
/// instance must map this memory, so the default of 1 MiB is too large.
const STACK_BYTES: u32 = 128 * 1024;

/// Initial memory in bytes: enough for one event, so that a fresh instance need not grow. Untouched pages cost nothing.
const MEMORY_BYTES: u32 = 1024 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
        println!("cargo::rustc-link-arg-cdylib=--initial-memory={MEMORY_BYTES}");
    }
}
