//! The inputs of a test program, as one hash: if it is unchanged, the program would pass again.

use super::programs::{Compiled, Program};
use crate::packages::Package;
use crate::{build, notes};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

/// Folders that no test reads.
const LEFT_OUT: [&str; 5] = ["target", "dist", "node_modules", ".git", "corpus-new"];
/// Test programs that read Rust sources.
const READ_SOURCES: [(&str, &str); 1] = [("instance-provisioner", "layers")];
/// Test programs that run the program for instances on Lambda.
const READ_NOTES: [(&str, &str); 1] = [("end-to-end", "clouds")];
/// Variables that change what tests do, or how often.
const VARIABLES: [&str; 13] = [
    "BUSINESS",
    "CONNECTIONS",
    "EXCHANGES",
    "HOST_KILLS",
    "KILLS",
    "LANE_SEEDS",
    "ONE_PAIR_IN",
    "ONE_STORY_IN",
    "PROPTEST_CASES",
    "PROPTEST_RNG_SEED",
    "STRIPE_OBJECTS",
    "UPDATE_DOCS",
    "UPDATE_GOLDEN",
];

/// Hashes of inputs that several programs read.
#[derive(Debug)]
pub struct Inputs {
    /// Files that are not Rust sources, by path and content.
    data: u64,
    /// Rust sources, by path and content.
    sources: u64,
    /// The component; 0 before it is read.
    component: u64,
    /// The sources of `tests/hostile-guest`, which tests build as a component.
    guest: u64,
    /// The environment.
    env: u64,
}

impl Inputs {
    /// Reads the repository and the environment, but not the component.
    ///
    /// # Errors
    ///
    /// Fails if a file of the repository cannot be read.
    pub fn read() -> Result<Inputs> {
        let (mut data, mut sources) = (DefaultHasher::new(), DefaultHasher::new());
        let root = component_builder::workspace_root();
        files(&root, &mut data, &mut sources)?;
        let mut variables = DefaultHasher::new();
        VARIABLES.map(|name| (name, std::env::var_os(name))).hash(&mut variables);
        let mut guest = DefaultHasher::new();
        files(&root.join("tests/hostile-guest"), &mut DefaultHasher::new(), &mut guest)?;
        let [data, sources, guest, env] = [data, sources, guest, variables].map(|hasher| hasher.finish());
        Ok(Inputs { data, sources, component: 0, guest, env })
    }

    /// Reads the component, which must be complete.
    pub fn read_component(&mut self) {
        let mut component = DefaultHasher::new();
        fs::read(build::dist().join("instance-provisioner.wasm")).ok().hash(&mut component);
        self.component = component.finish();
    }

    /// Returns the hash of one program's inputs.
    pub fn of(&self, program: &Program, compiled: &Compiled, packages: &[Package]) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.data, self.env, &program.variables, program.only).hash(&mut hasher);
        identity(&program.executable).hash(&mut hasher);
        // Cargo lists them in a different order if it compiles one of them.
        let binaries: BTreeSet<_> = compiled.binaries.get(&program.package).into_iter().flatten().collect();
        binaries.iter().for_each(|file| identity(file).hash(&mut hasher));
        if reads_component(program, packages) {
            (self.component, self.guest).hash(&mut hasher);
        }
        let name = (program.package.as_str(), program.target.name.as_str());
        if READ_SOURCES.contains(&name) {
            self.sources.hash(&mut hasher);
        }
        if READ_NOTES.contains(&name) {
            fs::read(build::dist().join(notes::FILE)).ok().hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Returns whether a program may read the component.
pub fn reads_component(program: &Program, packages: &[Package]) -> bool {
    let package = packages.iter().find(|package| package.name == program.package);
    package.is_some_and(|package| package.depends_on("component-builder")) || program.package == "provisioner"
}

/// Returns what distinguishes a compiled file from one that was compiled again: cargo writes a file only if it compiles
/// it.
fn identity(file: &Path) -> Option<(u64, std::time::SystemTime)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

fn files(folder: &Path, data: &mut DefaultHasher, sources: &mut DefaultHasher) -> Result<()> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (kind, path, name) = (entry.file_type()?, entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if kind.is_dir() && !LEFT_OUT.contains(&&*name) {
            files(&path, data, sources)?;
        } else if kind.is_file() {
            let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let hasher = if name.ends_with(".rs") { &mut *sources } else { &mut *data };
            (&path, content).hash(hasher);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(folder: &Path) -> (u64, u64) {
        let (mut data, mut sources) = (DefaultHasher::new(), DefaultHasher::new());
        files(folder, &mut data, &mut sources).expect("a folder that can be read");
        (data.finish(), sources.finish())
    }

    #[test]
    fn a_changed_file_changes_the_hash_of_its_kind_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("target")).expect("made");
        fs::write(folder.path().join("a.yml"), "1").expect("written");
        fs::write(folder.path().join("a.rs"), "1").expect("written");
        let (data, sources) = hashes(folder.path());
        fs::write(folder.path().join("target/b"), "1").expect("written");
        assert_eq!(hashes(folder.path()), (data, sources));
        fs::write(folder.path().join("a.rs"), "2").expect("written");
        let (same, changed) = hashes(folder.path());
        assert!(same == data && changed != sources);
        fs::write(folder.path().join("a.yml"), "2").expect("written");
        assert_ne!(hashes(folder.path()).0, data);
    }
}
