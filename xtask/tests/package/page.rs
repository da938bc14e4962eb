//! The blocks of `docs/operate/deploying.md`, which a test takes one after another.

use std::collections::VecDeque;

/// A block between two fences.
#[derive(Debug)]
pub struct Block {
    heading: String,
    language: String,
    text: String,
}

/// The blocks that were not taken yet, in order.
pub struct Page(VecDeque<Block>);

impl Page {
    /// Reads a document.
    pub fn read(document: &str) -> Page {
        let (mut heading, mut blocks, mut block) = (String::new(), VecDeque::new(), None::<Block>);
        for line in document.lines() {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(language)) => {
                    block =
                        Some(Block { heading: heading.clone(), language: language.to_owned(), text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(block.take()),
                (Some(block), None) => block.text.extend([line, "\n"]),
                (None, None) => {
                    if let Some(text) = line.strip_prefix("## ") {
                        text.clone_into(&mut heading);
                    }
                }
            }
        }
        Page(blocks)
    }

    /// Takes the next block, which must be in this chapter and in this language. Returns its text.
    pub fn take(&mut self, heading: &str, language: &str) -> String {
        let block = self.0.pop_front().unwrap_or_else(|| panic!("no block is left; expected one of `{heading}`"));
        assert_eq!((block.heading.as_str(), block.language.as_str()), (heading, language), "{}", block.text);
        block.text
    }

    /// Fails if a block was not taken.
    pub fn assert_is_done(&self) {
        assert!(self.0.is_empty(), "this test does not try {:?}", self.0);
    }
}

#[test]
fn blocks_are_taken_in_order_with_their_chapter() {
    let mut page = Page::read("# T\n## A\ntext\n```sh\none\ntwo\n```\n## B\n```ini\n[x]\n```\n");
    assert_eq!(page.take("A", "sh"), "one\ntwo\n");
    assert!(std::panic::catch_unwind(|| Page::read("## A\n```sh\n```\n").assert_is_done()).is_err(), "one is left");
    assert_eq!(page.take("B", "ini"), "[x]\n");
    page.assert_is_done();
}
