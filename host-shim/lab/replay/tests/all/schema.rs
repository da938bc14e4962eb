//! Compares the schema of scenarios with the reader: both accept the same scenarios and know the same names.

use extension_contract::pointer::escaped;
use host_replay::inputs::{Input, collect};
use host_scenario::error::Mistakes;
use host_scenario::model::Scenario;
use host_scenario::schema::SCENARIO;
use host_scenario::tree::Node;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn schema() -> Value {
    serde_json::from_str(SCENARIO).expect("JSON")
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).expect("a valid schema")
}

fn json_of(text: &str) -> Value {
    Node::parse(Path::new("x.yml"), text).expect("valid YAML").json()
}

/// Checks that a file's first line names its schema for editors.
pub fn assert_schema_is_named(file: &Path, name: &str) {
    let text = std::fs::read_to_string(file).expect("a file");
    let first = text.lines().next().unwrap_or_default();
    let named = first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_default();
    let (file, named) = (file.canonicalize().expect("a file"), Path::new(named));
    let meant = file.parent().expect("a folder").join(named).canonicalize().unwrap_or_default();
    let end = format!("docs/schemas/{name}.json");
    assert!(meant.ends_with(&end), "{}: its first line is not a comment that names {end}: {first}", file.display());
}

#[test]
fn every_scenario_of_the_project_is_valid() {
    let validator = validator();
    let mut seen = 0;
    for input in collect(&test_support::played()).expect("scenarios") {
        let Input::Scenario(file) = input else { continue };
        let value = json_of(&std::fs::read_to_string(&file).expect("a file"));
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{} {error}", error.instance_path())).collect();
        assert_eq!(errors, [""; 0], "{}", file.display());
        assert_schema_is_named(&file, "scenario");
        seen += 1;
    }
    assert!(seen > 100, "{seen} scenarios");
}

/// Returns a scenario with this step.
fn with_step(step: &str) -> String {
    format!("name: x\ngiven: {{account: platform}}\nevents:\n  - {{stripe: invoice.paid}}\n  - {step}\n")
}

/// Returns a scenario with this `given`.
fn with_given(given: &str) -> String {
    format!("name: x\ngiven: {given}\nevents:\n  - {{raw: x}}\n")
}

/// Returns a scenario with these expectations at its end.
fn with_expect(expect: &str) -> String {
    format!("name: x\nevents:\n  - {{raw: x}}\nexpect: {expect}\n")
}

/// Returns correct scenarios. Together, they have every member of the format.
fn right() -> Vec<String> {
    vec![
        with_step("{stripe: a.b, id: 7, at: +5s, set: {a: 1}, 'set@2020-08-27': {b: 1}, 'unset@2020-08-27': [c]}"),
        with_step("{stripe: a.b, envelope: {unset: [a]}, previous: {a: 1}, livemode: true, expect: {outcome: stale}}"),
        with_step("{command: a, by: {kind: user, subject: 1, roles: [owner]}, account: 'user:1', payload: [1]}"),
        with_step(
            "{command: a, expect: {outcome: rejected, reason: any, quota: {allowed: 1}, then: applied}, reply: 1}",
        ),
        with_step("{event: user.registered, id: f, data: {a: 1}, account: 'user:1', by: admin, reply: 1, effects: []}"),
        with_step("{product: created, data: {id: 1}, by: admin, effects: []}"),
        with_step("{usage: {meter: m, quantity: 1, id: 1, at: 2026-01-01T00:00:00Z, model: 1, b: true}}"),
        with_step("{usage: [{meter: m, quantity: 1}, {meter: m, quantity: 2}], by: service, only: [2020-08-27]}"),
        with_step("{webhook: identity, id: 7, body: {a: 1}, answer: 200, expect: applied, effects: [], reply: 1}"),
        with_step("{webhook: identity, body: x, signature: bad, answer: {regex: 4}, unchanged: true, only: [v]}"),
        with_step("{raw: {a: 1}, unchanged: true}"),
        with_step("{same: evt_1, expect: duplicate}"),
        with_step("{redrive: evt_1}"),
        with_step("{raw: x, budget: {fuel: 300_000, memory: 4MiB, host_calls: 3}}"),
        with_step("{advance: 7d, unchanged: false}"),
        with_step("{until: 2027-01-01T00:00:00Z, kill: {write: 3}}"),
        with_step("{same: evt_1, hold: true}"),
        with_step("{raw: 1, hold: false, kill: {write: 1, after: true, again: 2}}"),
        with_step(
            "{answers: {a: ok, b: [lost, retryable x, {final: y, message: m}, {late: 2h, then: never}, late 1s]}}",
        ),
        with_step("{claims: {'a:b': 'user:1', 'a:c': blocked, 'a:d': null}}"),
        with_step("{timers: false, unchanged: true, only: [v]}"),
        with_step("{restart: true}"),
        with_step("{check: {prices: any, accounts: {'organization:1': {ledger: {}}}}}"),
        with_given(
            "{business: b, clock: 2026-01-01T00:00:00Z, livemode: true, config: {a: 1, b: true, c: t}, by: system}",
        ),
        with_given("{claims: {'a:b': 'user:1'}, answers: {k: {ok: {a: 1}}, l: [{exactly: {a: 1}}, late 250ms]}}"),
        with_given("{accounts: ['user:1', platform]}"),
        with_expect("{products: {a: {regex: x}}, snapshot: full, claims: {a: null}}"),
        "name: 7\ncovers: [A, B, C]\nknown_to_fail: 'C1: x'\nversions: {only: [a], because: b}\nbudget: {memory: 65}\nevents: [{raw: 1}]\n"
            .into(),
    ]
}

