//! Stories, and where those that break a law are written.

use crate::world::root;
pub use host_simulate::story::*;
use std::path::PathBuf;

/// Writes a story where a person finds it, as scenarios that `host-shim replay` plays, one for each API version. Returns
/// the files.
pub fn write(story: &Story, property: &str) -> Vec<PathBuf> {
    let folder = root().join("target/failed-stories");
    story.write(&folder, property).expect("the target folder can be written")
}
