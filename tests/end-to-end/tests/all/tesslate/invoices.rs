//! Tests the monthly invoices of three people for a year of usage. The invoices must equal a golden file byte for byte
//! (`UPDATE_GOLDEN=1` rewrites it), for any order of arrival and for any number of host restarts. The tests also
//! compute the invoices and the usage summaries from the measurements alone.

use end_to_end::world::{START_MS, Setup, World, command, tesslate};
use extension_contract::{Account, Actor, Event, Payload, Question, Timestamp, Usage, UsageTotal};
use host_engine::processor::Questions;
use host_store::{Partition, Scope};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Number of days of each month of 2026, the year of the story.
const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// People, each with the scale of their usage. C often uses too little for an invoice.
const PEOPLE: [(&str, i64); 3] = [("A", 90), ("B", 400), ("C", 3)];
/// The person who has initial credits, and their amount in cents.
const CREDITS: (&str, i64) = ("B", 5_000);

/// A measurement, with its person and its cost in millionths of a dollar.
#[derive(Clone, Debug)]
struct Measured {
    who: &'static str,
    usage: Usage,
    micros: i64,
}

/// The fixed measurements of a month, in order of time.
fn measurements(month: usize) -> Vec<Measured> {
    let start = START_MS + DAYS[..month].iter().sum::<i64>() * DAY_MS;
    let mut seed = 7 + i64::try_from(month).expect("small");
    let mut next = |below: i64| {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        seed / 65_536 % below
    };
    let mut all = Vec::new();
    for (who, scale) in PEOPLE {
        for number in 0..5 {
            let (model, of_model) = [("large", 12), ("small", 2)][usize::try_from(next(2)).expect("small")];
            let (agent, of_agent) = [(None, 0), (Some("agent_quill"), 10)][usize::try_from(next(2)).expect("small")];
            let quantity = next(1_000) * scale;
            let attributes = [("model", Some(model)), ("agent", agent)];
            let named = attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
            let usage = Usage {
                id: format!("{who}-{month}-{number}"),
                meter: "tokens".to_owned(),
                quantity,
                at: start + next(DAYS[month]) * DAY_MS + next(24) * HOUR_MS,
                attributes: named.collect(),
            };
            all.push(Measured { who, usage, micros: quantity * (of_model + of_agent) });
        }
    }
    all.sort_by_key(|measured| measured.usage.at);
    all
}

/// How measurements arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// Each measurement at its own time.
    Alone,
    /// All measurements of a month together at the end of the month, in reverse order.
    Together,
    /// Each measurement three times, with a kill of the host after each delivery.
    Killed,
}

fn scope(who: &str) -> Scope {
    let partition = Partition { business: "tesslate".to_owned(), livemode: false };
    partition.scope(Account::User(who.to_owned()))
}

fn measure(world: &mut World, who: &str, id: String, batch: Vec<Usage>) {
    let event = Event {
        id,
        source: "api".to_owned(),
        kind: "usage.recorded".to_owned(),
        business: "tesslate".to_owned(),
        account: Some(Account::User(who.to_owned())),
        livemode: Some(false),
        received_at: 0,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        payment: None,
        payload: Payload::Usage(batch),
    };
    let reports = world.accept(event).expect("the store has no fault");
    let name = reports[0].result.name();
    assert!(["applied", "duplicate"].contains(&name), "{name}: {:?}", reports[0].result.reason());
}

/// Delivers the event of an object that was made.
fn tells(world: &mut World, kind: &str, object: &Value) {
    let event = json!({
        "id": format!("evt_{kind}_{}", object["id"].as_str().expect("an id")), "object": "event", "type": kind,
        "created": START_MS / 1_000, "livemode": false, "api_version": "2020-08-27", "data": {"object": object},
    });
    assert_eq!(world.outcome_of(&event), "applied", "{kind}");
}

/// Starts a host with customers; a paid session grants the credits.
fn beginning() -> World {
    let mut world = World::start(Setup { business: tesslate(), ..Setup::default() });
    for (who, _) in PEOPLE {
        let customer = json!({"id": format!("cus_{who}"), "object": "customer", "metadata": {"user_id": who}});
        tells(&mut world, "customer.created", &customer);
    }
    let (who, cents) = CREDITS;
    let pack = json!({"product_id": "pack_large"});
    let buy = command("cmd_pack", "purchase.create", ("user", who), &format!("user:{who}"), pack);
    assert_eq!(world.outcome_of(&buy), "applied");
    let rows = super::support::rows(&world.document(), &format!("user:{who}"), "purchases");
    let purchase = rows.into_keys().next().expect("a purchase");
    let session = json!({
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
        "currency": "usd", "amount_subtotal": cents, "amount_total": cents, "payment_intent": "pi_1",
        "customer": format!("cus_{who}"), "metadata": {"user_id": who, "purchase_id": purchase},
    });
    tells(&mut world, "checkout.session.completed", &session);
    world
}

fn play(arrival: Arrival) -> World {
    let mut world = beginning();
    let mut end = START_MS;
    for (month, days) in DAYS.into_iter().enumerate() {
        end += days * DAY_MS;
        let mut all = measurements(month);
        match arrival {
            Arrival::Together => {
                world.advance_to(end - 1).expect("the store has no fault");
                all.reverse();
                for (who, _) in PEOPLE {
                    let own = all.iter().filter(|measured| measured.who == who).map(|m| m.usage.clone());
                    measure(&mut world, who, format!("batch-{who}-{month}"), own.collect());
                }
            }
            Arrival::Alone | Arrival::Killed => {
                for measured in all {
                    world.advance_to(measured.usage.at).expect("the store has no fault");
                    for again in 0..if arrival == Arrival::Killed { 3 } else { 1 } {
                        let id = format!("{}-{again}", measured.usage.id);
                        measure(&mut world, measured.who, id, vec![measured.usage.clone()]);
                        if arrival == Arrival::Killed {
                            world.reopen().expect("the store has no fault");
                        }
                    }
                }
            }
        }
    }
    world.advance_to(end + 2 * DAY_MS).expect("the store has no fault");
    world.settle().expect("the store has no fault");
    world
}

