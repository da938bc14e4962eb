//! Every scenario of the fixtures and of the tutorial holds with the library. A mutant of the library that no other test catches must be
//! caught here (`.cargo/mutants.toml`).

use end_to_end::world::root;
use host_replay::play::CaseReport;
use host_replay::report::failures;
use host_replay::run::{ReplayOptions, Silent, replay};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use test_support::{fixtures, played};

/// Prefixes of secrets, with the minimum number of letters and digits that follow.
const SECRETS: [(&str, usize); 9] = [
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("whsec_", 8),
    ("sbp_", 8),
    ("AKIA", 12),
    ("eyJhbGciOi", 8),
    ("SG.", 16),
    ("-----BEGIN ", 8),
];

/// Returns the first secret in a text.
fn secret(text: &str) -> Option<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == ' ';
    SECRETS.into_iter().find_map(|(begin, least)| {
        text.match_indices(begin).find_map(|(at, _)| {
            let rest = &text[at + begin.len()..];
            let long = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            (long >= least).then(|| &text[at..at + begin.len() + long])
        })
    })
}

fn without_secrets(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| {
            if path.is_dir() {
                return without_secrets(&path);
            }
            let text = fs::read_to_string(&path).expect("a text");
            assert_eq!(secret(&text), None, "{}", path.display());
            1
        })
        .sum()
}

// covers: SOL-46
#[test]
fn no_file_of_the_fixtures_contains_a_secret() {
    for (begin, least) in SECRETS {
        let long = format!("key: {begin}{}\n", "a".repeat(least));
        assert_eq!(secret(&long), Some(long[5..].trim_end()), "{begin}");
    }
    assert_eq!(secret("whsec_… and sk_live_…"), None);
    let files: usize = played().iter().map(|folder| without_secrets(folder)).sum();
    assert!(files > 400, "{files} files");
}

#[test]
fn every_scenario_of_the_fixtures_holds_with_the_library() {
    let options = ReplayOptions { fixtures: Some(fixtures()), ..ReplayOptions::new(host_replay::native::runners()) };
    let finished = replay(&played(), &mut io::empty(), &options, &mut Silent).expect("valid fixtures");
    let failed: Vec<String> = failures(&finished.cases)
        .iter()
        .map(|it| format!("{}: {}: {}", it.failure.file.display(), it.heading(), it.failure.title))
        .collect();
    assert_eq!(failed, [""; 0]);
    assert!(finished.cases.len() > 900, "{} cases", finished.cases.len());
    compare_states(&states(&finished.cases));
}

/// The state hash of each case, one line for each scenario: its path from the root, then each distinct hash with its
/// API versions. Both versions of a scenario usually reach the same state.
fn states(cases: &[CaseReport]) -> String {
    let root = root();
    let mut scenarios: BTreeMap<String, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for case in cases {
        let path = case.file.strip_prefix(&root).unwrap_or(&case.file).display().to_string();
        let hashes = scenarios.entry(path).or_default();
        hashes.entry(&case.summary.state).or_default().push(&case.version);
    }
    let mut text = String::new();
    for (path, hashes) in &scenarios {
        let all_agree = hashes.len() == 1;
        for (hash, versions) in hashes {
            let only = if all_agree { String::new() } else { format!(" {}", versions.join(",")) };
            text.push_str(&format!("{path} {hash}{only}\n"));
        }
    }
    text
}

/// Compares with `fixtures/states.txt`. A change that must not affect decisions leaves that file as it is; any other
/// change updates it with `UPDATE_GOLDEN=1` and shows the difference in its commit.
fn compare_states(actual: &str) {
    let file = root().join("fixtures/states.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, actual).expect("fixtures/states.txt can be written");
    }
    let expected = fs::read_to_string(&file).expect("fixtures/states.txt can be read");
    let expected: Vec<&str> = expected.lines().collect();
    let actual: Vec<&str> = actual.lines().collect();
    let missing: Vec<&&str> = expected.iter().filter(|line| !actual.contains(line)).collect();
    let new: Vec<&&str> = actual.iter().filter(|line| !expected.contains(line)).collect();
    assert!(
        missing.is_empty() && new.is_empty(),
        "states differ from fixtures/states.txt; expected {missing:#?}, got {new:#?}"
    );
}
