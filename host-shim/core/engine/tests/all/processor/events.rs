//! Helpers to create events and to print their reports.

use super::toy::{COLLECTION, Story};
use extension_contract::*;
use host_engine::processor::Report;
use host_store::Read;
use serde_json::Value;

pub const T0: Timestamp = 1_700_000_000_000;
pub const DAY: Timestamp = 24 * 3_600_000;

pub fn user(id: &str) -> Account {
    Account::User(id.to_owned())
}

/// Parses a story from JSON.
pub fn story(value: Value) -> Story {
    serde_json::from_value(value).unwrap()
}

fn event(id: &str, source: &str, kind: &str, at: Timestamp, account: Option<Account>, payload: Payload) -> Event {
    Event {
        id: id.into(),
        source: source.into(),
        kind: kind.into(),
        business: "toys".into(),
        account,
        livemode: Some(false),
        received_at: at,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        payment: None,
        payload,
    }
}

/// Creates a command of an account.
pub fn command(id: &str, account: &str, at: Timestamp, value: Value) -> Event {
    let text = serde_json::to_string(&story(value)).unwrap();
    event(id, "api", "toy.play", at, Some(user(account)), Payload::Command(text))
}

/// Creates an event of the provider, without an account.
pub fn webhook(id: &str, at: Timestamp, value: Value) -> Event {
    let body = serde_json::to_vec(&story(value)).unwrap();
    let mut event = event(id, "stripe", "thing.happened", at, None, Payload::Payment(body));
    event.payment = Some(PaymentFacts { source: "stripe".into(), time: Some(at), ..PaymentFacts::default() });
    event
}

pub fn product(id: &str, metadata: Value) -> Product {
    Product {
        id: id.into(),
        owner: user("a"),
        values: ProductValues {
            product_type: "instance".into(),
            name: id.into(),
            description: String::new(),
            active: true,
            price: None,
            interval: None,
            filters: Vec::new(),
            metadata: metadata.to_string(),
        },
        version: 0,
        deleted: false,
    }
}

/// Creates an event of the platform's products table.
pub fn product_event(
    id: &str,
    kind: &str,
    account: &str,
    at: Timestamp,
    before: Option<Product>,
    after: Option<Product>,
) -> Event {
    let payload = Payload::Product(Box::new(ProductChange { before, after }));
    event(id, "products", kind, at, Some(user(account)), payload)
}

/// Returns `id: outcome(reason)` of each report, with `later ` before later runs.
pub fn lines(reports: &[Report]) -> Vec<String> {
    let line = |report: &Report| {
        let later = if report.later { "later " } else { "" };
        let reason = report.result.reason().map(|reason| format!("({reason})")).unwrap_or_default();
        format!("{later}{}: {}{reason}", report.event_id, report.result.name())
    };
    reports.iter().map(line).collect()
}

/// Returns the ids of an account's toy records that begin with `prefix`, without the prefix.
pub fn things(store: &dyn Read, account: &str, prefix: &str) -> Vec<String> {
    let scope = host_store::Scope { business: "toys".into(), livemode: false, account: user(account) };
    let rows = host_engine::read::records(store, &scope, COLLECTION).unwrap();
    rows.iter().filter_map(|row| row.id.strip_prefix(prefix)).map(str::to_owned).collect()
}
