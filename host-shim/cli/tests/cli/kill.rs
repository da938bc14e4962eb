//! `replay --store` is killed repeatedly: the store has everything that was printed, and the final state is the same.
//!
//! The variable `KILLS` sets the number of kills of running processes; `SEED` determines their moments. A kill ends the
//! process but not the operating system, so these tests do not cover power failures.

#[path = "kill/kept.rs"]
mod kept;
#[path = "kill/story.rs"]
mod story;
#[path = "kill/world.rs"]
mod world;

use crate::run::{lines, replay};
use kept::Books;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use story::Story;
use test_support::count;

/// Default number of kills.
const KILLS_DEFAULT: usize = 12;
/// With at least this number of kills, each kind of moment must have occurred.
const KILLS_MANY: usize = 100;
const CUSTOMERS: usize = 40;
const SIGKILL: i32 = 9;

/// A random number generator with a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// The moment of a kill: after a number of lines, plus a delay.
#[derive(Debug)]
struct Moment {
    lines: usize,
    delay: Duration,
}

impl Moment {
    /// Draws a moment: at any time, some time after a line, or directly after a line, whose event must be stored by
    /// then.
    fn random(random: &mut Random, lines: usize, longest: Duration) -> Moment {
        let line = 1 + random.below(lines as u64) as usize;
        let (lines, longest) = match random.below(4) {
            0 | 1 => (0, longest),
            2 => (line, longest / 4),
            _ => (line, Duration::ZERO),
        };
        Moment { lines, delay: Duration::from_micros(random.below(longest.as_micros() as u64)) }
    }
}

/// The lines of a process, and whether it was killed before its end.
struct Ran {
    lines: Vec<Value>,
    is_killed: bool,
}

fn args(input: &Path, store: Option<&Path>) -> Vec<String> {
    let input = input.display().to_string();
    let mut all: Vec<String> =
        ["--trace", "--format", "json", "--business", "solobase", "--until", story::UNTIL].map(str::to_owned).into();
    all.extend(store.into_iter().flat_map(|store| ["--store".to_owned(), store.display().to_string()]));
    all.push(input);
    all
}

/// Runs the program to its end.
fn undisturbed(input: &Path, store: Option<&Path>) -> Vec<Value> {
    let args = args(input, store);
    let ran = replay(&args.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.lines()
}

/// Runs the program until the moment, or to its end if that is earlier.
fn killed(input: &Path, store: &Path, moment: &Moment) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_provisioner"))
        .args(["replay", "--native"])
        .args(args(input, Some(store)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, receiver) = mpsc::channel();
    // Reads on after the kill: all complete lines are acknowledged, but not a last line that the kill cut off.
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while out.read_line(&mut line).expect("UTF-8") > 0 && line.ends_with('\n') {
            let _ = sender.send(std::mem::take(&mut line));
        }
    });
    let mut lines: Vec<String> = receiver.iter().take(moment.lines).collect();
    if lines.len() == moment.lines {
        std::thread::sleep(moment.delay);
    }
    // The kill fails if the process has already ended.
    let _ = child.kill();
    let status = child.wait().expect("it ends");
    reader.join().expect("read");
    lines.extend(receiver);
    let is_killed = status.signal() == Some(SIGKILL);
    assert!(is_killed || status.success(), "it ended with {status} by itself");
    Ran { lines: lines.iter().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(), is_killed }
}

/// The printed outcomes of all processes that used one store.
#[derive(Default)]
struct Acknowledged {
    /// Ids of the events whose first outcome was printed. An event has only one first outcome.
    first: BTreeSet<String>,
}

impl Acknowledged {
    /// Compares the printed lines of a process with its store.
    fn check(&mut self, printed: &[Value], books: &Books) {
        for line in printed {
            if line.get("summary").is_some() {
                continue;
            }
            let is_later = line.get("later").is_some();
            let printed = line.get("later").or_else(|| line.get("derived")).unwrap_or(line);
            let id = printed["event"].as_str().expect("an id");
            let kept = books.inbox.get(id).unwrap_or_else(|| panic!("printed, but not stored: {line}"));
            let outcome = printed["outcome"].as_str().expect("an outcome");
            if outcome == "duplicate" && kept.outcomes.iter().flatten().all(|(name, _)| name != outcome) {
                // The event was delivered again, and the store has its earlier outcome.
                assert!(!kept.outcomes.is_empty(), "{line}: {kept:?}");
                continue;
            }
            let reason = printed["reason"].as_str().map(str::to_owned);
            let outcome = Some((outcome.to_owned(), reason));
            assert!(kept.outcomes.contains(&outcome), "printed and stored outcomes differ: {line}: {kept:?}");
            assert!(is_later || self.first.insert(id.to_owned()), "it came to an outcome twice: {line}");
        }
    }
}

