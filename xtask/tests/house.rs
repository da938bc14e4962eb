//! Tests the layout of the repository: which floors a crate may use, the names of crates and files, which crate links the extension,
//! and that the head of each file is a short statement.

use component_builder::workspace_root as root;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the floors that a floor may use besides itself. The command line may use all floors.
fn allowed(floor: &str) -> &'static [&'static str] {
    match floor {
        "extension" | "local-stripe" => &[],
        "host-shim/core" => &["extension"],
        "host-shim/providers" => &["extension", "host-shim/core"],
        "host-shim/solobase" => &["extension", "host-shim/core", "host-shim/providers"],
        "host-shim/lab" => &["extension", "host-shim/core", "local-stripe"],
        "host-shim/server" => &["extension", "host-shim/core", "host-shim/providers"],
        "host-shim/cli" => &[
            "extension",
            "host-shim/core",
            "host-shim/lab",
            "host-shim/providers",
            "host-shim/server",
            "host-shim/solobase",
            "local-stripe",
        ],
        other => panic!("{other} is not a floor"),
    }
}

/// Returns the floor of a crate's folder. None for crates outside of the extension, the host and the local Stripe.
fn floor(folder: &str) -> Option<&str> {
    let of_host = ["core", "providers", "solobase", "lab", "server", "cli"].map(|name| format!("host-shim/{name}"));
    let floors = of_host.iter().map(String::as_str).chain(["extension", "local-stripe"]);
    let mut of_folder =
        floors.filter(|floor| folder.strip_prefix(floor).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    of_folder.next().map(|floor| &folder[..floor.len()])
}

/// A line of a manifest that names a dependency.
#[derive(Debug, PartialEq, Eq)]
struct Dependency<'t> {
    section: &'t str,
    name: &'t str,
    line: usize,
}

/// Returns the dependencies of a manifest, in order.
fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for (at, line) in manifest.lines().enumerate() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section.ends_with("dependencies") && !line.starts_with('#') {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            found.extend((!name.is_empty()).then_some(Dependency { section, name, line: at + 1 }));
        }
    }
    found
}

/// Returns the folders of the repository's crates, by the names of the crates.
fn crates() -> BTreeMap<String, String> {
    let mut manifests = Vec::new();
    find(&root(), &|path| path.ends_with("Cargo.toml") && path.parent() != Some(&root()), &mut manifests);
    let crates = manifests.into_iter().filter_map(|manifest| {
        let text = fs::read_to_string(&manifest).expect("a manifest that can be read");
        let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))?.to_owned();
        let folder = manifest.parent()?.strip_prefix(root()).expect("a folder of the repository");
        Some((name, folder.to_string_lossy().into_owned()))
    });
    crates.collect()
}

fn find(folder: &Path, is_wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && !["target", "dist", "node_modules", ".git", "clients", "fuzz"].contains(&&*name) {
            find(&path, is_wanted, found);
        } else if is_wanted(&path) {
            found.push(path);
        }
    }
}

