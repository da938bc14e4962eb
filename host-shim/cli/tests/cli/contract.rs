//! `--format json` is a contract: the lines on stdout, their order and fields.

use crate::run::{fixtures, invoice, lines, replay, subscription};
use serde_json::{Value, json};
use std::fs;

fn from_stdin(args: &[&str], events: &[Value]) -> crate::run::Ran {
    let mut all = vec!["--format", "json", "--business", "solobase"];
    all.extend(args);
    all.push("-");
    replay(&all, &lines(events))
}

#[test]
fn each_input_event_has_its_line_and_a_deferred_one_a_later_line() {
    let ran = from_stdin(&[], &[invoice("evt_1"), subscription("evt_2"), subscription("evt_2")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines = ran.lines();
    assert_eq!(lines[0]["event"], "evt_1");
    assert_eq!((&lines[0]["outcome"], &lines[0]["account"]), (&json!("deferred"), &Value::Null));
    assert_eq!((&lines[1]["outcome"], &lines[1]["account"]), (&json!("applied"), &json!("user:u1")));
    assert_eq!(lines[2], json!({"later": {"event": "evt_1", "outcome": "applied", "reason": null}}));
    assert_eq!((&lines[3]["event"], &lines[3]["outcome"]), (&json!("evt_2"), &json!("duplicate")));
    assert_eq!(lines.len(), 5);
    let first = ran.stdout.lines().next().expect("a line");
    let order: Vec<usize> = ["\"event\":", "\"type\":", "\"account\":", "\"outcome\":", "\"reason\":", "\"effects\":"]
        .iter()
        .map(|field| first.find(field).expect("the field"))
        .collect();
    assert!(order.is_sorted(), "{first}");
    let summary = ran.summary();
    assert_eq!((&summary["events"], &summary["applied"], &summary["duplicate"]), (&json!(3), &json!(2), &json!(1)));
    assert_eq!(summary["deferred"], 0, "the final outcomes count");
    assert_eq!(summary["state"].as_str().map(str::len), Some(64));
}

#[test]
fn results_and_timers_are_shown_only_with_trace() {
    let events = [subscription("evt_1"), invoice("evt_2")];
    let plain = from_stdin(&[], &events);
    let traced = from_stdin(&["--trace"], &events);
    let derived = |ran: &crate::run::Ran| ran.lines().iter().filter(|line| line.get("derived").is_some()).count();
    assert_eq!(derived(&plain), 0);
    assert!(derived(&traced) > 0, "{}", traced.stdout);
    assert_eq!(plain.summary(), traced.summary());
}

#[test]
fn a_bad_line_on_standard_input_ends_it_and_the_lines_before_are_reported() {
    let mut input = lines(&[subscription("evt_1")]);
    input.extend(b"{\"object\":\n");
    input.extend(lines(&[invoice("evt_2")]));
    let ran = replay(&["--format", "json", "--business", "solobase", "-"], &input);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("-:2:"), "{}", ran.stderr);
    assert_eq!((ran.lines()[0]["event"].clone(), ran.summary()["events"].clone()), (json!("evt_1"), json!(1)));
}

#[test]
fn an_object_with_missing_parts_is_rejected_and_not_bad_input() {
    for object in [
        json!({"type": "invoice.paid"}),
        json!({"object": "event", "id": "evt_1"}),
        json!({"event": "product.created"}),
    ] {
        let ran = from_stdin(&[], std::slice::from_ref(&object));
        assert_eq!(ran.code, 0, "{object}: {}", ran.stderr);
        let line = &ran.lines()[0];
        assert_eq!(line["outcome"], "rejected", "{object}: {line}");
        assert!(line["reason"].as_str().is_some_and(|reason| reason.starts_with("malformed(/")), "{object}: {line}");
    }
}

#[test]
fn several_inputs_are_separate_streams() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a.jsonl"), folder.path().join("b.json"));
    fs::write(&a, lines(&[subscription("evt_1"), invoice("evt_2")])).expect("written");
    fs::write(&b, serde_json::to_string_pretty(&subscription("evt_1")).expect("JSON")).expect("written");
    let (a, b) = (a.display().to_string(), b.display().to_string());
    let both = replay(&["--format", "json", "--business", "solobase", &a, &b], b"");
    assert_eq!(both.code, 0, "{}", both.stderr);
    let lines = both.lines();
    assert_eq!((&lines[0]["source"], &lines[1]["source"]), (&json!(a), &json!(a)));
    assert_eq!(lines[2]["stream"]["source"], json!(a));
    assert_eq!((&lines[3]["source"], &lines[3]["outcome"]), (&json!(b), &json!("applied")));
    assert_eq!(lines[4]["stream"]["source"], json!(b));
    assert_eq!(both.summary()["events"], 3);
    let alone = replay(&["--format", "json", "--business", "solobase", &a], b"");
    assert!(alone.lines()[0].get("source").is_none());
    assert_eq!(alone.summary()["state"], lines[2]["stream"]["state"]);
    assert_ne!(both.summary()["state"], alone.summary()["state"]);
}

