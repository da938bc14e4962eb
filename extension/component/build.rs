//! Linker settings of the component. They stand here and not in a Cargo configuration, so that every way to build the
//! crate has them, `cargo component build` too.

/// Stack of the component in bytes. The default, 1 MiB, is memory that a fresh instance must map; this is the deepest
/// JSON that serde_json reads (128 levels) four times over.
const STACK_BYTES: u32 = 128 * 1024;

/// Memory from the start, in bytes: what an event takes, so that a fresh instance need not grow. Pages that are not
/// touched cost nothing.
const MEMORY_BYTES: u32 = 1024 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
        println!("cargo::rustc-link-arg-cdylib=--initial-memory={MEMORY_BYTES}");
    }
}
