//! The state of a sandbox. It reads no real clock and draws no random numbers: the same calls give the same state. The
//! changes of a request are either committed together or rolled back together.
//!
//! The rows are in the [store](crate::store). Recently used rows are cached here in decoded form. The endpoint code
//! does not handle read failures: a failed read looks like an absent row, and the request then fails at its commit.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api_faults::ApiFaults;
use crate::error::ApiError;
use crate::event::{Event, RequestMeta};
use crate::ids;
use crate::model::file::Upload;
use crate::object::{Object, key};
use crate::settings::Settings;
use crate::store::cache::Cache;
use crate::store::{Counters, Given, Store, StoreError, StoredReply};

pub mod owner;
mod series;

pub use series::Series;

/// The maximum size of the cache of decoded objects, in bytes of their JSON. Decoded objects take about ten times as
/// much memory.
const OBJECTS_BYTES_MAX: usize = 4_000_000;
/// The maximum size of the cache of decoded events, in bytes of their JSON.
const EVENTS_BYTES_MAX: usize = 1_000_000;
/// The number of rows that an iterator reads at once. It starts low, so that a short page is cheap, and doubles up to
/// the maximum.
const ROWS_AT_ONCE: std::ops::Range<usize> = 2..128;

/// An action that is deferred to the end of the current call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeferredAction {
    /// The cardholder's bank disputes the charge with this id.
    Dispute(String),
    /// The refund with this id fails after it succeeded.
    RefundFails(String),
    /// The pending refund with this id succeeds.
    RefundSucceeds(String),
    /// The payment intent with this id is now fully funded from the customer's cash balance.
    PaidFromCash(String),
    /// The card's issuer warns that the charge with this id may be fraudulent.
    FraudWarning(String),
}

/// The state of a sandbox.
#[derive(Debug)]
pub struct State {
    /// The settings, from the start or from `/_sandbox/settings`.
    pub settings: Settings,
    /// The current request.
    pub request: RequestMeta,
    /// The file of the current request, if it uploads one.
    pub upload: Option<Upload>,
    /// The actions that run at the end of the call.
    pub deferred: Vec<DeferredAction>,
    /// The customers whose subscriptions changed since the last [`crate::entitlements::follow`].
    pub resubscribed: Vec<String>,
    /// Whether the call is a preview, whose changes are rolled back.
    pub is_preview: bool,
    /// The ids of events to resend, each with the id of one endpoint, or `None` for all endpoints.
    pub resends: Vec<(String, Option<String>)>,
    /// The id of the connected account for which the current request acts; see [`owner`].
    acting: String,
    /// The requested faults of the API.
    pub api_faults: ApiFaults,
    store: Store,
    objects: RefCell<Cache<String, Arc<Object>>>,
    recent_events: RefCell<Cache<u64, Arc<Event>>>,
    counters: Counters,
    only_reads: bool,
    /// The keys of the objects changed since the last commit.
    touched: Vec<String>,
    /// The settings and counters of the last commit.
    kept: (Settings, Counters),
    failure: RefCell<Option<StoreError>>,
}

impl State {
    /// Creates an empty account in a temporary store, which ends with the process.
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
            upload: None,
            deferred: Vec::new(),
            resubscribed: Vec::new(),
            is_preview: false,
            resends: Vec::new(),
            acting: String::new(),
            api_faults: ApiFaults::default(),
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

    /// Returns a new id with a prefix such as `cus`.
    pub fn new_id(&mut self, prefix: &str) -> String {
        self.counters.next_number += 1;
        ids::id(prefix, self.settings.seed, self.counters.next_number)
    }

    /// Returns new random-looking characters for a secret or a code.
    pub fn new_characters(&mut self, length: usize) -> String {
        self.counters.next_number += 1;
        ids::characters(self.settings.seed, self.counters.next_number, length)
    }

    /// Returns the time of the sandbox's own clock, in Unix seconds.
    pub fn clock_s(&self) -> i64 {
        self.counters.clock_s
    }

    /// Moves the sandbox's own clock forward to a time in Unix seconds. An earlier time has no effect.
    pub fn set_clock(&mut self, time_s: i64) {
        self.counters.clock_s = self.counters.clock_s.max(time_s);
    }

    /// Returns the time of a test clock, in Unix seconds. For an empty or unknown id, returns the time of the sandbox's
    /// own clock.
    pub fn time_on(&self, clock: &str) -> i64 {
        let test_clock = if clock.is_empty() { None } else { self.seek(clock) };
        test_clock.map_or(self.counters.clock_s, |test_clock| test_clock.int("frozen_time"))
    }

