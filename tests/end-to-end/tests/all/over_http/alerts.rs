//! Each alert of `docs/alerts.yml` fires when its cause is there, and not before: the cause is made, the metrics are read before and
//! after it, and the rule is evaluated.

use super::server::{NOTHING, TestServer};
use super::webhooks::event;
use end_to_end::world::{START_MS, root};
use host_provider_api::{Call, CallOutcome, Outage, Provider, Room};
use host_store::fault::{Faults, Moment, Then};
use host_store::testing::samples;
use host_store::{Changes, InboxState, MemoryStore};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The alerts that the tests of this file cause. Those of instances and steps are caused in `measured.rs`.
const CAUSED: [&str; 12] = [
    "ServerDown",
    "RequestsFail",
    "ProviderOut",
    "EffectsWait",
    "DeliveriesRefused",
    "DeliveriesMissed",
    "SweepsFail",
    "PaymentsParked",
    "EventsNeedAnOperator",
    "Drift",
    "BackupsLate",
    "StoreFails",
];
const CAUSED_BY_SCENARIOS: [&str; 3] = ["SetupTakesLong", "CreationsFail", "StepsByHand"];

/// The rules: expressions by the names of their alerts.
fn rules() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/alerts.yml")).expect("docs/alerts.yml");
    let mut rules = BTreeMap::new();
    for rule in text.split("- alert: ").skip(1) {
        let name = rule.lines().next().expect("a name").trim().to_owned();
        let (_, expr) = rule.split_once("expr:").expect("an expression");
        let end = ["\n        for:", "\n        annotations:"].iter().filter_map(|end| expr.find(end)).min();
        let expr = expr[..end.expect("annotations")].trim().trim_start_matches('>').replace('\n', " ");
        rules.insert(name, expr);
    }
    rules
}

/// A reading of the metrics: values by name and labels.
struct Samples(Vec<(String, BTreeMap<String, String>, f64)>);

impl Samples {
    fn of(text: &str) -> Samples {
        let mut samples = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
            let labels = labels.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()));
            samples.push((name.to_owned(), labels.collect(), value.parse().expect("a number")));
        }
        Samples(samples)
    }

    fn sum(&self, selector: &Selector) -> f64 {
        let is_wanted = |labels: &BTreeMap<String, String>| {
            selector.labels.iter().all(|(name, is_pattern, wanted)| {
                let found = labels.get(name).map_or("", String::as_str);
                match *is_pattern {
                    false => found == wanted,
                    // The rules use alternatives, and points for any letter.
                    true => wanted.split('|').any(|one| {
                        one.len() == found.len() && one.bytes().zip(found.bytes()).all(|(a, b)| a == b'.' || a == b)
                    }),
                }
            })
        };
        let found = self.0.iter().filter(|(name, labels, _)| *name == selector.name && is_wanted(labels));
        found.map(|(.., value)| value).sum()
    }
}

struct Selector {
    name: String,
    /// Name, whether the value is a pattern, and the value.
    labels: Vec<(String, bool, String)>,
}

/// Evaluates an expression of the rules: sums instead of groups, and the difference of two readings instead of a range.
struct Evaluator<'a> {
    rest: &'a str,
    before: &'a Samples,
    after: &'a Samples,
}

