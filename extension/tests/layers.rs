//! Checks the `use` lines and paths of the library: each layer uses only the layers above it.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, from top to bottom. The top layer uses no other layer.
const LAYERS: [&str; 6] = ["model", "catalog", "input", "derive", "rules", "reconcile"];

/// Returns the other layers that a layer may use. `reconcile` does not read events, and `rules` does not use
/// `reconcile`.
fn allowed(layer: &str) -> &'static [&'static str] {
    match layer {
        "model" => &[],
        "catalog" => &["model"],
        "input" | "derive" => &["model", "catalog"],
        "rules" => &["model", "catalog", "input", "derive"],
        "reconcile" => &["model", "catalog", "derive"],
        other => panic!("`{other}` is not a layer"),
    }
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// Returns the layers that a line names as `crate::LAYER`.
fn named(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let after = code.split("crate::").skip(1);
    after.filter_map(|rest| LAYERS.into_iter().find(|layer| is_word(rest, layer))).collect()
}

fn is_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn each_layer_uses_only_layers_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for layer in LAYERS {
        let mut paths = vec![source.join(format!("{layer}.rs"))];
        files(&source.join(layer), &mut paths);
        assert!(paths.len() > 1, "{layer} has no files");
        for path in paths {
            let text = fs::read_to_string(&path).expect("a source can be read");
            for (number, line) in text.lines().enumerate() {
                for other in named(line).into_iter().filter(|other| *other != layer && !allowed(layer).contains(other))
                {
                    broken.push(format!("{}:{}: {layer} uses {other}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} lines use a layer below their own:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn layers_are_found_in_a_line() {
    assert_eq!(named("use crate::rules::x; // crate::model"), ["rules"]);
    assert_eq!(named("let a: crate::model::X = crate::reconcile::y();"), ["model", "reconcile"]);
    assert!(named("use crate::modelling;").is_empty());
}
