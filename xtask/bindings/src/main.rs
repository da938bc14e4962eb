//! Writes the generated bindings: `cargo xtask bindings`.

use anyhow::{Context, Result};
use std::path::Path;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in bindings::generate(&root)? {
        let path = root.join(&file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, &file.text).with_context(|| format!("cannot write {}", file.path.display()))?;
        println!("{}", file.path.display());
    }
    Ok(())
}