impl<'a> Evaluator<'a> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn any(&mut self) -> bool {
        let mut fires = self.comparison();
        while self.eat("or ") {
            fires |= self.comparison();
        }
        assert_eq!(self.rest.trim(), "", "the rest of a rule");
        fires
    }

    fn comparison(&mut self) -> bool {
        let left = self.difference();
        match () {
            () if self.eat("==") => left == self.difference(),
            () if self.eat(">") => left > self.difference(),
            () => panic!("expected a comparison: {}", self.rest),
        }
    }

    fn difference(&mut self) -> f64 {
        let mut value = self.product();
        while self.eat("- ") {
            value -= self.product();
        }
        value
    }

    fn product(&mut self) -> f64 {
        let mut value = self.factor();
        while self.eat("*") {
            value *= self.factor();
        }
        value
    }

    fn factor(&mut self) -> f64 {
        if self.eat("sum") {
            if self.eat("by") {
                let end = self.rest.find(')').expect("labels");
                self.rest = &self.rest[end + 1..];
            }
            assert!(self.eat("("), "{}", self.rest);
            let value = self.difference();
            assert!(self.eat(")"), "{}", self.rest);
            return value;
        }
        for function in ["increase(", "rate("] {
            if self.eat(function) {
                let selector = self.selector();
                let end = self.rest.find("])").expect("a range");
                self.rest = &self.rest[end + 2..];
                return self.after.sum(&selector) - self.before.sum(&selector);
            }
        }
        if self.rest.trim_start().starts_with(|letter: char| letter.is_ascii_digit()) {
            return self.word(|letter| letter.is_ascii_digit() || letter == '.').parse().expect("a number");
        }
        let selector = self.selector();
        self.after.sum(&selector)
    }

    fn word(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        self.rest = self.rest.trim_start();
        let (word, rest) = self.rest.split_at(self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn selector(&mut self) -> Selector {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let (name, mut labels) = (self.word(is_part).to_owned(), Vec::new());
        assert!(name == "up" || name.starts_with("provisioner_"), "{name}: {}", self.rest);
        if self.rest.starts_with('{') {
            self.eat("{");
            while !self.eat("}") {
                self.eat(",");
                let label = self.word(is_part).to_owned();
                let is_pattern = self.eat("=~");
                assert!((is_pattern || self.eat("=")) && self.eat("\""), "{}", self.rest);
                let value = self.word(|letter| letter != '"').to_owned();
                assert!(self.eat("\""));
                labels.push((label, is_pattern, value));
            }
        }
        Selector { name, labels }
    }
}

/// Returns whether an alert fires between two readings of the metrics.
pub fn fires(alert: &str, before: &str, after: &str) -> bool {
    let (rules, before, after) = (rules(), Samples::of(before), Samples::of(after));
    let rule = rules.get(alert).unwrap_or_else(|| panic!("no alert {alert}"));
    Evaluator { rest: rule, before: &before, after: &after }.any()
}

/// Reads the metrics, makes the cause of an alert, and checks that it fires now and did not before.
fn causes(server: &TestServer, alert: &str, cause: impl FnOnce()) {
    assert!(CAUSED.contains(&alert), "{alert}");
    let before = server.metrics();
    assert!(!fires(alert, &before, &before), "{alert} fires without a cause: {before}");
    cause();
    let after = server.metrics();
    assert!(fires(alert, &before, &after), "{alert} does not fire: {after}");
}

#[test]
fn each_alert_has_a_test_that_makes_its_cause() {
    let mut caused: Vec<&str> = CAUSED.into_iter().chain(CAUSED_BY_SCENARIOS).collect();
    caused.sort_unstable();
    assert_eq!(rules().keys().map(String::as_str).collect::<Vec<_>>(), caused);
}

#[test]
fn a_server_that_does_not_answer_is_down() {
    let server = TestServer::start("solobase");
    // Prometheus sets this metric itself: 1 for a target that answers.
    let up = |is_up: bool| format!("up{{job=\"provisioner\"}} {}", u8::from(is_up));
    assert!(server.metrics().contains("# EOF"), "it answers");
    assert!(!fires("ServerDown", &up(true), &up(true)));
    let address = server.address().to_owned();
    server.stop();
    let answers = std::net::TcpStream::connect(address).is_ok();
    assert!(fires("ServerDown", &up(true), &up(answers)));
}

#[test]
fn a_store_that_fails_makes_requests_fail() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let server = TestServer::of("solobase").with(|it| it.store = faults.open()).start();
    causes(&server, "RequestsFail", || {
        faults.fail_reads(true);
        for _ in 0..3 {
            assert_eq!(server.send("GET /api/operator/events", &server.operator(), &NOTHING).status, 503);
        }
        faults.fail_reads(false);
    });
    causes(&server, "StoreFails", || {
        faults.fail_at(1, Moment::Before, Then::Alive);
        assert_eq!(server.deliver(&event("evt_1")).status, 503);
        faults.clear();
    });
}

/// A provider of which no call succeeds, and that takes none meanwhile.
struct Out(AtomicBool);

impl Provider for Out {
    fn call(&self, _: &Call) -> CallOutcome {
        CallOutcome::retry("unreachable", "nobody listens")
    }

