//! The sandbox's state. It reads no clock and draws no random numbers: the same calls give the same state. A request's
//! changes become durable with its commit; a failed request is rolled back as a whole.
//!
//! The rows are in the [store](crate::store); recently used ones are kept decoded here. The API's rules know no read
//! failures, so a failed read looks like an absent row, and the request that met it can't be committed or answered.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event::Event;
use crate::ids;
use crate::object::{Object, key};
use crate::settings::Settings;
use crate::store::cache::Cache;
use crate::store::{Counters, Given, Store, StoreError, StoredReply};

mod series;

pub use series::Series;

/// The size limit of the cache of decoded objects, in bytes of their JSON; decoded, they take about ten times as much.
const OBJECTS_BYTES_MAX: usize = 4_000_000;
/// The same limit for events.
const EVENTS_BYTES_MAX: usize = 1_000_000;
/// How many rows an iterator reads at once: few at first, so that a short page is cheap, up to the maximum.
const ROWS_AT_ONCE: std::ops::Range<usize> = 2..128;

/// The members of the current request that its events show.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RequestMeta {
    /// `req_…`; `None` while the sandbox acts on its own.
    pub id: Option<String>,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

/// An action that runs at the end of the current call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeferredAction {
    /// The cardholder's bank disputes a charge.
    Dispute(String),
    /// A refund that succeeded fails.
    RefundFails(String),
}

/// The state of a sandbox.
#[derive(Debug)]
pub struct State {
    /// The settings, from the start or from `/_sandbox/settings`.
    pub settings: Settings,
    /// The current request.
    pub request: RequestMeta,
    /// The actions that run at the end of the call.
    pub deferred: Vec<DeferredAction>,
    /// Whether the call is a preview, whose changes are rolled back.
    pub is_preview: bool,
    /// Events to resend, each to one endpoint or to all.
    pub resends: Vec<(String, Option<String>)>,
    store: Store,
    objects: RefCell<Cache<String, Arc<Object>>>,
    recent_events: RefCell<Cache<u64, Arc<Event>>>,
    counters: Counters,
    only_reads: bool,
    /// The ids of the objects changed since the last commit.
    touched: Vec<String>,
    /// The settings and counters of the last commit.
    kept: (Settings, Counters),
    failure: RefCell<Option<StoreError>>,
}

impl State {
    /// Creates an empty account that ends with the process.
    pub fn new(settings: Settings) -> Self {
        let counters = Counters { clock_s: settings.start_s, ..Counters::default() };
        Self::with(Store::temporary(&settings), settings, counters)
    }

    /// Opens the account of a state file, or creates one; see [`Store::open`].
    ///
    /// # Errors
    /// See [`Store::open`].
    pub fn open(path: &Path, settings: Settings, given: &[Given]) -> Result<Self, StoreError> {
        let (store, settings, counters) = Store::open(path, settings, given)?;
        Ok(Self::with(store, settings, counters))
    }

    fn with(store: Store, settings: Settings, counters: Counters) -> Self {
        Self {
            request: RequestMeta::default(),
            deferred: Vec::new(),
            is_preview: false,
            resends: Vec::new(),
            store,
            objects: RefCell::new(Cache::new(OBJECTS_BYTES_MAX)),
            recent_events: RefCell::new(Cache::new(EVENTS_BYTES_MAX)),
            counters,
            only_reads: true,
            touched: Vec::new(),
            kept: (settings.clone(), counters),
            settings,
            failure: RefCell::new(None),
        }
    }

    /// Returns a new id.
    pub fn new_id(&mut self, prefix: &str) -> String {
        self.counters.next_number += 1;
        ids::id(prefix, self.settings.seed, self.counters.next_number)
    }

    /// Returns new characters for a secret or a code.
    pub fn new_characters(&mut self, length: usize) -> String {
        self.counters.next_number += 1;
        ids::characters(self.settings.seed, self.counters.next_number, length)
    }

    /// Returns the time of the sandbox's own clock.
    pub fn clock_s(&self) -> i64 {
        self.counters.clock_s
    }

    /// Sets the sandbox's own clock; it never goes back.
    pub fn set_clock(&mut self, time_s: i64) {
        self.counters.clock_s = self.counters.clock_s.max(time_s);
    }

    /// Returns the time of a test clock, or of the sandbox's own for an empty id.
    pub fn time_on(&self, clock: &str) -> i64 {
        let test_clock = if clock.is_empty() { None } else { self.find(clock) };
        test_clock.map_or(self.counters.clock_s, |test_clock| test_clock.int("frozen_time"))
    }

    /// Returns the time of the object's clock.
    pub fn now(&self, object: &Object) -> i64 {
        self.time_on(clock_of(object))
    }

