//! `cargo xtask build`: the component, the host, and the program for instances on Lambda, ready to run, in `dist/`.

use crate::groups::Groups;
use crate::{notes, package, process};
use anyhow::{Context, Result, anyhow};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// Build `dist/instance-provisioner.wasm`, `dist/provisioner`, with every command and provider, `dist/block.wasm` and `dist/notes.zip`.
///
/// The component is always optimised; the host only with `--release`. Without it, the host uses the builds of dependencies that
/// `cargo xtask replay` and `cargo xtask test` made. Installs the WebAssembly target with rustup if the toolchain does not have it.
///
/// `block.wasm` is the extension for a Solobase platform, with `wafer.toml` and the registry's `manifest.json` beside it: `docs/operate/solobase.md`.
///
/// `notes.zip` is the program of instances on AWS Lambda (`examples/notes`). A machine other than Linux on x86_64 leaves it out,
/// since it needs a C compiler and a linker for that system. `--deb` also needs Debian's tools, and installs `cargo-deb` into the
/// target folder.
#[derive(clap::Args)]
pub struct Options {
    /// Build the component only.
    #[arg(long)]
    component: bool,
    /// Optimise the host, too. Takes about 20 minutes on two cores the first time.
    #[arg(long, conflicts_with_all = ["component", "named", "notes", "block"])]
    release: bool,
    /// Build the component with the names of its functions instead, for `provisioner profile`, into the target folder: the
    /// same code, and larger.
    #[arg(long, conflicts_with = "component")]
    named: bool,
    /// Build `dist/notes.zip` only.
    #[arg(long, conflicts_with_all = ["component", "named"])]
    notes: bool,
    /// Build `dist/block.wasm` only.
    #[arg(long, conflicts_with_all = ["component", "named", "notes"])]
    block: bool,
    /// The address at which `block.wasm` will be published, for `dist/manifest.json` [default: block.wasm]
    #[arg(long, value_name = "URL")]
    block_url: Option<String>,
    /// Also make the Debian package of the server, `dist/provisioner_VERSION-1_ARCHITECTURE.deb`, with the optimised host.
    #[arg(long, conflicts_with_all = ["component", "named", "notes", "block"])]
    deb: bool,
}

/// The feature with the cloud SDKs.
const CLOUDS: &str = "aws";
/// Cargo profile of the optimised host and of the measuring program.
const HOST_PROFILE: &str = "host";

/// Runs the command.
///
/// # Errors
///
/// Fails if a program does not compile, or `dist` cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let mut groups = Groups::default();
    if options.named {
        println!("{}", groups.run("component", named_component)?.display());
    } else if options.notes {
        println!("{}", groups.run("notes", notes::build)?.display());
    } else if options.block {
        println!("{}", groups.run("block", || block(options))?.display());
    } else if options.component {
        println!("{}", groups.run("component", component)?.display());
    } else {
        let host = if options.release || options.deb { release_host() } else { full_host() };
        let (component, host) = groups.run("component and host", || both(&host))?;
        println!("{}\n{}", component.display(), host.display());
        println!("{}", groups.run("block", || block(options))?.display());
        if options.deb {
            println!("{}", groups.run("package", || package::make(package::Size::Small))?.display());
        }
        match notes::is_possible() {
            true => println!("{}", groups.run("notes", notes::build)?.display()),
            false => groups.skipped(&["notes"], "it is built on Linux on x86_64"),
        }
    }
    eprint!("{}", groups.summary());
    Ok(())
}

/// Builds the block with the files that a platform reads along with it, and returns the path of the module.
fn block(options: &Options) -> Result<PathBuf> {
    Ok(component_builder::block_package(&dist(), options.block_url.as_deref())?)
}

/// The folder for finished programs.
pub fn dist() -> PathBuf {
    component_builder::workspace_root().join("dist")
}

/// A program that uses the component, and how it is built.
#[derive(Clone, Copy, Debug)]
pub struct ProgramBuild {
    /// The crate of the program.
    package: &'static str,
    /// The program.
    name: &'static str,
    /// Further arguments of `cargo build`.
    args: &'static [&'static str],
    /// The subfolder of the target folder that cargo builds into.
    folder: &'static str,
}

/// The host with every provider, in the profile that the tests use.
pub fn full_host() -> ProgramBuild {
    ProgramBuild { args: &["--features", CLOUDS], ..serving_host() }
}

/// The host with every provider, optimised.
fn release_host() -> ProgramBuild {
    ProgramBuild { args: &["--profile", HOST_PROFILE, "--features", CLOUDS], folder: HOST_PROFILE, ..serving_host() }
}

/// The host without cloud SDKs, in the profile that the tests use.
pub fn serving_host() -> ProgramBuild {
    ProgramBuild { package: HOST, name: HOST, args: &[], folder: "debug" }
}