/// The invoices by person and month.
fn invoices(world: &World) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (who, _) in PEOPLE {
        for month in 1..=12 {
            let key = format!("usage-invoice:2026-{month:02}");
            for row in world.store().effect(&scope(who), &key).expect("the store has no fault") {
                let payload: Value = serde_json::from_str(&row.effect.payload).expect("JSON");
                assert!(found.insert(format!("{who}/2026-{month:02}"), payload).is_none(), "{who} has {key} twice");
            }
        }
    }
    found
}

// covers: TES-68, TES-61
#[test]
fn the_invoices_of_a_year_are_the_same_bytes_for_any_arrival() {
    let made = invoices(&play(Arrival::Alone));
    assert!(made.len() >= 20, "{} invoices", made.len());
    let text = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/tesslate/invoices.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &text).expect("written");
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; UPDATE_GOLDEN=1 rewrites it", file.display());
    for arrival in [Arrival::Together, Arrival::Killed] {
        assert_eq!(invoices(&play(arrival)), made, "{arrival:?}");
    }
    // Unpaid usage of a month is rounded up and invoiced. Below half a dollar it is carried over to the next month.
    let mut counted = 0;
    for (who, _) in PEOPLE {
        let mut credits = if who == CREDITS.0 { CREDITS.1 * 10_000 } else { 0 };
        let mut carried = 0;
        for month in 0..12 {
            let used: i64 = measurements(month).iter().filter(|m| m.who == who).map(|m| m.micros).sum();
            let paid = credits.min(used);
            credits -= paid;
            let open = used - paid + carried;
            let cents = (open + 9_999) / 10_000;
            let invoice = made.get(&format!("{who}/2026-{:02}", month + 1));
            assert_eq!(invoice.is_some(), cents >= 50, "{who} in month {month}: {open}");
            let Some(invoice) = invoice else {
                carried = open;
                continue;
            };
            let of = |member: &str| invoice[member].as_i64().expect("a number");
            let found = (of("cost_micros"), of("credits_micros"), of("carried_micros"), of("total_minor"));
            assert_eq!(found, (used, -paid, carried, cents), "{who} in month {month}");
            let lines = invoice["lines"].as_array().expect("lines");
            assert_eq!(lines.iter().map(|line| line["cost_micros"].as_i64().expect("a number")).sum::<i64>(), used);
            assert_eq!(invoice["customer"], format!("cus_{who}"));
            carried = 0;
            counted += 1;
        }
    }
    assert_eq!(counted, made.len());
}

// covers: TES-69
#[test]
fn usage_is_summed_by_model_by_agent_and_by_day() {
    let mut world = play(Arrival::Alone);
    let all: Vec<Measured> = (0..12).flat_map(measurements).collect();
    for (who, _) in PEOPLE {
        let account = Account::User(who.to_owned());
        let question = Question { account, actor: Actor::system(), at: world.clock() };
        // The whole year, a month, ten days, one day, and a day of another year.
        for (first, last) in [(0, 365), (31, 59), (40, 50), (45, 46), (-2, -1)] {
            let (start, end) = (START_MS + first * DAY_MS, START_MS + last * DAY_MS);
            let answer = world.processor_mut().ask_usage(&question, start, end).expect("an answer");
            let own: Vec<&Measured> =
                all.iter().filter(|m| m.who == who && (start..end).contains(&m.usage.at)).collect();
            let by = |name: &str, value: &str| -> (Vec<&UsageTotal>, Vec<&&Measured>) {
                let has = |list: &[(String, String)]| list.iter().any(|(key, text)| key == name && text == value);
                (
                    answer.iter().filter(|total| has(&total.attributes)).collect(),
                    own.iter().filter(|measured| has(&measured.usage.attributes)).collect(),
                )
            };
            for (totals, measured) in [
                (answer.iter().collect(), own.iter().collect()),
                by("model", "large"),
                by("model", "small"),
                by("agent", "agent_quill"),
            ] {
                let sum = |of: fn(&UsageTotal) -> i64| totals.iter().map(|total| of(total)).sum::<i64>();
                let counted = i64::try_from(measured.len()).expect("few");
                assert_eq!(sum(|total| total.requests), counted, "{who} {first}");
                assert_eq!(sum(|total| total.quantity), measured.iter().map(|m| m.usage.quantity).sum::<i64>());
                assert_eq!(sum(|total| total.cost_micros), measured.iter().map(|m| m.micros).sum::<i64>());
            }
            // Earlier usage consumes credits first.
            let covered = |until: Timestamp| {
                let used = all.iter().filter(|m| m.who == who && m.usage.at < until).map(|m| m.micros).sum::<i64>();
                used.min(if who == CREDITS.0 { CREDITS.1 * 10_000 } else { 0 })
            };
            let reported = answer.iter().map(|total| total.covered_micros).sum::<i64>();
            assert_eq!(reported, covered(end) - covered(start), "{who} {first}");
        }
    }
}
