//! Does nothing. Cargo ignores the build dependencies of a crate without a build script.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
