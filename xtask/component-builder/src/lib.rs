//! Builds a crate of this workspace as a component: plain `cargo build` for `wasm32-unknown-unknown`, then the encoder.
//!
//! The target has no WASI, so a component cannot import any. The chores and the tests both build with this crate, so the
//! tested component is the shipped one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The only target of a component.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Crate of the component that this repository ships.
pub const PROVISIONER: &str = "extension-component";

/// Flags of the compiler for a component: wasmtime has vector instructions, which skipping through JSON gains from; inlining is
/// held back so that the component stays below its 2 MiB.
const FLAGS: [&str; 2] = ["-Ctarget-feature=+simd128", "-Cllvm-args=-inline-threshold=45"];
/// What stands in a component in place of the folder that cargo keeps sources in: panics name the files of dependencies, and
/// where they lie is this machine's affair.
const SOURCES: &str = "registry";

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The toolchain has no standard library for the target, and there is no rustup to install it.
    #[error(
        "the Rust toolchain has no `{TARGET}` target and `rustup` is not installed: \
         install rustup from https://rustup.rs, or the target with the tool that installed Rust"
    )]
    NoRustup,
    /// `rustup` could not install the target.
    #[error("`rustup target add {TARGET}` failed with {status}")]
    TargetNotInstalled {
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// A program could not be started or read.
    #[error("cannot run `{program}`: {source}")]
    Start {
        /// Program.
        program: String,
        /// Cause.
        source: std::io::Error,
    },
    /// Cargo could not build the crate; its messages are on the standard error stream.
    #[error("`cargo build --package {package} --target {TARGET}` failed with {status}")]
    Cargo {
        /// Crate.
        package: String,
        /// Cargo's exit status.
        status: std::process::ExitStatus,
    },
    /// Cargo built the crate, but no module came out of it.
    #[error("`{package}` gives no module: its Cargo.toml needs `crate-type = [\"cdylib\"]`")]
    NoModule {
        /// Crate.
        package: String,
    },
    /// The module could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The module is no component's core.
    #[error("cannot make a component of {}: {reason}", path.display())]
    Encode {
        /// File.
        path: PathBuf,
        /// What the encoder says.
        reason: String,
    },
}

/// The profile of the component as it is shipped.
pub const PROFILE: &str = "component";

/// The profile of a component that keeps the names of its functions, for `host-shim profile`: the same code, and larger.
pub const PROFILE_NAMED: &str = "component-named";

/// The root folder of the workspace.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is two folders below the root").to_path_buf()
}

/// Make sure that the toolchain has the target, installing it through rustup if need be.
pub fn ensure_target() -> Result<(), BuildError> {
    if target_is_installed()? {
        return Ok(());
    }
    eprintln!("installing the target {TARGET} (rustup target add)");
    let status = match Command::new("rustup").args(["target", "add", TARGET]).current_dir(workspace_root()).status() {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(BuildError::NoRustup),
        Err(source) => return Err(BuildError::Start { program: "rustup".to_owned(), source }),
    };
    if !status.success() {
        return Err(BuildError::TargetNotInstalled { status });
    }
    Ok(())
}

/// Whether the compiler has a standard library for the target, however it was installed.
fn target_is_installed() -> Result<bool, BuildError> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
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
/// The target cannot be installed, cargo fails, or the module cannot be encoded.
#[cfg(feature = "encode")]
pub fn build(package: &str) -> Result<Vec<u8>, BuildError> {
    build_with(package, PROFILE)
}

/// Builds `package` with the names of its functions, for a profile: the same code, and larger.
///
/// # Errors
///
/// As for [`build`].
#[cfg(feature = "encode")]
pub fn build_named(package: &str) -> Result<Vec<u8>, BuildError> {
    build_with(package, PROFILE_NAMED)
}

#[cfg(feature = "encode")]
fn build_with(package: &str, profile: &str) -> Result<Vec<u8>, BuildError> {
    encode_file(&module(package, profile)?)
}

/// Wraps a core module as a component, by the world that its custom section describes.
///
/// # Errors
///
/// The file cannot be read, or is not the core of a component.
#[cfg(feature = "encode")]
pub fn encode_file(path: &Path) -> Result<Vec<u8>, BuildError> {
    let module = std::fs::read(path).map_err(|source| BuildError::Read { path: path.to_owned(), source })?;
    encode(&module).map_err(|reason| BuildError::Encode { path: path.to_owned(), reason })
}

/// Builds the core module of `package` with a profile of the workspace's Cargo.toml and returns its path.
///
/// # Errors
///
/// The target cannot be installed, or cargo fails.
pub fn module(package: &str, profile: &str) -> Result<PathBuf, BuildError> {
    ensure_target()?;
    build_module(package, profile)
}

/// The compiler's flags, as cargo takes them from its environment.
fn flags() -> OsString {
    let mut flags = OsString::from(FLAGS.join("\u{1f}"));
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    if let Some(cargo_home) = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home) {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(cargo_home.join("registry").join("src"));
        flags.push(format!("={SOURCES}"));
    }
    flags
}

/// Build the core module and return its path.
fn build_module(package: &str, profile: &str) -> Result<PathBuf, BuildError> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(&cargo)
        .args(["build", "--package", package, "--target", TARGET, "--profile", profile])
        .args(["--quiet", "--message-format", "json-render-diagnostics"])
        .current_dir(workspace_root())
        // In place of the flags for the host, such as those of a coverage run, which do not fit this target.
        .env("CARGO_ENCODED_RUSTFLAGS", flags())
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
