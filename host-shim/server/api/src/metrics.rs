//! `GET /metrics`: counters and durations in the OpenMetrics text format. No label contains an account, an id or a string from a
//! caller.

pub(crate) mod answer;
mod delays;
pub(crate) mod onboarding;
mod progress;
mod unhandled;

use crate::ask::read;
use crate::health::probes::PATIENCE;
use crate::site::Observer;
use crate::site::Site;
use delays::Delays;
use host_engine::outbox::OutboxError;
use host_engine::processor::Report;
use host_provider_api::{Call, CallOutcome, Outage, Reply};
use host_store::{Partition, mode};
use progress::Progress;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use unhandled::Unhandled;

/// Media type of OpenMetrics.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EventLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    source: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    kind: String,
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusalLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DriftLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SiteLabels {
    business: String,
    mode: String,
}

impl SiteLabels {
    fn of(partition: &Partition) -> SiteLabels {
        SiteLabels { business: partition.business.clone(), mode: mode(partition.livemode).to_owned() }
    }
}

/// The store could not be read for the metrics.
#[derive(Debug, PartialEq, Eq)]
struct NotRead;

/// The metrics of a server.
pub struct Metrics {
    registry: Registry,
    events: Family<EventLabels, Counter>,
    alerts: Family<EventLabels, Counter>,
    unhandled: Unhandled,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<KindLabels, Histogram>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histogram,
    refused: Family<RefusalLabels, Counter>,
    store_failures: Counter,
    sweeps: Family<ResultLabels, Counter>,
    swept_accounts: Family<ResultLabels, Counter>,
    missed: Family<SiteLabels, Counter>,
    swept_until: Family<SiteLabels, Gauge>,
    sweep_parts: Family<SiteLabels, Gauge>,
    progress: Progress,
    delays: Delays,
    drift: Family<DriftLabels, Gauge>,
    drift_checks: Family<ResultLabels, Counter>,
    backups: Family<ResultLabels, Counter>,
    late_backups: Family<SiteLabels, Gauge>,
}

/// Buckets of durations: 1 ms to 17 minutes.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 11))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("provisioner");
        let (events, alerts, calls) = (Family::default(), Family::default(), Family::default());
        let (requests, refused, store_failures) = (Family::default(), Family::default(), Counter::default());
        let call_seconds = Family::<KindLabels, Histogram>::new_with_constructor(durations);
        let request_seconds = durations();
        registry.register("events", "Decided events by source and outcome", events.clone());
        registry.register("alerts", "Decided events that need an operator", alerts.clone());
        registry.register("calls", "Answers of providers by kind of effect and result", calls.clone());
        registry.register("call_seconds", "Duration of the calls of providers", call_seconds.clone());
        registry.register("requests", "Answered requests by route and status", requests.clone());
        registry.register("request_seconds", "Duration of requests", request_seconds.clone());
        registry.register("deliveries_refused", "Webhook deliveries that were not stored, by reason", refused.clone());
        registry.register("store_failures", "Groups and changes that could not be stored", store_failures.clone());
        let (sweeps, swept_accounts, missed) = (Family::default(), Family::default(), Family::default());
        registry.register("sweeps", "Sweeps of Stripe's list of events, by result", sweeps.clone());
        registry.register(
            "swept_accounts",
            "Connected accounts whose list of events was read, by result",
            swept_accounts.clone(),
        );
        registry.register(
            "missed_deliveries",
            "Events that a sweep found and that no webhook had brought",
            missed.clone(),
        );
        let (swept_until, sweep_parts) = (Family::default(), Family::default());
        registry.register(
            "swept_until_seconds",
            "Time of the newest event of Stripe before which all are stored, in seconds since the epoch",
            swept_until.clone(),
        );
        registry.register(
            "sweep_parts_left",
            "Parts of Stripe's list of events that the present sweep must still read",
            sweep_parts.clone(),
        );
        let progress = Progress::register(&mut registry);
        let delays = Delays::register(&mut registry);
        let unhandled = Unhandled::register(&mut registry);
        let (drift, drift_checks) = (Family::default(), Family::default());
        registry.register("drift", "Resources that differ from their records, by kind of difference", drift.clone());
        registry.register("drift_checks", "Comparisons of resources with records, by result", drift_checks.clone());
        let (backups, late_backups) = (Family::default(), Family::default());
        registry.register("backups", "Backups that were due, by result", backups.clone());
        registry.register(
            "late_backups",
            "Resources whose next backup should have been made at least two hours ago",
            late_backups.clone(),
        );
        Metrics {
            registry,
            events,
            alerts,
            unhandled,
            calls,
            call_seconds,
            requests,
            request_seconds,
            refused,
            store_failures,
            sweeps,
            swept_accounts,
            missed,
            swept_until,
            sweep_parts,
            progress,
            delays,
            drift,
            drift_checks,
            backups,
            late_backups,
        }
    }
}

