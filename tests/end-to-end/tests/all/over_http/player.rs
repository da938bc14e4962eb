//! Plays a case against a server.

use super::server::{TestServer, key_of};
use extension_contract::{Account, Actor, Timestamp};
use host_business::manifest::Manifest;
use host_engine::clock::Clock;
use host_provider_api::scripted::Scripted;
use host_replay::claim::held_claim;
use host_replay::library::Story;
use host_replay::play::webhook::signed;
use host_scenario::manifest;
use host_scenario::model::{Action, Answers, Holding, Signature, Step};
use host_scenario::prepare::{Case, PreparedEvent, WebhookDelivery};
use host_store::MemoryStore;
use serde_json::Value;
use std::collections::BTreeSet;

/// Returns true if the effects of a step wait for the next step. No request can ask for that.
pub fn holds_effects(story: &Story) -> bool {
    story.scenario.steps.iter().any(|step| step.hold)
}

/// Plays a case and returns the hash of the state.
pub fn play(story: &Story, case: &Case) -> String {
    play_and_look(story, case, |_| ()).1
}

/// Plays a case, looks at the running server, and returns the hash of the state as well.
pub fn play_and_look<T>(story: &Story, case: &Case, look: impl FnOnce(&TestServer) -> T) -> (T, String) {
    let given = &story.scenario.given;
    let library = host_replay::native::runners().make().expect("the library");
    let manifest = manifest::of(library.declarations()).expect("a manifest");
    let mut player = Player { story, server: None, manifest, scripted: Scripted::new(), fires_timers: true };
    player.start(Box::new(MemoryStore::new()), Clock::manual(given.clock));
    script(&player.scripted, &given.answers);
    for (key, account) in &given.claims {
        player.hold_claim(key, &Holding::By(account.clone()));
    }
    for (at, step) in story.scenario.steps.iter().enumerate() {
        if case.happens[at] {
            player.step(step, case.deliveries[at].as_ref(), case.clocks[at]);
        }
    }
    let seen = look(player.server());
    (seen, player.end().state().expect("a state"))
}

fn script(scripted: &Scripted, answers: &[Answers]) {
    for Answers { pattern, list, .. } in answers {
        scripted.script(pattern.clone(), list.clone());
    }
}

struct Player<'s> {
    story: &'s Story,
    /// None only during a restart.
    server: Option<TestServer>,
    manifest: Option<Manifest>,
    scripted: Scripted,
    fires_timers: bool,
}

impl Player<'_> {
    fn server(&self) -> &TestServer {
        self.server.as_ref().expect("a running server")
    }

    /// Stops the server gracefully, as often as there are cases, and returns the host.
    fn end(&mut self) -> host_engine::Host {
        self.server.take().expect("a running server").stop()
    }

    fn start(&mut self, store: Box<dyn host_store::Store>, clock: Clock) {
        let given = &self.story.scenario.given;
        // A manual clock may not reach the effect that a reply needs, and the people of a scenario have no passwords.
        let server = TestServer::of_folder(&self.story.business).impatient().with(|it| {
            (it.livemode, it.config, it.manifest) = (given.livemode, given.config.clone(), self.manifest.clone());
            (it.scripted, it.store, it.clock, it.has_users) = (self.scripted.clone(), store, clock, false);
        });
        let server = server.start_unsettled();
        let accounts: BTreeSet<Account> = self.story.scenario.given.accounts.iter().cloned().collect();
        let (receivers, fires) = ((!accounts.is_empty()).then_some(accounts), self.fires_timers);
        server.with_host(move |host| {
            host.outbox_mut().set_receivers(receivers);
            host.outbox_mut().set_fire_timers(fires);
        });
        self.server = Some(server);
        self.server().settle();
    }

    fn step(&mut self, step: &Step, delivery: Option<&PreparedEvent>, clock: Timestamp) {
        if self.server().now() < clock {
            self.server().advance_to(clock);
        }
        match &step.action {
            Action::Answers(answers) => script(&self.scripted, answers),
            Action::Claims(claims) => claims.iter().for_each(|(key, holding)| self.hold_claim(key, holding)),
            Action::Timers(fires) => {
                let fires = *fires;
                self.fires_timers = fires;
                self.server().with_host(move |host| host.outbox_mut().set_fire_timers(fires));
            }
            Action::Restart => {
                let (store, clock) = self.end().stop();
                self.start(store, clock);
            }
            Action::Redrive(id) => {
                ["stripe", "api", "products", "business"]
                    .into_iter()
                    .for_each(|source| self.server().redrive(source, id.clone()));
            }
            _ => {
                if let Some(delivery) = delivery {
                    self.send(delivery);
                }
            }
        }
        self.server().settle();
    }

    fn send(&self, delivery: &PreparedEvent) {
        let (server, bytes) = (self.server(), &delivery.bytes);
        if let Some(webhook) = &delivery.webhook {
            return self.deliver_own(webhook, bytes);
        }
        let read = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let text = |name: &str| read[name].as_str().unwrap_or_default();
        let actor = serde_json::from_value::<Actor>(with_subject(&read["actor"])).unwrap_or_else(|_| Actor::system());
        let answer = if read["command"].is_string() {
            let account = match read["account"].as_str() {
                Some(account) => account.to_owned(),
                None => format!("user:{}", actor.subject),
            };
            let path = format!("/api/commands/{}?account={account}", text("command"));
            let payload = if read["payload"].is_null() { "{}".to_owned() } else { read["payload"].to_string() };
            server.post_as(&path, actor, text("id"), payload.as_bytes())
        } else if ["event", "v2.core.event"].contains(&text("object")) {
            server.deliver(bytes)
        } else if read["message"].is_string() {
            return server.message(bytes);
        } else {
            let admin = Actor { kind: extension_contract::ActorKind::Admin, ..Actor::system() };
            server.post_as("/api/events", admin, "", bytes)
        };
        assert!(answer.status < 500 && answer.status != 401, "{answer:?}");
    }

    /// Delivers a webhook of the business's own.
    fn deliver_own(&self, webhook: &WebhookDelivery, body: &[u8]) {
        let name = &webhook.name;
        let declared = self.story.business.own.webhooks.iter().find(|own| own.webhook.name == *name);
        let scheme = &declared.expect("a declared webhook").webhook.scheme;
        let headers = signed(scheme, webhook, &key_of(name), self.server().now(), body);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.server().request(&format!("POST /api/webhooks/{name}"), &headers, body);
        let is_good = webhook.signature == Signature::Good;
        assert_eq!(answer.status, if is_good { 200 } else { 400 }, "{answer:?}");
    }

    /// Sets the state of a claim as another host would.
    fn hold_claim(&self, key: &str, holding: &Holding) {
        let changes = held_claim(&self.server().partition(), key, holding);
        self.server().with_host(move |host| {
            host.processor_mut().store_mut().apply(&changes).expect("written");
        });
    }
}

/// Returns an actor of a raw event with the name that the contract has for its id.
fn with_subject(actor: &Value) -> Value {
    let mut actor = actor.clone();
    if let Some(id) = actor.get("id").cloned() {
        actor["subject"] = id;
    }
    actor
}