    /// Returns the time of the object's clock, in Unix seconds.
    pub fn now(&self, object: &Object) -> i64 {
        self.time_on(object.clock())
    }

    /// Returns the object with a [key], which must exist. For most kinds of object, the key is the id.
    ///
    /// # Errors
    /// There is no such object. This is an internal error that fails the whole request, even if the caller ignores it.
    pub fn find(&self, id: &str) -> Result<Arc<Object>, ApiError> {
        self.seek(id).ok_or_else(|| {
            let missing = StoreError::missing("object", id);
            let error = ApiError::internal(missing.to_string());
            self.fail::<()>(missing);
            error
        })
    }

    /// Returns the object with a [key], if there is one.
    pub fn seek(&self, id: &str) -> Option<Arc<Object>> {
        self.find_row(&owner::name_within(&self.acting, id))
    }

    /// Returns the object of a row.
    fn find_row(&self, id: &str) -> Option<Arc<Object>> {
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
        self.seek(&key(kind, id)).filter(|o| o.kind() == kind).ok_or_else(|| ApiError::no_such(noun(kind), id, param))
    }

    /// Returns a copy of an object that must exist, for an action without a result. If it does not exist, the whole
    /// request fails at its commit.
    pub fn copy(&self, id: &str) -> Object {
        self.find(id).map(|found| Object::clone(&found)).unwrap_or_default()
    }

    /// Returns a copy of an object that another object refers to, or referred to before it was removed. If there is
    /// none, returns an object without members.
    pub fn copy_if_any(&self, id: &str) -> Object {
        self.seek(id).map(|o| Object::clone(&o)).unwrap_or_default()
    }

    /// Stores a new or changed object under its [key].
    pub fn put(&mut self, mut object: Object) -> Arc<Object> {
        if !object.own.fits(object.kind()) {
            self.fail(StoreError::unreadable("object", object.id(), "it has the state of another kind"))
        }
        if !self.acting.is_empty() {
            object.owner.clone_from(&self.acting);
        }
        let id = owner::name_within(&self.acting, &object.key()).into_owned();
        let before = self.find_row(&id);
        match &before {
            Some(before) => object.seq = before.seq,
            None => {
                self.counters.next_number += 1;
                object.seq = self.counters.next_number.cast_signed();
            }
        }
        if let Some(before) = before.as_ref().filter(|before| ***before == object) {
            return Arc::clone(before);
        }
        let stored = Arc::new(object);
        if stored.kind() == "subscription" {
            self.resubscribed.push(stored.text("customer").to_owned());
        }
        self.touched.push(id.clone());
        match self.store.put_object(before.as_deref(), &stored) {
            Ok(bytes) => self.objects.get_mut().insert(id, Arc::clone(&stored), bytes),
            Err(error) => self.fail(error),
        }
        stored
    }

