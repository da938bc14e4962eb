//! Measurements of instances: storage, shared quotas, and use above the limit of a smaller plan.

use extension_contract::{Account, Actor, Event, Payload, Question, Usage};
use host_engine::processor::Questions;
use host_intake::Decoded;
use host_replay::rig::{Delivered, Rig, RigSetup, StoreKind};
use host_replay::state::account_rows;
use host_scenario::business::BusinessFolder;
use serde_json::{Value, json};

const START_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;
const HOBBY: &str = "price_xyz789";
const PROFESSIONAL: &str = "price_professional_monthly";

/// A host with one customer.
struct Story {
    host: Rig,
    now: i64,
    events: u32,
}

impl Story {
    fn begin() -> Story {
        let setup = RigSetup {
            business: BusinessFolder::load(&test_support::in_business("solobase")).expect("the business"),
            livemode: false,
            config: Vec::new(),
            runners: host_replay::native::runners(),
            store: StoreKind::Memory,
            clock: START_MS,
            live: None,
        };
        Story { host: Rig::start(setup).expect("a host"), now: START_MS, events: 0 }
    }

    fn account() -> Account {
        Account::User("u1".to_owned())
    }

    fn deliver(&mut self, body: &Value) -> Delivered {
        let bytes = body.to_string().into_bytes();
        let decoded = host_intake::raw::read(bytes, "solobase", self.now).expect("an event");
        self.host.deliver(decoded, self.now).expect("an outcome")
    }

    /// Delivers a snapshot of the subscription with this price and period.
    fn subscribe(&mut self, price: &str, period_start_ms: i64) {
        self.events += 1;
        let start = period_start_ms / 1000;
        let kind = if self.events == 1 { "created" } else { "updated" };
        let item = json!({"id": "si_1", "price": {"id": price}, "quantity": 1,
            "current_period_start": start, "current_period_end": start + 31 * 86_400});
        let delivered = self.deliver(&json!({
            "id": format!("evt_{}", self.events), "object": "event", "type": format!("customer.subscription.{kind}"),
            "api_version": "2025-03-31.basil", "created": self.now / 1000, "livemode": false,
            "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_A", "status": "active",
                "metadata": {"user_id": "u1"}, "items": {"object": "list", "data": [item], "has_more": false}}},
        }));
        assert_eq!(delivered.first.result.name(), "applied", "{:?}", delivered.first);
    }

    fn command(&mut self, kind: &str, payload: &Value) -> &'static str {
        self.events += 1;
        let delivered = self.deliver(&json!({
            "id": format!("cmd_{}", self.events), "command": kind, "account": "user:u1",
            "actor": {"kind": "user", "id": "u1", "roles": []}, "payload": payload,
        }));
        delivered.first.result.name()
    }

    fn create(&mut self, subdomain: &str) {
        let payload = json!({"name": subdomain, "metadata": {"subdomain": subdomain}});
        assert_eq!(self.command("instance.create", &payload), "applied");
    }

    /// Delivers an invoice for one price of the subscription.
    fn invoice(&mut self, id: &str, status: &str, reason: &str, price: &str) {
        self.events += 1;
        let paid = if status == "paid" { 500 } else { 0 };
        let line =
            json!({"id": "il_1", "amount": 500, "currency": "usd", "pricing": {"price_details": {"price": price}}});
        let delivered = self.deliver(&json!({
            "id": format!("evt_{}", self.events), "object": "event", "type": "invoice.updated",
            "api_version": "2025-03-31.basil", "created": self.now / 1000, "livemode": false,
            "data": {"object": {"id": id, "object": "invoice", "customer": "cus_A", "status": status, "currency": "usd",
                "billing_reason": reason, "total": 500, "amount_due": 500, "amount_paid": paid,
                "parent": {"subscription_details": {"subscription": "sub_1"}},
                "lines": {"object": "list", "data": [line], "has_more": false}}},
        }));
        assert_eq!(delivered.first.result.name(), "applied", "{:?}", delivered.first);
    }

    /// Delivers a measurement in the monitor's format, with an id. Returns its outcome.
    fn measure(&mut self, id: &str, meter: &str, instance: &str, quantity: i64) -> &'static str {
        self.measure_at(id, meter, instance, quantity, self.now)
    }

    /// Delivers a measurement with the time `at`. Returns its outcome.
    fn measure_at(&mut self, id: &str, meter: &str, instance: &str, quantity: i64, at: i64) -> &'static str {
        self.events += 1;
        let usage = Usage {
            id: id.to_owned(),
            meter: meter.to_owned(),
            quantity,
            at,
            attributes: vec![("instance".to_owned(), instance.to_owned())],
        };
        let event = Event {
            id: format!("usage_{}", self.events),
            source: "api".to_owned(),
            kind: "usage".to_owned(),
            business: "solobase".to_owned(),
            account: Some(Story::account()),
            livemode: Some(false),
            received_at: self.now,
            attempt: 1,
            actor: Actor::system(),
            reply_to: None,
            payment: None,
            payload: Payload::Usage(vec![usage]),
        };
        let decoded = Decoded::from(event);
        self.host.deliver(decoded, self.now).expect("an outcome").first.result.name()
    }

    fn pass(&mut self, ms: i64) {
        self.now += ms;
        self.host.advance_to(self.now).expect("time passes");
    }

    fn metadata(&self, instance: &str) -> Value {
        let rows = account_rows(self.host.processor(), &Story::account()).expect("rows");
        rows.sections["products"][instance]["metadata"].clone()
    }

    /// Returns the allowed amount, the used amount, and the time at which the counter restarts.
    fn entitlement(&mut self, key: &str) -> (i64, i64, Option<i64>) {
        let question = Question { account: Story::account(), actor: Actor::system(), at: self.now };
        let found = self.host.processor_mut().ask_entitlements(&question).expect("entitlements");
        let row = found.into_iter().find(|row| row.key == key).expect("the entitlement");
        (row.allowed, row.used, row.resets_at)
    }

    /// Returns the last settings of a resource.
    fn settings(&self, id: &str) -> Value {
        let all = self.host.scripted().inventory();
        let found = all.into_iter().find(|resource| resource.id.id == id).expect("the resource");
        Value::Object(found.settings)
    }
}

