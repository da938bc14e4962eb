//! What the guide shows stands in the fixtures, word by word, and they are played by the other tests.

use std::fs;
use std::path::Path;

#[test]
fn the_guide_shows_what_stands_in_the_fixtures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("docs/adding-a-business.md")).expect("the guide");
    let mut shown = 0;
    for block in guide.split("```yaml fixtures/").skip(1) {
        let (file, text) = block.split_once('\n').expect("a file and its text");
        let text = text.split_once("```").expect("an end").0;
        let fixture = fs::read_to_string(root.join("fixtures").join(file)).expect("a fixture");
        assert!(fixture.contains(text), "{file} has no longer:\n{text}");
        shown += 1;
    }
    assert!(shown > 8, "{shown} parts");
}
