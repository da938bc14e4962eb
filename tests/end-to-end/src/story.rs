//! Stories, and the folder to which failing stories are written.

use crate::world::root;
pub use host_simulate::story::*;
use std::path::PathBuf;

/// Writes a story to `target/failed-stories` as scenarios for `provisioner replay`, one per API version. Returns the
/// files.
pub fn write(story: &Story, property: &str) -> Vec<PathBuf> {
    let folder = root().join("target/failed-stories");
    story.write(&folder, property).expect("the target folder can be written")
}
