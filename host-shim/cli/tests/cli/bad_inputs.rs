//! Every bad input is refused with exit code 2, its place and the expected value, before anything is applied.

use crate::run::{fixtures, in_business, invoice, lines, replay, run};
use std::fs;

const SCENARIO: &str =
    "name: x\ngiven: {business: solobase, account: \"user:u1\"}\nevents:\n  - stripe: invoice.paid\n";

#[test]
fn files_that_cannot_be_replayed_are_refused_completely() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = String::from_utf8(lines(&[invoice("evt_1")])).expect("UTF-8");
    let mut no_utf8 = good.clone().into_bytes();
    no_utf8.extend(b"{\"object\":\"event\",\"id\":\"\xff\"}\n");
    let long = format!("{good}{}\n", "x".repeat(20_000_000));
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("not-json.jsonl", format!("{good}not json\n").into(), ":2:", "expected a Stripe event"),
        ("cut.json", b"{\n  \"object\": \"event\",\n".to_vec(), "cut.json:", "expected a Stripe event"),
        ("array.json", b"[]".to_vec(), ":1:", "expected an object"),
        ("number.jsonl", format!("{good}7\n").into(), ":2:", "expected an object"),
        ("no-event.jsonl", b"{\"a\":1}\n".to_vec(), ":1:", "`object`, `event`, `type`"),
        ("empty.jsonl", b"\n".to_vec(), "empty.jsonl", "no events"),
        ("no-utf8.jsonl", no_utf8, ":2:", "invalid UTF-8"),
        ("long.jsonl", long.into(), ":2:", "at most 1048576 bytes"),
        ("field.yml", format!("{SCENARIO}    sett: {{}}\n").into(), ":5:", "unknown field `sett`"),
        ("top.yml", format!("{SCENARIO}exepct: {{}}\n").into(), ":5:", "unknown field `exepct`"),
        ("section.yml", format!("{SCENARIO}expect:\n  product: {{}}\n").into(), ":6:", "unknown field `product`"),
        ("nmae.yml", b"nmae: x\nevents: []\n".to_vec(), ":1:", "unknown field `nmae` in a scenario; expected `name`"),
        ("evnts.yml", b"name: x\nevnts: []\n".to_vec(), ":2:", "unknown field `evnts`"),
        ("noname.yml", b"covers: [S40]\nevents: []\n".to_vec(), ":1:", "has no `name`"),
        ("type.yml", b"name: x\nevents: 7\n".to_vec(), ":2:", "expected a list"),
        ("none.yml", b"name: x\nevents: []\n".to_vec(), ":2:", "no event"),
        ("syntax.yml", b"name: x\nevents: [\n".to_vec(), "syntax.yml:", "expected a YAML document"),
        ("twice.yml", b"name: x\nname: y\nevents: []\n".to_vec(), ":2:", "name"),
        ("utf8.yml", b"name: x\nevents: \xff\n".to_vec(), ":2:", "invalid UTF-8"),
        ("path.yml", format!("{SCENARIO}    set: {{no_such_key: 1}}\n").into(), ":5:", "no_such_key"),
        ("base.yml", b"name: x\nevents:\n  - stripe: no.such\n".to_vec(), ":3:", "no base body"),
        ("outcome.yml", format!("{SCENARIO}    expect: aplied\n").into(), ":5:", "applied, duplicate"),
        ("regex.yml", format!("{SCENARIO}    effects: {{regex: '('}}\n").into(), ":5:", "regular expression"),
        ("version.yml", format!("{SCENARIO}    version: 1999-01-01\n").into(), ":4:", "2020-08-27"),
        ("same.yml", b"name: x\nevents:\n  - same: evt_9\n".to_vec(), ":3:", "no event `evt_9`"),
        ("covers.yml", format!("{SCENARIO}covers: [A, B, C, D]\n").into(), ":5:", "at most three"),
        ("marker.yml", format!("{SCENARIO}known_to_fail: ends too early\n").into(), ":5:", "the id of a finding"),
        ("finding.yml", format!("{SCENARIO}known_to_fail: 'C: ends too early'\n").into(), ":5:", "the id of a finding"),
        ("reason.yml", format!("{SCENARIO}known_to_fail: 'C1:'\n").into(), ":5:", "and a reason"),
        ("account.yml", b"name: x\nevents:\n  - command: x\n".to_vec(), ":3:", "`account`"),
        ("actor.yml", b"name: x\nevents:\n  - {command: x, account: nobody}\n".to_vec(), ":3:", "`user:ID`"),
        ("time.yml", b"name: x\ngiven:\n  clock: today\nevents: []\n".to_vec(), ":3:", "RFC 3339"),
        ("answer.yml", b"name: x\ngiven:\n  answers: {k: perhaps}\nevents: []\n".to_vec(), ":3:", "retryable CODE"),
    ];
    for (name, content, place, expected) in cases {
        let file = folder.path().join(name);
        fs::write(&file, content).expect("written");
        let path = file.display().to_string();
        let ran = replay(&["--format", "json", "--business", "solobase", &path], b"");
        assert_eq!(ran.code, 2, "{name}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{name}: nothing may be applied");
        assert!(ran.stderr.contains(place) && ran.stderr.contains(expected), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(name) && ran.stderr.starts_with("error: "), "{name}: {}", ran.stderr);
    }
}

