//! Everything the sandbox remembers. It does no I/O, reads no clock and draws no randomness: the same calls give
//! the same state. A request that fails is undone as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::billing::due;
use crate::error::ApiError;
use crate::event::Event;
use crate::ids;
use crate::object::Object;
use crate::settings::Settings;

/// What of the request under way shows in the objects it makes.
#[derive(Debug, Clone, Default)]
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
    objects: HashMap<String, Arc<Object>>,
    by_kind: HashMap<String, BTreeMap<u64, String>>,
    by_customer: HashMap<(String, String), BTreeMap<u64, String>>,
    events: Vec<Arc<Event>>,
    event_index: HashMap<String, usize>,
    next_number: u64,
    clock_s: i64,
    due: BTreeMap<String, BTreeSet<(i64, String)>>,
    due_of: HashMap<String, (String, i64)>,
    undo: Vec<(String, Option<Arc<Object>>)>,
    events_kept: usize,
}

impl State {
    /// An empty account.
    pub fn new(settings: Settings) -> Self {
        let clock_s = settings.start_s;
        Self {
            settings,
            request: RequestMeta::default(),
            later: Vec::new(),
            is_preview: false,
            resends: Vec::new(),
            objects: HashMap::new(),
            by_kind: HashMap::new(),
            by_customer: HashMap::new(),
            events: Vec::new(),
            event_index: HashMap::new(),
            next_number: 0,
            clock_s,
            due: BTreeMap::new(),
            due_of: HashMap::new(),
            undo: Vec::new(),
            events_kept: 0,
        }
    }

    /// A new id.
    pub fn new_id(&mut self, prefix: &str) -> String {
        self.next_number += 1;
        ids::id(prefix, self.settings.seed, self.next_number)
    }

    /// New characters for a secret or a code.
    pub fn new_characters(&mut self, length: usize) -> String {
        self.next_number += 1;
        ids::characters(self.settings.seed, self.next_number, length)
    }

    /// The sandbox's own clock.
    pub fn clock_s(&self) -> i64 {
        self.clock_s
    }

    /// Sets the sandbox's own clock; it never goes back.
    pub fn set_clock(&mut self, time_s: i64) {
        self.clock_s = self.clock_s.max(time_s);
    }

    /// The time on a test clock, or on the sandbox's own for an empty id.
    pub fn time_on(&self, clock: &str) -> i64 {
        match self.objects.get(clock) {
            Some(test_clock) => test_clock.int("frozen_time"),
            None => self.clock_s,
        }
    }

    /// The time as the object's clock has it.
    pub fn now(&self, object: &Object) -> i64 {
        self.time_on(clock_of(object))
    }

    /// The object of that id.
    pub fn find(&self, id: &str) -> Option<&Arc<Object>> {
        self.objects.get(id)
    }

    /// The object of that id and kind, or `resource_missing` about the parameter (`id` for a path).
    pub fn load(&self, kind: &str, id: &str, param: &str) -> Result<Arc<Object>, ApiError> {
        match self.objects.get(id).filter(|o| o.kind() == kind) {
            Some(object) => Ok(Arc::clone(object)),
            None => Err(ApiError::no_such(noun(kind), id, param)),
        }
    }

    /// A copy of an object that an invariant says is there; empty otherwise, which no rule acts on.
    pub fn copy(&self, id: &str) -> Object {
        self.objects.get(id).map(|o| Object::clone(o)).unwrap_or_default()
    }

    /// Stores an object, new or changed. The id decides which.
    pub fn put(&mut self, mut object: Object) -> Arc<Object> {
        let id = object.id().to_owned();
        let before = self.objects.get(&id).cloned();
        match &before {
            Some(before) => object.set("_seq", before.get("_seq").clone()),
            None => {
                self.next_number += 1;
                object.set("_seq", self.next_number);
            }
        }
        let stored = Arc::new(object);
        self.undo.push((id.clone(), before.clone()));
        self.place(&id, before.as_deref(), Some(&stored));
        Arc::clone(self.objects.entry(id).insert_entry(stored).get())
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
        if let Some(before) = self.objects.remove(id) {
            self.place(id, Some(&before), None);
            self.undo.push((id.to_owned(), Some(before)));
        }
    }