    fn room(&self) -> Room {
        Room { at_once: 0, per_account: 0, ..Room::default() }
    }

    fn name(&self) -> Option<&'static str> {
        Some("storage")
    }

    fn outage(&self) -> Option<Outage> {
        let (code, message) = ("unreachable".to_owned(), "nobody listens".to_owned());
        let is_out = self.0.load(Ordering::Relaxed);
        is_out.then_some(Outage { provider: "storage", lasts_ms: 130_000, failures: 7, code, message })
    }
}

#[test]
fn an_outage_of_a_provider_is_shown_until_it_works_again() {
    let out = Arc::new(Out(AtomicBool::new(false)));
    let server = TestServer::of("solobase").provider("bucket", out.clone()).start();
    causes(&server, "ProviderOut", || out.0.store(true, Ordering::Relaxed));
    let health = server.get("/health", &server.operator());
    let outage = json!({"provider": "storage", "lasts_seconds": 130, "failures": 7, "code": "unreachable",
        "message": "nobody listens"});
    assert_eq!(health["outages"], json!([outage]), "operators see it");
    let open = server.send("GET /health", "", &NOTHING);
    assert!(open.status == 200 && !open.body.contains("storage"), "others do not: {}", open.body);
    out.0.store(false, Ordering::Relaxed);
    let metrics = server.metrics();
    assert!(!fires("ProviderOut", &metrics, &metrics), "it is over: {metrics}");
}

#[test]
fn an_effect_that_nobody_begins_is_told_by_its_provider() {
    let out = Arc::new(Out(AtomicBool::new(false)));
    let server = TestServer::of("solobase").provider("bucket", out).start();
    causes(&server, "EffectsWait", || {
        server.with_host(|host| {
            let scope = host.processor().scope("user:ada".parse().expect("an account"));
            let row = samples::queued(&scope, samples::effect("bucket.ensure", "inst_a/bucket/ensure"), START_MS);
            let row = host_store::EffectRow { created_at: START_MS - 11 * 60_000, ..row };
            let changes = Changes { effects: vec![samples::insert(row)], ..samples::changes(&scope, "evt_1") };
            host.processor_mut().store_mut().apply(&changes).expect("applied");
        });
    });
    assert!(server.metrics().contains(r#"provider="storage"} 660"#), "{}", server.metrics());
}

#[test]
fn refused_missed_and_parked_events_are_told() {
    let server = TestServer::start("solobase");
    causes(&server, "DeliveriesRefused", || {
        for _ in 0..11 {
            let wrong = [("stripe-signature", "t=1,v1=00")];
            assert_eq!(server.request("POST /api/webhooks/stripe", &wrong, &event("evt_1")).status, 400);
        }
    });
    causes(&server, "PaymentsParked", || {
        // The invoice of a customer whom nobody knows.
        let paid = String::from_utf8(event("evt_2")).expect("a text").replace("customer.updated", "invoice.paid");
        let paid =
            paid.replace(r#""id":"cus_1","object":"customer""#, r#""id":"in_1","object":"invoice","customer":"cus_x""#);
        assert_eq!(server.deliver(paid.as_bytes()).status, 200);
        let now = server.metrics();
        assert!(!fires("PaymentsParked", &now, &now), "its account may be on its way");
        server.advance_to(START_MS + 11 * 60_000);
    });
    causes(&server, "EventsNeedAnOperator", || {
        server.with_host(|host| {
            let mut new = samples::new_event("evt_dead");
            let partition = host.processor().partition().clone();
            Arc::make_mut(&mut new.event).business = partition.business;
            new.progress = samples::progress(InboxState::Dead);
            host.processor_mut().store_mut().apply(&samples::accepted(new)).expect("applied");
        });
    });
}

#[test]
fn what_the_background_finds_is_told() {
    let server = TestServer::start("solobase");
    let (partition, metrics) = (server.partition(), server.counters());
    causes(&server, "SweepsFail", || (0..3).for_each(|_| metrics.sweep_failed(&partition)));
    causes(&server, "DeliveriesMissed", || metrics.sweeping(&partition, 0, 0, 1));
    causes(&server, "Drift", || metrics.drifted(&partition, &[("orphan", 1)]));
    causes(&server, "BackupsLate", || metrics.backups_late(&partition, 1));
}
