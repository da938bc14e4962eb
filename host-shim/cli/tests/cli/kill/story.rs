//! The events for the killed process: customers subscribe, pay and get an instance; some cancel.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Delay of each customer's events after the previous customer's, in seconds, so that no two timers fire at the same
/// time.
const APART_S: i64 = 3_600;
/// Number of customers who start between two events of the same customer.
const BESIDE: usize = 6;
/// A time after the instances of all cancelled customers have been deleted.
pub const UNTIL: &str = "2028-01-01T00:00:00Z";

/// The events, and their expected results.
pub struct Story {
    pub events: Vec<Value>,
    /// Number of provider effects by kind.
    pub effects: BTreeMap<&'static str, usize>,
}

/// Returns the four events of one customer: a subscription, its paid invoice, an instance, the end of the subscription.
fn customer(template: &str, number: usize) -> Vec<Value> {
    let shift = i64::try_from(number).expect("a few customers") * APART_S;
    let named = [
        ("user-adv", "u"),
        ("cus_adv", "cus_"),
        ("sub_1", "sub_"),
        ("inst_acme", "inst_site"),
        ("\"acme\"", "\"site"),
        ("evt_000", "evt_"),
        ("prd_1", "prd_"),
    ];
    let one = |line: &str| {
        let text = named.iter().fold(line.to_owned(), |text, (from, to)| {
            let end = if from.ends_with('"') {
                "\""
            } else if from.ends_with('0') {
                "-"
            } else {
                ""
            };
            text.replace(from, &format!("{to}{number}{end}"))
        });
        let mut event = serde_json::from_str(&text.replace("\"2026-09-22T00:00:00Z\"", "1790035200")).expect("JSON");
        later(&mut event, shift);
        event
    };
    template.lines().map(one).collect()
}

/// Shifts the times in an event. Their size shows which numbers are times.
fn later(value: &mut Value, shift: i64) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| later(member, shift)),
        Value::Array(items) => items.iter_mut().for_each(|item| later(item, shift)),
        Value::Number(number) => {
            if let Some(time) = number.as_i64().filter(|n| (1_780_000_000..1_800_000_000).contains(n)) {
                *value = json!(time + shift);
            }
        }
        _ => {}
    }
}

/// Returns the events of this number of customers. One third keeps the subscription; for another third the invoice
/// arrives before the subscription and waits for it.
pub fn of_customers(customers: usize) -> Story {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/replay/tests/all/kill/story.jsonl");
    let template = std::fs::read_to_string(template).expect("the story of one customer");
    let (mut timed, mut leave) = (Vec::new(), 0);
    for number in 0..customers {
        let mut events = customer(&template, number);
        match number % 3 {
            0 => drop(events.pop()),
            1 => events.swap(0, 1),
            _ => {}
        }
        leave += usize::from(events.len() == 4);
        timed.extend(events.into_iter().enumerate().map(|(step, event)| (number + step * BESIDE, event)));
    }
    timed.sort_by_key(|(at, _)| *at);
    let made = ["database.ensure", "bucket.ensure", "function.ensure"].map(|kind| (kind, customers));
    let given_up = ["function.change", "database.backup", "database.destroy", "bucket.destroy", "function.destroy"];
    let effects = made.into_iter().chain(given_up.map(|kind| (kind, leave))).collect();
    Story { events: timed.into_iter().map(|(_, event)| event).collect(), effects }
}
