//! Deliveries with a clock and endpoints of the test's own: order, retries over three days, disabling, recovery and resending.

mod endpoints;
mod heads;
mod hosts;
mod makers;

use counterparts::Postgres;
use extension_contract::{Account, Timestamp};
use host_api::webhooks::{
    ATTEMPTS_MAX, Added, DeliveryState, Endpoint, FAILING_MS, Failure, Maker, Notices, OLD_SECRETS_MAX, Reason,
    Rotation, Seen, Sender, Sent, Transport, Webhooks, WebhooksError, new_secret, signature,
};
use host_provider_api::{MadeSecret, Secret, SecretError, Secrets};
use host_store_postgres::small::Place;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

const HOUR: i64 = 3_600_000;

/// Secrets whose reference is `secret:` and the secret.
struct Plain;

impl Secrets for Plain {
    fn resolve(&self, _: &str, reference: &str) -> Result<Secret, SecretError> {
        Ok(Secret::new(reference.trim_start_matches("secret:").to_owned()))
    }
    fn make(&self, _: &str, name: &str, _: usize) -> Result<MadeSecret, SecretError> {
        Err(SecretError::Unknown(name.to_owned()))
    }
    fn forget(&self, _: &str, _: &str) -> Result<(), SecretError> {
        Ok(())
    }
}

/// What an endpoint got: its address, the headers and the body.
type Got = (String, BTreeMap<String, String>, Value);

/// Endpoints that answer with a status by their address, and one that answers only when the test lets it.
#[derive(Default)]
struct Endpoints {
    statuses: Mutex<BTreeMap<String, u16>>,
    got: Mutex<Vec<Got>>,
    held: Mutex<bool>,
    /// Number of messages to slow ones, whether answered or not.
    asked: AtomicUsize,
    released: Condvar,
}

impl Transport for Endpoints {
    fn send(&self, url: &str, headers: &[(&str, String)], body: &str) -> Sent {
        if url.contains("slow") {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let held = self.held.lock().expect("no panic");
            drop(self.released.wait_while(held, |held| *held).expect("no panic"));
        }
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let body = serde_json::from_str(body).expect("JSON");
        self.got.lock().expect("no panic").push((url.to_owned(), headers, body));
        let status = self.statuses.lock().expect("no panic").get(url).copied().unwrap_or(204);
        match status {
            0 => Sent { status: None, error: Some(Failure::NotReached) },
            status => Sent { status: Some(status), error: None },
        }
    }
}

#[derive(Default)]
struct World {
    now: AtomicI64,
    disabled: Mutex<Vec<(String, Reason)>>,
    /// The makers who may no longer have an endpoint.
    gone: Mutex<BTreeSet<String>>,
}

impl Notices for World {
    fn now(&self) -> Timestamp {
        self.now.load(Ordering::SeqCst)
    }
    fn stands(&self, endpoint: &Endpoint) -> Result<bool, WebhooksError> {
        let gone = self.gone.lock().expect("no panic");
        Ok(endpoint.maker.as_ref().is_none_or(|maker| !gone.contains(&maker.id)))
    }
    fn disabled(&self, endpoint: &Endpoint, reason: Reason) {
        self.disabled.lock().expect("no panic").push((endpoint.id.clone(), reason));
    }
}

/// Returns an empty place in PostgreSQL.
fn in_postgresql() -> Place {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let settings = Postgres::shared().shared_database("webhooks").parse().expect("an address");
    Place::Postgres { settings, owner: NEXT.fetch_add(1, Ordering::Relaxed).to_string() }
}

/// Opens webhooks in each of the two places.
fn benches() -> impl Iterator<Item = Bench> {
    [Place::Memory, in_postgresql()].into_iter().map(|place| {
        println!("in {place}");
        Bench::new(Webhooks::open(place).expect("webhooks"))
    })
}

struct Bench {
    webhooks: Arc<Webhooks>,
    endpoints: Arc<Endpoints>,
    world: Arc<World>,
    sender: Sender,
    ids: AtomicUsize,
}

impl Bench {
    fn new(webhooks: Webhooks) -> Bench {
        let webhooks = Arc::new(webhooks);
        let (endpoints, world) = (Arc::new(Endpoints::default()), Arc::new(World::default()));
        let secrets = (Arc::new(Plain) as Arc<dyn Secrets>, "shop/test/webhooks".to_owned());
        let sender = Sender::new(webhooks.clone(), secrets, endpoints.clone(), world.clone());
        Bench { webhooks, endpoints, world, sender, ids: AtomicUsize::new(1) }
    }

