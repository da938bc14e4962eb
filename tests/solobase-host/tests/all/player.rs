//! Plays a case of a scenario through the block, over HTTP.

use crate::block::signature;
use crate::scenarios::Left;
use crate::stand_in::{SERVICE, StandIn, stand_in_of};
use extension_contract::Timestamp;
use host_block::store::SolobaseStore;
use host_business::Setup;
use host_business::bundle;
use host_engine::bundle::Bundle;
use host_engine::remote::{CALLS_MAX, Lease, Leased};
use host_provider_api::Registry;
use host_provider_api::scripted::Scripted;
use host_replay::claim::held_claim;
use host_replay::library::Story;
use host_scenario::model::{Action, Answers, Holding, Step};
use host_scenario::prepare::{Case, PreparedEvent};
use host_store::{Partition, Read, Store};
use host_worker::{Block, Worker};
use serde_json::{Value, json};
use solobase_host::database::Period;
use solobase_host::guest::{GuestError, Used};
use solobase_host::server::Server;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;

/// Where the platform's program has mounted the block.
const MOUNT: &str = "provisioner";

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// A player of one case.
pub struct Player {
    platform: StandIn,
    server: Server,
    client: ureq::Agent,
    scripted: Scripted,
    partition: Partition,
    now: Timestamp,
    /// The worker that makes the calls, as `provisioner outbox` has it; without it the calls are made one after the other, since the
    /// answers of a scenario may depend on their order.
    worker: Option<Worker>,
    /// True if the worker has not asked since its start.
    restarted: bool,
    /// Number of kills of the guest; none if it is never killed.
    kills: Option<AtomicUsize>,
}

fn registry(scripted: &Scripted) -> Registry {
    Registry::with_default(Arc::new(scripted.clone()))
}

/// Prepares the business of a story.
pub fn bundle_of(story: &Story) -> Bundle {
    let given = &story.scenario.given;
    bundle::of(&Setup::new((*story.business).clone(), given.livemode, &given.config, None))
}

impl Player {
    /// Plays a case on a platform of a period, and returns what it leaves.
    pub fn play(story: &Story, case: &Case, period: Period) -> Left {
        Player::start(&bundle_of(story), story.scenario.given.clock, period).play_on(story, case, Player::left)
    }

    /// Plays a case, in which the guest is killed at every call of a service. Returns the number of kills.
    pub fn play_killing(story: &Story, case: &Case, period: Period) -> usize {
        let player = Player::start(&bundle_of(story), story.scenario.given.clock, period);
        let player = Player { kills: Some(AtomicUsize::new(0)), ..player };
        player.play_on(story, case, |player| player.kills.as_ref().map_or(0, |kills| kills.load(Ordering::Relaxed)))
    }

    fn play_on<T>(self, story: &Story, case: &Case, look: impl FnOnce(&Player) -> T) -> T {
        let mut player = self;
        player.prepare(story);
        player.play_steps(story, case, 0..story.scenario.steps.len());
        look(&player)
    }

    /// Makes what a story gives before its first step.
    pub fn prepare(&mut self, story: &Story) {
        let given = &story.scenario.given;
        self.settle();
        self.script(&given.answers);
        for (key, account) in &given.claims {
            self.hold_claim(key, &Holding::By(account.clone()));
        }
    }

    /// Plays some steps of a case.
    pub fn play_steps(&mut self, story: &Story, case: &Case, steps: Range<usize>) {
        for at in steps {
            if case.happens[at] {
                self.step(&story.scenario.steps[at], case.deliveries[at].as_ref(), case.clocks[at]);
            }
        }
    }

    /// Returns a player on another platform, which goes on with the same providers at the same time.
    pub fn moved(&self, bundle: &Bundle) -> Player {
        Player { scripted: self.scripted.clone(), ..Player::start(bundle, self.now, Period::SinceRewrite) }
    }

    /// Returns a player on the same platform after its rewrite: the same tables, providers and time. The block has started again.
    pub fn upgraded(&self, bundle: &Bundle) -> Player {
        let saved = self.platform.services.database.save().expect("saved");
        let player = self.moved(bundle);
        player.platform.services.database.restore(&saved).expect("restored");
        assert_eq!(player.init(), json!({"Ok": null}), "{:?}", player.platform.services.lines());
        player
    }

