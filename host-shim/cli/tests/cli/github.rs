//! Annotations of GitHub Actions. `UPDATE_GOLDEN=1` rewrites the file; review the difference.

use crate::run::{in_business, replay, run};
use std::path::Path;

#[test]
fn a_failure_is_an_annotation_at_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("half.yml");
    let text = "name: \"half, 50 %: no\"\nevents:\n  - {stripe: customer.subscription.created, set: {metadata: {user_id: u1}, price: price_xyz789}, expect: ignored}\n";
    std::fs::write(&file, text).expect("written");
    let ran = replay(&["--business", "solobase", "--format", "github", &file.display().to_string()], b"");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let found = ran.stdout.replace(&folder.path().display().to_string(), "DIR");
    let state = found.rsplit_once("state ").map(|(_, state)| state.trim().to_owned()).expect("a state");
    assert_eq!(state.len(), 64);
    let found = found.replace(&state, "STATE");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/github.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).expect("written");
    }
    assert_eq!(found, std::fs::read_to_string(&golden).unwrap_or_default());
    assert!(found.starts_with("::error file=DIR/half.yml,line=3,title=half%2C 50 %25%3A no "), "{found}");
    assert!(found.lines().last().is_some_and(|last| last.starts_with("::notice title=replay::")), "{found}");
}

#[test]
fn a_mistake_is_an_annotation_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.yml");
    std::fs::write(&file, "name: x\nevents:\n  - {stripes: a}\n").expect("written");
    let path = file.display().to_string();
    let ran = replay(&["--business", "solobase", "--format", "github", &path], b"");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.starts_with(&format!("::error file={path},line=3,title=mistake::")), "{}", ran.stdout);
    let ran = run(&["check", "--native", "--business", "solobase", "--format", "github", &path], b"");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.starts_with(&format!("::error file={path},line=3,title=mistake::")), "{}", ran.stdout);
    assert!(ran.stdout.contains("::notice title=check::"), "{}", ran.stdout);
    for command in [vec!["explore", "--native"], vec!["compare", "native", "native"]] {
        let args = [command.as_slice(), &["--business", "solobase", "--format", "github", &path]].concat();
        let ran = run(&args, b"");
        assert_eq!(ran.code, 2, "{command:?}: {}", ran.stderr);
        assert!(ran.stdout.starts_with(&format!("::error file={path},line=3,title=mistake::")), "{}", ran.stdout);
        assert!(ran.stderr.contains("x.yml:3: "), "the message for people is printed as well: {}", ran.stderr);
        let human = run(&[command.as_slice(), &["--business", "solobase", &path]].concat(), b"");
        assert_eq!((human.code, human.stdout.as_str()), (2, ""), "{command:?}");
    }
}

#[test]
fn without_a_broken_law_or_a_difference_there_is_only_a_notice() {
    let story = in_business("solobase/scenarios/requirements/billing-history.yml").display().to_string();
    for (command, begin, end) in [
        (
            vec!["explore", "--native", "--only", "repeats"],
            "::notice title=explore::1 stories, ",
            " 0 broke a law; seed 1\n",
        ),
        (
            vec!["compare", "native", "native"],
            "::notice title=compare::native -> native: no difference in ",
            " cases\n",
        ),
    ] {
        let ran = run(&[command.as_slice(), &["--format", "github", &story]].concat(), b"");
        assert_eq!(ran.code, 0, "{command:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.starts_with(begin) && ran.stdout.ends_with(end), "{}", ran.stdout);
        assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    }
}
