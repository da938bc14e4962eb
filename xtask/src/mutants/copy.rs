//! Copies the workspace to `target/mutants/source`, with a switch at the position of each mutant.

use super::{FILE, Mutant, place};
use crate::build;
use anyhow::{Context, Result, bail};
use component_builder::workspace_root;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Variable that chooses the mutant of a run.
pub const VARIABLE: &str = "HAND_MUTANT";

/// The module that each crate with a mutant gets.
const SWITCH: &str = r#"//! The switch of hand-made mutants. Only the copy in `target/mutants/source` has this module.

use std::sync::OnceLock;

/// Returns whether the run is with this mutant.
pub(crate) fn is_on(id: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("HAND_MUTANT").ok()).as_deref() == Some(id)
}
"#;

/// Returns the folder for the command's files.
pub fn folder() -> PathBuf {
    build::target_folder().join("mutants")
}

/// Returns the root folder of the copy.
pub fn root() -> PathBuf {
    folder().join("source")
}

/// Creates or updates the copy, and returns a hash of the workspace's files apart from the list of mutants and
/// documents.
///
/// # Errors
///
/// Fails if a file can't be copied, or if the position of a mutant is not found.
pub fn workspace(mutants: &[Mutant]) -> Result<u64> {
    let mut by_file: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        by_file.entry(&mutant.file).or_default().push(mutant);
    }
    let crates: BTreeSet<String> = by_file.keys().map(|file| source_folder(file)).collect::<Result<_>>()?;
    let mut hasher = DefaultHasher::new();
    let mut kept = BTreeSet::new();
    for file in files()? {
        let from = workspace_root().join(&file);
        // A deleted file stays in git's list until the deletion is staged.
        let Ok(content) = fs::read(&from) else { continue };
        if file != FILE && !file.ends_with(".md") {
            (&file, &content).hash(&mut hasher);
        }
        let mut content = content;
        if let Some(mutants) = by_file.remove(file.as_str()) {
            let text = String::from_utf8(content).with_context(|| format!("{file} is not UTF-8"))?;
            content = place::switch(&mutants, &text)?.into_bytes();
        }
        let of_program = || file.strip_suffix("/main.rs").filter(|_| !from.with_file_name("lib.rs").exists());
        if file.strip_suffix("/lib.rs").or_else(of_program).is_some_and(|folder| crates.contains(folder)) {
            // Switches cause warnings, for example about parentheses.
            content = [b"#![allow(warnings)]\n".as_slice(), &content, b"\nmod hand_mutant;\n"].concat();
        }
        kept.insert(write(&file, &content)?);
    }
    if let Some((file, mutants)) = by_file.first_key_value() {
        bail!("mutant `{}`: the workspace has no file {file}", mutants[0].id);
    }
    for folder in crates {
        kept.insert(write(&format!("{folder}/hand_mutant.rs"), SWITCH.as_bytes())?);
    }
    remove_others(&root(), &kept)?;
    Ok(hasher.finish())
}

/// Returns the folder of a crate's sources that contains a file: `extension/src` for `extension/src/rules/share.rs`.
fn source_folder(file: &str) -> Result<String> {
    let place =
        file.find("/src/").with_context(|| format!("{file}: expected a file in the folder `src` of a crate"))?;
    Ok(format!("{}/src", &file[..place]))
}

/// Returns the paths of the workspace's files: those that git tracks, and new files that git does not ignore.
fn files() -> Result<Vec<String>> {
    let mut command = Command::new("git");
    command.current_dir(workspace_root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = command.output().context("cannot run git")?;
    if !output.status.success() {
        bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).context("a path that is not UTF-8")?;
    Ok(text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// Writes a file of the copy, unless it already has this content: cargo compiles a crate again if the time of a file
/// changes.
fn write(file: &str, content: &[u8]) -> Result<PathBuf> {
    let to = root().join(file);
    if fs::read(&to).is_ok_and(|known| known == content) {
        return Ok(to);
    }
    let parent = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&to, content))
        .with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to)
}

/// Removes the files of the copy that the workspace no longer has.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SWITCH, VARIABLE, source_folder};

    #[test]
    fn the_switch_reads_the_variable_of_the_chore() {
        assert!(SWITCH.contains(&format!("var(\"{VARIABLE}\")")));
    }

    #[test]
    fn the_switch_belongs_to_the_crate_of_the_file() {
        assert_eq!(source_folder("extension/src/rules/share.rs").ok().as_deref(), Some("extension/src"));
        assert!(source_folder("xtask/mutants.txt").is_err());
    }
}