    /// Lets a worker make the calls.
    pub fn set_worker(&mut self) {
        self.worker = Some(self.new_worker());
    }

    fn new_worker(&self) -> Worker {
        Worker::new(self.block(), registry(&self.scripted), "the worker")
    }

    /// Returns the block, as `provisioner` reaches it.
    pub fn block(&self) -> Block {
        Block::new(&format!("{}/b/{MOUNT}", self.server.url), SERVICE.to_owned()).expect("an address")
    }

    /// Prepares a platform with a business.
    pub fn start(bundle: &Bundle, now: Timestamp, period: Period) -> Player {
        let platform = stand_in_of(bundle, now, period);
        let user = |name: &str| (name.to_owned(), (name.to_owned(), "user".to_owned()));
        let users = BTreeMap::from([user("ada"), user("bob")]);
        let server = runtime().block_on(solobase_host::server::serve(platform.guest.clone(), MOUNT, users));
        let server = server.expect("a port");
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Player {
            platform,
            server,
            client: config.into(),
            scripted: Scripted::new(),
            partition: Partition { business: bundle.name.clone(), livemode: bundle.livemode },
            now,
            worker: None,
            restarted: false,
            kills: None,
        }
    }

    /// Opens a store over the platform's tables, beside the block.
    pub fn store(&self) -> SolobaseStore {
        self.platform.store()
    }

    /// Returns what the run has left in the platform's tables.
    pub fn left(&self) -> Left {
        Left::of(&self.platform.store()).expect("read")
    }

    fn script(&self, answers: &[Answers]) {
        for Answers { pattern, list, .. } in answers {
            self.scripted.script(pattern.clone(), list.clone());
        }
    }

    fn hold_claim(&self, key: &str, holding: &Holding) {
        self.platform.store().apply(&held_claim(&self.partition, key, holding)).expect("written");
    }