    /// Returns the object with an id, or, for kinds whose ids callers choose, with a [key].
    pub fn find(&self, id: &str) -> Option<Arc<Object>> {
        if let Some(held) = self.objects.borrow_mut().get(id) {
            return Some(held);
        }
        let stored = self.store.object(id).unwrap_or_else(|error| self.fail(error))?;
        let object = Arc::new(stored.object);
        self.objects.borrow_mut().insert(id.to_owned(), Arc::clone(&object), stored.bytes);
        Some(object)
    }

    /// Returns the object of a kind with an id.
    ///
    /// # Errors
    /// `resource_missing` about the parameter (`id` for a path) if there is no such object.
    pub fn load(&self, kind: &str, id: &str, param: &str) -> Result<Arc<Object>, ApiError> {
        self.find(&key(kind, id)).filter(|o| o.kind() == kind).ok_or_else(|| ApiError::no_such(noun(kind), id, param))
    }

    /// Returns a copy of an object that must exist by an invariant; otherwise an empty object, which no rule acts on.
    pub fn copy(&self, id: &str) -> Object {
        self.find(id).map(|o| Object::clone(&o)).unwrap_or_default()
    }

    /// Stores a new or changed object under its [key].
    pub fn put(&mut self, mut object: Object) -> Arc<Object> {
        let id = object.key().into_owned();
        let before = self.find(&id);
        match &before {
            Some(before) => object.set("_seq", before.get("_seq").clone()),
            None => {
                self.counters.next_number += 1;
                object.set("_seq", self.counters.next_number);
            }
        }
        if let Some(before) = before.as_ref().filter(|before| ***before == object) {
            return Arc::clone(before);
        }
        let stored = Arc::new(object);
        self.touched.push(id.clone());
        match self.store.put_object(before.as_deref(), &stored) {
            Ok(bytes) => self.objects.get_mut().insert(id, Arc::clone(&stored), bytes),
            Err(error) => self.fail(error),
        }
        stored
    }

    /// Changes an object without an event.
    pub fn change(&mut self, id: &str, edit: impl FnOnce(&mut Object)) -> Arc<Object> {
        let mut object = self.copy(id);
        edit(&mut object);
        self.put(object)
    }

    /// Changes an object and, if visible members changed, emits an event with `previous_attributes`.
    pub fn change_and_emit(&mut self, id: &str, event: &str, edit: impl FnOnce(&mut Object)) -> Arc<Object> {
        let before = self.copy(id);
        let after = self.change(id, edit);
        self.emit_since(id, event, &before);
        after
    }

    /// Emits an event about the changes of an object since `before`, if visible members changed.
    pub fn emit_since(&mut self, id: &str, event: &str, before: &Object) {
        let after = self.copy(id);
        let before = self.freeze(before);
        if shown(&after).ne(shown(&before)) {
            self.emit_with(event, &after, Some(before));
        }
    }

    /// Removes an object permanently.
    pub fn remove(&mut self, id: &str) {
        if let Some(before) = self.find(id) {
            self.touched.push(id.to_owned());
            self.objects.get_mut().remove(id);
            self.store.remove_object(&before).unwrap_or_else(|error| self.fail(error));
        }
    }