/// Returns the lines of manifests that break a rule, as `FILE:LINE: PROBLEM`.
fn broken(rule: impl Fn(&str, &Dependency<'_>, &BTreeMap<String, String>) -> Option<String>) -> Vec<String> {
    let crates = crates();
    let mut broken = Vec::new();
    for folder in crates.values() {
        let file = format!("{folder}/Cargo.toml");
        let text = fs::read_to_string(root().join(&file)).expect("a manifest that can be read");
        for dependency in dependencies(&text) {
            let problem = rule(folder, &dependency, &crates);
            broken.extend(problem.map(|problem| format!("{file}:{}: {problem}", dependency.line)));
        }
    }
    broken
}

#[test]
fn each_floor_uses_only_allowed_floors() {
    let broken = broken(|folder, dependency, crates| {
        let other = floor(crates.get(dependency.name)?)?;
        let own = floor(folder)?;
        let is_allowed = own == other || allowed(own).contains(&other);
        // The tests of a provider may use the local Stripe as its server.
        let is_counterpart = dependency.section == "dev-dependencies" && other == "local-stripe";
        (!is_allowed && !is_counterpart).then(|| format!("{own} uses {} of {other}", dependency.name))
    });
    assert_eq!(broken, [""; 0]);
}

#[test]
fn only_the_replay_and_the_block_link_the_extension() {
    let broken = broken(|folder, dependency, _| {
        let links = dependency.name == "instance-provisioner" && dependency.section == "dependencies";
        let may =
            ["host-shim/lab/replay", "host-shim/solobase/block"].contains(&folder) || !folder.starts_with("host-shim/");
        (links && !may).then(|| "links the extension; only host-replay's feature `native` and the block do".to_owned())
    });
    assert_eq!(broken, [""; 0]);
}

#[test]
fn a_new_part_is_a_module_before_it_is_a_crate() {
    let (of_product, others): (Vec<String>, Vec<String>) = crates().into_values().partition(|folder| {
        ["extension", "host-shim", "local-stripe"].contains(&folder.split('/').next().unwrap_or_default())
    });
    assert!(of_product.len() <= 28 && others.len() <= 12, "{} and {}", of_product.len(), others.len());
}

#[test]
fn a_crate_is_named_after_its_folder() {
    let prefix = |folder: &str| match folder.split('/').next() {
        Some("host-shim") => "host-",
        Some("extension") => "extension-",
        _ => "",
    };
    // The two crates that have the product's name.
    let own_names = [("extension", "instance-provisioner"), ("host-shim/cli", "provisioner")];
    let mut wrong = Vec::new();
    for (name, folder) in crates() {
        let last = folder.rsplit('/').next().unwrap_or_default();
        let expected = [last.to_owned(), format!("{}{last}", prefix(&folder))];
        if !expected.contains(&name) && !own_names.contains(&(folder.as_str(), name.as_str())) {
            wrong.push(format!("{folder}/Cargo.toml: `{name}`, expected `{}`", expected[1]));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_manifest_is_read_by_sections_and_lines() {
    let text = "[package]\nname = \"x\"\n\n[dependencies]\n# a comment\nhost.workspace = true\nhost-store = { workspace = true }\n\n[dev-dependencies]\ntempfile = \"3\"\n";
    let found = dependencies(text);
    let expected =
        [("dependencies", "host", 6), ("dependencies", "host-store", 7), ("dev-dependencies", "tempfile", 10)];
    assert_eq!(found, expected.map(|(section, name, line)| Dependency { section, name, line }));
    assert_eq!(floor("host-shim/core/store"), Some("host-shim/core"));
    assert_eq!(floor("host-shim/cli"), Some("host-shim/cli"));
    assert_eq!((floor("extension/contract"), floor("local-stripe")), (Some("extension"), Some("local-stripe")));
    assert_eq!((floor("tests/end-to-end"), floor("xtask")), (None, None));
}

/// Returns the lines of the comment at the top of a file.
fn head(text: &str) -> Vec<&str> {
    text.lines().map_while(|line| line.strip_prefix("//!")).collect()
}

/// Returns the sources whose heads have a fault.
fn faulty(is_faulty: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut files = Vec::new();
    find(&root(), &|path| path.extension().is_some_and(|extension| extension == "rs"), &mut files);
    assert!(files.len() > 1_000, "{} files", files.len());
    files.retain(|file| is_faulty(&fs::read_to_string(file).expect("a file that can be read")));
    files
}

#[test]
fn the_head_of_each_file_is_a_statement() {
    let asks = |text: &str| {
        let head = head(text).join("");
        head.trim_end().ends_with('?') || head.contains("? ")
    };
    assert!(asks("//! How does it work? It reads\n//! a row.\n") && asks("//! Why?\nfn why() {}\n"));
    assert!(!asks("//! Reads `?all=true`.\n\n// Is this a head?\n"));
    assert_eq!(faulty(asks), Vec::<PathBuf>::new(), "expected what the file does, instead of a question");
}

/// Number of lines that a head has at most. Details belong to the item that they describe.
const HEAD_LINES: usize = 5;

#[test]
fn the_head_of_each_file_has_at_most_five_lines() {
    let is_long = |text: &str| head(text).len() > HEAD_LINES;
    assert!(is_long(&"//! Reads a row.\n".repeat(6)) && !is_long(&"//! Reads a row.\n".repeat(5)));
    assert_eq!(faulty(is_long), Vec::<PathBuf>::new(), "expected at most {HEAD_LINES} lines that begin with //!");
}

/// Length of the longest file name, with its ending: names stay readable in a list beside their folders.
const LONGEST_NAME: usize = 40;

#[test]
fn no_file_name_is_longer_than_forty_characters() {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("paths");
    let paths: Vec<&str> = listed.split_terminator('\0').collect();
    assert!(paths.len() > 3_000, "{} files", paths.len());
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().chars().count();
    let long: Vec<&str> = paths.into_iter().filter(|path| name(path) > LONGEST_NAME).collect();
    assert_eq!(long, [""; 0]);
}
