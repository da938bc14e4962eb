//! Builds a crate of this workspace as a component: runs `cargo build` for `wasm32-unknown-unknown` and wraps the
//! module as a component.
//!
//! The target has no WASI, so a component can't import it. `cargo xtask` and the tests both build components with this
//! crate, so the tests use the shipped component.

mod block_package;

pub use block_package::{PackageError, block_package};

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The only target of a component.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Crate of the component that this repository ships.
pub const PROVISIONER: &str = "extension-component";

/// Compiler flags for a component. Vector instructions, which wasmtime supports, make skipping through JSON faster.
/// With the usual inlining, the component would have 3.9 MB instead of 2.5 MB, and be no faster.
const FLAGS: [&str; 2] = ["-Ctarget-feature=+simd128", "-Cllvm-args=-inline-threshold=15"];

/// Crate of the block that this repository ships.
pub const BLOCK: &str = "host-block";

/// Cargo profile of the shipped block.
pub const PROFILE_BLOCK: &str = "block";

/// Replaces the path of cargo's source folder in a component. Panic messages contain the paths of dependencies' source
/// files, which differ between machines.
const SOURCES: &str = "registry";

/// Reasons why a component can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The toolchain has no standard library for the target, and there is no rustup to install it.
    #[error(
        "the Rust toolchain has no `{target}` target and `rustup` is not installed: \
         install rustup from https://rustup.rs, or the target with the tool that installed Rust"
    )]
    NoRustup {
        /// Name of the target.
        target: &'static str,
    },
    /// `rustup` could not install the target.
    #[error("`rustup target add {target}` failed with {status}")]
    TargetNotInstalled {
        /// Name of the target.
        target: &'static str,
        /// Exit status of `rustup`.
        status: std::process::ExitStatus,
    },
    /// A program could not be started or read.
    #[error("cannot run `{program}`: {source}")]
    Start {
        /// Name of the program.
        program: String,
        /// Cause.
        source: std::io::Error,
    },
    /// Cargo could not build the crate. Cargo's messages are on the standard error stream.
    #[error("`cargo build --package {package} --target {TARGET}` failed with {status}")]
    Cargo {
        /// Name of the crate.
        package: String,
        /// Cargo's exit status.
        status: std::process::ExitStatus,
    },
    /// Cargo built the crate, but the crate has no WebAssembly module.
    #[error("`{package}` gives no module: its Cargo.toml needs `crate-type = [\"cdylib\"]`")]
    NoModule {
        /// Name of the crate.
        package: String,
    },
    /// The module could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Path of the module.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The module can't be wrapped as a component.
    #[error("cannot make a component of {}: {reason}", path.display())]
    Encode {
        /// Path of the module.
        path: PathBuf,
        /// The encoder's error message.
        reason: String,
    },
}

/// Cargo profile of the shipped component.
pub const PROFILE: &str = "component";

/// Cargo profile of a component with the names of its functions, for `provisioner profile`. The component has the same
/// code but is larger.
pub const PROFILE_NAMED: &str = "component-named";

/// Returns the root folder of the workspace.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is two folders below the root").to_path_buf()
}

/// Installs a target with rustup if the toolchain does not have it.
///
/// # Errors
///
/// Fails if the toolchain does not have the target and rustup is missing or can't install it.
pub fn ensure_target(target: &'static str) -> Result<(), BuildError> {
    if target_is_installed(target)? {
        return Ok(());
    }
    eprintln!("installing the target {target} (rustup target add)");
    let status = match Command::new("rustup").args(["target", "add", target]).current_dir(workspace_root()).status() {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(BuildError::NoRustup { target }),
        Err(source) => return Err(BuildError::Start { program: "rustup".to_owned(), source }),
    };
    if !status.success() {
        return Err(BuildError::TargetNotInstalled { target, status });
    }
    Ok(())
}