/// The program that only replays, in the profile that the tests use.
pub fn replayer() -> ProgramBuild {
    ProgramBuild { package: "host-replay", name: "replay", args: &[], folder: "debug" }
}

/// Builds the component and, at the same time, a program that uses it, puts both into `dist`, and returns their paths.
///
/// # Errors
///
/// Fails if a program does not compile, or `dist` cannot be written.
pub fn both(wanted: &ProgramBuild) -> Result<(PathBuf, PathBuf)> {
    let module = start_module();
    let packages = ["build", "--package", wanted.package, "--package", "component-builder"];
    let built = process::run(process::cargo(packages).args(wanted.args));
    let module = finish_module(module)?;
    built?;
    let folder = target_folder().join(wanted.folder);
    let component = encode(&folder.join(program(ENCODER)), &module)?;
    Ok((component, install_program(&folder.join(program(wanted.name)))?))
}

/// Puts a program into `dist` and returns its path there. The host is also available there under the name of its folder, `host-shim`.
///
/// # Errors
///
/// Fails if `dist` cannot be written.
pub fn install_program(built: &Path) -> Result<PathBuf> {
    let name = built.file_name().context("the path of a program has a name")?;
    let path = dist().join(name);
    install(&path, |to| fs::copy(built, to).map(drop))?;
    #[cfg(unix)]
    if name == HOST {
        install(&dist().join(HOST_FOLDER), |to| std::os::unix::fs::symlink(name, to))?;
    }
    Ok(path)
}

/// Name of the component's file.
const COMPONENT: &str = "instance-provisioner.wasm";
/// Name of the host's program.
const HOST: &str = "provisioner";
/// The folder with the host's crates; `dist` also contains the host under this name.
#[cfg(unix)]
const HOST_FOLDER: &str = "host-shim";
/// Name of the program that wraps a module as a component.
pub const ENCODER: &str = "encode-component";

/// The component's path in `dist`.
pub fn dist_component() -> PathBuf {
    dist().join(COMPONENT)
}

/// Builds the component and returns its path.
///
/// # Errors
///
/// Fails if it does not compile, or `dist` cannot be written.
pub fn component() -> Result<PathBuf> {
    component_with(component_builder::PROFILE, &dist_component())
}

/// Builds the component with its function names and returns its path.
///
/// # Errors
///
/// Fails if it does not compile, or the target folder cannot be written.
pub fn named_component() -> Result<PathBuf> {
    component_with(component_builder::PROFILE_NAMED, &target_folder().join("instance-provisioner-named.wasm"))
}

fn component_with(profile: &str, path: &Path) -> Result<PathBuf> {
    let module = component_builder::module(component_builder::PROVISIONER, profile)?;
    process::run(&mut process::cargo(["build", "--quiet", "--package", "component-builder"]))?;
    encode_to(&target_folder().join("debug").join(program(ENCODER)), &module, path)
}

/// A build of the component's module that is in progress.
pub type ModuleBuild = thread::JoinHandle<Result<PathBuf, component_builder::BuildError>>;

/// Starts the build of the component's module. Meanwhile, cargo can build programs for this machine.
pub fn start_module() -> ModuleBuild {
    thread::spawn(|| component_builder::module(component_builder::PROVISIONER, component_builder::PROFILE))
}

/// Waits for the module and returns its path.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn finish_module(build: ModuleBuild) -> Result<PathBuf> {
    Ok(build.join().map_err(|_| anyhow!("the build of the component panicked"))??)
}

/// Wraps a module as the component in `dist`, with the program `encode-component`, and returns its path.
///
/// # Errors
///
/// Fails if the module is not the core of a component, or `dist` cannot be written.
pub fn encode(encoder: &Path, module: &Path) -> Result<PathBuf> {
    encode_to(encoder, module, &dist_component())
}

fn encode_to(encoder: &Path, module: &Path, path: &Path) -> Result<PathBuf> {
    install(path, |to| process::run(Command::new(encoder).arg(module).arg(to)).map_err(std::io::Error::other))?;
    Ok(path.to_owned())
}

/// Builds the measuring program with the profile of the shipped host, and returns its path.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn bench() -> Result<(PathBuf, PathBuf)> {
    let packages = ["build", "--profile", HOST_PROFILE, "--package", "host-bench", "--package", "provisioner"];
    process::run(&mut process::cargo(packages))?;
    let folder = target_folder().join(HOST_PROFILE);
    Ok((folder.join(program("host-bench")), folder.join(program(HOST))))
}

/// File name of a program on this system.
pub fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// The folder that cargo builds into.
pub fn target_folder() -> PathBuf {
    let root = component_builder::workspace_root();
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Creates a file next to its destination and renames it, so that a running host keeps the file that it has open. Two processes may do so
/// at the same time.
pub(crate) fn install(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| make(&part))
        .and_then(|()| fs::rename(&part, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