    /// The newest objects of a kind first; only a customer's if one is named.
    pub fn newest<'a>(&'a self, kind: &str, customer: Option<&str>) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a> {
        let ids = match customer {
            Some(customer) => self.by_customer.get(&(kind.to_owned(), customer.to_owned())),
            None => self.by_kind.get(kind),
        };
        match ids {
            Some(ids) => Box::new(ids.values().rev().filter_map(|id| self.objects.get(id))),
            None => Box::new(std::iter::empty()),
        }
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: &str) -> usize {
        self.by_kind.get(kind).map(BTreeMap::len).unwrap_or_default()
    }

    /// Emits an event about an object as it is now.
    pub fn emit(&mut self, event: &str, object: &Object) {
        self.emit_with(event, object, None);
    }

    /// Emits an event with what the object was before, already frozen.
    pub fn emit_with(&mut self, event: &str, object: &Object, before: Option<Object>) {
        let object = Arc::new(self.freeze(object));
        let before = before.map(Arc::new);
        let twins = if self.settings.faults.twins { 2 } else { 1 };
        for _ in 0..twins {
            let id = self.new_id("evt");
            let made = Event {
                id: id.clone(),
                kind: event.to_owned(),
                created_s: self.now(&object),
                request: self.request.clone(),
                object: Arc::clone(&object),
                before: before.clone(),
                pending_webhooks: self.endpoints_for(event).len() as u64,
            };
            self.event_index.insert(id, self.events.len());
            self.events.push(Arc::new(made));
        }
    }

    /// All events, oldest first.
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// The position of an event.
    pub fn event_position(&self, id: &str) -> Option<usize> {
        self.event_index.get(id).copied()
    }

    /// The enabled webhook endpoints that asked for an event type, oldest first.
    pub fn endpoints_for(&self, event: &str) -> Vec<Arc<Object>> {
        let asked = |o: &&Arc<Object>| {
            o.text("status") == "enabled" && o.list_at("enabled_events").iter().any(|e| e == "*" || e == event)
        };
        let mut found: Vec<_> = self.newest("webhook_endpoint", None).filter(asked).cloned().collect();
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
        self.due.get(clock)?.first().filter(|(time, _)| *time <= until_s).cloned()
    }

    /// Forgets how to undo: what was done stays.
    pub fn commit(&mut self) {
        self.undo.clear();
        self.events_kept = self.events.len();
    }

    /// Undoes everything since the last commit.
    pub fn roll_back(&mut self) {
        self.later.clear();
        self.resends.clear();
        for (id, before) in std::mem::take(&mut self.undo).into_iter().rev() {
            let current = self.objects.remove(&id);
            self.place(&id, current.as_deref(), before.as_deref());
            if let Some(before) = before {
                self.objects.insert(id, before);
            }
        }
        for event in self.events.drain(self.events_kept..) {
            self.event_index.remove(&event.id);
        }
    }

    /// Keeps the indexes true when an object changes from `before` to `after`.
    fn place(&mut self, id: &str, before: Option<&Object>, after: Option<&Object>) {
        let keys = |object: &Object| {
            let seq = object.get("_seq").as_u64().unwrap_or_default();
            let customer = object.get("customer").as_str().map(str::to_owned);
            (seq, object.kind().to_owned(), customer)
        };
        let (old, new) = (before.map(keys), after.map(keys));
        if old != new {
            if let Some((seq, kind, customer)) = old {
                self.by_kind.entry(kind.clone()).or_default().remove(&seq);
                if let Some(customer) = customer {
                    self.by_customer.entry((kind, customer)).or_default().remove(&seq);
                }
            }
            if let Some((seq, kind, customer)) = new {
                self.by_kind.entry(kind.clone()).or_default().insert(seq, id.to_owned());
                if let Some(customer) = customer {
                    self.by_customer.entry((kind, customer)).or_default().insert(seq, id.to_owned());
                }
            }
        }
        if let Some((clock, time)) = self.due_of.remove(id)
            && let Some(due) = self.due.get_mut(&clock)
        {
            due.remove(&(time, id.to_owned()));
        }
        if let Some(after) = after
            && let Some(time) = due::next(after)
        {
            let clock = clock_of(after).to_owned();
            self.due.entry(clock.clone()).or_default().insert((time, id.to_owned()));
            self.due_of.insert(id.to_owned(), (clock, time));
        }
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
