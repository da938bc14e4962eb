//! Runs the fuzz targets' functions on their corpus, so that fixed faults stay fixed and the targets compile.
//! `cargo fuzz` does the fuzzing itself (`docs/internals/fuzzing.md`).

#[path = "../../../../../fuzz/src/catalog.rs"]
mod catalog;
#[path = "../../../../../fuzz/src/decision.rs"]
mod decision;
#[path = "../../../../../fuzz/src/decisions.rs"]
mod decisions;
#[path = "../../../../../fuzz/src/intake_body.rs"]
mod intake_body;
#[path = "../../../../../fuzz/src/scenario.rs"]
mod scenario;
#[path = "../../../../../fuzz/src/signature_header.rs"]
mod signature_header;
#[path = "../../../../../fuzz/src/store_file.rs"]
mod store_file;

use std::fs;
use std::path::Path;

/// The function of a target.
type Body = fn(&[u8]);

const TARGETS: [(&str, Body); 6] = [
    ("catalog", catalog::run),
    ("decision", decision::run),
    ("intake_body", intake_body::run),
    ("scenario", scenario::run),
    ("signature_header", signature_header::run),
    ("store_file", store_file::run),
];
/// Minimum number of files of a corpus.
const FILES_MIN: usize = 3;

/// Sorted names in a folder of `fuzz`, without the files that the fuzzer added and named by their hashes.
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
fn each_target_passes_its_corpus() {
    for (target, body) in TARGETS {
        let corpus = names(&format!("corpus/{target}"));
        assert!(corpus.len() >= FILES_MIN, "{target} has only {corpus:?}");
        for name in corpus {
            // Names the file if the function panics.
            println!("{target}: {name}");
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target).join(name);
            body(&fs::read(file).expect("read"));
        }
    }
}

#[test]
fn every_target_is_listed() {
    let targets = TARGETS.map(|(target, _)| target.to_owned());
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets.map(|target| format!("{target}.rs")));
}
