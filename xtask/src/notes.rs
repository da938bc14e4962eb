//! `dist/notes.zip`: the program for instances on AWS Lambda, in the form in which the runtime `provided.al2023` starts
//! it.

use crate::build::{dist, install, program, target_folder};
use crate::process;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The program is static, since Amazon Linux 2023 may have an older C library than the machine that builds it.
const TARGET: &str = "x86_64-unknown-linux-musl";
/// Cargo profile of the program, and the folder it is built into.
const OPTIMISED: [&str; 2] = ["notes", "notes"];
/// The same for tests, which need no fast start but wait for the compiler.
const PLAIN: [&str; 2] = ["dev", "debug"];
/// Name of the zip file.
pub const FILE: &str = "notes.zip";
/// The file that Lambda starts.
const PROGRAM: &str = "bootstrap";
/// The program of this package that writes the zip file.
const PACK: &str = "pack";
/// The variable that names the C compiler for the target.
const CC: &str = "CC_x86_64_unknown_linux_musl";
/// The C compiler of musl, if it is installed.
const MUSL_CC: &str = "musl-gcc";

/// Returns true if this machine's own C compiler and linker can build the program.
pub fn is_possible() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
}

/// Builds the program, puts it into `dist/notes.zip`, and returns the path. The same program gives the same bytes.
///
/// # Errors
///
/// Fails if it does not compile, or `dist` cannot be written.
pub fn build() -> Result<PathBuf> {
    packed(OPTIMISED, dist().join(FILE))
}

/// Like [`build`], but without optimisation and into the folder that cargo builds into.
///
/// # Errors
///
/// Fails like [`build`].
pub fn build_for_tests() -> Result<PathBuf> {
    packed(PLAIN, target_folder().join(FILE))
}

fn packed([profile, folder]: [&str; 2], path: PathBuf) -> Result<PathBuf> {
    component_builder::ensure_target(TARGET)?;
    let mut cargo = process::cargo(["build", "--package", "notes", "--features", "lambda", "--bin", PROGRAM]);
    cargo.args(["--target", TARGET, "--profile", profile]);
    if let Some(remap) = component_builder::remap_flag() {
        cargo.env("CARGO_ENCODED_RUSTFLAGS", remap);
    }
    // The C code of ring needs only headers, so the system's compiler is enough.
    let is_named = [CC, "TARGET_CC"].iter().any(|name| std::env::var_os(name).is_some());
    if !is_named && !process::succeeds(Command::new(MUSL_CC).arg("--version")) {
        cargo.env(CC, "cc");
    }
    process::run(&mut cargo)?;
    process::run(&mut process::cargo(["build", "--quiet", "--package", "xtask", "--features", PACK, "--bin", PACK]))?;
    let built = target_folder().join(TARGET).join(folder).join(PROGRAM);
    let pack = target_folder().join("debug").join(program(PACK));
    install(&path, |to| process::run(Command::new(pack).arg(built).arg(to)).map_err(std::io::Error::other))?;
    Ok(path)
}
