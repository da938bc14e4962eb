//! Everything the sandbox remembers. It reads no clock and draws no randomness: the same calls give the same state.
//! What a request does lasts with its commit; a request that fails is undone as a whole.
//!
//! The rows are in the [store](crate::store); what was used lately is decoded here. To read a row may fail, which no
//! rule of the API provides for: then it isn't there, and the request that met it can't be committed or answered.

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

/// Bytes of JSON of the objects that are held decoded, which takes about ten times as much.
const OBJECTS_BYTES_MAX: usize = 4_000_000;
/// The same of events.
const EVENTS_BYTES_MAX: usize = 1_000_000;
/// Rows that an iterator looks up at once at first, so that a short page costs no more, and at most.
const ROWS_AT_ONCE: std::ops::Range<usize> = 2..128;

/// What of the request under way shows in the objects it makes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RequestMeta {
    /// `req_…`; `None` while the sandbox acts by itself.
    pub id: Option<String>,
    /// The caller's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

/// What happens once the call under way has done everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Later {
    /// The cardholder's bank disputes a charge.
    Dispute(String),
    /// A refund that succeeded fails.
    RefundFails(String),
}

/// The sandbox's memory.
#[derive(Debug)]
pub struct State {
    /// What was chosen at the start or by `/_sandbox/settings`.
    pub settings: Settings,
    /// The request under way.
    pub request: RequestMeta,
    /// What happens at the end of the call.
    pub later: Vec<Later>,
    /// The call only shows what would happen: nothing of it stays.
    pub is_preview: bool,
    /// Events to deliver again, each to one endpoint or to all.
    pub resends: Vec<(String, Option<String>)>,
    store: Store,
    objects: RefCell<Cache<String, Arc<Object>>>,
    recent_events: RefCell<Cache<u64, Arc<Event>>>,
    counters: Counters,
    only_reads: bool,
    /// Ids of the objects changed since the last commit.
    touched: Vec<String>,
    /// What the last commit wrote.
    kept: (Settings, Counters),
    failure: RefCell<Option<StoreError>>,
}

impl State {
    /// An empty account that ends with the process.
    pub fn new(settings: Settings) -> Self {
        let counters = Counters { clock_s: settings.start_s, ..Counters::default() };
        Self::with(Store::temporary(&settings), settings, counters)
    }

    /// The account of a state file, or a new one in it; see [`Store::open`].
    pub fn open(path: &Path, settings: Settings, given: &[Given]) -> Result<Self, StoreError> {
        let (store, settings, counters) = Store::open(path, settings, given)?;
        Ok(Self::with(store, settings, counters))
    }