// covers: SOL-30
#[test]
fn usage_is_stored_with_the_instance_and_each_measurement_counts_once() {
    let mut story = Story::begin();
    story.subscribe(HOBBY, START_MS);
    story.create("myapp");
    assert_eq!(story.measure("m1", "storage_gb", "inst_myapp", 1), "applied");
    assert_eq!(story.measure("m2", "database_gb", "inst_myapp", 1), "applied");
    assert_eq!(story.measure("m3", "api_requests", "inst_myapp", 700), "applied");
    assert_eq!(story.measure("m4", "api_requests", "inst_myapp", 50), "applied");
    // The monitor sends the last measurement again, in another event.
    assert_eq!(story.measure("m4", "api_requests", "inst_myapp", 50), "duplicate");
    assert_eq!(story.metadata("inst_myapp")["usage"], json!({"storage_gb": 1, "database_gb": 1, "api_requests": 750}));
    assert_eq!(story.entitlement("storage_gb"), (2, 1, None));
    assert_eq!(story.measure("m5", "api_requests", "inst_other", 1), "rejected");
    assert_eq!(story.measure("m6", "cpu_seconds", "inst_myapp", 1), "rejected");
}

//
#[test]
fn the_request_counter_restarts_with_the_billing_period_of_the_subscription() {
    let mut story = Story::begin();
    story.subscribe(HOBBY, START_MS);
    story.create("myapp");
    story.measure("m1", "api_requests", "inst_myapp", 900);
    story.pass(31 * DAY_MS);
    story.subscribe(HOBBY, START_MS + 31 * DAY_MS);
    story.measure("m2", "api_requests", "inst_myapp", 20);
    story.measure("m3", "storage_gb", "inst_myapp", 2);
    assert_eq!(story.metadata("inst_myapp")["usage"]["api_requests"], 20);
    assert_eq!(story.entitlement("api_requests_monthly"), (1_000_000, 20, Some(START_MS + 62 * DAY_MS)));
}

#[test]
fn usage_that_arrives_before_its_renewal_counts_in_the_new_period() {
    let mut story = Story::begin();
    story.subscribe(HOBBY, START_MS);
    story.create("myapp");
    story.measure("m1", "api_requests", "inst_myapp", 900);
    story.pass(31 * DAY_MS);
    story.measure("m2", "api_requests", "inst_myapp", 7);
    story.subscribe(HOBBY, START_MS + 31 * DAY_MS);
    story.measure("m3", "api_requests", "inst_myapp", 20);
    let usage = &story.metadata("inst_myapp")["usage"]["api_requests"];
    assert_eq!(*usage, 27, "measurements before the renewal event count");
}