    /// Sends a request; returns status and body. If the guest is to be killed, it is killed at each call first, each time on the same
    /// tables; `again` is the body with which the caller repeats its request.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8], again: &[u8]) -> (u16, Value) {
        let Some(kills) = &self.kills else { return self.request(path, headers, body) };
        let database = &self.platform.services.database;
        let before = database.save().expect("saved");
        self.platform.services.take_used();
        let answer = self.request(path, headers, body);
        let calls = self.platform.services.take_used().iter().map(|used| used.calls).sum::<u64>();
        let (expected, after) = (self.left(), database.save().expect("saved"));
        for (call, is_after) in (0..calls).flat_map(|call| [(call, false), (call, true)]) {
            database.restore(&before).expect("restored");
            self.request_killed(path, headers, body, (call, is_after));
            self.request(path, headers, again);
            let left = self.left();
            let of = format!("{path} killed {} call {call}", if is_after { "after" } else { "before" });
            assert_eq!((&left.outcomes, &left.effects), (&expected.outcomes, &expected.effects), "{of}");
            assert_eq!(left.document, expected.document, "{of}");
            kills.fetch_add(1, Ordering::Relaxed);
        }
        database.restore(&after).expect("restored");
        answer
    }

    fn request_killed(&self, path: &str, headers: &[(&str, &str)], body: &[u8], kill: (u64, bool)) {
        let mut meta =
            vec![("http.method".to_owned(), "POST".to_owned()), ("http.path".to_owned(), format!("/b/{MOUNT}{path}"))];
        meta.extend(headers.iter().map(|(name, value)| (format!("http.header.{name}"), (*value).to_owned())));
        let died = self.platform.guest.handle("POST:", &meta, body, Some(kill));
        assert!(matches!(died, Err(GuestError::Trap(_))), "{path} was not killed at {kill:?}");
    }

    /// Sets the block's business, as it is read by the next `Init` and at the end of an import.
    pub fn configure(&self, bundle: &Bundle) {
        let text = serde_json::to_string(bundle).expect("JSON");
        self.platform.services.set_config(&host_block::key(host_block::BUNDLE), &text);
    }

    /// Lets the platform start the block again; returns the result of `Init`.
    pub fn init(&self) -> Value {
        self.platform.guest.lifecycle("Init").expect("run").0
    }

    /// Gets a path; returns status and body.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut request = self.client.get(format!("{}/b/{MOUNT}{path}", self.server.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.call().expect("an answer");
        let text = answer.body_mut().read_to_string().expect("a text");
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Returns what the calls of the block have used, and forgets it.
    pub fn take_used(&self) -> Vec<Used> {
        self.platform.services.take_used()
    }

    /// Sends a request, without any kill.
    pub fn request(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
        let mut request = self.client.post(format!("{}/b/{MOUNT}{path}", self.server.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).expect("an answer");
        let text = answer.body_mut().read_to_string().expect("a text");
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn service(&self, path: &str, body: &Value, again: &Value) -> Value {
        let (body, again) = (body.to_string(), again.to_string());
        let (status, answer) = self.post(path, &[("x-service-key", SERVICE)], body.as_bytes(), again.as_bytes());
        assert_eq!(status, 200, "{path} {answer}");
        answer
    }

    /// Carries out what is due, until nothing is; returns the time at which something is due next.
    pub fn settle(&mut self) -> Option<Timestamp> {
        while let Some(worker) = &mut self.worker {
            let round = worker.round().expect("a round");
            assert!(round.unreported.is_empty(), "{:?}", round.unreported);
            if round.calls.is_empty() && !round.more {
                return round.next;
            }
        }
        let registry = registry(&self.scripted);
        loop {
            let restarted = std::mem::take(&mut self.restarted);
            let lease = |restarted| {
                let lease = Lease { owner: "the worker".to_owned(), limit: CALLS_MAX, restarted };
                serde_json::to_value(lease).expect("JSON")
            };
            let leased = self.service("/outbox/lease", &lease(restarted), &lease(true));
            let leased: Leased = serde_json::from_value(leased).expect("a lease");
            for call in &leased.calls {
                let answer = host_worker::answer(&registry, &self.partition.name(), call);
                let answer = serde_json::to_value([answer]).expect("JSON");
                self.service("/outbox/answers", &answer, &answer);
            }
            if leased.calls.is_empty() && !leased.more {
                return leased.next;
            }
        }
    }

    /// Sets the clock; nothing runs.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.platform.services.set_now(self.now);
    }

    /// Advances the clock; what becomes due meanwhile runs at its time.
    pub fn advance_to(&mut self, until: Timestamp) {
        let mut next = self.settle();
        while let Some(at) = next.filter(|at| *at < until) {
            self.set_now(at);
            next = self.settle();
        }
        self.set_now(until);
        self.settle();
    }

    fn step(&mut self, step: &Step, delivery: Option<&PreparedEvent>, clock: Timestamp) {
        if self.now < clock {
            self.advance_to(clock);
        }
        match &step.action {
            Action::Answers(answers) => self.script(answers),
            Action::Claims(claims) => claims.iter().for_each(|(key, holding)| self.hold_claim(key, holding)),
            Action::Redrive(id) => self.redrive(id),
            // The block has no state; its worker starts again.
            Action::Restart => {
                self.restarted = true;
                if self.worker.is_some() {
                    self.worker = Some(self.new_worker());
                }
            }
            _ => {
                if let Some(delivery) = delivery {
                    self.deliver(delivery);
                }
            }
        }
        if !step.hold {
            self.settle();
        }
    }

    fn redrive(&self, id: &str) {
        let store = self.platform.store();
        let rows = store.inbox_after(None, 0, usize::MAX).expect("read");
        if let Some(row) = rows.iter().find(|row| row.event.id == id) {
            self.service(&format!("/events/{}/redrive", row.seq), &Value::Null, &Value::Null);
        }
    }

    fn deliver(&self, delivery: &PreparedEvent) {
        let body = &delivery.bytes;
        assert!(delivery.webhook.is_none(), "the business has no webhooks of other providers");
        let read = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let is_stripes = ["event", "v2.core.event"].contains(&read["object"].as_str().unwrap_or_default());
        let (status, answer) = match is_stripes {
            true => {
                let signature = signature(body, self.now);
                self.post("/webhooks/stripe", &[("stripe-signature", &signature)], body, body)
            }
            false => self.post("/events", &[("x-service-key", SERVICE)], body, body),
        };
        assert!(status < 500 && status != 401, "{status} {answer}");
    }
}
