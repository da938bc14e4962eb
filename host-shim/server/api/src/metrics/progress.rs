//! Metrics of how long instances take to become ready, how many resources are created, and how many steps people do.
//!
//! Commits only leave notes of what happened. The store is read when the metrics are read, on a thread that answers queries.

use super::SiteLabels;
use extension_contract::{Account, Outcome, Payload, Timestamp};
use host_business::folder::ResourceCost;
use host_engine::processor::Report;
use host_engine::read;
use host_engine::view::parsed;
use host_store::{Partition, Read, Scope, Stored};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Maximum number of notes that wait for the next reading of the metrics; about 1 MB.
const NOTES_MAX: usize = 10_000;
/// Maximum number of notes that one read of the store examines, to keep it short.
pub(super) const LOOKED_MAX: usize = 500;
/// Maximum number of dead letters that are counted.
const DEAD_MAX: usize = 1_000;
/// Bucket bounds for the time from a payment or a creation to a running instance, in seconds. ORC-21 asks for at most 300; a
/// person may take 24 hours.
const BOUNDS_S: [f64; 13] =
    [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1_800.0, 7_200.0, 86_400.0, 172_800.0];
/// Collection of the records of instances.
const INSTANCES: &str = "instances";
/// Source of the results of effects.
const EFFECTS: &str = "effects";
/// The `done_by` of a step that no person did.
const MACHINE: &str = "machine";
/// An instance for which a person has completed a step.
const MANUAL: &str = "manual";
/// States of the steps that people do.
const STEP_STATES: [&str; 4] = ["opened", "completed", "abandoned", "overdue"];
/// Prefix of the ids of purchases whose checkout was created elsewhere.
const ELSEWHERE: &str = "pur_cs_";
/// Part of the id of the result of a mail about a step that a person has not done in time.
const OVERDUE: &str = "/mail:step_overdue:";
/// Suffix of the kinds that create a resource.
const ENSURE: &str = ".ensure";

/// How soon an instance should be ready, in milliseconds: five minutes (ORC-21).
const IN_TIME_MS: i64 = 300_000;

/// The instances that became ready in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) count: u64,
    in_time: u64,
    sum_ms: i64,
    longest_ms: i64,
}

impl Ready {
    /// Adds an instance by its time from the payment, or else from its creation.
    pub(super) fn add(&mut self, took_ms: i64) {
        self.count += 1;
        self.in_time += u64::from(took_ms <= IN_TIME_MS);
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
        self.longest_ms = self.longest_ms.max(took_ms);
    }

    pub(super) fn json(self) -> Value {
        let average = i64::try_from(self.count).ok().and_then(|count| self.sum_ms.checked_div(count));
        json!({
            "count": self.count, "within_300_s": self.in_time,
            "average_s": average.map(|ms| ms.div_euclid(1_000)), "longest_s": self.longest_ms.div_euclid(1_000),
        })
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HowLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    how: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CreationLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    resource: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResourceLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    resource: String,
}

/// The labels of the cost of resources.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CostLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    resource: String,
    currency: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    state: &'static str,
}

/// What a commit has done, to be examined later.
#[derive(Clone, Debug)]
pub(super) enum Note {
    /// The result of an effect that creates a resource: its number in the inbox.
    Created(u64),
    /// An instance is running for the first time: its account, its id, and the key of the mail about it.
    Ready { account: Account, instance: String, key: String },
}