/// Counts of kills, by the moments that they hit.
#[derive(Debug, Default)]
struct KillCounts {
    kills: usize,
    /// Stores whose replay was completed.
    ends: usize,
    /// Processes that ended before their kill.
    too_late: usize,
    /// Kills that left only some of the events in the store.
    amid_events: usize,
    /// Kills that left all events in the store, but not all events that follow from them.
    amid_timers: usize,
    /// Kills during a provider call, before its answer was stored.
    in_flight: usize,
    lines: usize,
}

impl KillCounts {
    /// Counts a kill by comparing the store that it left with the complete store.
    fn count(&mut self, story: &Story, left: &Books, whole: &Books) {
        let id = |event: &Value| event["id"].as_str().expect("an id").to_owned();
        let arrived = story.events.iter().filter(|event| left.inbox.contains_key(&id(event))).count();
        self.kills += 1;
        self.amid_events += usize::from((1..story.events.len()).contains(&arrived));
        self.amid_timers += usize::from(arrived == story.events.len() && left.inbox.len() < whole.inbox.len());
        self.in_flight += usize::from(left.in_flight() > 0);
    }
}

/// Checks that the result does not depend on kills: the state equals that of a run in memory, the store equals that of
/// a run without kills, and both match the story.
fn check_end(story: &Story, summary: &Value, books: &Books, expected: (&str, &Books)) {
    assert_eq!(summary["state"], json!(expected.0));
    assert_eq!(summary["failed"], json!(0));
    for event in &story.events {
        let id = event["id"].as_str().expect("an id");
        let last = books.inbox[id].outcomes.last().expect("a run");
        assert_eq!(*last, Some(("applied".to_owned(), None)), "{id}");
    }
    for (id, kept) in &books.inbox {
        assert!(kept.is_done && kept.outcomes.iter().all(Option::is_some), "{id} ended without outcome: {kept:?}");
    }
    for (kind, count) in &story.effects {
        assert_eq!(books.carried_out(kind), *count, "{kind}");
    }
    assert_eq!(books.in_flight(), 0);
    assert_eq!(books.effects, expected.1.effects);
    assert_eq!(books.ids(), expected.1.ids());
}

#[test]
fn printed_events_survive_kills_and_the_final_state_is_the_same() {
    let (kills, seed) = (count("KILLS", KILLS_DEFAULT), count("SEED", 1));
    let folder = tempfile::tempdir().expect("a folder");
    let (input, store) = (folder.path().join("story.jsonl"), folder.path().join("undisturbed.db"));
    let story = story::of_customers(CUSTOMERS);
    fs::write(&input, lines(&story.events)).expect("written");
    let in_memory = undisturbed(&input, None);
    let state = in_memory.last().expect("a summary")["summary"]["state"].as_str().expect("a state").to_owned();
    let begun = Instant::now();
    let printed = undisturbed(&input, Some(&store));
    // The longest delay from the start. It adapts to the machine's changing speed: a kill after the end makes it
    // shorter.
    let mut longest = begun.elapsed() / 2;
    let books = Books::of(&store);
    Acknowledged::default().check(&printed, &books);
    check_end(&story, &printed.last().expect("a summary")["summary"], &books, (&state, &books));

    let mut random = Random(seed as u64);
    let mut met = KillCounts::default();
    while met.kills < kills {
        let store = folder.path().join(format!("{}.db", met.ends));
        let mut acknowledged = Acknowledged::default();
        // Starts processes until one ends by itself. After the last kill, the next process is not killed.
        loop {
            let moment = Moment::random(&mut random, story.events.len(), longest);
            let wants = met.kills < kills;
            println!("SEED={seed} store {} kill {}: {moment:?}", met.ends, met.kills + 1);
            let ran = match wants {
                true => killed(&input, &store, &moment),
                false => Ran { lines: undisturbed(&input, Some(&store)), is_killed: false },
            };
            met.lines += ran.lines.len();
            let left = Books::of(&store);
            acknowledged.check(&ran.lines, &left);
            if !ran.is_killed {
                met.too_late += usize::from(wants);
                longest = if moment.lines == 0 { longest * 3 / 4 } else { longest };
                let summary = &ran.lines.last().expect("a summary")["summary"];
                check_end(&story, summary, &left, (&state, &books));
                break;
            }
            longest = if moment.lines == 0 { longest * 11 / 10 } else { longest };
            met.count(&story, &left, &books);
        }
        met.ends += 1;
        assert!(met.too_late <= kills + KILLS_DEFAULT, "most processes end before they are killed: {met:?}");
    }
    println!("{met:?}, SEED={seed}");
    assert!(met.lines > story.events.len() && met.amid_events + met.amid_timers >= kills / 4, "{met:?}");
    if kills >= KILLS_MANY {
        assert!(met.amid_events.min(met.amid_timers).min(met.in_flight) > 0, "{met:?}");
    }
}