    fn add(&self, id: &str, account: Option<&str>, types: &[&str]) -> Endpoint {
        let endpoint = self.endpoint(id, account, types);
        assert_eq!(self.webhooks.add_endpoint(&endpoint).expect("written"), Added::Done);
        endpoint
    }

    /// Returns an endpoint of an operator, or of the account's customer.
    fn endpoint(&self, id: &str, account: Option<&str>, types: &[&str]) -> Endpoint {
        Endpoint {
            id: id.to_owned(),
            account: account.map(|name| Account::User(name.to_owned())),
            url: format!("https://{id}.example/hooks"),
            types: types.iter().map(|name| (*name).to_owned()).collect(),
            description: String::new(),
            secret: format!("secret:{}", new_secret().expect("random")),
            old_secrets: Vec::new(),
            maker: Some(maker(account.unwrap_or("root"), account.is_some())),
            disabled_at: None,
            disabled_reason: None,
            failing_since: None,
            created_at: 0,
        }
    }

    fn answers(&self, id: &str, status: u16) {
        self.endpoints.statuses.lock().expect("no panic").insert(format!("https://{id}.example/hooks"), status);
    }

    /// A subscription of an account has this status now.
    fn subscription(&self, account: &str, status: &str) {
        self.subscriptions(account, vec![("sub_1".to_owned(), json!({"status": status}))]);
    }

    /// An account has these subscriptions now.
    fn subscriptions(&self, account: &str, rows: Vec<(String, Value)>) {
        let seen = Seen { lists: BTreeMap::from([("subscriptions", rows)]), ..Seen::default() };
        let id = || format!("msg_{}", self.ids.fetch_add(1, Ordering::SeqCst));
        self.webhooks.take(&Account::User(account.to_owned()), &seen, true, self.world.now(), id).expect("written");
    }

