//! A host with its writer, providers on a separate thread, and Stripe's webhook endpoint.

use end_to_end::world::START_MS;
use host_business::Setup;
use host_business::folder::BusinessFolder;
use host_engine::Host;
use host_engine::clock::Clock;
use host_engine::outbox::OutboxError;
use host_engine::processor::{Processor, Report};
use host_engine::writer::{Jobs, Listener, Ticket, Writer, WriterLimits};
use host_intake::body::Quarantined;
use host_intake::headers::Headers;
use host_intake::request::{Endpoints, PATH, Request, Taken};
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::sign;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use host_provider_api::scripted::Scripted;
use host_provider_api::{Call, Registry};
use host_store::{DueQuery, Store};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Timeout of a test.
const WAIT: Duration = Duration::from_secs(15);
/// Secret that signs the deliveries of these tests.
const SECRET: &str = "whsec_test_of_the_writer";

/// Passes calls to the thread that carries them out.
struct CallQueue(Sender<Vec<Call>>);

impl Listener for CallQueue {
    fn calls(&mut self, calls: Vec<Call>) {
        // A stopping host carries out no more calls.
        let _ = self.0.send(calls);
    }
    fn failed(&mut self, _: &OutboxError) {}
}

/// What became of a delivery.
#[derive(Debug)]
pub struct Delivered {
    /// HTTP status.
    pub status: u16,
    /// Reports of the event; empty if nothing was stored.
    pub reports: Vec<Report>,
    /// Authentic bytes that are not an event.
    pub quarantined: Option<Box<Quarantined>>,
    /// Why nothing was stored, as the name of a counter.
    pub counted: Option<&'static str>,
}

/// A serving host.
pub struct Serving {
    writer: Writer,
    pub endpoints: Endpoints,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Serving {
    pub fn start(business: &BusinessFolder, store: Box<dyn Store>, scripted: &Scripted) -> Serving {
        let registry = Registry::with_default(Arc::new(scripted.clone()));
        let setup = Setup::new(business.clone(), false, &[], None);
        let runner = host_replay::native::runners().make().expect("the library");
        let (host, _) =
            setup.start(store, runner, registry.clone(), Clock::manual(START_MS)).expect("a host that starts");
        let (hands, to_do) = channel();
        let writer = Writer::spawn(host, Box::new(CallQueue(hands)), WriterLimits::default()).expect("a thread");
        let (jobs, calls) = (writer.jobs().clone(), Arc::new(Mutex::new(Vec::new())));
        let log = calls.clone();
        thread::spawn(move || {
            for calls in to_do {
                for call in calls {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
                    let reply = registry.call(&call);
                    // A stopped writer accepts no results.
                    let _ = jobs.finish(call, reply);
                }
            }
        });
        let secret = SecretConfig { name: "test".into(), mode: Mode::Test, connect: None, secret: SECRET.to_owned() };
        let secrets = EndpointSecrets::new(vec![secret], TOLERANCE_S_DEFAULT).expect("a secret");
        let endpoints = Endpoints { business: business.name.clone(), stripe: Some(secrets), webhooks: Vec::new() };
        Serving { writer, endpoints, calls }
    }

    pub fn jobs(&self) -> &Jobs {
        self.writer.jobs()
    }

    /// Delivers a signed body to the endpoint of Stripe.
    pub fn stripe(&self, body: &[u8]) -> Delivered {
        self.stripe_signed(Some(&self.signature(body)), body)
    }

    /// The signature header of Stripe for a body.
    pub fn signature(&self, body: &[u8]) -> String {
        sign(SECRET, START_MS / 1000, body)
    }

    /// Delivers a body to the endpoint of Stripe with this signature, or without one.
    pub fn stripe_signed(&self, signature: Option<&str>, body: &[u8]) -> Delivered {
        let headers: Vec<(&str, &[u8])> =
            signature.iter().map(|signature| ("stripe-signature", signature.as_bytes())).collect();
        let path = format!("{PATH}stripe");
        let request = Request { method: "POST", path: &path, headers: Headers(&headers), body: body.to_vec() };
        let answer = self.endpoints.answer(request, START_MS);
        let mut delivered = Delivered { status: answer.status, reports: Vec::new(), quarantined: None, counted: None };
        match answer.taken {
            Taken::Event(decoded, raw) => match self.jobs().try_accept(*decoded, raw).and_then(Ticket::wait) {
                Ok(reports) => delivered.reports = reports,
                Err(_) => delivered.status = 503,
            },
            Taken::Quarantined(quarantined) => delivered.quarantined = Some(quarantined),
            Taken::Nothing(counted) => delivered.counted = Some(counted),
        }
        delivered
    }

    /// Waits until no effect is running or due.
    pub fn settle(&self) {
        let began = Instant::now();
        loop {
            let going_on = self.jobs().look(|processor| {
                let (store, partition) = (processor.store(), processor.partition());
                let mut rows = store.effects_running(partition).expect("read");
                // The effect of a watch stays running.
                rows.retain(|row| row.effect.kind != "probe.watch");
                rows.extend(store.effects_due(&DueQuery::of(partition, START_MS, 1)).expect("read"));
                rows.first().map(|row| format!("{} {} {:?}", row.effect.kind, row.effect.key, row.state))
            });
            let Some(going_on) = going_on.expect("a writer that runs") else { return };
            assert!(began.elapsed() < WAIT, "{going_on} is still running after {WAIT:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until a condition holds.
    pub fn until(&self, what: &str, holds: impl Fn(&Processor) -> bool + Send + Clone + 'static) {
        let began = Instant::now();
        loop {
            let holds = holds.clone();
            if self.jobs().look(move |processor| holds(processor)).expect("a writer that runs") {
                return;
            }
            assert!(began.elapsed() < WAIT, "after {WAIT:?} it does not hold that {what}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Returns `SCOPE KEY@GENERATION` of each provider call, sorted.
    pub fn called(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut called: Vec<String> =
            calls.iter().map(|call| format!("{} {}@{}", call.scope, call.key, call.generation)).collect();
        called.sort();
        called
    }

    pub fn stop(self) -> Host {
        self.writer.stop().expect("a writer that did not panic")
    }
}
