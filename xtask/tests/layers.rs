//! Checks which file of a crate uses which other file: each layer of the extension uses only the layers above it, no rule uses a
//! rule, and no file uses itself through others.

use component_builder::workspace_root as root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use syn::visit::{self, Visit};

/// The layers, from top to bottom. The top layer uses no other layer.
const LAYERS: [&str; 10] =
    ["model", "catalog", "desk", "input", "derive", "actions", "rules", "reconcile", "queries", "decision"];

/// The files of `rules` that name rules: the dispatch of events, the dispatch of commands, and the table of commands.
const DISPATCH: [&str; 3] = ["rules", "rules::command", "rules::commands"];

/// Returns the other layers that a layer may use. `reconcile` does not read events, `rules` does not use `reconcile`,
/// and `queries` uses nothing that changes an account.
fn allowed(layer: &str) -> &'static [&'static str] {
    match layer {
        "model" => &[],
        "catalog" => &["model"],
        "desk" | "input" => &["model", "catalog"],
        "derive" => &["model", "catalog", "desk"],
        "actions" => &["model", "catalog", "desk", "input", "derive"],
        "rules" => &["model", "catalog", "desk", "input", "derive", "actions"],
        "reconcile" => &["model", "catalog", "desk", "derive", "actions"],
        "queries" => &["model", "catalog", "desk", "input", "derive"],
        "decision" => &["model", "catalog", "desk", "input", "derive", "actions", "rules", "reconcile", "queries"],
        other => panic!("`{other}` is not a layer"),
    }
}

/// The files by the path of their module without `crate`, such as `rules::invoice`. The root is the empty text.
type Files = BTreeMap<String, String>;

/// For each file, the files that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Returns the files of a crate. `folder` is the crate's folder in the repository.
fn source(folder: &str) -> Files {
    let root = root().join(folder).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Files::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path: PathBuf = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").with_extension("");
                let parts: Vec<_> = name.iter().map(|part| part.to_str().expect("UTF-8")).collect();
                let module = if parts == ["lib"] || parts == ["main"] { String::new() } else { parts.join("::") };
                files.insert(module, fs::read_to_string(&path).expect("a source can be read"));
            }
        }
    }
    files
}

/// Collects the paths of a file outside of its tests.
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.0.push(with(&name.ident)),
            syn::UseTree::Rename(name) => self.0.push(with(&name.ident)),
            syn::UseTree::Glob(_) => self.0.push(before.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    // `pub(super)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// Returns the file that a path in `module` leads to; `None` if it leads out of the library or stays in the file.
fn resolve(files: &Files, module: &str, path: &[String]) -> Option<String> {
    let mut at: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (at, rest) = (Vec::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        // A child module, if there is one with this name.
        name => {
            let child = [&at[..], &[name]].concat().join("::");
            files.get(&child)?;
        }
    }
    for part in rest {
        let next = [&at[..], &[part.as_str()]].concat();
        if !files.contains_key(&next.join("::")) {
            break;
        }
        at = next;
    }
    Some(at.join("::")).filter(|found| found != module)
}

fn uses(files: &Files) -> Uses {
    let of = |(module, text): (&String, &String)| {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{module}: {error}"));
        let mut paths = Paths(Vec::new());
        paths.visit_file(&file);
        let found = paths.0.iter().filter_map(|path| resolve(files, module, path));
        (module.clone(), found.collect())
    };
    files.iter().map(of).collect()
}

/// The uses of the extension.
static USES: LazyLock<Uses> = LazyLock::new(|| uses(&source("extension")));

fn layer(module: &str) -> &str {
    module.split("::").next().expect("a first part")
}

/// Returns the uses of other layers that are not allowed.
fn beyond_layers(uses: &Uses) -> Vec<String> {
    let mut broken = Vec::new();
    for (module, used) in uses.iter().filter(|(module, _)| LAYERS.contains(&layer(module))) {
        let is_wrong = |other: &&String| {
            let (own, other) = (layer(module), layer(other));
            LAYERS.contains(&other) && other != own && !allowed(own).contains(&other)
        };
        broken.extend(used.iter().filter(is_wrong).map(|other| format!("{module} uses {other}")));
    }
    broken
}

/// Returns the uses of rules by rules. A rule may use its own files.
fn rules_by_rules(uses: &Uses) -> Vec<String> {
    let mut broken = Vec::new();
    for (module, used) in uses.iter().filter(|(module, _)| layer(module) == "rules") {
        if DISPATCH.contains(&module.as_str()) {
            continue;
        }
        let rule = module.split("::").take(2).collect::<Vec<_>>().join("::");
        let is_own = |other: &str| other == rule || other.starts_with(&format!("{rule}::"));
        let is_wrong = |other: &&String| layer(other) == "rules" && !is_own(other);
        broken.extend(used.iter().filter(is_wrong).map(|other| format!("{module} uses {other}")));
    }
    broken
}

/// Returns the files that a file uses, also through other files.
fn reached<'u>(uses: &'u Uses, from: &str) -> BTreeSet<&'u str> {
    let (mut open, mut seen) = (vec![from.to_owned()], BTreeSet::new());
    while let Some(next) = open.pop() {
        for used in uses.get(&next).into_iter().flatten() {
            if seen.insert(used.as_str()) {
                open.push(used.clone());
            }
        }
    }
    seen
}

