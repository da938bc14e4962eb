//! Dispatches events to webhook endpoints, the events folder and listeners. One task per endpoint delivers the events
//! in order. A failed delivery waits for its retry without blocking later events.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Account, Options, report, wall_s};
use crate::event::Event;
use crate::sandbox::Sandbox;
use crate::settings::Faults;
use crate::version::Version;
use crate::webhook::deliver::{self, Http};
use crate::webhook::plan::Plan;
use crate::webhook::signature;

/// The maximum time for which deliveries are held back until their group is complete.
const HOLD_MAX: Duration = Duration::from_secs(2);

/// The interval in which the delivery progress is stored. After a kill, the deliveries of one interval may be repeated.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(20);
/// The maximum number of tickets that are handled at the same time.
const FINISHED_AT_ONCE: usize = 10_000;

/// Reports an event as finished on drop, which is when the event's last delivery succeeded or was given up.
#[derive(Debug)]
struct Ticket {
    position: u64,
    done: UnboundedSender<u64>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The receiver is dropped only during shutdown.
        let _ = self.done.send(self.position);
    }
}

/// A pending delivery. It holds only the event's position, because thousands of deliveries may wait for an endpoint
/// that is down.
#[derive(Debug, Clone)]
struct Job {
    position: u64,
    attempt: usize,
    /// The ticket of the event; `None` for a resend, which does not affect the progress.
    _ticket: Option<Arc<Ticket>>,
}

/// The dispatcher of events.
pub(super) struct Dispatch {
    account: Weak<Mutex<Account>>,
    http: Http,
    /// The server's runtime, because calls from outside the runtime also create events.
    runtime: tokio::runtime::Handle,
    retry_s: Vec<u64>,
    sent: u64,
    folder: Option<PathBuf>,
    endpoints: HashMap<String, UnboundedSender<Job>>,
    listeners: Vec<UnboundedSender<u64>>,
    done: UnboundedSender<u64>,
}

impl Dispatch {
    pub(super) fn new(account: Weak<Mutex<Account>>, options: &Options, http: Http, sent: u64) -> Self {
        let (done, finished) = unbounded_channel();
        tokio::spawn(store_progress(account.clone(), finished, sent));
        Self {
            done,
            account,
            http,
            runtime: tokio::runtime::Handle::current(),
            retry_s: options.retry_s.clone(),
            sent,
            folder: options.events.clone(),
            endpoints: HashMap::new(),
            listeners: Vec::new(),
        }
    }

    pub(super) fn listen(&mut self) -> UnboundedReceiver<u64> {
        let (sender, receiver) = unbounded_channel();
        self.listeners.push(sender);
        receiver
    }

    /// Dispatches new events and requested resends.
    pub(super) fn send_new(&mut self, sandbox: &mut Sandbox) {
        let state = sandbox.state();
        let is_wanted = self.folder.is_some() || state.count("webhook_endpoint") > 0;
        for position in self.sent..state.event_count() {
            self.sent = position + 1;
            let ticket = Arc::new(Ticket { position, done: self.done.clone() });
            self.listeners.retain(|l| l.send(position).is_ok());
            let Some(event) = is_wanted.then(|| state.event(position)).flatten() else { continue };
            self.write(sandbox, position + 1, &event);
            for endpoint in state.endpoints_for(&event.kind, event.account.is_some()) {
                self.queue(endpoint.id(), Job { position, attempt: 0, _ticket: Some(Arc::clone(&ticket)) });
            }
        }
        for (id, only) in sandbox.take_resends() {
            let state = sandbox.state();
            let Some(position) = state.event_position(&id) else { continue };
            let Some(event) = state.event(position) else { continue };
            // Every listener gets the resend, even if the request is for a single endpoint.
            self.listeners.retain(|l| l.send(position).is_ok());
            for endpoint in state.endpoints_for(&event.kind, event.account.is_some()) {
                if only.as_deref().is_none_or(|only| only == endpoint.id()) {
                    // The resend counts as a second attempt, to which no faults apply, so a lost event can arrive.
                    self.queue(endpoint.id(), Job { position, attempt: 1, _ticket: None });
                }
            }
        }
        report(sandbox);
    }

    fn write(&self, sandbox: &Sandbox, number: u64, event: &Event) {
        let Some(folder) = &self.folder else { return };
        let body = event.render(&sandbox.state().settings.version);
        let text = serde_json::to_string_pretty(&body).unwrap_or_default();
        if let Err(error) = std::fs::write(folder.join(file_name(number, event)), text + "\n") {
            eprintln!("the event {} can't be written to {}: {error}", event.id, folder.display());
        }
    }

