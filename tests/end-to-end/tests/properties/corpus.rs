//! The corpus of the fuzz targets, run through their bodies: what once was found stays found, and each body still fits the
//! code that it is of. The fuzzing itself is `cargo fuzz` (`docs/fuzzing.md`).

#[path = "../../../../fuzz/src/catalog.rs"]
mod catalog;
#[path = "../../../../fuzz/src/decision.rs"]
mod decision;
#[path = "../../../../fuzz/src/decisions.rs"]
mod decisions;
#[path = "../../../../fuzz/src/intake_body.rs"]
mod intake_body;
#[path = "../../../../fuzz/src/scenario.rs"]
mod scenario;
#[path = "../../../../fuzz/src/signature_header.rs"]
mod signature_header;
#[path = "../../../../fuzz/src/store_file.rs"]
mod store_file;

use std::fs;
use std::path::Path;

/// The body of a target.
type Body = fn(&[u8]);

const TARGETS: [(&str, Body); 6] = [
    ("catalog", catalog::run),
    ("decision", decision::run),
    ("intake_body", intake_body::run),
    ("scenario", scenario::run),
    ("signature_header", signature_header::run),
    ("store_file", store_file::run),
];
/// Files that a corpus has at least.
const FILES_MIN: usize = 3;

/// Names in a folder of `fuzz`, in order; what a run of the fuzzer adds has the hash of its content as its name.
fn names(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let is_hash = |name: &String| name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut names: Vec<String> = names.filter(|name| !is_hash(name)).collect();
    names.sort();
    names
}

#[test]
fn each_target_holds_for_its_corpus() {
    for (target, body) in TARGETS {
        let corpus = names(&format!("corpus/{target}"));
        assert!(corpus.len() >= FILES_MIN, "{target} begins with {corpus:?}");
        for name in corpus {
            // The name of what a panic is about: the test's output has it.
            println!("{target}: {name}");
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target).join(name);
            body(&fs::read(file).expect("read"));
        }
    }
}

#[test]
fn no_target_is_left_out() {
    let targets = TARGETS.map(|(target, _)| target.to_owned());
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets.map(|target| format!("{target}.rs")));
}