    /// Iterates over the objects of a kind, newest first; only a customer's if one is named. Reads rows lazily.
    pub fn newest(&self, kind: &str, customer: Option<&str>) -> Newest<'_> {
        self.newest_from(kind, customer, None)
    }

    /// Like [`State::newest`], from the object with an id on if it is one of them.
    pub fn newest_from(&self, kind: &str, customer: Option<&str>, from: Option<&str>) -> Newest<'_> {
        let first = from.and_then(|id| self.find(&key(kind, id))).filter(|first| {
            first.kind() == kind && customer.is_none_or(|customer| first.get("customer").as_str() == Some(customer))
        });
        Newest {
            state: self,
            kind: kind.to_owned(),
            customer: customer.map(str::to_owned),
            below: first.map_or(i64::MAX, |first| first.int("_seq") + 1),
            ids: VecDeque::new(),
            at_once: ROWS_AT_ONCE.start,
        }
    }

    /// Returns the number of objects of a kind.
    pub fn count(&self, kind: &str) -> usize {
        self.store.count_objects(kind).unwrap_or_else(|error| self.fail(error))
    }

    /// Emits an event about an object in its current state.
    pub fn emit(&mut self, event: &str, object: &Object) {
        self.emit_with(event, object, None);
    }

    /// Emits an event with an object and its frozen previous state.
    pub fn emit_with(&mut self, event: &str, object: &Object, before: Option<Object>) {
        let object = Arc::new(self.freeze(object));
        let before = before.map(Arc::new);
        let account = (object.kind() == "account").then(|| object.id().to_owned());
        let pending = self.endpoints_for(event, account.is_some()).len() as u64;
        let twins = if self.settings.faults.twins { 2 } else { 1 };
        for _ in 0..twins {
            let made = Event {
                id: self.new_id("evt"),
                kind: event.to_owned(),
                created_s: self.now(&object),
                request: self.request.clone(),
                object: Arc::clone(&object),
                before: before.clone(),
                account: account.clone(),
                pending_webhooks: pending,
            };
            let position = self.counters.events;
            self.counters.events += 1;
            match self.store.put_event(position, &made) {
                Ok(bytes) => self.recent_events.get_mut().insert(position, Arc::new(made), bytes),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Returns the number of events.
    pub fn event_count(&self) -> u64 {
        self.counters.events
    }

    /// Returns all events, oldest first; only for small accounts, such as a story's.
    pub fn events(&self) -> Vec<Arc<Event>> {
        (0..self.event_count()).filter_map(|position| self.event(position)).collect()
    }

    /// Returns the event at a position; the oldest has 0.
    pub fn event(&self, position: u64) -> Option<Arc<Event>> {
        if position >= self.event_count() {
            return None;
        }
        if let Some(held) = self.recent_events.borrow_mut().get(&position) {
            return Some(held);
        }
        let stored = self.store.event(position).map(Some).unwrap_or_else(|error| self.fail(error))?;
        let event = Arc::new(stored.event);
        self.recent_events.borrow_mut().insert(position, Arc::clone(&event), stored.bytes);
        Some(event)
    }

    /// Returns the position of an event.
    pub fn event_position(&self, id: &str) -> Option<u64> {
        self.store.event_position(id).unwrap_or_else(|error| self.fail(error))
    }

    /// Iterates over the events of the wanted types, newest first, from a position on. Decodes rows lazily.
    pub fn newest_events<'a>(
        &'a self,
        from: Option<u64>,
        wanted: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = Arc<Event>> + 'a {
        let mut below = from.map_or(self.event_count(), |from| (from + 1).min(self.event_count()));
        let mut at_once = ROWS_AT_ONCE.start;
        let pages = std::iter::from_fn(move || {
            let page = self.store.events_below(below, at_once).unwrap_or_else(|error| self.fail(error));
            let expected = (0..below).rev().take(at_once);
            if !page.iter().map(|(position, _)| *position).eq(expected) {
                self.fail(StoreError::missing("event", format!("before {below}")))
            }
            below -= (page.len() as u64).min(below);
            at_once = (at_once * 2).min(ROWS_AT_ONCE.end);
            (!page.is_empty()).then_some(page)
        });
        let positions = pages.flatten().filter(move |(_, kind)| wanted(kind)).map(|(position, _)| position);
        positions.filter_map(|position| self.event(position))
    }

    /// Returns the enabled webhook endpoints for an event type, of connected accounts or of the own one, oldest first.
    pub fn endpoints_for(&self, event: &str, of_connected: bool) -> Vec<Arc<Object>> {
        let asked = |o: &Arc<Object>| {
            o.text("status") == "enabled"
                && o.is("_connect") == of_connected
                && o.list_at("enabled_events").iter().any(|e| e == "*" || e == event)
        };
        let mut found: Vec<_> = self.newest("webhook_endpoint", None).filter(asked).collect();
        found.reverse();
        found
    }

    /// Returns a copy with the members that older versions embed, which can be rendered in any version later.
    pub fn freeze(&self, object: &Object) -> Object {
        let mut frozen = object.clone();
        let embedded = |member: &str| {
            let ids = object.list_at(member).iter().rev().filter_map(Value::as_str);
            Value::Array(ids.map(|id| self.freeze(&self.copy(id)).value()).collect())
        };
        match object.kind() {
            "payment_intent" => frozen.set("_charges", embedded("_charge_ids")),
            "charge" => frozen.set("_refunds", embedded("_refund_ids")),
            _ => {}
        }
        frozen
    }

    /// Returns the next due object of a clock, if not after `until_s`, with its due time.
    pub fn next_due(&self, clock: &str, until_s: i64) -> Option<(i64, String)> {
        self.store.next_due(clock, until_s).unwrap_or_else(|error| self.fail(error))
    }

    /// Returns the number of requests.
    pub fn requests(&self) -> u64 {
        self.counters.requests
    }

    /// Counts a request. A read-only request is not worth a write: its number may be used again after a restart.
    pub fn count_request(&mut self, only_reads: bool) {
        self.counters.requests += 1;
        self.only_reads = only_reads;
    }

    /// Returns the number of events, from the first on, that are delivered or given up.
    pub fn delivered(&self) -> u64 {
        self.counters.delivered
    }

    /// Stores the reply for an idempotency key. Replies from before `outdated_before_s` may be deleted.
    pub fn put_answer(&mut self, answer: &StoredReply, outdated_before_s: i64) {
        self.store.put_answer(answer, outdated_before_s).unwrap_or_else(|error| self.fail(error));
    }

    /// Returns the stored reply of an idempotency key.
    pub fn answer(&self, key: &str) -> Option<StoredReply> {
        self.store.answer(key).unwrap_or_else(|error| self.fail(error))
    }

    /// Stores the number of events delivered or given up; called between requests.
    ///
    /// # Errors
    /// The state can't be written.
    pub fn set_delivered(&mut self, delivered: u64) -> Result<(), StoreError> {
        self.counters.delivered = delivered;
        // A temporary store is not read after its process.
        if self.store.is_kept() { self.commit() } else { Ok(()) }
    }

    /// Commits all changes since the last commit, or rolls them back.
    ///
    /// # Errors
    /// A row could not be read or written since the last commit, or the commit itself failed.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        let outcome = match self.take_failure() {
            Some(failure) => Err(failure),
            None => self.write_commit(),
        };
        if outcome.is_err() {
            self.roll_back();
        }
        outcome
    }

    fn write_commit(&mut self) -> Result<(), StoreError> {
        let (settings, counters) = &self.kept;
        let requests = if self.only_reads { counters.requests } else { self.counters.requests };
        let unwritten = Counters { requests, ..self.counters };
        if self.store.is_open() || unwritten != *counters || self.settings != *settings {
            self.store.commit(&self.settings, &self.counters)?;
            self.kept = (self.settings.clone(), self.counters);
        }
        self.touched.clear();
        Ok(())
    }

    /// Rolls back all changes since the last commit, except the number of requests.
    pub fn roll_back(&mut self) {
        self.deferred.clear();
        self.resends.clear();
        for id in self.touched.drain(..) {
            self.objects.get_mut().remove(&id);
        }
        let (settings, counters) = self.kept.clone();
        for position in counters.events..self.counters.events {
            self.recent_events.get_mut().remove(&position);
        }
        self.settings = settings;
        self.counters = Counters { requests: self.counters.requests, ..counters };
        self.store.roll_back().unwrap_or_else(|error| self.fail(error));
    }

    /// Rolls back the changes of a panicked call, so that the next call does not commit them.
    pub fn begin(&mut self) {
        self.take_failure();
        // Left by a panicked request.
        self.is_preview = false;
        self.deferred.clear();
        if self.store.is_open() {
            self.roll_back();
        }
    }

    /// Takes the first read or write failure since the last commit.
    pub fn take_failure(&self) -> Option<StoreError> {
        self.failure.take()
    }

    /// Records the first failure and returns an empty value.
    fn fail<T: Default>(&self, error: StoreError) -> T {
        self.failure.borrow_mut().get_or_insert(error);
        T::default()
    }
}