    fn queue(&mut self, endpoint: &str, job: Job) {
        let running = self.endpoints.get(endpoint).filter(|s| !s.is_closed());
        let sender = match running {
            Some(sender) => sender.clone(),
            None => {
                let (sender, receiver) = unbounded_channel();
                let worker = Worker {
                    id: endpoint.to_owned(),
                    account: self.account.clone(),
                    http: self.http.clone(),
                    retry_s: self.retry_s.clone(),
                    again: sender.clone(),
                };
                self.runtime.spawn(worker.run(receiver));
                self.endpoints.insert(endpoint.to_owned(), sender.clone());
                sender
            }
        };
        // The receiver is dropped only when the server stops.
        let _ = sender.send(job);
    }
}

/// Stores the delivery progress: the position up to which all events have been delivered or given up. This is done at
/// intervals, because each time requires a write to the state.
async fn store_progress(account: Weak<Mutex<Account>>, mut finished: UnboundedReceiver<u64>, mut low: u64) {
    let mut ahead = BTreeSet::new();
    let mut new = Vec::new();
    while finished.recv_many(&mut new, FINISHED_AT_ONCE).await > 0 {
        ahead.extend(new.drain(..));
        let before = low;
        while ahead.remove(&low) {
            low += 1;
        }
        if low > before {
            let Some(account) = account.upgrade() else { return };
            let mut account = account.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = account.sandbox.set_delivered(low) {
                eprintln!("{error}");
            }
        }
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
}

/// Returns a name like `000012-invoice.paid-evt_….json`.
fn file_name(number: u64, event: &Event) -> String {
    format!("{number:06}-{}-{}.json", event.kind, event.id)
}

struct Worker {
    id: String,
    account: Weak<Mutex<Account>>,
    http: Http,
    retry_s: Vec<u64>,
    again: UnboundedSender<Job>,
}

/// The event of a delivery, together with the endpoint's current URL, secrets and API version.
struct Target {
    url: String,
    secrets: Vec<String>,
    version: Version,
    event: Arc<Event>,
}

impl Worker {
    async fn run(self, mut jobs: UnboundedReceiver<Job>) {
        let seed = self.id.bytes().fold(0_u64, |sum, b| sum.wrapping_mul(31).wrapping_add(u64::from(b)));
        let mut plan: Plan<Job> = Plan::new(seed);
        loop {
            let job = if plan.holds() {
                match tokio::time::timeout(HOLD_MAX, jobs.recv()).await {
                    Ok(job) => job,
                    Err(_) => {
                        let Some(faults) = self.faults() else { return };
                        self.deliver_all(plan.release(&faults), &faults).await;
                        continue;
                    }
                }
            } else {
                jobs.recv().await
            };
            let Some(job) = job else { return };
            let Some(faults) = self.faults() else { return };
            let now = if job.attempt > 0 { vec![job] } else { plan.push(job, &faults) };
            self.deliver_all(now, &faults).await;
        }
    }

    fn faults(&self) -> Option<Faults> {
        let account = self.account.upgrade()?;
        let account = account.lock().unwrap_or_else(PoisonError::into_inner);
        Some(account.sandbox.state().settings.faults.clone())
    }

    /// Returns the target of a delivery. Returns `None` if the endpoint was deleted or disabled, which ends its
    /// retries.
    fn target(&self, position: u64) -> Option<Target> {
        let account = self.account.upgrade()?;
        let account = account.lock().unwrap_or_else(PoisonError::into_inner);
        let state = account.sandbox.state();
        let endpoint = state.seek(&self.id).filter(|e| e.text("status") == "enabled")?;
        let mut secrets = vec![endpoint.as_webhook_endpoint().secret.clone()];
        if endpoint.as_webhook_endpoint().old_secret_until.is_some_and(|until| until > state.clock_s()) {
            secrets.push(endpoint.as_webhook_endpoint().old_secret.clone());
        }
        let version = endpoint.text_at("api_version").and_then(|v| v.parse().ok());
        Some(Target {
            url: endpoint.text("url").to_owned(),
            secrets,
            version: version.unwrap_or_else(|| state.settings.version.clone()),
            event: state.event(position)?,
        })
    }

    async fn deliver_all(&self, jobs: Vec<Job>, faults: &Faults) {
        for job in jobs {
            if faults.delay_ms > 0 {
                tokio::time::sleep(Duration::from_millis(faults.delay_ms)).await;
            }
            self.deliver(job).await;
        }
    }

    async fn deliver(&self, job: Job) {
        let Some(target) = self.target(job.position) else { return };
        let body = serde_json::to_string_pretty(&target.event.render(&target.version)).unwrap_or_default();
        let signature = signature::header(&target.secrets, wall_s(), body.as_bytes());
        if deliver::post(&self.http, &target.url, &signature, body).await {
            return;
        }
        let Some(wait) = self.retry_s.get(job.attempt).copied() else { return };
        let again = self.again.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            // The worker's receiver is dropped only during shutdown.
            let _ = again.send(Job { attempt: job.attempt + 1, ..job });
        });
    }
}