    fn settle(&self) {
        self.sender.begin().expect("read");
        while self.sender.is_busy() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn advance(&self, ms: i64) {
        self.world.now.fetch_add(ms, Ordering::SeqCst);
        self.settle();
    }

    /// Returns what an endpoint got: the account and the type of each message.
    fn got(&self, id: &str) -> Vec<(String, String)> {
        let got = self.endpoints.got.lock().expect("no panic");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let of = got.iter().filter(|(url, ..)| url.contains(&format!("//{id}.")));
        of.map(|(_, _, body)| (text(&body["account"]), text(&body["type"]))).collect()
    }
}

fn maker(id: &str, is_customer: bool) -> Maker {
    Maker { id: id.to_owned(), is_customer }
}

fn told(account: &str, event_type: &str) -> (String, String) {
    (format!("user:{account}"), event_type.to_owned())
}

#[test]
fn an_endpoint_gets_the_events_of_its_account_and_types_signed() {
    for bench in benches() {
        let all = bench.add("all", None, &[]);
        bench.add("ada", Some("ada"), &[]);
        bench.add("ended", None, &["subscription.ended"]);
        bench.subscription("ada", "active");
        bench.subscription("bob", "active");
        bench.settle();
        let created = "subscription.created";
        assert_eq!(bench.got("all"), [told("ada", created), told("bob", created)]);
        assert_eq!(bench.got("ada"), [told("ada", created)]);
        assert_eq!(bench.got("ended"), []);
        bench.subscription("ada", "canceled");
        bench.settle();
        assert_eq!(bench.got("ended"), [told("ada", "subscription.ended")]);
        let got = bench.endpoints.got.lock().expect("no panic");
        let (_, headers, body) = got.iter().find(|(url, ..)| url.contains("//all.")).expect("a message");
        let (id, timestamp) = (&headers["webhook-id"], headers["webhook-timestamp"].parse().expect("seconds"));
        let secret = all.secret.trim_start_matches("secret:");
        assert_eq!(headers["webhook-signature"], signature(secret, id, timestamp, &body.to_string()).expect("signed"));
    }
}

#[test]
fn messages_of_an_account_wait_for_each_other_and_those_of_others_do_not() {
    for bench in benches() {
        bench.add("shop", None, &[]);
        bench.answers("shop", 500);
        bench.subscription("ada", "active");
        bench.settle();
        bench.subscription("ada", "past_due");
        bench.answers("shop", 204);
        bench.subscription("bob", "active");
        bench.settle();
        // Ada's second message waits for her first, which is tried again after 5 s; Bob's does not.
        assert_eq!(bench.got("shop"), [told("ada", "subscription.created"), told("bob", "subscription.created")]);
        bench.advance(5_000);
        let all = bench.got("shop");
        assert_eq!(all[2..], [told("ada", "subscription.created"), told("ada", "subscription.updated")]);
    }
}

#[test]
fn a_slow_endpoint_holds_up_no_other() {
    for bench in benches() {
        bench.add("slow", None, &[]);
        bench.add("quick", None, &[]);
        *bench.endpoints.held.lock().expect("no panic") = true;
        bench.subscription("ada", "active");
        bench.sender.begin().expect("read");
        while bench.got("quick").is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!((bench.got("slow"), bench.sender.is_busy()), (Vec::new(), true));
        *bench.endpoints.held.lock().expect("no panic") = false;
        bench.endpoints.released.notify_all();
        bench.settle();
        assert_eq!(bench.got("slow").len(), 1);
    }
}

#[test]
fn an_endpoint_that_fails_for_three_days_is_disabled_and_recovers() {
    for bench in benches() {
        let shop = bench.add("shop", Some("ada"), &["subscription.created", "subscription.updated"]);
        bench.answers("shop", 0);
        bench.subscription("ada", "active");
        bench.settle();
        let mut attempts = bench.got("shop").len();
        let mut hours = 0;
        while bench.world.disabled.lock().expect("no panic").is_empty() {
            bench.advance(HOUR);
            hours += 1;
            assert!(hours < 100, "it is never disabled");
            attempts = bench.got("shop").len();
        }
        assert!((FAILING_MS / HOUR..=80).contains(&hours), "{hours} hours");
        assert_eq!(attempts, ATTEMPTS_MAX as usize, "every attempt was made");
        bench.subscription("ada", "past_due");
        bench.advance(HOUR);
        assert_eq!(bench.got("shop").len(), attempts, "a disabled endpoint gets nothing");
        let log = bench.webhooks.log("shop", Some(DeliveryState::Failed), None, 10).expect("read");
        let states: Vec<(&str, usize)> = log.iter().map(|row| (row.event_type.as_str(), row.attempts.len())).collect();
        assert_eq!(states, [("subscription.updated", 0), ("subscription.created", attempts)]);
        assert_eq!(log[1].attempts[0].error.as_deref(), Some("not-reached"));
        // A person enables it again: it learns what it has missed, and gets it when it wants it.
        bench.answers("shop", 200);
        let disabled = bench.webhooks.endpoint("shop").expect("read").expect("the endpoint");
        assert_eq!(disabled.disabled_reason, Some(Reason::Failing));
        let enable = |message: &str| {
            bench.webhooks.enable(&disabled, &maker("zoe", true), message, bench.world.now()).expect("written")
        };
        assert!(enable("msg_recovered"));
        assert!(!enable("msg_again"), "it is enabled");
        let enabled = bench.webhooks.endpoint("shop").expect("read").expect("the endpoint");
        assert_eq!((enabled.maker, enabled.disabled_reason), (Some(maker("ada", true)), None), "its maker stays");
        bench.settle();
        let got = bench.got("shop");
        assert_eq!(got[attempts..], [told("ada", "endpoint.recovered")], "whatever types it wants");
        let last = bench.endpoints.got.lock().expect("no panic").last().expect("a message").2.clone();
        assert_eq!((&last["data"]["missed"], &last["data"]["endpoint"]), (&json!(2), &json!(shop.id)));
        assert_eq!(bench.webhooks.resend_failed("shop", 0, bench.world.now()).expect("written"), 2);
        bench.settle();
        let updates = [told("ada", "subscription.created"), told("ada", "subscription.updated")];
        assert_eq!(bench.got("shop")[attempts + 1..], updates, "in order");
        assert_eq!(bench.webhooks.log("shop", Some(DeliveryState::Failed), None, 10).expect("read"), []);
    }
}

#[test]
fn an_endpoint_that_is_gone_is_disabled_at_once_and_one_message_is_sent_again() {
    for bench in benches() {
        bench.add("shop", None, &[]);
        bench.subscription("ada", "active");
        bench.settle();
        assert!(bench.webhooks.resend("shop", "msg_1", bench.world.now()).expect("written"));
        assert!(!bench.webhooks.resend("shop", "msg_9", bench.world.now()).expect("written"));
        bench.settle();
        assert_eq!(bench.got("shop").len(), 2, "it was sent again although it had arrived");
        let [row] = <[_; 1]>::try_from(bench.webhooks.log("shop", None, None, 10).expect("read")).expect("one message");
        assert_eq!((row.state, row.attempts.len()), (DeliveryState::Delivered, 2), "the log keeps both attempts");
        bench.answers("shop", 410);
        bench.subscription("ada", "past_due");
        bench.settle();
        assert_eq!(*bench.world.disabled.lock().expect("no panic"), [("shop".to_owned(), Reason::Gone)]);
    }
}

#[test]
fn each_secret_signs_for_a_day_after_its_rotation() {
    for bench in benches() {
        let shop = bench.add("shop", None, &[]);
        let [second, third] = [(); 2].map(|()| format!("secret:{}", new_secret().expect("random")));
        let rotate = |secret: &str, request: &str| {
            bench.webhooks.rotate("shop", secret, request, bench.world.now()).expect("written")
        };
        assert_eq!(rotate(&second, "r1"), Rotation::Done(Vec::new()));
        assert_eq!(rotate("secret:lost", "r1"), Rotation::Repeated(second.clone()), "the same request again");
        assert_eq!(rotate(&third, "r2"), Rotation::Done(Vec::new()));
        let signatures = || {
            let got = bench.endpoints.got.lock().expect("no panic");
            let (_, headers, body) = got.last().expect("a message").clone();
            let signed = |secret: &str| {
                let seconds = headers["webhook-timestamp"].parse().expect("seconds");
                signature(secret.trim_start_matches("secret:"), &headers["webhook-id"], seconds, &body.to_string())
                    .expect("signed")
            };
            let given = headers["webhook-signature"].clone();
            [&third, &second, &shop.secret].map(|secret| given.contains(&signed(secret)))
        };
        bench.subscription("ada", "active");
        bench.advance(24 * HOUR - 1);
        assert_eq!(signatures(), [true, true, true], "what the receiver knew this morning still counts");
        bench.advance(1);
        bench.subscription("ada", "past_due");
        bench.settle();
        assert_eq!(signatures(), [true, false, false]);
        assert_eq!(rotate("secret:4", "r4"), Rotation::Done(vec![shop.secret.clone(), second.clone()]));
        for number in 5..5 + OLD_SECRETS_MAX - 1 {
            assert_eq!(rotate(&format!("secret:{number}"), &format!("r{number}")), Rotation::Done(Vec::new()));
        }
        let until = bench.world.now() + 24 * HOUR;
        assert_eq!(
            rotate("secret:many", "r-many"),
            Rotation::TooMany(until),
            "each message would have many signatures"
        );
        assert_eq!(bench.webhooks.rotate("none", "secret:1", "r1", 0).expect("written"), Rotation::Unknown);
    }
}

#[test]
fn old_messages_are_deleted_with_their_deliveries() {
    for bench in benches() {
        bench.add("shop", None, &[]);
        bench.subscription("ada", "active");
        bench.settle();
        assert_eq!(bench.webhooks.clean(30 * 24 * HOUR).expect("written"), 0);
        bench.answers("shop", 500);
        bench.world.now.store(HOUR, Ordering::SeqCst);
        bench.subscription("ada", "past_due");
        bench.settle();
        assert_eq!(bench.webhooks.clean(30 * 24 * HOUR + 1).expect("written"), 1);
        assert_eq!(bench.webhooks.log("shop", None, None, 10).expect("read").len(), 1);
        bench.subscription("ada", "active");
        assert_eq!(bench.webhooks.clean(31 * 24 * HOUR).expect("written"), 2);
        assert_eq!(bench.webhooks.log("shop", None, None, 10).expect("read"), []);
        assert_eq!(bench.webhooks.with_due(i64::MAX).expect("read"), [], "nothing waits any more");
    }
}
