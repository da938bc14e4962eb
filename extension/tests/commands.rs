//! Compares the table of `docs/reference/commands.md` with the commands. `UPDATE_GOLDEN=1` rewrites the table.

use std::fs;
use std::path::Path;

/// Beginning of the table, and the heading after it.
const BEGIN: &str = "| command |";
const END: &str = "\n## Notes";

#[test]
fn the_document_lists_every_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/commands.md");
    let document = fs::read_to_string(&path).expect("the document can be read");
    let begin = document.find(BEGIN).expect("the table has a head");
    let end = begin + document[begin..].find(END).expect("the notes follow the table");
    let table = instance_provisioner::commands_table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let new = format!("{}{table}{}", &document[..begin], &document[end..]);
        fs::write(&path, new).expect("the document can be written");
        return;
    }
    assert_eq!(&document[begin..end], table, "docs/reference/commands.md differs; UPDATE_GOLDEN=1 rewrites its table");
}
