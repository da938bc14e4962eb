//! A valid decision, and variants of it with one error each.

use crate::bindings::exports::solobase::products::events::{
    ClaimChange, ClaimRelease, ClaimTake, Decision, DeferReason, IgnoreReason, Outcome, Reply,
};
use crate::bindings::solobase::products::effects::{Effect, RetryPolicy};
use crate::bindings::solobase::products::rows::{
    Change, Price, ProductValues, RecordKey, Reference, Row, RowKey, StoredRow, Write,
};
use crate::bindings::solobase::products::types::{Account, Failure, Money, Refusal};

/// Size in bytes of a value that is just too large.
const TOO_LARGE: usize = 256 << 10;

pub fn of(outcome: Outcome) -> Decision {
    Decision {
        outcome,
        reply: None,
        changes: Vec::new(),
        facts: Vec::new(),
        claims: Vec::new(),
        effects: Vec::new(),
        cancel: Vec::new(),
    }
}

/// Returns the version of the record that each decision writes, or 0 if the record does not exist.
pub fn version_of(row: &Option<StoredRow>) -> u64 {
    match row {
        Some(StoredRow { row: Row::Record(record), .. }) => record.version,
        _ => 0,
    }
}

/// Returns a valid decision with a row, a fact, a claim and an effect.
pub fn good(event_id: &str, version: u64) -> Result<Decision, Failure> {
    Ok(Decision {
        changes: vec![Change { expected: version, ..record("notes", "n", &format!("{{\"by\":\"{event_id}\"}}")) }],
        facts: vec![format!("seen:{event_id}")],
        claims: vec![take(&format!("name:{event_id}"))],
        effects: vec![effect("mail.send", &format!("mail:{event_id}"))],
        ..of(Outcome::Applied)
    })
}

fn change(key: RowKey, write: Write) -> Change {
    Change { key, expected: 0, write, live: true, references: Vec::new(), fingerprint: None }
}

fn record(collection: &str, id: &str, value: &str) -> Change {
    let key = RecordKey { collection: collection.to_owned(), id: id.to_owned() };
    change(RowKey::Record(key), Write::Record(value.to_owned()))
}

fn product(id: &str, metadata: &str) -> Change {
    let values = ProductValues {
        product_type: "t".to_owned(),
        name: String::new(),
        description: String::new(),
        active: true,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata: metadata.to_owned(),
    };
    change(RowKey::Product(id.to_owned()), Write::Product(values))
}

fn price(key: &str, id: &str) -> Change {
    let price = Price {
        id: id.to_owned(),
        product_id: "plan".to_owned(),
        product_type: "t".to_owned(),
        family: None,
        amount: Money { amount_minor: 100, currency: "usd".to_owned() },
        interval: None,
        active: true,
        grants: Vec::new(),
        terms: "{}".to_owned(),
    };
    change(RowKey::Price(key.to_owned()), Write::Price(price))
}

fn take(key: &str) -> ClaimChange {
    ClaimChange::Take(ClaimTake { key: key.to_owned(), until: None })
}

fn effect(kind: &str, key: &str) -> Effect {
    Effect {
        kind: kind.to_owned(),
        to: None,
        key: key.to_owned(),
        generation: 2,
        payload: "{}".to_owned(),
        context: "{}".to_owned(),
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    }
}