#[test]
fn order_repetition_and_source_do_not_change_the_state() {
    let events = [subscription("evt_1"), invoice("evt_2")];
    let state = from_stdin(&[], &events).summary()["state"].clone();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.jsonl");
    fs::write(&file, lines(&events)).expect("written");
    let from_file = replay(&["--format", "json", "--business", "solobase", &file.display().to_string()], b"");
    assert_eq!(from_file.summary()["state"], state);
    for seed in ["1", "2", "3"] {
        assert_eq!(from_stdin(&["--shuffle", seed], &events).summary()["state"], state, "seed {seed}");
    }
    let repeated = from_stdin(&["--repeat", "3"], &events).summary();
    assert_eq!((&repeated["state"], &repeated["events"], &repeated["duplicate"]), (&state, &json!(6), &json!(4)));
}

#[test]
fn a_store_keeps_the_rows_for_the_next_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("rows.db").display().to_string();
    let first = from_stdin(&["--store", &store], &[subscription("evt_1")]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let second = from_stdin(&["--store", &store], &[subscription("evt_1"), invoice("evt_2")]);
    assert_eq!(
        (&second.lines()[0]["outcome"], &second.lines()[1]["outcome"]),
        (&json!("duplicate"), &json!("applied"))
    );
    let at_once = from_stdin(&[], &[subscription("evt_1"), invoice("evt_2")]);
    assert_eq!(second.summary()["state"], at_once.summary()["state"]);
}

#[cfg(unix)]
#[test]
fn on_a_full_disk_a_line_is_printed_only_for_a_stored_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (log, store) = (at("log.jsonl"), at("store.db"));
    let events: Vec<Value> = (0..300)
        .map(|n| {
            let mut event = subscription(&format!("evt_{n}"));
            event["data"]["object"]["id"] = json!(format!("sub_{n}"));
            event["data"]["object"]["customer"] = json!(format!("cus_{n}"));
            event["data"]["object"]["metadata"]["user_id"] = json!(format!("u{n}"));
            event
        })
        .collect();
    fs::write(&log, lines(&events)).expect("written");
    let args = ["--format", "json", "--business", "solobase", "--store", &store, &log];
    // Limits files to 1.5 MiB, in blocks of 512 bytes; a write beyond this limit is an error instead of a signal.
    let script = "trap '' XFSZ; ulimit -f 3072; exec \"$0\" replay --native \"$@\"";
    let full = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_provisioner")])
        .args(args)
        .output()
        .expect("run");
    assert_eq!(full.status.code(), Some(1), "{}", String::from_utf8_lossy(&full.stderr));
    let printed = String::from_utf8(full.stdout).expect("UTF-8").lines().count();
    assert!((1..300).contains(&printed), "{printed} lines");

    let again = replay(&args, b"");
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(again.summary()["duplicate"], printed, "the store has exactly the printed events");
}

#[test]
fn each_event_is_replayed_in_its_own_mode() {
    let mut live = subscription("evt_1");
    live["livemode"] = json!(true);
    live["data"]["object"]["livemode"] = json!(true);
    let ran = from_stdin(&[], &[live, subscription("evt_1")]);
    let outcomes: Vec<Value> = ran.lines()[..2].iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("applied"), json!("applied")], "the same id in the other mode is another event");
}

#[test]
fn the_table_names_the_source_of_each_event_if_there_are_several() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    fs::write(&a, lines(&[subscription("evt_1")])).expect("written");
    fs::write(&b, lines(&[invoice("evt_2"), subscription("evt_3")])).expect("written");
    let ran = |paths: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_provisioner"));
        command
            .current_dir(folder.path())
            .args(["replay", "--native", "--business", "solobase", "--fixtures"])
            .arg(fixtures())
            .args(paths);
        String::from_utf8(command.output().expect("it runs").stdout).expect("UTF-8")
    };
    let both = ran(&["a.jsonl", "b.jsonl"]);
    let of = |event: &str| -> Vec<String> {
        both.lines()
            .filter(|l| l.contains(event))
            .filter_map(|l| l.split_whitespace().next())
            .map(String::from)
            .collect()
    };
    assert_eq!((of("evt_1"), of("evt_3")), (vec!["a.jsonl".to_owned()], vec!["b.jsonl".to_owned()]), "{both}");
    assert_eq!(of("evt_2"), ["b.jsonl", "b.jsonl"], "at first and later: {both}");
    assert!(!ran(&["a.jsonl"]).contains("source"));
}

#[test]
fn control_characters_of_the_input_do_not_reach_the_terminal() {
    let mut event = subscription("evt_1");
    event["data"]["object"]["status"] = json!("a\u{1b}[2J\u{9b}b\u{7}");
    let ran = replay(&["--business", "solobase", "-"], &lines(&[event]));
    assert!(ran.stdout.contains("a\\u{1b}[2J\\u{9b}b\\u{7}"), "{}", ran.stdout);
    let folder = tempfile::tempdir().expect("a folder");
    let story = folder.path().join("s.yml");
    let text = "name: \"x\\e[1m\"\ngiven: {business: solobase, account: \"user:u1\"}\nevents:\n  - {command: x, payload: {}}\n\
                expect: {outcomes: {cmd_1: \"a\\e[2J\"}}\n";
    fs::write(&story, text).expect("written");
    let story = story.display().to_string();
    let failing = replay(&[&story], b"");
    assert_eq!(failing.code, 1, "{}", failing.stderr);
    let json = replay(&["--format", "json", &story], b"");
    fs::write(&story, text.replace("payload:", "\"paylo\\ead\":")).expect("written");
    let bad = replay(&[&story], b"");
    assert_eq!(bad.code, 2);
    for shown in [ran.stdout, failing.stdout, json.stderr, bad.stderr] {
        assert!(!shown.is_empty() && !shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    }
}