#[test]
fn schema_and_reader_accept_and_refuse_the_same_scenarios() {
    let validator = validator();
    for text in &right() {
        let value = json_of(text);
        assert!(
            validator.is_valid(&value),
            "{text}: {:?}",
            validator.iter_errors(&value).next().map(|e| e.to_string())
        );
        Scenario::parse(Path::new("x.yml"), text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    let wrong = [
        "{}".to_owned(),
        "name: x\n".into(),
        "name: x\nevents: []\n".into(),
        "nmae: x\nevents: [{raw: 1}]\n".into(),
        "name: x\ncovers: [A, B, C, D]\nevents: [{raw: 1}]\n".into(),
        "name: x\nknown_to_fail: 'C: x'\nevents: [{raw: 1}]\n".into(),
        "name: x\nversions: {only: [a]}\nevents: [{raw: 1}]\n".into(),
        with_step("{}"),
        with_step("{stripes: a}"),
        with_step("{stripe: a, command: b}"),
        with_step("{stripe: a, sett: {}}"),
        with_step("{stripe: a, at: soon}"),
        with_step("{stripe: a, set: [1]}"),
        with_step("{stripe: a, envelope: {sett: {}}}"),
        with_step("{stripe: a, expect: aplied}"),
        with_step("{stripe: a, expect: {reason: x}}"),
        with_step("{command: a, by: nobody}"),
        with_step("{command: a, account: 7}"),
        with_step("{command: a, account: nobody}"),
        with_step("{event: a.b, payload: {}}"),
        with_step("{event: a.b, command: b}"),
        with_step("{product: made, data: {}}"),
        with_step("{product: created}"),
        with_step("{usage: []}"),
        with_step("{usage: {meter: m}}"),
        with_step("{usage: {meter: m, quantity: 1.5}}"),
        with_step("{usage: {meter: m, quantity: 1, model: [m]}}"),
        with_step("{webhook: identity}"),
        with_step("{webhook: identity, body: {}, signature: good}"),
        with_step("{event: a.b, answer: 200}"),
        with_step("{advance: 7}"),
        with_step("{advance: 7d, expect: applied}"),
        with_step("{until: tomorrow}"),
        with_step("{answers: {a: perhaps}}"),
        with_step("{answers: {a: []}}"),
        with_step("{answers: {a: {late: 1h, then: late 2h}}}"),
        with_step("{answers: {a: {ok: {}, final: x}}}"),
        with_step("{answers: {a: {ok: 1}}}"),
        with_step("{answers: {a: {ok: {}, then: lost}}}"),
        with_step("{answers: {a: {late: 1h, message: m}}}"),
        with_step("{answers: {a: {exactly: null}}}"),
        with_step("{claims: {a: nobody}}"),
        with_step("{claims: [a]}"),
        with_step("{timers: off}"),
        with_given("{accounts: []}"),
        with_given("{accounts: [nobody]}"),
        with_step("{restart: false}"),
        with_step("{restart: true, hold: true}"),
        with_step("{advance: 1d, hold: true}"),
        with_step("{raw: 1, hold: 1}"),
        with_step("{raw: 1, kill: true}"),
        with_step("{raw: 1, kill: {write: 0}}"),
        with_step("{raw: 1, kill: {after: true}}"),
        with_step("{raw: 1, kill: {write: 1, again: 0}}"),
        with_step("{answers: {}, kill: {write: 1}}"),
        with_step("{check: {accounts: {'user:1': {claims: {}}}}}"),
        with_step("{check: {accounts: {nobody: {products: {}}}}}"),
        with_step("{raw: 1, only: 7}"),
        with_step("{raw: 1, budget: {}}"),
        with_step("{raw: 1, budget: {fuel: many}}"),
        with_step("{raw: 1, budget: {fuel: 4MiB}}"),
        with_step("{raw: 1, budget: {memory: 4MB}}"),
        with_step("{raw: 1, budget: {host_calls: -1}}"),
        with_step("{advance: 7d, budget: {fuel: 1}}"),
        with_given("{clock: today}"),
        with_given("{config: {a: [1]}}"),
        with_given("{claims: {a: nobody}}"),
        with_given("{by: {subject: x}}"),
        with_given("{acount: platform}"),
        with_expect("{product: {}}"),
        with_expect("{snapshot: half}"),
    ];
    for text in &wrong {
        assert!(!validator.is_valid(&json_of(text)), "{text}");
        assert!(Scenario::parse(Path::new("x.yml"), text).is_err(), "{text}");
    }
}

/// Returns the names that the reader expects in place of the unknown name `zzz`.
fn known(text: &str) -> BTreeSet<String> {
    let Mistakes(told) = Scenario::parse(Path::new("x.yml"), text).expect_err("an unknown name");
    let error = told.iter().find(|bad| bad.problem.contains("`zzz`")).expect("the unknown name");
    assert!(error.problem.starts_with("unknown field `zzz`"), "{text}: {error}");
    let names = error.expected.strip_prefix("one of ").unwrap_or_default().split(", ");
    names.map(str::to_owned).collect()
}

/// Returns the names of an object of the schema.
fn named(object: &Value) -> BTreeSet<String> {
    object["properties"].as_object().expect("properties").keys().cloned().collect()
}

#[test]
fn schema_and_reader_know_the_same_names() {
    let schema = schema();
    let of = |name: &str| &schema["$defs"][name];
    let steps = [
        ("stripe", "stripe: a"),
        ("command", "command: a"),
        ("event", "event: a.b"),
        ("product", "product: created, data: {}"),
        ("usage", "usage: {meter: m, quantity: 1}"),
        ("webhook", "webhook: identity, body: {}"),
        ("raw", "raw: x"),
        ("same", "same: evt_1"),
        ("redrive", "redrive: evt_1"),
        ("advance", "advance: 1d"),
        ("until", "until: 2027-01-01T00:00:00Z"),
        ("answers", "answers: {}"),
        ("at_stripe", "at_stripe: POST /v1/customers"),
        ("claims", "claims: {}"),
        ("timers", "timers: true"),
        ("restart", "restart: true"),
        ("check", "check: {}"),
    ];
    let alternatives = schema["$defs"]["step"]["oneOf"].as_array().expect("steps").clone();
    assert_eq!(alternatives, steps.map(|(name, _)| json!({"$ref": format!("#/$defs/{name}Step")})));
    for (name, step) in steps {
        let mut read = known(&with_step(&format!("{{{step}, zzz: 1}}")));
        // The reader tries the kinds of steps in turn, so its error also lists the other kinds.
        read.retain(|field| field == name || steps.iter().all(|(other, _)| other != field));
        assert_eq!(read, named(of(&format!("{name}Step"))), "{name}");
    }
    assert_eq!(known(&format!("{}zzz: 1\n", with_given("{}"))), named(&schema), "at the top");
    assert_eq!(known(&with_given("{zzz: 1}")), named(&schema["properties"]["given"]), "given");
    assert_eq!(known(&with_expect("{zzz: 1}")), named(of("expectations")), "expect");
    let accounts = &of("expectations")["properties"]["accounts"]["additionalProperties"];
    assert_eq!(known(&with_expect("{accounts: {'user:1': {zzz: 1}}}")), named(accounts), "accounts");
    let outcome = &of("outcome")["anyOf"][1];
    assert_eq!(known(&with_step("{raw: x, expect: {outcome: stale, zzz: 1}}")), named(outcome), "an outcome");
    assert_eq!(known(&with_step("{raw: x, budget: {zzz: 1}}")), named(of("budget")), "a budget");
    assert_eq!(known(&with_given("{by: {kind: user, zzz: 1}}")), named(&of("actor")["anyOf"][1]), "an actor");
}

/// Places where any name is allowed: values that the reader passes on, expectations, and mappings by key or pattern.
const FREE: [&str; 4] = [
    r"^(/given/(config|claims|answers)|/events/\d+/claims)$",
    r"^(/given|/events/\d+)/answers(/[^/]+(/\d+)?(/then)?/(ok|exactly).*)?$",
    r"^/events/\d+/(envelope/)?(set|add|previous|payload|data|raw|body|answer|reply|effects|usage|(set|add)@[^/]+|expect/(reason|quota|account))(/.*)?$",
    r"^(/expect|/events/\d+/check)(/accounts/[^/]+)?/(accounts$|(products|prices|purchases|subscriptions|records|entitlements|balances|ledger|timers|effects|notices|claims|inventory|outcomes)(/.*)?$)",
];

/// Collects the pointers of all mappings at or below a value.
fn mappings(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.push(at.to_owned());
            map.iter().for_each(|(key, value)| mappings(value, &format!("{at}/{}", escaped(key)), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| mappings(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

#[test]
fn an_unknown_member_is_refused_unless_names_are_free() {
    let free: Vec<regex::Regex> = FREE.map(|place| regex::Regex::new(place).expect("a pattern")).to_vec();
    let files = collect(&test_support::played()).expect("scenarios").into_iter().filter_map(|input| match input {
        Input::Scenario(file) => Some(std::fs::read_to_string(file).expect("a file")),
        _ => None,
    });
    let validator = validator();
    let (mut refused, mut seen) = (0, BTreeSet::new());
    for text in files.chain(right()) {
        let value = json_of(&text);
        let mut places = Vec::new();
        mappings(&value, "", &mut places);
        for place in places {
            if let Some(at) = free.iter().position(|free| free.is_match(&place)) {
                seen.insert(at);
                continue;
            }
            let mut wrong = value.clone();
            wrong.pointer_mut(&place).and_then(Value::as_object_mut).expect("a mapping").insert("zzz".into(), json!(1));
            assert!(!validator.is_valid(&wrong), "the schema takes a member at {place}: {wrong}");
            let Mistakes(told) = Scenario::parse(Path::new("x.yml"), &wrong.to_string()).expect_err(&place);
            let [error] = told.as_slice() else { panic!("{place}: {told:?}") };
            assert!(error.problem.contains("`zzz`") && error.place.line > 0, "{place}: {error}");
            assert!(error.expected.starts_with("one of ") || error.expected.starts_with('`'), "{place}: {error}");
            refused += 1;
        }
    }
    assert!(refused > 2_000, "{refused} refused");
    assert_eq!(seen.len(), FREE.len(), "every pattern matches a place");
}

#[test]
fn members_that_do_not_belong_together_are_refused() {
    let validator = validator();
    let judge = |text: &str| {
        let (schema, read) = (validator.is_valid(&json_of(text)), Scenario::parse(Path::new("x.yml"), text));
        assert_eq!(schema, read.is_ok(), "{text}: {:?}", read.err().map(|error| error.to_string()));
        schema
    };
    let answer = ["ok: {}", "exactly: {}", "retryable: x", "final: x", "late: 1h", "then: lost", "message: m"];
    let subsets = (0..1 << answer.len()).map(|bits| {
        let members = answer.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, member)| *member);
        members.collect::<Vec<_>>().join(", ")
    });
    let right: Vec<String> =
        subsets.filter(|members| judge(&with_given(&format!("{{answers: {{k: {{{members}}}}}}}")))).collect();
    let expected = [
        "ok: {}",
        "exactly: {}",
        "retryable: x",
        "final: x",
        "late: 1h",
        "late: 1h, then: lost",
        "retryable: x, message: m",
        "final: x, message: m",
    ];
    assert_eq!(right, expected);
    let kinds = [
        "stripe: a.b",
        "command: a",
        "product: created",
        "usage: {meter: m, quantity: 1}",
        "webhook: w",
        "raw: x",
        "same: evt_1",
        "redrive: evt_1",
        "advance: 7d",
        "until: 2027-01-01T00:00:00Z",
        "answers: {}",
        "claims: {}",
        "timers: true",
        "restart: true",
        "check: {}",
    ];
    let members = [
        "id: e9",
        "base: b",
        "at: +5s",
        "set: {a: 1}",
        "add: {a: 1}",
        "unset: [a]",
        "previous: {a: 1}",
        "version: v",
        "connected: acct_1",
        "livemode: true",
        "request_key: k",
        "envelope: {}",
        "'set@v': {a: 1}",
        "expect: applied",
        "effects: []",
        "reply: 1",
        "unchanged: true",
        "hold: true",
        "kill: {write: 1}",
        "budget: {fuel: 1}",
        "only: [v]",
        "payload: {}",
        "account: platform",
        "by: admin",
        "data: {}",
        "body: {}",
        "signature: bad",
        "answer: 200",
    ];
    let mut taken = 0;
    for kind in kinds {
        for member in kinds.into_iter().chain(members).filter(|member| *member != kind) {
            let data = match kind.split(':').next() {
                Some("product") if !member.starts_with("data") => ", data: {}",
                Some("webhook") if !member.starts_with("body") => ", body: {}",
                _ => "",
            };
            taken += usize::from(judge(&with_step(&format!("{{{kind}, {member}{data}}}"))));
        }
    }
    assert!(taken > 60, "{taken} pairs are taken");
}