impl Metrics {
    /// Counts an answered request. `route` is the pattern of its path; an unknown path has none.
    pub(crate) fn answered(&self, route: Option<&str>, status: u16, took: Duration) {
        let route = route.unwrap_or("none").to_owned();
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    /// Counts a refused delivery.
    pub(crate) fn refused(&self, partition: &Partition, reason: &str) {
        let site = SiteLabels::of(partition);
        self.refused.get_or_create(&RefusalLabels { site, reason: reason.to_owned() }).inc();
    }

    /// Counts a completed sweep.
    pub fn swept(&self, partition: &Partition) {
        count(&self.sweeps, partition, "done", 1);
    }

    /// Records the progress of a sweep: the time before which all events are stored, and how many parts of the list are left.
    /// Counts the lost deliveries found since the last call.
    pub fn sweeping(&self, partition: &Partition, until_s: i64, parts_left: usize, missed: usize) {
        let site = SiteLabels::of(partition);
        self.missed.get_or_create(&site).inc_by(missed as u64);
        self.swept_until.get_or_create(&site).set(until_s);
        self.sweep_parts.get_or_create(&site).set(i64::try_from(parts_left).unwrap_or(i64::MAX));
    }

    /// Counts a sweep that failed.
    pub fn sweep_failed(&self, partition: &Partition) {
        count(&self.sweeps, partition, "failed", 1);
    }

    /// Counts the connected accounts of a sweep, those whose events could not be listed, and the events that it found.
    pub fn swept_accounts(&self, partition: &Partition, swept: usize, failed: usize, missed: usize) {
        count(&self.swept_accounts, partition, "done", swept as u64);
        count(&self.swept_accounts, partition, "failed", failed as u64);
        self.missed.get_or_create(&SiteLabels::of(partition)).inc_by(missed as u64);
    }

    /// Records the number of resources that differ from their records, by kind of difference.
    pub fn drifted(&self, partition: &Partition, counts: &[(&str, usize)]) {
        for (kind, count) in counts {
            let labels = DriftLabels { site: SiteLabels::of(partition), kind: (*kind).to_owned() };
            self.drift.get_or_create(&labels).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        count(&self.drift_checks, partition, "done", 1);
    }

    /// Counts a failed comparison of resources with records.
    pub fn drift_failed(&self, partition: &Partition) {
        count(&self.drift_checks, partition, "failed", 1);
    }

    /// Counts a backup that a provider has made and read back.
    pub fn backup_made(&self, partition: &Partition) {
        count(&self.backups, partition, "done", 1);
    }

    /// Counts a failure to make a backup.
    pub fn backup_failed(&self, partition: &Partition) {
        count(&self.backups, partition, "failed", 1);
    }

    /// Records the number of resources whose backup is late.
    pub fn backups_late(&self, partition: &Partition, late: usize) {
        let late = i64::try_from(late).unwrap_or(i64::MAX);
        self.late_backups.get_or_create(&SiteLabels::of(partition)).set(late);
    }

    /// Reads what a site has committed since the last time, as much as one read of the store allows. Returns the number of notes;
    /// fails if the store cannot be read.
    async fn look(&self, site: &Site) -> Result<usize, NotRead> {
        let partition = site.partition().clone();
        let notes = self.progress.take(&partition);
        let (of, own) = (partition.clone(), notes.clone());
        let looked = read(site, move |store| progress::look(store, &of, &own));
        match tokio::time::timeout(PATIENCE, looked).await {
            Ok(Ok(looked)) => {
                self.progress.count(&partition, looked);
                Ok(notes.len())
            }
            Ok(Err(_)) | Err(_) => {
                self.progress.put_back(&partition, notes);
                Err(NotRead)
            }
        }
    }

    /// Returns the text of the metrics, either all of them or those of one business.
    fn text(&self, of: Option<&str>) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(match of {
            Some(business) => only_of(&text, business),
            None => text,
        })
    }

    /// Returns the observer of a site.
    pub fn observer(self: &Arc<Self>, partition: Partition) -> Arc<dyn Observer> {
        Arc::new(SiteMetrics { metrics: self.clone(), partition })
    }
}

/// Adds to the counter of a site's result.
fn count(counters: &Family<ResultLabels, Counter>, partition: &Partition, result: &str, by: u64) {
    let site = SiteLabels::of(partition);
    counters.get_or_create(&ResultLabels { site, result: result.to_owned() }).inc_by(by);
}

/// Counts what one site does.
struct SiteMetrics {
    metrics: Arc<Metrics>,
    partition: Partition,
}

/// Maximum number of characters of a provider's message in the log.
const MESSAGE_MAX: usize = 300;

fn shortened(message: &str) -> &str {
    message.char_indices().nth(MESSAGE_MAX).map_or(message, |(end, _)| &message[..end])
}

/// Returns the id of the instance whose effect has this key, `INSTANCE/RESOURCE/VERB`.
fn instance_of(key: &str) -> Option<&str> {
    key.split_once('/').map(|(instance, _)| instance).filter(|instance| !instance.contains(':'))
}

impl SiteMetrics {
    /// Logs why an attempt failed. Providers put no secrets into their messages. Messages about a mail may contain personal data,
    /// and are for operators only.
    fn log_failure(&self, call: &Call, provider: &str, (code, message): (&str, &str), what: &str) {
        let (business, kind, attempt) = (self.partition.name(), &*call.kind, call.attempt);
        let (message, instance) = match kind.starts_with("mail.") || kind.starts_with("user.") {
            true => (None, None),
            false => (Some(shortened(message)), instance_of(&call.key)),
        };
        tracing::warn!(business, provider, kind, instance, attempt, code, message, "{what}");
    }
}

impl Observer for SiteMetrics {
    fn committed(&self, reports: &[Report]) {
        for report in reports {
            let labels = EventLabels {
                site: SiteLabels::of(&self.partition),
                source: report.source.clone(),
                outcome: report.result.name().to_owned(),
            };
            if report.alert {
                let (business, seq) = (self.partition.name(), report.seq);
                let (kind, outcome) = (report.kind.as_str(), report.result.name());
                tracing::warn!(business, seq, kind, outcome, "an event needs an operator");
                self.metrics.alerts.get_or_create(&labels).inc();
            }
            self.metrics.events.get_or_create(&labels).inc();
            self.metrics.unhandled.note(&self.partition, report);
        }
        self.metrics.progress.note(&self.partition, reports);
    }