#[test]
fn the_later_of_two_measurements_within_a_second_counts() {
    let mut story = Story::begin();
    story.subscribe(HOBBY, START_MS);
    story.create("myapp");
    story.pass(1_000);
    story.measure_at("m1", "storage_gb", "inst_myapp", 2, START_MS + 500);
    story.measure_at("m2", "storage_gb", "inst_myapp", 1, START_MS);
    assert_eq!(story.metadata("inst_myapp")["usage"]["storage_gb"], 2, "the later measurement counts");
}

#[test]
fn the_request_counter_does_not_restart_while_an_upgrade_is_unpaid() {
    let mut story = Story::begin();
    story.subscribe(HOBBY, START_MS);
    story.invoice("in_1", "paid", "subscription_create", HOBBY);
    story.create("myapp");
    story.measure("m1", "api_requests", "inst_myapp", 900);
    story.pass(DAY_MS);
    story.subscribe(PROFESSIONAL, START_MS);
    story.invoice("in_2", "open", "subscription_update", PROFESSIONAL);
    story.measure("m2", "api_requests", "inst_myapp", 5);
    assert_eq!(story.metadata("inst_myapp")["usage"]["api_requests"], 905, "the counter goes on");
}

//
#[test]
fn all_instances_of_a_subscription_share_its_quotas() {
    let mut story = Story::begin();
    story.subscribe(PROFESSIONAL, START_MS);
    story.create("app-a");
    story.create("app-b");
    story.measure("a1", "storage_gb", "inst_app-a", 20);
    story.measure("b1", "storage_gb", "inst_app-b", 15);
    story.measure("a2", "api_requests", "inst_app-a", 300);
    story.measure("b2", "api_requests", "inst_app-b", 400);
    let (allowed, used, _) = story.entitlement("storage_gb");
    assert_eq!((allowed, used), (50, 35));
    let (allowed, used, _) = story.entitlement("api_requests_monthly");
    assert_eq!((allowed, used), (100_000_000, 700));
}

//
#[test]
fn above_the_storage_limit_writes_are_refused_and_after_14_days_the_instance_is_suspended() {
    let mut story = Story::begin();
    story.subscribe(PROFESSIONAL, START_MS);
    story.create("myapp");
    story.measure("m1", "storage_gb", "inst_myapp", 30);
    assert_eq!(story.settings("inst_myapp/bucket")["writes"], "allowed");
    story.pass(DAY_MS);
    story.subscribe(HOBBY, START_MS);
    assert_eq!(story.settings("inst_myapp/bucket")["writes"], "refused");
    assert_eq!(story.settings("inst_myapp/database")["writes"], "allowed", "its own quota is kept");
    story.pass(14 * DAY_MS - 1);
    assert_eq!(story.metadata("inst_myapp")["status"], "running");
    story.pass(1);
    assert_eq!(story.metadata("inst_myapp")["status"], "suspended");
    assert_eq!(story.metadata("inst_myapp")["suspend_reason"], "over_limit");
    // Nothing is deleted, even after another year.
    story.pass(365 * DAY_MS);
    assert_eq!(story.metadata("inst_myapp")["status"], "suspended");
    assert_eq!(story.settings("inst_myapp/bucket")["name"], "solobase-myapp");
}

//
#[test]
fn writes_are_accepted_again_below_the_limit() {
    let mut story = Story::begin();
    story.subscribe(HOBBY, START_MS);
    story.create("myapp");
    story.pass(100 * DAY_MS);
    story.measure("m1", "storage_gb", "inst_myapp", 3);
    assert_eq!(story.settings("inst_myapp/bucket")["writes"], "refused");
    // The 14 days begin with the measurement, not with the plan.
    story.pass(13 * DAY_MS);
    assert_eq!(story.metadata("inst_myapp")["status"], "running");
    story.measure("m2", "storage_gb", "inst_myapp", 2);
    assert_eq!(story.settings("inst_myapp/bucket")["writes"], "allowed");
    story.pass(14 * DAY_MS);
    assert_eq!(story.metadata("inst_myapp")["status"], "running");
}