/// Returns the decision with the error given by the event's kind.
pub fn spoil(kind: &str, mut decision: Decision) -> Result<Decision, Failure> {
    let answer = |json: String| Some(Reply::Answer(json));
    let large = || format!("{{\"a\":\"{}\"}}", "x".repeat(TOO_LARGE));
    let mut changes: Vec<Change> = Vec::new();
    let mut effects: Vec<Effect> = Vec::new();
    match kind {
        "hold" => decision.claims.push(take("name:held")),
        "block" => {
            let release = ClaimRelease { key: "name:blocked".to_owned(), blocked_until: Some(i64::MAX) };
            decision.claims.extend([take("name:blocked"), ClaimChange::Release(release)]);
        }
        "catalog" => changes.extend([product("plan", "{}"), price("price_1", "price_1")]),

        "undeclared-collection" => changes.push(record("others", "n", "{}")),
        "other-kind" => changes.push(change(RowKey::Purchase("p".to_owned()), Write::Record("{}".to_owned()))),
        "purchase-removed" => changes.push(change(RowKey::Purchase("p".to_owned()), Write::Remove)),
        "product-not-there" => changes.push(change(RowKey::Product("p".to_owned()), Write::Remove)),
        "product-of-catalog" => changes.push(product("plan", "{}")),
        "product-no-json" => changes.push(product("p", "nonsense")),
        "key-twice" => changes.extend([record("notes", "m", "{}"), record("notes", "m", "{}")]),
        "empty-id" => changes.push(record("notes", "", "{}")),
        "long-id" => changes.push(record("notes", &"m".repeat(256), "{}")),
        "large-record" => changes.push(record("notes", "m", &large())),
        "broken-record" => changes.push(record("notes", "m", "{")),
        "record-is-a-list" => changes.push(record("notes", "m", "[]")),
        "endless-record" => changes.push(record("notes", "m", &"[".repeat(100_000))),
        "wrong-version" => changes.push(Change { expected: 7, ..record("notes", "m", "{}") }),
        "price" => changes.push(price("price_1", "price_1")),
        "price-of-another-key" => changes.push(price("price_2", "price_3")),
        "many-references" => {
            let references = vec![Reference::Name("x".to_owned()); 33];
            changes.push(Change { references, ..record("notes", "m", "{}") });
        }
        "empty-reference" => {
            let references = vec![Reference::Row(RowKey::Product(String::new()))];
            changes.push(Change { references, ..record("notes", "m", "{}") });
        }
        "empty-fingerprint" => {
            changes.push(Change { fingerprint: Some(String::new()), ..record("notes", "m", "{}") });
        }

        "empty-fact" => decision.facts.push(String::new()),
        "long-fact" => decision.facts.push("f".repeat(256)),
        "empty-claim" => decision.claims.push(take("")),
        "claim-of-another" => decision.claims.push(take("name:held")),
        "claim-blocked" => decision.claims.push(take("name:blocked")),
        "claim-of-rejected" => decision.outcome = Outcome::Rejected(Refusal::Unclaimed),
        "claim-of-deferred" => decision.outcome = Outcome::Deferred(DeferReason::Fact("never".to_owned())),

        "unknown-effect" => effects.push(effect("no.such", "k")),
        "empty-effect-key" => effects.push(effect("mail.send", "")),
        "empty-cancel" => decision.cancel.push(String::new()),
        "broken-payload" => effects.push(Effect { payload: "{\"a\":".to_owned(), ..effect("mail.send", "k") }),
        "broken-context" => effects.push(Effect { context: "nonsense".to_owned(), ..effect("mail.send", "k") }),
        "large-payload" => effects.push(Effect { payload: large(), ..effect("mail.send", "k") }),
        "large-context" => effects.push(Effect { context: large(), ..effect("mail.send", "k") }),
        "timer-without-time" => effects.push(effect("timer.at", "k")),
        "message-to-nobody" => effects.push(effect("account.send", "k")),
        "mail-to-an-account" => effects.push(Effect { to: Some(Account::Platform), ..effect("mail.send", "k") }),
        "many-retries" => {
            let retry = Some(RetryPolicy { delays_ms: vec![1; 21] });
            effects.push(Effect { retry, ..effect("mail.send", "k") });
        }
        "other-contents" => {
            effects.extend([effect("mail.send", "k"), Effect { payload: "[]".to_owned(), ..effect("mail.send", "k") }]);
        }
        "older-generation" => {
            effects.extend([effect("mail.send", "k"), Effect { generation: 1, ..effect("mail.send", "k") }]);
        }

        "long-reply" => decision.reply = answer(format!("\"{}\"", "x".repeat(TOO_LARGE))),
        "huge-reply" => decision.reply = answer("x".repeat(9 << 20)),
        "broken-reply" => decision.reply = answer("{\"a\":".to_owned()),
        "empty-duplicate" => decision.outcome = Outcome::Duplicate(String::new()),
        "deferred-for-nothing" => {
            decision.outcome = Outcome::Deferred(DeferReason::Claim(Vec::new()));
            decision.claims.clear();
        }
        _ => decision = of(Outcome::Ignored(IgnoreReason::UnhandledKind)),
    }
    decision.changes.append(&mut changes);
    decision.effects.append(&mut effects);
    Ok(decision)
}