#[test]
fn a_bad_file_prevents_a_good_one_from_being_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    let (good, bad) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    fs::write(&good, lines(&[invoice("evt_1")])).expect("written");
    fs::write(&bad, "{").expect("written");
    let ran = replay(&["--format", "json", &good.display().to_string(), &bad.display().to_string()], b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
}

#[test]
fn bad_usage_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.jsonl");
    fs::write(&file, lines(&[invoice("evt_1")])).expect("written");
    let scenario = folder.path().join("s.yml");
    fs::write(&scenario, SCENARIO).expect("written");
    let (file, scenario) = (file.display().to_string(), scenario.display().to_string());
    let empty = tempfile::tempdir().expect("a folder");
    let empty = empty.path().display().to_string();
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["replay", "--native"], "PATH"),
        (vec!["replay", "--native", "no/such/file.yml"], "no such file"),
        (vec!["replay", "--native", &empty], "a folder without cases"),
        (vec!["replay", "--native", "--business", "nobody", &file], "no business `nobody`"),
        (vec!["replay", "--native", "--no-such-option", &file], "--no-such-option"),
        (vec!["replay", "--native", "--shuffle", "x", &file], "--shuffle"),
        (vec!["replay", "--native", "--repeat", "0", &file], "--repeat"),
        (vec!["replay", "--native", "--until", "tomorrow", &file], "RFC 3339"),
        (vec!["replay", "--native", "--until", "2020-01-01T00:00:00Z", &file], "before the newest event"),
        (vec!["replay", "--native", "--store", "x.db", &scenario], "--store"),
        (vec!["replay", "--native", "--store", "x.db", &file, &file], "one stream"),
        (vec!["replay", "--native", "--until", "2030-01-01T00:00:00Z", &scenario], "--until"),
        (vec!["replay", "--native", "--bless", &file], "--bless"),
        (vec!["replay", "--native", "-", "-"], "named twice"),
        (vec!["replay", "--component", "no.wasm", &file], "no.wasm"),
        (vec!["replay", "--component", &file, &file], "a.jsonl"),
        (vec!["inspect", "no.wasm"], "no.wasm"),
        (vec!["no-such-command"], "no-such-command"),
    ];
    for (args, expected) in cases {
        let ran = run(&args, b"");
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
}

/// Copies a business of the fixtures into a folder and changes its catalog.
fn business(change: (&str, &str)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = fs::read_to_string(in_business("solobase/catalog.yml")).expect("the catalog");
    let changed = catalog.replacen(change.0, change.1, 1);
    assert_ne!(changed, catalog, "{change:?}");
    fs::write(folder.path().join("catalog.yml"), changed).expect("written");
    fs::copy(in_business("solobase/business.yml"), folder.path().join("business.yml")).expect("copied");
    folder
}

#[test]
fn a_bad_catalog_prevents_earlier_inputs_from_being_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = folder.path().join("a.jsonl");
    fs::write(&good, lines(&[invoice("evt_1")])).expect("written");
    let bad = business(("id_prefix: inst", "id_prefx: inst"));
    let story = bad.path().join("b.yml");
    fs::write(&story, SCENARIO.replace("business: solobase, ", "")).expect("written");
    for second in [story, bad.path().join("c.jsonl")] {
        fs::write(bad.path().join("c.jsonl"), lines(&[invoice("evt_2")])).expect("written");
        let fixtures = fixtures().display().to_string();
        let (good, second) = (good.display().to_string(), second.display().to_string());
        let ran = replay(&["--format", "json", "--fixtures", &fixtures, &good, &second], b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{second}: {}", ran.stderr);
        assert!(ran.stderr.contains("id_prefx"), "{}", ran.stderr);
    }
}

#[test]
fn a_mistake_of_a_catalog_has_its_line() {
    let catalog = fs::read_to_string(in_business("solobase/catalog.yml")).expect("the catalog");
    for (good, bad, message) in [
        ("id_prefix: inst", "id_prefx: inst", "/product_types/1/id_prefx: unknown field `id_prefx`"),
        (
            "max_length: 40",
            "max_length: forty",
            "/max_length: found `forty`; expected a whole number from 0 to 4294967295",
        ),
        ("resource: database", "resource: databse", "/provisions/0/resource: `databse` is not a resource; "),
        ("product_types:", "product_typs:", "unknown field `product_typs`"),
        (
            "format: label",
            "format: labl",
            "/format: found `labl`; expected one of label, date-time, account; did you mean `label`?",
        ),
        ("product_type: subscription_plan", "product_type: subscription_pln", "/products/0"),
    ] {
        let line = 1 + catalog[..catalog.find(good).expect("in the catalog")].matches('\n').count();
        let folder = business((good, bad));
        let given = folder.path().display().to_string();
        let ran = replay(&["--business", &given, "-"], &lines(&[invoice("evt_1")]));
        assert_eq!(ran.code, 2, "{bad}: {}", ran.stderr);
        for text in [&format!("catalog.yml:{line}: "), message] {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("column"), "{bad}: {}", ran.stderr);
    }
}

#[test]
fn inspect_distinguishes_a_module_from_a_component() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("core.wasm");
    fs::write(&file, b"\0asm\x01\0\0\0").expect("written");
    let ran = run(&["inspect", &file.display().to_string()], b"");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("core WebAssembly module"), "{}", ran.stdout);
}