/// What the store contains about a note.
#[derive(Debug, PartialEq)]
enum StoredNote {
    Created { resource: String, result: &'static str },
    Ready { how: &'static str, provisioning_ms: i64, onboarding_ms: Option<i64> },
}

/// What one read of the store has found.
pub(super) struct StoredProgress {
    seen: Vec<StoredNote>,
    parked: u64,
    dead: usize,
}

/// The metrics of instances, resources and manual steps.
pub(super) struct Progress {
    notes: Mutex<VecDeque<(Partition, Note)>>,
    provisioning: Family<HowLabels, Histogram>,
    onboarding: Family<HowLabels, Histogram>,
    created: Family<CreationLabels, Counter>,
    manual: Family<StepLabels, Counter>,
    parked: Family<SiteLabels, Gauge>,
    dead: Family<SiteLabels, Gauge>,
    overlooked: Counter,
    resources: Family<ResourceLabels, Gauge>,
    costs: Family<CostLabels, Gauge>,
    /// The kinds of resources that a site has had.
    kinds: Mutex<BTreeSet<(Partition, String)>>,
    /// The instances that became ready, and the kinds of resources that were to be created, as shown on a page.
    shown: Mutex<Shown>,
}

/// The numbers for the onboarding page. The metrics themselves can only be written as text.
#[derive(Debug, Default)]
struct Shown {
    /// By site; true for instances for which a person has done something.
    ready: BTreeMap<(Partition, bool), Ready>,
    created: BTreeSet<(Partition, String)>,
}

fn times() -> Histogram {
    Histogram::new(BOUNDS_S)
}

impl Progress {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Progress {
        let progress = Progress {
            notes: Mutex::default(),
            provisioning: Family::new_with_constructor(times),
            onboarding: Family::new_with_constructor(times),
            created: Family::default(),
            manual: Family::default(),
            parked: Family::default(),
            dead: Family::default(),
            overlooked: Counter::default(),
            resources: Family::default(),
            costs: Family::default(),
            kinds: Mutex::default(),
            shown: Mutex::default(),
        };
        let Progress { provisioning, onboarding, created, manual, parked, dead, overlooked, resources, costs, .. } =
            &progress;
        registry.register(
            "provisioning_seconds",
            "Time from the creation of an instance, or its payment, until it runs",
            provisioning.clone(),
        );
        registry.register(
            "onboarding_seconds",
            "Time from the payment for an instance until it runs",
            onboarding.clone(),
        );
        registry.register("resources_created", "Resources that were to be created, by result", created.clone());
        registry.register("resources", "Resources that exist according to the records", resources.clone());
        registry.register("resource_cost_minor", "Cost of the resources in a month, in minor units", costs.clone());
        registry.register("manual_steps", "Steps that a person does instead of a provider, by state", manual.clone());
        registry.register("parked_events", "Events that no account takes yet", parked.clone());
        registry.register("dead_events", "Dead letters, counted up to 1000", dead.clone());
        registry.register(
            "overlooked_notes",
            "Results that were not counted, since the metrics were not read for long",
            overlooked.clone(),
        );
        progress
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Partition, Note)>> {
        // A panic in between still leaves a valid queue.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what committed runs have done.
    pub(super) fn note(&self, partition: &Partition, reports: &[Report]) {
        for report in reports {
            self.count_step(partition, report);
            for note in notes(report) {
                let mut notes = self.lock();
                if notes.len() == NOTES_MAX {
                    notes.pop_front();
                    self.overlooked.inc();
                }
                notes.push_back((partition.clone(), note));
            }
        }
    }

    fn count_step(&self, partition: &Partition, report: &Report) {
        let count = |state| {
            let site = SiteLabels::of(partition);
            self.manual.get_or_create(&StepLabels { site, state }).inc();
        };
        for effect in &report.effects {
            if let Some(("step_waiting", _)) = mail_of(&effect.key) {
                count("opened");
            }
        }
        // This mail is planned earlier, and planned again when something changes. It counts when it is sent.
        if report.source == EFFECTS && has_ended(report) && report.event_id.contains(OVERDUE) {
            count("overdue");
        }
        match (report.kind.as_str(), report.result.outcome()) {
            ("step.complete", Some(Outcome::Applied)) => count("completed"),
            ("step.abandon", Some(Outcome::Applied)) => count("abandoned"),
            _ => {}
        }
    }

    /// Takes the oldest notes of a site, as many as one read of the store examines.
    pub(super) fn take(&self, partition: &Partition) -> Vec<Note> {
        let mut own = Vec::new();
        self.lock().retain(|(of, note)| {
            let is_taken = of == partition && own.len() < LOOKED_MAX;
            own.extend(is_taken.then(|| note.clone()));
            !is_taken
        });
        own
    }

    /// Puts back notes that could not be examined.
    pub(super) fn put_back(&self, partition: &Partition, notes: Vec<Note>) {
        let mut waiting = self.lock();
        let room = NOTES_MAX.saturating_sub(waiting.len());
        self.overlooked.inc_by(notes.len().saturating_sub(room) as u64);
        notes.into_iter().rev().take(room).for_each(|note| waiting.push_front((partition.clone(), note)));
    }

    /// Records the number of existing resources and their cost, by kind.
    pub(super) fn resources(&self, partition: &Partition, counts: &BTreeMap<String, usize>, costs: &[ResourceCost]) {
        for cost in costs {
            let (resource, currency) = (cost.resource.clone(), cost.currency.clone());
            let labels = CostLabels { site: SiteLabels::of(partition), resource, currency };
            let count = counts.get(&cost.resource).copied().unwrap_or(0);
            self.costs.get_or_create(&labels).set(cost.monthly(count));
        }
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.extend(counts.keys().map(|kind| (partition.clone(), kind.clone())));
        for (_, kind) in kinds.iter().filter(|(of, _)| of == partition) {
            let labels = ResourceLabels { site: SiteLabels::of(partition), resource: kind.clone() };
            let count = counts.get(kind).copied().unwrap_or(0);
            self.resources.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Counts what one read of the store has found.
    pub(super) fn count(&self, partition: &Partition, looked: StoredProgress) {
        let StoredProgress { seen, parked, dead } = looked;
        let site = SiteLabels::of(partition);
        self.parked.get_or_create(&site).set(i64::try_from(parked).unwrap_or(i64::MAX));
        self.dead.get_or_create(&site).set(i64::try_from(dead).unwrap_or(i64::MAX));
        for one in seen {
            let site = site.clone();
            match one {
                StoredNote::Created { resource, result } => {
                    self.shown().created.insert((partition.clone(), resource.clone()));
                    self.created.get_or_create(&CreationLabels { site, resource, result }).inc();
                }
                StoredNote::Ready { how, provisioning_ms, onboarding_ms } => {
                    let took_ms = onboarding_ms.unwrap_or(provisioning_ms);
                    self.shown().ready.entry((partition.clone(), how == MANUAL)).or_default().add(took_ms);
                    let labels = HowLabels { site, how };
                    self.provisioning.get_or_create(&labels).observe(seconds(provisioning_ms));
                    if let Some(time) = onboarding_ms {
                        self.onboarding.get_or_create(&labels).observe(seconds(time));
                    }
                }
            }
        }
    }
}

impl Progress {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the instances of a site that became ready, with or without manual work.
    pub(super) fn ready(&self, partition: &Partition, is_by_hand: bool) -> Ready {
        self.shown().ready.get(&(partition.clone(), is_by_hand)).copied().unwrap_or_default()
    }

    /// Returns the resources of a site that were to be created, by kind.
    pub(super) fn created(&self, partition: &Partition) -> Vec<Value> {
        let kinds: Vec<String> =
            self.shown().created.iter().filter(|(of, _)| of == partition).map(|(_, kind)| kind.clone()).collect();
        let count = |resource: &str, result| {
            let labels = CreationLabels { site: SiteLabels::of(partition), resource: resource.to_owned(), result };
            self.created.get(&labels).map_or(0, |count| count.get())
        };
        let shown =
            |kind: &String| json!({"resource": kind, "done": count(kind, "done"), "failed": count(kind, "failed")});
        kinds.iter().map(shown).collect()
    }

    /// Returns the number of manual steps of a site, by state.
    pub(super) fn steps(&self, partition: &Partition) -> BTreeMap<&'static str, u64> {
        let count = |state| {
            let labels = StepLabels { site: SiteLabels::of(partition), state };
            self.manual.get(&labels).map_or(0, |count| count.get())
        };
        STEP_STATES.into_iter().map(|state| (state, count(state))).collect()
    }
}

fn seconds(ms: i64) -> f64 {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64()
}

/// Returns the template and the reference in a mail's key, `mail:TEMPLATE:TO:REFERENCE`.
fn mail_of(key: &str) -> Option<(&str, &str)> {
    let mut parts = key.strip_prefix("mail:")?.splitn(3, ':');
    let (template, _) = (parts.next()?, parts.next()?);
    Some((template, parts.next()?))
}

/// Returns true for a run that was not a repetition.
fn has_ended(report: &Report) -> bool {
    report.result.outcome().is_some_and(|outcome| !matches!(outcome, Outcome::Duplicate(_)))
}

fn notes(report: &Report) -> Vec<Note> {
    let mut found = Vec::new();
    if report.source == EFFECTS && report.kind.ends_with(ENSURE) && has_ended(report) {
        found.push(Note::Created(report.seq));
    }
    let Some(account) = &report.account else { return found };
    for effect in &report.effects {
        // This mail is sent once for each instance.
        if let Some(("instance_ready", instance)) = mail_of(&effect.key) {
            let (account, instance, key) = (account.clone(), instance.to_owned(), effect.key.clone());
            found.push(Note::Ready { account, instance, key });
        }
    }
    found
}

/// Examines notes in the store.
pub(super) fn look(store: &dyn Read, partition: &Partition, notes: &[Note]) -> Stored<StoredProgress> {
    let seen = notes.iter().map(|note| see(store, partition, note)).collect::<Stored<Vec<_>>>()?;
    let dead = store.dead(partition, 0, DEAD_MAX)?.len();
    Ok(StoredProgress { seen: seen.into_iter().flatten().collect(), parked: store.parked_count(partition)?, dead })
}

/// Returns what the store contains about a note; none if it has been erased in the meantime.
fn see(store: &dyn Read, partition: &Partition, note: &Note) -> Stored<Option<StoredNote>> {
    match note {
        Note::Created(seq) => {
            let Some(row) = store.inbox(*seq)? else { return Ok(None) };
            let Payload::EffectResult(report) = &row.event.payload else { return Ok(None) };
            let resource = row.event.kind.trim_end_matches(ENSURE).to_owned();
            Ok(Some(StoredNote::Created { resource, result: if report.answer.is_ok() { "done" } else { "failed" } }))
        }
        Note::Ready { account, instance, key } => {
            let scope = partition.scope(account.clone());
            let Some(mail) = store.effect(&scope, key)?.into_iter().next() else { return Ok(None) };
            let Some(record) = read::record(store, &scope, INSTANCES, instance)? else { return Ok(None) };
            let record = parsed(&record.value);
            let paid = paid_at(store, &scope, instance, mail.created_at)?;
            let made = record["made_at"].as_i64();
            let Some(begin) = made.max(paid) else { return Ok(None) };
            let since = |begin: Timestamp| mail.created_at.saturating_sub(begin).max(0);
            let how = if is_by_hand(&record) { MANUAL } else { "automatic" };
            Ok(Some(StoredNote::Ready { how, provisioning_ms: since(begin), onboarding_ms: paid.map(since) }))
        }
    }
}

/// Returns true if a person has completed a step of an instance.
fn is_by_hand(record: &Value) -> bool {
    let resources = record["resources"].as_object().into_iter().flatten();
    resources.filter_map(|(_, resource)| resource["task"]["done_by"].as_str()).any(|done_by| done_by != MACHINE)
}

/// Returns when an instance was paid for: the time of the purchase that names it, or of the last checkout before it ran that
/// was created elsewhere, since such a checkout creates an instance. Returns none for an instance that an earlier plan
/// allows.
fn paid_at(store: &dyn Read, scope: &Scope, instance: &str, ready: Timestamp) -> Stored<Option<Timestamp>> {
    let purchases = read::purchases(store, scope)?;
    let (mut named, mut elsewhere) = (None, None);
    for purchase in &purchases {
        let details = parsed(&purchase.values.metadata);
        let counts = &details["counts"];
        let paid = counts["paid_at"].as_i64().or_else(|| counts["completed_at"].as_i64()).filter(|at| *at <= ready);
        if details["product_id"] == instance {
            named = named.max(paid);
        } else if purchase.id.starts_with(ELSEWHERE) {
            elsewhere = elsewhere.max(paid);
        }
    }
    Ok(named.or(elsewhere))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_reference_of_a_mail_may_have_colons() {
        assert_eq!(mail_of("mail:instance_ready:account:inst_a"), Some(("instance_ready", "inst_a")));
        assert_eq!(mail_of("mail:step_waiting:admin:orch_a:database"), Some(("step_waiting", "orch_a:database")));
        assert_eq!(mail_of("inst_a/database/ensure"), None);
        assert_eq!(mail_of("mail:receipt"), None);
    }

    // covers: ORC-62
    #[test]
    fn the_databases_of_orchestra_cost_what_the_business_says() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/businesses/orchestra");
        let costs = host_business::folder::BusinessFolder::load(&folder).expect("a business").own.costs;
        let partition = Partition { business: "orchestra".to_owned(), livemode: true };
        let mut registry = Registry::default();
        let progress = Progress::register(&mut registry);
        let told = |databases: usize| {
            progress.resources(&partition, &[("database".to_owned(), databases)].into(), &costs);
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).expect("metrics");
            let line = text.lines().find(|line| line.starts_with("resource_cost_minor{")).expect("a cost").to_owned();
            assert!(line.contains(r#"resource="database",currency="usd""#), "{line}");
            line.rsplit(' ').next().map(str::to_owned)
        };
        assert_eq!([2, 3, 10].map(told), ["0", "5500", "12500"].map(|amount| Some(amount.to_owned())));
    }

    #[test]
    fn a_step_that_a_person_has_completed_is_manual_work() {
        let by = |done_by: Value| json!({"resources": {"database": {"task": {"done_by": done_by}}, "bucket": {}}});
        assert!(is_by_hand(&by(json!("admin-1"))));
        assert!(!is_by_hand(&by(json!("machine"))), "the provider made it after all");
        assert!(!is_by_hand(&by(Value::Null)));
        assert!(!is_by_hand(&json!({})));
    }

    #[test]
    fn times_have_an_average_a_maximum_and_a_number_within_five_minutes() {
        let mut ready = Ready::default();
        assert_eq!(ready.json(), json!({"count": 0, "within_300_s": 0, "average_s": null, "longest_s": 0}));
        [300_000, 300_001, 60_500].into_iter().for_each(|took_ms| ready.add(took_ms));
        assert_eq!(ready.json(), json!({"count": 3, "within_300_s": 2, "average_s": 220, "longest_s": 300}));
    }
}
