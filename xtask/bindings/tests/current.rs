//! Tests that the committed bindings are the output of the generators.

use std::path::Path;

#[test]
fn the_committed_bindings_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in bindings::generate(&root).expect("the WIT files can be read") {
        let committed = std::fs::read_to_string(root.join(&file.path)).unwrap_or_default();
        assert!(committed == file.text, "{} is out of date: run `cargo xtask bindings`", file.path.display());
    }
}
