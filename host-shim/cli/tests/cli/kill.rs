//! `replay --store` that is killed, again and again: what a line said is in the store, and the end is the same.
//!
//! `KILLS` says how often a running process is killed, `SEED` at which moments. A kill takes the process and leaves the
//! operating system, so what a power failure takes is not shown here.

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

/// Kills unless `KILLS` says so.
const KILLS_DEFAULT: usize = 12;
/// Kills from which each kind of moment must have been met.
const KILLS_MANY: usize = 100;
const CUSTOMERS: usize = 40;
const SIGKILL: i32 = 9;

/// A generator whose numbers a seed tells again (SplitMix64).
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

/// When a process is killed: after so many lines, and so long after that.
#[derive(Debug)]
struct Moment {
    lines: usize,
    delay: Duration,
}

impl Moment {
    /// Any time; some time after a line; or at once after a line, when what it says must be in the store already.
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

/// What a process said, and whether it was killed before it came to its end.
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

/// Runs to the end.
fn undisturbed(input: &Path, store: Option<&Path>) -> Vec<Value> {
    let args = args(input, store);
    let ran = replay(&args.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.lines()
}

/// Runs until the moment, or to the end if that comes first.
fn killed(input: &Path, store: &Path, moment: &Moment) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_host-shim"))
        .args(["replay", "--native"])
        .args(args(input, Some(store)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let (told, telling) = mpsc::channel();
    // Reads on after the kill: what was printed by then was acknowledged. A line that is cut off was not.
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while out.read_line(&mut line).expect("UTF-8") > 0 && line.ends_with('\n') {
            let _ = told.send(std::mem::take(&mut line));
        }
    });
    let mut lines: Vec<String> = telling.iter().take(moment.lines).collect();
    if lines.len() == moment.lines {
        std::thread::sleep(moment.delay);
    }
    // Of a process that has ended there is nothing left to kill.
    let _ = child.kill();
    let status = child.wait().expect("it ends");
    reader.join().expect("read");
    lines.extend(telling);
    let is_killed = status.signal() == Some(SIGKILL);
    assert!(is_killed || status.success(), "it ended with {status} by itself");
    Ran { lines: lines.iter().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(), is_killed }
}

/// Who was told what by the processes over one store.
#[derive(Default)]
struct Acknowledged {
    /// First outcomes: an event has one, whatever happens.
    first: BTreeSet<String>,
}

impl Acknowledged {
    /// Holds what a process printed to what it left in the store.
    fn check(&mut self, printed: &[Value], books: &Books) {
        for line in printed {
            if line.get("summary").is_some() {
                continue;
            }
            let is_later = line.get("later").is_some();
            let said = line.get("later").or_else(|| line.get("derived")).unwrap_or(line);
            let id = said["event"].as_str().expect("an id");
            let kept = books.inbox.get(id).unwrap_or_else(|| panic!("lost, though it was told: {line}"));
            let outcome = said["outcome"].as_str().expect("an outcome");
            if outcome == "duplicate" && kept.outcomes.iter().flatten().all(|(name, _)| name != outcome) {
                // It came again, and what it came to before is there.
                assert!(!kept.outcomes.is_empty(), "{line}: {kept:?}");
                continue;
            }
            let reason = said["reason"].as_str().map(str::to_owned);
            let told = Some((outcome.to_owned(), reason));
            assert!(kept.outcomes.contains(&told), "told otherwise than kept: {line}: {kept:?}");
            assert!(is_later || self.first.insert(id.to_owned()), "it came to an outcome twice: {line}");
        }
    }
}

/// Kills of running processes, by what they met.
#[derive(Debug, Default)]
struct Met {
    kills: usize,
    /// Stores that were brought to their end.
    ends: usize,
    /// Runs that came to their end before the moment.
    too_late: usize,
    /// Kills that left some of the events in the store and others not.
    amid_events: usize,
    /// Kills after which all events are in, and what follows from them is not.
    amid_timers: usize,
    /// Kills with a call of a provider begun and its answer not kept.
    in_flight: usize,
    lines: usize,
}

impl Met {
    /// Counts a kill by what it left, of a story that comes to `whole`.
    fn count(&mut self, story: &Story, left: &Books, whole: &Books) {
        let id = |event: &Value| event["id"].as_str().expect("an id").to_owned();
        let arrived = story.events.iter().filter(|event| left.inbox.contains_key(&id(event))).count();
        self.kills += 1;
        self.amid_events += usize::from((1..story.events.len()).contains(&arrived));
        self.amid_timers += usize::from(arrived == story.events.len() && left.inbox.len() < whole.inbox.len());
        self.in_flight += usize::from(left.in_flight() > 0);
    }
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// What came out must not depend on kills: the state that a run in memory has, the books that a run without kills has, and
/// what the story says itself.
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
fn what_a_line_said_outlives_kills_and_the_end_is_the_same() {
    let (kills, seed) = (number("KILLS", KILLS_DEFAULT), number("SEED", 1));
    let folder = tempfile::tempdir().expect("a folder");
    let (input, store) = (folder.path().join("story.jsonl"), folder.path().join("undisturbed.db"));
    let story = story::of_customers(CUSTOMERS);
    fs::write(&input, lines(&story.events)).expect("written");
    let in_memory = undisturbed(&input, None);
    let state = in_memory.last().expect("a summary")["summary"]["state"].as_str().expect("a state").to_owned();
    let begun = Instant::now();
    let told = undisturbed(&input, Some(&store));
    // The longest delay from the start. It follows the speed of the machine, which is not the same all the time: a kill that
    // came too late makes it shorter.
    let mut longest = begun.elapsed() / 2;
    let books = Books::of(&store);
    Acknowledged::default().check(&told, &books);
    check_end(&story, &told.last().expect("a summary")["summary"], &books, (&state, &books));

    let mut random = Random(seed as u64);
    let mut met = Met::default();
    while met.kills < kills {
        let store = folder.path().join(format!("{}.db", met.ends));
        let mut acknowledged = Acknowledged::default();
        // Until a process comes to its end: at last one that nobody kills.
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