/// Returns true if the compiler has a standard library for the target.
fn target_is_installed(target: &str) -> Result<bool, BuildError> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(workspace_root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Start { program: rustc, source })?;
    let folder = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(folder.trim()).is_dir())
}

/// Builds `package`, a crate of this workspace, and returns the component's bytes.
///
/// # Errors
///
/// Fails if the target can't be installed, cargo fails, or the module can't be wrapped as a component.
#[cfg(feature = "encode")]
pub fn build(package: &str) -> Result<Vec<u8>, BuildError> {
    build_with(package, PROFILE)
}

/// Builds `package` as [`build`] does, but keeps the names of the component's functions, for profiling. The component
/// has the same code but is larger.
///
/// # Errors
///
/// Fails as [`build`] does.
#[cfg(feature = "encode")]
pub fn build_named(package: &str) -> Result<Vec<u8>, BuildError> {
    build_with(package, PROFILE_NAMED)
}

#[cfg(feature = "encode")]
fn build_with(package: &str, profile: &str) -> Result<Vec<u8>, BuildError> {
    encode_file(&module(package, profile)?)
}

/// Wraps a core module as a component. The module's custom section describes the component's world.
///
/// # Errors
///
/// Fails if the file can't be read or is not the core module of a component.
#[cfg(feature = "encode")]
pub fn encode_file(path: &Path) -> Result<Vec<u8>, BuildError> {
    let module = std::fs::read(path).map_err(|source| BuildError::Read { path: path.to_owned(), source })?;
    encode(&module).map_err(|reason| BuildError::Encode { path: path.to_owned(), reason })
}

/// Builds the core module of `package` with a profile of the workspace's Cargo.toml and returns its path.
///
/// # Errors
///
/// Fails if the target can't be installed or cargo fails.
pub fn module(package: &str, profile: &str) -> Result<PathBuf, BuildError> {
    ensure_target(TARGET)?;
    build_module(package, profile, &FLAGS)
}

/// Builds the module of [`BLOCK`] and returns its path. A block is interpreted, and its platform has no vector instructions.
///
/// # Errors
///
/// As [`module`].
pub fn block() -> Result<PathBuf, BuildError> {
    ensure_target(TARGET)?;
    build_module(BLOCK, PROFILE_BLOCK, &[])
}

/// Returns compiler flags in the format of `CARGO_ENCODED_RUSTFLAGS`.
fn encoded(flags: &[&str]) -> OsString {
    let mut all: Vec<OsString> = flags.iter().map(OsString::from).collect();
    all.extend(remap_flag());
    all.join(std::ffi::OsStr::new("\u{1f}"))
}

/// Returns the compiler flag that replaces the path of cargo's source folder, which differs between machines. None if the
/// folder is unknown.
pub fn remap_flag() -> Option<OsString> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home)?;
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(cargo_home.join("registry").join("src"));
    flag.push(format!("={SOURCES}"));
    Some(flag)
}

/// Builds the core module and returns its path.
fn build_module(package: &str, profile: &str, flags: &[&str]) -> Result<PathBuf, BuildError> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(&cargo)
        .args(["build", "--package", package, "--target", TARGET, "--profile", profile])
        .args(["--quiet", "--message-format", "json-render-diagnostics"])
        .current_dir(workspace_root())
        // Replaces flags in the environment, such as those of a coverage run, which do not work for this target.
        .env("CARGO_ENCODED_RUSTFLAGS", encoded(flags))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Start { program: cargo, source })?;
    if !output.status.success() {
        return Err(BuildError::Cargo { package: package.to_owned(), status: output.status });
    }
    let library = package.replace('-', "_");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == library.as_str())
        .filter_map(|message| {
            let files = message["filenames"].as_array()?;
            files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
        })
        .next_back()
        .ok_or_else(|| BuildError::NoModule { package: package.to_owned() })
}

#[cfg(feature = "encode")]
fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoder = wit_component::ComponentEncoder::default();
    let encoded = encoder.validate(true).module(module).and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| format!("{error:#}"))
}
