//! Tests of the writer, with stores that may fail and the toy extension, whose events contain their decisions.
#![allow(clippy::unwrap_used)]

use crate::processor::{events, toy};

mod answers;
mod clock;
mod effects;
mod jumps;
mod order;

use events::{T0, command};
use extension_contract::Event;
use host_business::Setup;
use host_business::folder::{BusinessFolder, CATALOG_FILE};
use host_engine::Host;
use host_engine::clock::Clock;
use host_engine::outbox::OutboxError;
use host_engine::processor::Report;
use host_engine::writer::{Jobs, Listener, Ticket, Writer, WriterLimits};
use host_intake::Decoded;
use host_provider_api::{Call, Registry};
use host_store::Store;
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, Sender, channel};
use toy::ToyRunner;

/// A call of the listener.
#[derive(Debug)]
pub enum ListenerEvent {
    Calls(Vec<Call>),
    Committed(Vec<Report>),
    Failed(OutboxError),
}

struct ChannelListener(Sender<ListenerEvent>);

impl Listener for ChannelListener {
    fn calls(&mut self, calls: Vec<Call>) {
        let _ = self.0.send(ListenerEvent::Calls(calls));
    }
    fn committed(&mut self, reports: &[Report]) {
        if !reports.is_empty() {
            let _ = self.0.send(ListenerEvent::Committed(reports.to_vec()));
        }
    }
    fn failed(&mut self, error: &OutboxError) {
        let _ = self.0.send(ListenerEvent::Failed(error.clone()));
    }
}

/// Returns a host whose catalog is loaded.
pub fn host(store: Box<dyn Store>, registry: Registry, runner: ToyRunner, clock: Clock) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("toys");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(CATALOG_FILE), "{}").unwrap();
    let business = BusinessFolder::load(&folder).unwrap();
    let setup = Setup::new(business, false, &[], None);
    setup.start(store, Box::new(runner), registry, clock).unwrap().0
}

pub fn spawn(store: Box<dyn Store>, limits: WriterLimits) -> (Writer, Receiver<ListenerEvent>) {
    spawn_host(host(store, Registry::new(), ToyRunner::new(1), Clock::manual(T0)), limits)
}

pub fn spawn_host(host: Host, limits: WriterLimits) -> (Writer, Receiver<ListenerEvent>) {
    let (sender, events) = channel();
    (Writer::spawn(host, Box::new(ChannelListener(sender)), limits).unwrap(), events)
}

pub fn decoded(event: Event) -> Decoded {
    Decoded::from(event)
}

pub fn accept(jobs: &Jobs, id: &str, account: &str, doing: Value) -> Ticket {
    jobs.accept(decoded(command(id, account, T0, doing)), Vec::new()).unwrap()
}

pub fn play(jobs: &Jobs, id: &str) -> Ticket {
    accept(jobs, id, "a", json!({}))
}

/// Returns the ids of the events in the inbox, in order, without the loads of the catalog.
pub fn inbox(host: &Host) -> Vec<String> {
    let rows = host.processor().inbox_after(0, 10_000).unwrap();
    rows.into_iter().map(|row| row.event.id).filter(|id| !id.starts_with("catalog:")).collect()
}

/// Blocks the writer until the returned sender is used or dropped. What is sent meanwhile is one group.
pub fn block(jobs: &Jobs) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (entered, is_blocked) = channel();
    let jobs = jobs.clone();
    std::thread::spawn(move || {
        let _ = jobs.look(move |_| {
            entered.send(()).unwrap();
            let _ = released.recv();
        });
    });
    is_blocked.recv().unwrap();
    release
}