    fn with(store: Store, settings: Settings, counters: Counters) -> Self {
        Self {
            request: RequestMeta::default(),
            later: Vec::new(),
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

    /// A new id.
    pub fn new_id(&mut self, prefix: &str) -> String {
        self.counters.next_number += 1;
        ids::id(prefix, self.settings.seed, self.counters.next_number)
    }

    /// New characters for a secret or a code.
    pub fn new_characters(&mut self, length: usize) -> String {
        self.counters.next_number += 1;
        ids::characters(self.settings.seed, self.counters.next_number, length)
    }

    /// The sandbox's own clock.
    pub fn clock_s(&self) -> i64 {
        self.counters.clock_s
    }

    /// Sets the sandbox's own clock; it never goes back.
    pub fn set_clock(&mut self, time_s: i64) {
        self.counters.clock_s = self.counters.clock_s.max(time_s);
    }

    /// The time on a test clock, or on the sandbox's own for an empty id.
    pub fn time_on(&self, clock: &str) -> i64 {
        let test_clock = if clock.is_empty() { None } else { self.find(clock) };
        test_clock.map_or(self.counters.clock_s, |test_clock| test_clock.int("frozen_time"))
    }

    /// The time as the object's clock has it.
    pub fn now(&self, object: &Object) -> i64 {
        self.time_on(clock_of(object))
    }

    /// The object of that id; of kinds whose ids callers choose, of that [key].
    pub fn find(&self, id: &str) -> Option<Arc<Object>> {
        if let Some(held) = self.objects.borrow_mut().get(id) {
            return Some(held);
        }
        let stored = self.store.object(id).unwrap_or_else(|error| self.fail(error))?;
        let object = Arc::new(stored.object);
        self.objects.borrow_mut().insert(id.to_owned(), Arc::clone(&object), stored.bytes);
        Some(object)
    }

    /// The object of that id and kind, or `resource_missing` about the parameter (`id` for a path).
    pub fn load(&self, kind: &str, id: &str, param: &str) -> Result<Arc<Object>, ApiError> {
        self.find(&key(kind, id)).filter(|o| o.kind() == kind).ok_or_else(|| ApiError::no_such(noun(kind), id, param))
    }

    /// A copy of an object that an invariant says is there; empty otherwise, which no rule acts on.
    pub fn copy(&self, id: &str) -> Object {
        self.find(id).map(|o| Object::clone(&o)).unwrap_or_default()
    }

    /// Stores an object, new or changed. The [key] decides which.
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

    /// Changes an object and, if that shows, emits an event with `previous_attributes`.
    pub fn change_and_emit(&mut self, id: &str, event: &str, edit: impl FnOnce(&mut Object)) -> Arc<Object> {
        let before = self.copy(id);
        let after = self.change(id, edit);
        self.emit_since(id, event, &before);
        after
    }

    /// Emits an event about what changed in an object since it looked like `before`, if that shows.
    pub fn emit_since(&mut self, id: &str, event: &str, before: &Object) {
        let after = self.copy(id);
        let before = self.freeze(before);
        if shown(&after).ne(shown(&before)) {
            self.emit_with(event, &after, Some(before));
        }
    }

    /// Removes an object for good.
    pub fn remove(&mut self, id: &str) {
        if let Some(before) = self.find(id) {
            self.touched.push(id.to_owned());
            self.objects.get_mut().remove(id);
            self.store.remove_object(&before).unwrap_or_else(|error| self.fail(error));
        }
    }

    /// The newest objects of a kind first; only a customer's if one is named. No more are read than are taken.
    pub fn newest(&self, kind: &str, customer: Option<&str>) -> Newest<'_> {
        self.newest_from(kind, customer, None)
    }

    /// The same, from the object of an id on if it is one of them.
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

    /// How many objects of a kind there are.
    pub fn count(&self, kind: &str) -> usize {
        self.store.count_objects(kind).unwrap_or_else(|error| self.fail(error))
    }

    /// Emits an event about an object as it is now.
    pub fn emit(&mut self, event: &str, object: &Object) {
        self.emit_with(event, object, None);
    }

    /// Emits an event with what the object was before, already frozen.
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

    /// How many events there are.
    pub fn event_count(&self) -> u64 {
        self.counters.events
    }

    /// All events, oldest first: of an account that is small enough, such as a story's.
    pub fn events(&self) -> Vec<Arc<Event>> {
        (0..self.event_count()).filter_map(|position| self.event(position)).collect()
    }

    /// The event of a position, of which the oldest has 0.
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

    /// The position of an event.
    pub fn event_position(&self, id: &str) -> Option<u64> {
        self.store.event_position(id).unwrap_or_else(|error| self.fail(error))
    }

    /// The newest events of the wanted types first, from a position on. No more are decoded than are taken.
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

    /// The enabled webhook endpoints that asked for an event type, of connected accounts or of the own one, oldest first.
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

    /// A copy that carries what older versions embed, so that it can be shown in any version for ever.
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

    /// The next object of a clock that comes due until a time.
    pub fn next_due(&self, clock: &str, until_s: i64) -> Option<(i64, String)> {
        self.store.next_due(clock, until_s).unwrap_or_else(|error| self.fail(error))
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.counters.requests
    }

    /// Counts a request. One that only reads is not worth a write: its number may come again after a restart.
    pub fn count_request(&mut self, only_reads: bool) {
        self.counters.requests += 1;
        self.only_reads = only_reads;
    }

    /// How many events, from the first on, are delivered or given up.
    pub fn delivered(&self) -> u64 {
        self.counters.delivered
    }

    /// Keeps an answer for its idempotency key. Answers from before a time may go.
    pub fn put_answer(&mut self, answer: &StoredReply, outdated_before_s: i64) {
        self.store.put_answer(answer, outdated_before_s).unwrap_or_else(|error| self.fail(error));
    }

    /// The answer of an idempotency key.
    pub fn answer(&self, key: &str) -> Option<StoredReply> {
        self.store.answer(key).unwrap_or_else(|error| self.fail(error))
    }

    /// Keeps how many events are delivered or given up; between two requests.
    pub fn set_delivered(&mut self, delivered: u64) -> Result<(), StoreError> {
        self.counters.delivered = delivered;
        // Nobody can ask a temporary store after its process.
        if self.store.is_kept() { self.commit() } else { Ok(()) }
    }

    /// Makes everything since the last commit lasting, or undoes it and says why it can't.
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

    /// Undoes everything since the last commit, but for the number of requests.
    pub fn roll_back(&mut self) {
        self.later.clear();
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

    /// Undoes what a call left that panicked, so that the next one doesn't commit it.
    pub fn begin(&mut self) {
        self.take_failure();
        // What a request that panicked left behind.
        self.is_preview = false;
        self.later.clear();
        if self.store.is_open() {
            self.roll_back();
        }
    }

    /// Why something that was read or written since the last commit can't be relied on.
    pub fn take_failure(&self) -> Option<StoreError> {
        self.failure.take()
    }

    /// Remembers the first failure; gives what stands for nothing.
    fn fail<T: Default>(&self, error: StoreError) -> T {
        self.failure.borrow_mut().get_or_insert(error);
        T::default()
    }
}

/// The newest objects of a kind first; see [`State::newest`].
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

/// The members a client can see.
fn shown(object: &Object) -> impl Iterator<Item = (&String, &Value)> {
    object.0.iter().filter(|(name, _)| !name.starts_with('_'))
}

/// The id of the test clock an object lives on, empty for the sandbox's own.
pub fn clock_of(object: &Object) -> &str {
    let shown = object.text("test_clock");
    if shown.is_empty() { object.text("_clock") } else { shown }
}

/// How Stripe calls a kind in `No such …`.
fn noun(kind: &str) -> &str {
    match kind {
        "payment_method" => "PaymentMethod",
        "checkout.session" => "checkout.session",
        "test_helpers.test_clock" => "test clock",
        other => other,
    }
}

/// The JSON of a time, or null.
pub fn time_or_null(time_s: Option<i64>) -> Value {
    time_s.map_or(Value::Null, |t| json!(t))
}