/// Returns the uses without those between a module and its own children.
fn between_strangers(uses: Uses) -> Uses {
    let is_in = |outer: &str, inner: &str| outer.is_empty() || inner.starts_with(&format!("{outer}::"));
    let strangers = |(module, mut used): (String, BTreeSet<String>)| {
        used.retain(|other| !is_in(other, &module) && !is_in(&module, other));
        (module, used)
    };
    uses.into_iter().map(strangers).collect()
}

/// Returns the files that use themselves through others.
fn in_circles(uses: &Uses) -> Vec<&str> {
    uses.keys().map(String::as_str).filter(|module| reached(uses, module).contains(module)).collect()
}

#[test]
fn each_layer_uses_only_layers_above_it() {
    for name in LAYERS {
        assert!(USES.keys().any(|module| layer(module) == name), "{name} has no files");
    }
    let broken = beyond_layers(&USES);
    assert!(broken.is_empty(), "{} files use a layer below their own:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn no_rule_uses_a_rule() {
    let broken = rules_by_rules(&USES);
    assert!(broken.is_empty(), "what two rules do is an action:\n{}", broken.join("\n"));
}

#[test]
fn no_file_uses_itself_through_others() {
    let circles = in_circles(&USES);
    assert!(circles.is_empty(), "these files use themselves through others: {}", circles.join(", "));
}

/// Crates in which files use themselves through others, and the number of these files. Other crates have none, and no number may rise.
const KNOTS: [(&str, usize); 9] = [
    ("extension/reader", 2),
    ("host-shim/core/intake", 2),
    ("host-shim/core/wasm-runner", 2),
    ("host-shim/lab/explore", 10),
    ("host-shim/lab/replay", 3),
    ("host-shim/lab/scenario", 6),
    ("host-shim/lab/simulate", 14),
    ("host-shim/providers", 10),
    ("host-shim/solobase/block", 3),
];

#[test]
fn no_file_of_another_crate_uses_itself_through_files_other_than_its_children() {
    let mut found = Vec::new();
    for folder in crates() {
        let uses = between_strangers(uses(&source(&folder)));
        let circles = in_circles(&uses);
        if !circles.is_empty() {
            println!("{folder}: {}", circles.join(", "));
            found.push((folder, circles.len()));
        }
    }
    let known: Vec<_> = KNOTS.iter().map(|(folder, files)| ((*folder).to_owned(), *files)).collect();
    assert_eq!(found, known, "files that use themselves through others");
}

/// Returns the folders of all crates of the extension, the host and the local Stripe, in order.
fn crates() -> Vec<String> {
    let packages = xtask::packages::all().expect("the crates of the workspace");
    let folders = packages.iter().filter_map(|package| package.folder().strip_prefix(root()).ok());
    let is_counted =
        |folder: &&Path| ["extension", "host-shim", "local-stripe"].iter().any(|of| folder.starts_with(of));
    let mut found: Vec<String> =
        folders.filter(is_counted).map(|folder| folder.to_str().expect("UTF-8").to_owned()).collect();
    found.sort();
    found
}

fn library(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(module, text)| ((*module).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_use_is_found_wherever_a_path_can_stand() {
    let files = library(&[
        ("", "mod model; mod rules;"),
        ("model", "pub mod keys;"),
        ("model::keys", "pub struct Key;"),
        ("rules", "mod one; mod two;"),
        ("rules::one", "use crate::model::{keys::Key, self}; // use super::two::f;\nfn f() { super::two::f(); }"),
        ("rules::two", "fn f(key: crate::model::keys::Key) {}\n#[cfg(test)] mod tests { use super::super::one::f; }"),
    ]);
    let uses = uses(&files);
    let of = |module: &str| uses[module].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("rules::one"), ["model", "model::keys", "rules::two"]);
    assert_eq!(of("rules::two"), ["model::keys"]);
    assert_eq!(rules_by_rules(&uses), ["rules::one uses rules::two"]);
    assert!(beyond_layers(&uses).is_empty() && in_circles(&uses).is_empty());
}

#[test]
fn a_layer_below_and_a_circle_are_found() {
    let files = library(&[
        ("model", "mod a; mod b; pub use a::A;"),
        ("model::a", "use super::b::B;"),
        ("model::b", "use super::a::A; use crate::rules::decide;"),
        ("rules", "pub fn decide() {}"),
    ]);
    let uses = uses(&files);
    assert_eq!(beyond_layers(&uses), ["model::b uses rules"]);
    assert_eq!(in_circles(&uses), ["model::a", "model::b"]);
    assert_eq!(in_circles(&between_strangers(uses)), ["model::a", "model::b"]);
}