    /// Changes an object without an event. Returns the changed object.
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
        if after.members != before.members {
            self.emit_with(event, &after, Some(self.freeze(before)));
        }
    }

    /// Removes an object permanently.
    pub fn remove(&mut self, id: &str) {
        if let Some(before) = self.seek(id) {
            let row = owner::name_within(&self.acting, id).into_owned();
            self.objects.get_mut().remove(&row);
            self.touched.push(row);
            self.store.remove_object(&before).unwrap_or_else(|error| self.fail(error));
        }
    }

    /// Iterates over the objects of a kind, newest first, or only over those of a customer. Reads the rows lazily.
    pub fn newest(&self, kind: &str, customer: Option<&str>) -> Newest<'_> {
        self.newest_from(kind, customer, None)
    }

    /// Like [`State::newest`], but starts with the object `from`, if it is one of these objects.
    pub fn newest_from(&self, kind: &str, customer: Option<&str>, from: Option<&str>) -> Newest<'_> {
        let first = from.and_then(|id| self.seek(&key(kind, id))).filter(|first| {
            first.kind() == kind && customer.is_none_or(|customer| first.get("customer").as_str() == Some(customer))
        });
        Newest {
            state: self,
            kind: owner::name_within(&self.acting, kind).into_owned(),
            customer: customer.map(str::to_owned),
            below: first.map_or(i64::MAX, |first| first.seq + 1),
            ids: VecDeque::new(),
            at_once: ROWS_AT_ONCE.start,
        }
    }

    /// Returns the number of objects of a kind.
    pub fn count(&self, kind: &str) -> usize {
        self.store.count_objects(&owner::name_within(&self.acting, kind)).unwrap_or_else(|error| self.fail(error))
    }

    /// Emits an event about an object in its current state.
    pub fn emit(&mut self, event: &str, object: &Object) {
        self.emit_with(event, object, None);
    }

    /// Emits an event about an object, with its previous state if given.
    pub fn emit_with(&mut self, event: &str, object: &Object, before: Option<Object>) {
        let created_s = self.now(object);
        let object = Arc::new(self.freeze(object));
        let before = before.map(Arc::new);
        let account = match (object.kind(), self.acting.as_str()) {
            ("account", _) => Some(object.id().to_owned()),
            (_, "") => None,
            (_, acting) => Some(acting.to_owned()),
        };
        let pending = self.endpoints_for(event, account.is_some()).len() as u64;
        let twins = if self.settings.faults.twins { 2 } else { 1 };
        for _ in 0..twins {
            let made = Event {
                id: self.new_id("evt"),
                kind: event.to_owned(),
                created_s,
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

    /// Returns all events, oldest first. Reads all of them, so use it only for small accounts, such as the account of a
    /// story.
    pub fn events(&self) -> Vec<Arc<Event>> {
        (0..self.event_count()).filter_map(|position| self.event(position)).collect()
    }

    /// Returns the event at a position. The oldest event is at position 0, until a reset removes it.
    pub fn event(&self, position: u64) -> Option<Arc<Event>> {
        if !(self.counters.first_event..self.event_count()).contains(&position) {
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

    /// Iterates over the events of the wanted types, newest first. Starts at the position `from`, or at the newest
    /// event. Decodes the rows lazily.
    pub fn newest_events<'a>(
        &'a self,
        from: Option<u64>,
        wanted: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = Arc<Event>> + 'a {
        let mut below = from.map_or(self.event_count(), |from| (from + 1).min(self.event_count()));
        let mut at_once = ROWS_AT_ONCE.start;
        let pages = std::iter::from_fn(move || {
            let page = self.store.events_below(below, at_once).unwrap_or_else(|error| self.fail(error));
            let expected = (self.counters.first_event..below).rev().take(at_once);
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

    /// Returns the enabled webhook endpoints for an event type, oldest first: the endpoints for events of connected
    /// accounts, or those for events of the own account.
    pub fn endpoints_for(&self, event: &str, of_connected: bool) -> Vec<Arc<Object>> {
        let asked = |o: &Arc<Object>| {
            o.text("status") == "enabled"
                && o.as_webhook_endpoint().connect == of_connected
                && o.list_at("enabled_events").iter().any(|e| e == "*" || e == event)
        };
        // Endpoints always belong to the sandbox's own account, even if a request acts for a connected account.
        let endpoints = Newest { kind: "webhook_endpoint".to_owned(), ..self.newest("webhook_endpoint", None) };
        let mut found: Vec<_> = endpoints.filter(asked).collect();
        found.reverse();
        found
    }

    /// Returns a copy with the objects that older versions embed, so that the copy can later be rendered in any
    /// version.
    pub fn freeze(&self, object: &Object) -> Object {
        let mut frozen = Object::of(object.value());
        // The objects of another account are not found.
        let embed = |id: &String| match self.seek(id) {
            Some(found) => Value::Object(self.freeze(&found).members),
            None => json!({}),
        };
        let embedded = |ids: &[String]| -> Vec<Value> { ids.iter().rev().map(embed).collect() };
        match object.kind() {
            "payment_intent" => frozen.set("charges", embedded(&object.as_intent().charge_ids)),
            "charge" => frozen.set("refunds", embedded(&object.as_charge().refund_ids)),
            _ => {}
        }
        frozen
    }

    /// Returns the object behind a value as the model shows it.
    pub fn shown(&self, value: Value) -> Object {
        let mut object = Object::of(value);
        if matches!(object.kind(), "payment_intent" | "charge") {
            object.own = self.seek(object.id()).map(|stored| stored.own.clone()).unwrap_or_default();
        }
        self.freeze(&object)
    }

    /// Returns the time, in Unix seconds, and the row of the object that acts next on a clock, unless that is after
    /// `until_s`; see [`State::next_due_of`].
    pub fn next_due(&self, clock: &str, until_s: i64) -> Option<(i64, String)> {
        self.store.next_due(clock, until_s).unwrap_or_else(|error| self.fail(error))
    }

    /// Returns the number of requests.
    pub fn requests(&self) -> u64 {
        self.counters.requests
    }

    /// Counts a request. The number of a read-only request is not stored, so it may be reused after a restart.
    pub fn count_request(&mut self, only_reads: bool) {
        self.counters.requests += 1;
        self.only_reads = only_reads;
    }

    /// Returns the delivery progress: the number of leading events whose deliveries all succeeded or were given up.
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

    /// Stores the delivery progress; see [`State::delivered`]. Must be called between requests.
    ///
    /// # Errors
    /// The state can't be written.
    pub fn set_delivered(&mut self, delivered: u64) -> Result<(), StoreError> {
        self.counters.delivered = delivered;
        // A temporary store ends with the process, so its progress needs no commit.
        if self.store.is_kept() { self.commit() } else { Ok(()) }
    }

    /// Commits all changes since the last commit.
    ///
    /// # Errors
    /// A row could not be read or written since the last commit, or the commit itself failed. All changes are then
    /// rolled back.
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

    /// Removes everything except the settings and the webhook endpoints that the process keeps; see
    /// [`Sandbox::keep_endpoint`](crate::sandbox::Sandbox::keep_endpoint). The clock returns to its start. Ids and
    /// event positions continue from where they were, so that none is used twice.
    pub fn reset(&mut self) {
        self.act_for("");
        let kept: Vec<Object> = self
            .newest("webhook_endpoint", None)
            .filter(|endpoint| endpoint.as_webhook_endpoint().kept)
            .map(|endpoint| Object::clone(&endpoint))
            .collect();
        self.store.clear().unwrap_or_else(|error| self.fail(error));
        self.objects = RefCell::new(Cache::new(OBJECTS_BYTES_MAX));
        self.recent_events = RefCell::new(Cache::new(EVENTS_BYTES_MAX));
        self.api_faults.clear();
        self.deferred.clear();
        self.resubscribed.clear();
        self.resends.clear();
        self.counters.first_event = self.counters.events;
        self.counters.clock_s = self.settings.start_s;
        for endpoint in kept.into_iter().rev() {
            self.put(endpoint);
        }
    }

    /// Whether nothing has ever been created here.
    pub fn is_new(&self) -> bool {
        self.counters.next_number == 0
    }

    /// Rolls back all changes since the last commit, except the number of requests and the delivery progress: a request
    /// changes neither of them, and events that were delivered stay delivered.
    pub fn roll_back(&mut self) {
        self.deferred.clear();
        self.resubscribed.clear();
        self.resends.clear();
        for id in self.touched.drain(..) {
            self.objects.get_mut().remove(&id);
        }
        let (settings, counters) = self.kept.clone();
        for position in counters.events..self.counters.events {
            self.recent_events.get_mut().remove(&position);
        }
        self.settings = settings;
        self.counters = Counters { requests: self.counters.requests, delivered: self.counters.delivered, ..counters };
        self.store.roll_back().unwrap_or_else(|error| self.fail(error));
    }

    /// Starts a call. If the previous call panicked, rolls back its changes, so that this call does not commit them.
    pub fn begin(&mut self) {
        self.take_failure();
        // A panicked request may have left these fields set.
        self.is_preview = false;
        self.upload = None;
        self.acting.clear();
        self.deferred.clear();
        self.resubscribed.clear();
        if self.store.is_open() {
            self.roll_back();
        }
    }

    /// Takes the first read or write failure since the last commit, if any.
    pub fn take_failure(&self) -> Option<StoreError> {
        self.failure.take()
    }

    /// Records a failure, unless one is already recorded, and returns an empty value.
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
        let object = self.state.find_row(&id);
        if object.is_none() {
            self.state.fail(StoreError::missing("object", id))
        }
        object
    }
}

/// Returns the name of a kind in Stripe's message `No such …`.
fn noun(kind: &str) -> &str {
    match kind {
        "payment_method" => "PaymentMethod",
        "promotion_code" => "promotion code",
        "setup_intent" => "setupintent",
        "tax_rate" => "tax rate",
        "webhook_endpoint" => "webhook endpoint",
        "test_helpers.test_clock" => "test clock",
        other => other,
    }
}

/// Returns a time in Unix seconds as a JSON number, or null.
pub fn time_or_null(time_s: Option<i64>) -> Value {
    time_s.map_or(Value::Null, |t| json!(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_object_and_foreign_own_state_fail_the_request() {
        let mut st = State::new(Settings::default());
        assert_eq!(st.find("in_1").err().map(|error| error.status), Some(500));
        assert!(st.commit().is_err());
        assert!(st.copy_if_any("in_1").is_absent() && st.commit().is_ok());
        st.put(
            Object::of(json!({ "id": "in_1", "object": "invoice" }))
                .with(|invoice| invoice.as_charge_mut().reversed_for = 1),
        );
        assert!(st.commit().is_err() && st.seek("in_1").is_none());
    }
}
