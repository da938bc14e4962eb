//! The output of `provisioner coverage`, and the arguments that `provisioner profile` refuses. Their crates test the
//! results.

use crate::run::{Ran, fixtures, in_business, run};
use std::path::PathBuf;

fn coverage(args: &[&str], path: PathBuf) -> Ran {
    let mut all = vec!["coverage".to_owned(), "--native".to_owned(), path.display().to_string()];
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    run(&all, b"")
}

#[test]
fn the_coverage_of_a_business_is_printed_as_a_table_and_as_lines() {
    let human = coverage(&[], in_business("full-podcasts"));
    assert_eq!(human.code, 0, "{}", human.stderr);
    assert!(human.stdout.contains("catalog of full-podcasts") && human.stdout.contains("rate transcription/de"));
    let json = coverage(&["--format", "json"], in_business("full-podcasts"));
    assert_eq!((json.code, &json.summary()["not_held"]), (0, &serde_json::json!([])), "{}", json.stderr);
    assert!(json.summary()["held"].as_u64() > Some(0));
    assert!(json.lines().iter().any(|line| line["kind"]["name"] == "instance.create"));
}

#[test]
fn a_missed_minimum_fails_and_a_wrong_minimum_is_refused() {
    assert_eq!(coverage(&["--min", "99"], in_business("full-podcasts")).code, 1);
    assert_eq!(coverage(&["--min", "101"], in_business("full-podcasts")).code, 2);
    let missing = coverage(&[], fixtures().join("no-such"));
    assert_eq!((missing.code, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.contains("no such file or folder"), "{}", missing.stderr);
}

#[test]
fn wrong_arguments_of_profile_are_refused() {
    let path = in_business("full-podcasts").display().to_string();
    let refused = run(&["profile", "--component", "none.wasm", &path], b"");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("none.wasm"), "{}", refused.stderr);
    for wrong in ["5", "s", "5d", "-1s"] {
        let refused = run(&["profile", &format!("--for={wrong}"), &path], b"");
        assert_eq!(refused.code, 2, "{wrong}");
        assert!(refused.stderr.contains("500ms, 10s or 2m"), "{}", refused.stderr);
    }
    assert_eq!(run(&["profile", "--repeat", "2", "--for", "2s", &path], b"").code, 2);
}
