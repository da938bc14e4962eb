//! Generates the Rust bindings of `wit/products.wit`: one file for components, one for the host.
//!
//! The files are committed in `generated/`, so that a build of the project does not compile the generators.
//! `cargo xtask bindings` writes the files; a test compares them with the output of the generators.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use wasmtime_internal_wit_bindgen::{FunctionConfig, FunctionFilter, FunctionFlags};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_parser::{Resolve, WorldId};

/// The world whose bindings are generated.
const WORLD: &str = "extension";

/// A generated file.
#[derive(Debug)]
pub struct Generated {
    /// Path of the file, relative to the root folder of the repository.
    pub path: PathBuf,
    /// Contents of the file.
    pub text: String,
}

/// Generates all files.
///
/// # Errors
///
/// Fails if the WIT files can't be read or a generator does not accept them.
pub fn generate(root: &Path) -> Result<Vec<Generated>> {
    let folder = root.join("generated");
    let file = |name: &str, text: String| Generated {
        path: folder.strip_prefix(root).unwrap_or(&folder).join(name),
        text: with_header(&text),
    };
    Ok(vec![file("guest.rs", guest(root)?), file("host.rs", host(root)?)])
}

/// Generates the bindings of a component with `wit-bindgen`.
fn guest(root: &Path) -> Result<String> {
    let (mut resolve, world) = read(root)?;
    let options = wit_bindgen_rust::Opts {
        export_macro_name: Some("export_world".to_owned()),
        default_bindings_module: Some("crate::bindings".to_owned()),
        // The component has no constructors. The check whether constructors ran would make the first call use more
        // fuel.
        disable_run_ctors_once_workaround: true,
        ..wit_bindgen_rust::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let (_, text) = files.iter().next().context("the generator of guest bindings wrote no file")?;
    Ok(std::str::from_utf8(text)?.to_owned())
}

/// Generates the bindings of the host with wasmtime's generator. Each import may trap.
fn host(root: &Path) -> Result<String> {
    let (mut resolve, world) = read(root)?;
    let mut imports = FunctionConfig::new();
    imports.push(FunctionFilter::Default, FunctionFlags::TRAPPABLE);
    let options = wasmtime_internal_wit_bindgen::Opts { imports, ..wasmtime_internal_wit_bindgen::Opts::default() };
    options.generate(&mut resolve, world)
}

fn read(root: &Path) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("wit")).context("cannot read the folder `wit`")?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    Ok((resolve, world))
}

fn with_header(text: &str) -> String {
    format!("// @generated from wit/products.wit by `cargo xtask bindings`. Do not edit.\n{}\n", text.trim_end())
}