    fn called(&self, call: &Call, provider: &str, reply: &Reply, took: Duration) {
        match reply {
            Reply::Answer(CallOutcome::Retry { code, message, .. }) => {
                self.log_failure(call, provider, (code, message), "an attempt failed");
            }
            Reply::Answer(CallOutcome::Refused { code, message }) => {
                self.log_failure(call, provider, (code, message), "a provider refused an effect for good");
            }
            _ => {}
        }
        let result = match reply {
            Reply::Answer(CallOutcome::Done(_)) => "done",
            Reply::Answer(CallOutcome::Refused { .. }) => "refused",
            Reply::Answer(CallOutcome::Retry { .. }) => "retry",
            Reply::Answer(CallOutcome::InProgress { .. }) => "in_progress",
            Reply::Silence { .. } => "silence",
        };
        let labels =
            CallLabels { site: SiteLabels::of(&self.partition), kind: call.kind.clone(), result: result.to_owned() };
        self.metrics.calls.get_or_create(&labels).inc();
        let kind = KindLabels { kind: call.kind.clone() };
        self.metrics.call_seconds.get_or_create(&kind).observe(took.as_secs_f64());
    }

    fn outage_began(&self, outage: &Outage) {
        let (business, provider) = (self.partition.name(), outage.provider);
        let (code, message) = (&*outage.code, shortened(&outage.message));
        tracing::error!(business, provider, code, message, "no call of a provider succeeds any more; its effects wait");
    }

    fn outage_ended(&self, provider: &str) {
        tracing::info!(business = self.partition.name(), provider, "a provider works again");
    }

    fn failed(&self, error: &OutboxError) {
        let business = self.partition.name();
        tracing::error!(business, %error, "nothing could be stored");
        self.metrics.store_failures.inc();
    }
}

/// Returns the lines about one business. The value of a label contains no unescaped quotation mark, so it cannot be mistaken for
/// another label.
fn only_of(text: &str, business: &str) -> String {
    let labels = ["{", ","].map(|before| format!("{before}business=\"{business}\""));
    let is_of = |line: &&str| line.starts_with('#') || labels.iter().any(|label| line.contains(label));
    text.lines().filter(is_of).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_instance_of_an_effect_and_no_person() {
        assert_eq!(instance_of("inst_a/database/ensure"), Some("inst_a"));
        assert_eq!(instance_of("mail:receipt:ada@example.com/x"), None);
        assert_eq!(instance_of("customer"), None);
        assert_eq!(shortened(&"ü".repeat(400)).chars().count(), MESSAGE_MAX);
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn an_operator_reads_the_lines_about_the_own_business_only() {
        let text = "# TYPE a counter\na_total{business=\"shop\",mode=\"test\"} 1\na_total{kind=\"x\",business=\"shop-2\"} 2\n\
                    b{le=\"1\",business=\"shop\"} 3\nc 4\nd{type=\"business=\\\"shop\\\"\",business=\"x\"} 5\n# EOF\n";
        let own =
            "# TYPE a counter\na_total{business=\"shop\",mode=\"test\"} 1\nb{le=\"1\",business=\"shop\"} 3\n# EOF\n";
        assert_eq!(only_of(text, "shop"), own);
    }
}
