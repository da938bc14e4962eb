//! The number of host calls of an event does not depend on the number of the account's subscriptions, and rows of another
//! data version are refused.

use extension_contract::*;
use instance_provisioner::{DATA_VERSION, Provisioner};
use serde_json::json;

/// 2026-01-01, in milliseconds since the epoch.
const START_MS: Timestamp = 1_767_225_600_000;

/// A host with an account of several live subscriptions for one plan. It records the names of the calls.
struct Host {
    subscriptions: usize,
    /// Whether the account's facts are recorded already.
    is_known: bool,
    /// Version of the component that has written the rows.
    data_version: u32,
    calls: Vec<&'static str>,
}

fn subscription_row(number: usize, data_version: u32) -> StoredRow {
    let item = SubscriptionItem {
        id: "si_1".to_owned(),
        price_id: "price_1".to_owned(),
        quantity: 1,
        period_start: START_MS,
        period_end: START_MS + 2_678_400_000,
    };
    // One snapshot at `START_MS`: created as active.
    let history = json!({"prices": [[["price_1", 1]]], "seen": "wwQGXSXC33"});
    let metadata = json!({"customer_at": START_MS, "history": history, "first_at": START_MS, "was_ever_served": true});
    let values = SubscriptionValues {
        customer_id: "cus_1".to_owned(),
        status: SubscriptionStatus::Active,
        items: vec![item],
        cancel_at_period_end: false,
        cancel_at: None,
        trial_end: None,
        grace_end: None,
        snapshot: Snapshot { at: START_MS, rank: SnapshotRank::Created, event_id: "evt_1".to_owned() },
        metadata: metadata.to_string(),
    };
    let row = Subscription { id: format!("sub_{number:03}"), values, version: 1 };
    StoredRow { data_version, row: Row::Subscription(row) }
}

fn plan() -> Price {
    Price {
        id: "price_1".to_owned(),
        product_id: "prod_1".to_owned(),
        product_type: "plan".to_owned(),
        family: Some("plan".to_owned()),
        amount: Money { amount_minor: 500, currency: "usd".to_owned() },
        interval: Some(BillingInterval { unit: IntervalUnit::Month, count: 1 }),
        active: true,
        grants: vec![Grant { key: "instances".to_owned(), amount: 1 }],
        terms: json!({"rank": 1}).to_string(),
    }
}

impl Imports for Host {
    fn open(&mut self, _: &Placement, facts: &[String]) -> Imported<Opened> {
        self.calls.push("open");
        Ok(Opened::Here(Box::new(Here {
            account: Account::User("A".to_owned()),
            rows: (0..self.subscriptions).map(|number| subscription_row(number, self.data_version)).collect(),
            catalog: vec![CatalogRow::Price(plan())],
            facts: vec![false; facts.len()],
        })))
    }

    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        self.calls.push("load");
        Ok(vec![None; keys.len()])
    }

    fn more(&mut self, _: &Selection, _: u32) -> Imported<Vec<StoredRow>> {
        self.calls.push("more");
        Ok(Vec::new())
    }

    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>> {
        self.calls.push("known");
        assert!((1..=BULK_MAX).contains(&facts.len()), "{} facts in one call", facts.len());
        Ok(vec![self.is_known; facts.len()])
    }

    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>> {
        self.calls.push("begun");
        Ok(vec![false; effects.len()])
    }

    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        self.calls.push("claims_take");
        Ok(vec![ClaimState::Mine; keys.len()])
    }

    fn claims_mine(&mut self, _: &str) -> Imported<Vec<String>> {
        self.calls.push("claims_mine");
        Ok(Vec::new())
    }

    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        self.calls.push("catalog_read");
        Ok(vec![None; keys.len()])
    }

    fn catalog_find(&mut self, _: &CatalogQuery, _: &Page) -> Imported<Vec<Product>> {
        self.calls.push("catalog_find");
        Ok(Vec::new())
    }

    fn log_write(&mut self, _: LogLevel, _: &str, _: &[(String, String)]) {}
}

/// A renewal of the account's first subscription.
fn event() -> Event {
    let at = START_MS / 1_000 + 5;
    let item = json!({"id": "si_1", "price": {"id": "price_1"}, "quantity": 1, "current_period_start": at,
        "current_period_end": at + 2_678_400});
    let object = json!({"id": "sub_000", "object": "subscription", "customer": "cus_1", "status": "active",
        "items": {"object": "list", "data": [item], "has_more": false}});
    let body = json!({"id": "evt_2", "object": "event", "type": "customer.subscription.updated", "created": at,
        "data": {"object": object}});
    Event {
        id: "evt_2".to_owned(),
        source: "stripe".to_owned(),
        kind: "customer.subscription.updated".to_owned(),
        business: "test".to_owned(),
        account: None,
        livemode: Some(false),
        received_at: 1_000 * at,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        payment: Some(PaymentFacts {
            source: "stripe".to_owned(),
            time: Some(1_000 * at),
            api_version: Some("2025-03-31.basil".to_owned()),
            matched_secret: None,
            connected_account: None,
            request_key: None,
            snapshot_event: None,
        }),
        payload: Payload::Payment(body.to_string().into_bytes()),
    }
}

/// Decides the event with this number of subscriptions. Returns the names of the host calls and the decision.
fn decided(subscriptions: usize, is_known: bool) -> (Vec<&'static str>, Decision) {
    let mut host = Host { subscriptions, is_known, data_version: DATA_VERSION, calls: Vec::new() };
    let decision = Provisioner.handle(&mut host, &event()).expect("a decision");
    assert_eq!(decision.outcome, Outcome::Applied);
    (host.calls, decision)
}

#[test]
fn an_event_makes_as_many_host_calls_with_many_subscriptions_as_with_two() {
    let (calls, _) = decided(2, true);
    for subscriptions in [64, 256] {
        assert_eq!(decided(subscriptions, true).0, calls, "{subscriptions} subscriptions");
    }
}

#[test]
fn operators_get_one_mail_about_each_further_subscription_for_a_plan() {
    let (calls, decision) = decided(64, false);
    let keys = decision.effects.iter().map(|effect| effect.key.as_str());
    let mails: Vec<&str> = keys.filter(|key| key.starts_with("mail:")).collect();
    let expected: Vec<String> = (1..64).map(|number| format!("mail:plan_paid_twice:admin:sub_{number:03}")).collect();
    assert_eq!(mails, expected);
    assert_eq!(calls, decided(2, true).0);
}

#[test]
fn a_row_of_another_data_version_is_refused_by_name() {
    for data_version in [DATA_VERSION - 1, DATA_VERSION + 1] {
        let mut host = Host { subscriptions: 1, is_known: true, data_version, calls: Vec::new() };
        let refused = Provisioner.handle(&mut host, &event());
        let message = format!("row subscription:sub_000 has data version {data_version}, expected {DATA_VERSION}");
        assert!(matches!(&refused, Err(Failure::Internal(text)) if *text == message), "{refused:?}");
    }
}
