//! Each metric that the alert rules, the dashboard and the documents name exists in the server, with its suffix.

use super::{Document, files};
use std::collections::BTreeMap;

/// Prefix of all metrics.
const PREFIX: &str = "provisioner_";

/// Returns the names that the server registers.
fn registered() -> Vec<String> {
    let mut names = Vec::new();
    for file in
        files("host-shim/server/api/src", ".rs").iter().filter(|file| file.display().to_string().contains("metrics"))
    {
        let text = Document::read(file).text;
        for call in text.split("registry.register(").skip(1) {
            names
                .extend(call.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    names
}

/// Returns the metrics that a text names, with the suffixes of their kind.
fn named(text: &str) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for (at, _) in text.match_indices(PREFIX) {
        let rest = &text[at + PREFIX.len()..];
        let end = rest.find(|letter: char| !(letter.is_ascii_lowercase() || letter == '_')).unwrap_or(rest.len());
        // `provisioner_` alone is the prefix, which the documents explain.
        if end > 0 {
            *names.entry(rest[..end].to_owned()).or_default() += 1;
        }
    }
    names
}

/// Removes the suffix that Prometheus' text format gives to counters and histograms.
fn base(name: &str) -> &str {
    ["_total", "_bucket", "_count", "_sum"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

// covers: PLG-77, ORC-61
#[test]
fn each_metric_of_alerts_dashboard_and_documents_exists() {
    let registered = registered();
    assert!(registered.len() > 20, "{registered:?}");
    for (file, at_least) in [("docs/alerts.yml", 15), ("docs/dashboard.json", 15), ("docs/operate/watching.md", 5)] {
        let named = named(&Document::read(file).text);
        let unknown: Vec<&String> =
            named.keys().filter(|name| !registered.iter().any(|known| known == base(name))).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "{file}; expected one of {registered:?}");
        assert!(named.len() >= at_least, "{file} names {named:?}");
    }
}

#[test]
fn each_alert_is_in_the_runbook() {
    let rules = Document::read("docs/alerts.yml").text;
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let runbook = Document::read("docs/businesses/runbook.md");
    let chapter = runbook.chapter("Alerts").expect("a chapter");
    let missing: Vec<&str> =
        alerts.iter().copied().filter(|alert| !chapter.contains(&format!("| `{alert}` |"))).collect();
    assert_eq!(missing, [""; 0]);
    assert!(alerts.len() >= 15, "{alerts:?}");
}

#[test]
fn metrics_are_read_from_a_text() {
    let found = named("sum(provisioner_events_total{a=\"b\"}) / provisioner_drift");
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["drift", "events_total"]);
    assert_eq!((base("events_total"), base("call_seconds_bucket"), base("drift")), ("events", "call_seconds", "drift"));
}
