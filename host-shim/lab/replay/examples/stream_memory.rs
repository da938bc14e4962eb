//! Measures how much memory the replay of a long log needs, with a store in SQLite (whose cache is bounded) or in
//! memory.
//!
//! `cargo run --release -p host-replay --example stream_memory -- FOLDER [EVENTS] [file|pipe] [sqlite|memory]`

use host_replay::report::Json;
use host_replay::run::{ReplayOptions, replay};
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Number of events of each customer.
const EVENTS_EACH: usize = 10;
const START: usize = 1_767_225_600;

/// Writes a log of subscriptions that change to another plan and back, with about 1 kB per event. Returns its size in
/// bytes.
fn write_log(log: &Path, events: usize) -> std::io::Result<u64> {
    let mut out = BufWriter::new(File::create(log)?);
    let note = "x".repeat(400);
    let customers = events.div_ceil(EVENTS_EACH);
    for n in 0..events {
        let (customer, step) = (n % customers, n / customers);
        let kind = if step == 0 { "created" } else { "updated" };
        let price = ["price_xyz789", "price_professional_monthly"][step % 2];
        let item = json!({"id": "si_1", "price": {"id": price}, "quantity": 1,
            "current_period_start": START, "current_period_end": START + 31 * 86_400});
        let event = json!({
            "id": format!("evt_{n}"), "object": "event", "type": format!("customer.subscription.{kind}"),
            "api_version": "2025-03-31.basil", "created": START + step, "livemode": false,
            "data": {"object": {"id": format!("sub_{customer}"), "object": "subscription",
                "customer": format!("cus_{customer}"), "status": "active",
                "metadata": {"user_id": format!("u{customer}"), "note": note},
                "items": {"object": "list", "data": [item], "has_more": false}}},
        });
        writeln!(out, "{event}")?;
    }
    out.flush()?;
    Ok(std::fs::metadata(log)?.len())
}

/// Returns a memory value of this process from `/proc/self/status`, in MiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().expect("a number of kB") / 1024
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder to write to"));
    let events: usize = arguments.next().map_or(200_000, |text| text.parse().expect("a number of events"));
    let from_pipe = arguments.next().is_some_and(|text| text == "pipe");
    let in_memory = arguments.next().is_some_and(|text| text == "memory");
    let log = folder.join("log.jsonl");
    let bytes = write_log(&log, events).expect("written");
    let options = ReplayOptions {
        business: Some("solobase".to_owned()),
        fixtures: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures")),
        store: (!in_memory).then(|| folder.join("store.db")),
        ..ReplayOptions::new(host_replay::native::runners())
    };
    let before = memory("VmRSS:");
    let begun = Instant::now();
    let mut file = File::open(&log).expect("opened");
    let input = if from_pipe { PathBuf::from("-") } else { log };
    let finished =
        replay(&[input], &mut file, &options, &mut Json::new(BufWriter::new(std::io::sink()))).expect("replayed");
    let summary = finished.summary;
    println!(
        "{events} events, {} MiB: {} applied, {:.0} a second; {before} MiB before, {} MiB at the peak",
        bytes >> 20,
        summary.applied,
        events as f64 / begun.elapsed().as_secs_f64(),
        memory("VmHWM:")
    );
}
