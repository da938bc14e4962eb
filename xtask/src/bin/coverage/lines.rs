//! `cargo xtask coverage --lines`: lists the lines of the extension's Rust code that no scenario reaches.
//!
//! The extension's library and the host are built again with instrumentation; all other crates come from an ordinary
//! build. The scenarios are replayed natively, and LLVM's tools read the counts.

mod lcov;
mod report;
mod tools;

use anyhow::{Context, Result, bail};
use report::Report;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use tools::Tools;
use xtask::build;
use xtask::process;

pub use report::Format;

/// Environment variable that is set when cargo runs this program as the compiler's wrapper.
pub const WRAPPER: &str = "XTASK_INSTRUMENT";
/// The crates whose lines are counted.
const COUNTED: [&str; 3] = ["extension-contract", "extension-reader", "instance-provisioner"];
/// The program that runs these crates. It is instrumented too: otherwise the linker leaves out the code that writes the
/// counts.
const PROGRAM: &str = "provisioner";
/// Compiler flags for instrumentation. Names are not compressed, since some builds of LLVM's tools have no zlib.
const FLAGS: [&str; 2] = ["-Cinstrument-coverage", "-Cllvm-args=-enable-name-compression=false"];
/// The folder of the counted crates.
const FOLDER: &str = "extension";

/// Options of `cargo xtask coverage --lines`.
pub struct Options<'a> {
    /// Scenarios, and folders of scenarios.
    pub paths: &'a [PathBuf],
    /// Format of the report.
    pub format: Format,
    /// Minimum share of the lines that must be reached, in per cent.
    pub min: u32,
}

/// Builds the instrumented host, replays the paths natively, and prints the lines that were not reached.
///
/// # Errors
///
/// Fails if fewer than `min` per cent of the lines are reached, if a scenario does not hold, or if a build or a tool
/// fails.
pub fn run(options: &Options<'_>) -> Result<()> {
    let root = component_builder::workspace_root();
    let tools = Tools::find()?;
    let folder = build::target_folder().join("coverage");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let host = instrumented(&folder)?;
    replay(&host, &folder, options.paths)?;
    let merged = folder.join("run.profdata");
    let raw = profiles(&folder, "run-")?;
    process::run(Command::new(&tools.profdata).args(["merge", "-sparse", "-o"]).arg(&merged).args(&raw))?;
    let mut command = Command::new(&tools.cov);
    command.args(["export", "--format=lcov", "--instr-profile"]).arg(&merged).arg(&host).arg(root.join(FOLDER));
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", tools.cov.display()))?;
    if !output.status.success() {
        bail!("`{} export` failed with {}", tools.cov.display(), output.status);
    }
    let report = Report::new(&root, lcov::parse(&String::from_utf8_lossy(&output.stdout))?);
    print!("{}", report.show(options.format, options.min));
    match report.reaches(options.min) {
        true => Ok(()),
        false => bail!("{} are reached, expected {} % at least", report.share(), options.min),
    }
}

/// Replays the paths natively, which writes a profile to `folder`. Fails and prints the report if a scenario does not
/// hold.
fn replay(host: &Path, folder: &Path, paths: &[PathBuf]) -> Result<()> {
    let mut command = Command::new(host);
    command.current_dir(component_builder::workspace_root()).args(["replay", "--native"]).args(paths);
    command.env("LLVM_PROFILE_FILE", folder.join("run-%p.profraw")).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot run {}", host.display()))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        bail!("`provisioner replay --native` failed with {}; lines are counted of what holds", output.status);
    }
    Ok(())
}

/// Builds the host with instrumented crates of the extension, and returns its path. Dependencies outside the workspace
/// are those of an ordinary build.
fn instrumented(folder: &Path) -> Result<PathBuf> {
    let wrapper = std::env::current_exe().context("cannot find this program")?;
    let place = build::target_folder().join("debug").join(build::program(PROGRAM));
    let plain = folder.join("plain");
    if place.exists() {
        fs::rename(&place, &plain).with_context(|| format!("cannot move {}", place.display()))?;
    }
    // The example makes cargo choose the same features as for tests, so that no dependency is compiled again.
    let mut command = process::cargo(["build", "--bin", PROGRAM, "--example", "stream_memory"]);
    command.env("RUSTC_WORKSPACE_WRAPPER", wrapper).env(WRAPPER, "1");
    // Instrumented macros write a profile when the compiler runs them.
    command.env("LLVM_PROFILE_FILE", folder.join("build-%p.profraw"));
    let built = process::run(&mut command);
    let kept = folder.join(build::program(PROGRAM));
    let kept = built.and_then(|()| {
        fs::rename(&place, &kept).with_context(|| format!("cannot move {}", place.display())).map(|()| kept)
    });
    if plain.exists() {
        fs::rename(&plain, &place).with_context(|| format!("cannot put back {}", place.display()))?;
    }
    kept
}

/// Acts as the compiler's wrapper: runs the compiler with its arguments, and with `FLAGS` for instrumented crates.
pub fn wrap() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(rustc) = args.next() else { return ExitCode::FAILURE };
    let mut args: Vec<OsString> = args.collect();
    if std::env::var("CARGO_PKG_NAME").is_ok_and(|name| is_instrumented(&name)) {
        args.extend(FLAGS.map(OsString::from));
    }
    match Command::new(&rustc).args(args).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", rustc.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}

fn is_instrumented(package: &str) -> bool {
    package == PROGRAM || COUNTED.contains(&package)
}

fn profiles(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
    let is_meant = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    Ok(entries.into_iter().filter(is_meant).map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_crates_of_the_extension_that_run_in_the_host_are_counted() {
        let folder = component_builder::workspace_root().join(FOLDER);
        let mut manifests = vec![folder.join("Cargo.toml")];
        let entries = fs::read_dir(&folder).expect("the extension").map(|entry| entry.expect("an entry").path());
        manifests.extend(entries.map(|entry| entry.join("Cargo.toml")).filter(|manifest| manifest.is_file()));
        let name = |manifest: &PathBuf| {
            let text = fs::read_to_string(manifest).expect("a manifest");
            let line =
                text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"').map(str::to_owned));
            line.expect("a name")
        };
        let mut names: Vec<String> = manifests.iter().map(name).collect();
        names.sort();
        // The component and its allocator are not part of the host.
        let apart = [component_builder::PROVISIONER, "extension-arena"];
        let (left_out, counted): (Vec<_>, Vec<_>) =
            names.iter().map(String::as_str).partition(|name| apart.contains(name));
        assert_eq!((left_out.len(), counted), (apart.len(), COUNTED.to_vec()));
        assert!(is_instrumented("extension-reader") && is_instrumented("provisioner") && !is_instrumented("wasmtime"));
    }

    #[test]
    fn profiles_of_the_build_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["run-7.profraw", "build-8.profraw", "run-9.profraw"] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        let mut found = profiles(folder.path(), "run-").expect("read");
        found.sort();
        assert_eq!(found, ["run-7.profraw", "run-9.profraw"].map(|name| folder.path().join(name)));
    }
}