/// An iterator over the objects of a kind, newest first; see [`State::newest`].
#[derive(Debug)]
pub struct Newest<'s> {
    state: &'s State,
    kind: String,
    customer: Option<String>,
    below: i64,
    ids: VecDeque<String>,
    at_once: usize,
}

impl Iterator for Newest<'_> {
    type Item = Arc<Object>;

    fn next(&mut self) -> Option<Arc<Object>> {
        if self.ids.is_empty() {
            let found = self.state.store.objects_below(&self.kind, self.customer.as_deref(), self.below, self.at_once);
            let found = found.unwrap_or_else(|error| self.state.fail(error));
            self.below = found.last().map_or(self.below, |(seq, _)| *seq);
            self.ids.extend(found.into_iter().map(|(_, id)| id));
            self.at_once = (self.at_once * 2).min(ROWS_AT_ONCE.end);
        }
        let id = self.ids.pop_front()?;
        let object = self.state.find(&id);
        if object.is_none() {
            self.state.fail(StoreError::missing("object", id))
        }
        object
    }
}

/// Returns the members visible to clients.
fn shown(object: &Object) -> impl Iterator<Item = (&String, &Value)> {
    object.0.iter().filter(|(name, _)| !name.starts_with('_'))
}

/// Returns the id of an object's test clock, empty for the sandbox's own.
pub fn clock_of(object: &Object) -> &str {
    let shown = object.text("test_clock");
    if shown.is_empty() { object.text("_clock") } else { shown }
}

/// Returns Stripe's name of a kind in `No such …`.
fn noun(kind: &str) -> &str {
    match kind {
        "payment_method" => "PaymentMethod",
        "checkout.session" => "checkout.session",
        "test_helpers.test_clock" => "test clock",
        other => other,
    }
}

/// Returns a time as JSON, or null.
pub fn time_or_null(time_s: Option<i64>) -> Value {
    time_s.map_or(Value::Null, |t| json!(t))
}
