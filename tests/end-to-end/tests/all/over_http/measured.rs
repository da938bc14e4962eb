//! The metrics of a business after some of its scenarios: how long a setup took, what was created, and what people did.

use super::alerts::fires;
use super::player::play_and_look;
use super::server::TestServer;
use end_to_end::world::root;
use host_replay::library::{Sources, stories};
use serde_json::{Value, json};

/// The metrics after a scenario of Orchestra, and what the page of operators shows of them.
struct Metrics(String, Value);

impl Metrics {
    fn after(scenario: &str) -> Metrics {
        let file = root().join("fixtures/businesses/orchestra/scenarios/requirements").join(scenario);
        let sources = Sources { business: None, fixtures: Some(root().join("fixtures")) };
        let stories = stories(&[file], sources, &host_replay::native::runners()).expect("a scenario");
        let story = &stories[0];
        let look = |server: &TestServer| {
            (server.metrics(), server.metrics(), server.get("/api/operator/onboarding", &server.operator()))
        };
        let (first, text, onboarding) = play_and_look(story, &story.cases[0], look).0;
        let own = |text: &str| text.lines().filter(|line| is_own(line)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(own(&first), own(&text), "a second reading counts nothing twice");
        Metrics(text, onboarding)
    }

    /// Returns the value of a metric of the business; 0 without one.
    fn value(&self, name: &str, labels: &str) -> f64 {
        self.sample(name, &format!(r#"business="orchestra",mode="test",{labels}"#))
    }

    /// Returns the number of setups that took at most some seconds.
    fn within(&self, bound: &str, how: &str) -> f64 {
        let labels = format!(r#"le="{bound}",business="orchestra",mode="test",{how}"#);
        self.sample("provisioning_seconds_bucket", &labels)
    }

    fn sample(&self, name: &str, labels: &str) -> f64 {
        let line = format!("provisioner_{name}{{{labels}}} ");
        let found = self.0.lines().find_map(|it| it.strip_prefix(&line));
        found.map_or(0.0, |value| value.parse().expect("a number"))
    }
}

fn is_own(line: &str) -> bool {
    ["provisioning", "onboarding", "resources", "manual"]
        .iter()
        .any(|name| line.starts_with(&format!("provisioner_{name}")))
}

// covers: ORC-21
// covers: ORC-61
#[test]
fn a_setup_of_eight_minutes_is_measured_and_its_database_counts_as_created() {
    let metrics = Metrics::after("automatic.yml");
    let automatic = r#"how="automatic""#;
    assert_eq!(metrics.value("provisioning_seconds_count", automatic), 1.0, "{}", metrics.0);
    assert_eq!(metrics.value("provisioning_seconds_sum", automatic), 480.0, "{}", metrics.0);
    let within = |bound: &str| metrics.within(bound, automatic);
    assert_eq!((within("300.0"), within("600.0")), (0.0, 1.0), "longer than five minutes: {}", metrics.0);
    assert!(fires("SetupTakesLong", "", &metrics.0) && !fires("CreationsFail", "", &metrics.0));
    assert!(!fires("StepsByHand", "", &metrics.0));
    let created =
        |result: &str| metrics.value("resources_created_total", &format!(r#"resource="database",result="{result}""#));
    assert_eq!((created("done"), created("failed")), (1.0, 0.0));
    assert_eq!(metrics.value("provisioning_seconds_count", r#"how="manual""#), 0.0);
    for state in ["opened", "completed"] {
        assert_eq!(
            metrics.value("manual_steps_total", &format!(r#"state="{state}""#)),
            0.0,
            "nobody did anything by hand"
        );
    }
    let took = json!({"count": 1, "within_300_s": 0, "average_s": 480, "longest_s": 480});
    assert_eq!((&metrics.1["ready"]["automatic"], &metrics.1["automatic_percent"]), (&took, &json!(100)));
    assert_eq!(metrics.1["resources"], json!([{"resource": "database", "done": 1, "failed": 0}]));
    let applied = metrics.1["webhooks"].as_array().expect("a list").iter().find(|row| row["outcome"] == "applied");
    assert_eq!(applied.map(|row| &row["count"]), Some(&json!(1)), "the subscription: {}", metrics.1);
    assert!(!metrics.0.contains("philharmonic") && !metrics.0.contains("o1"), "no metric names an account");
}

// covers: ORC-34
// covers: ORC-61
// covers: ORC-67
#[test]
fn a_setup_by_hand_is_measured_as_such_and_its_steps_are_counted() {
    let metrics = Metrics::after("manual.yml");
    assert_eq!(metrics.value("provisioning_seconds_count", r#"how="manual""#), 1.0, "{}", metrics.0);
    assert_eq!(metrics.value("provisioning_seconds_count", r#"how="automatic""#), 0.0);
    for state in ["opened", "completed"] {
        assert_eq!(metrics.value("manual_steps_total", &format!(r#"state="{state}""#)), 1.0, "{state}: {}", metrics.0);
    }
    assert_eq!(metrics.1["manual_steps"], json!({"opened": 1, "completed": 1, "abandoned": 0, "overdue": 0}));
    assert_eq!((&metrics.1["automatic_percent"], &metrics.1["ready"]["manual"]["count"]), (&json!(0), &json!(1)));
    // It takes three days.
    assert!(fires("StepsByHand", "", &metrics.0) && !fires("SetupTakesLong", "", &metrics.0));
    let late = Metrics::after("reminders.yml");
    assert_eq!(late.value("manual_steps_total", r#"state="overdue""#), 3.0, "{}", late.0);
}

// covers: ORC-61
#[test]
fn the_time_from_a_payment_to_a_running_instance_and_failed_creations_are_measured() {
    let paid = Metrics::after("from-a-checkout.yml");
    assert_eq!(paid.value("onboarding_seconds_count", r#"how="automatic""#), 1.0, "{}", paid.0);
    let refused = Metrics::after("provider-refuses.yml");
    let failed = refused.value("resources_created_total", r#"resource="database",result="failed""#);
    assert_eq!(failed, 1.0, "{}", refused.0);
    assert!(fires("CreationsFail", "", &refused.0));
    assert_eq!(refused.1["resources"], json!([{"resource": "database", "done": 1, "failed": 1}]));
}

// covers: PLG-77
#[test]
fn the_monitoring_points_have_metrics() {
    let metrics = Metrics::after("manual.yml");
    for name in [
        "provisioner_events_total{",
        "provisioner_parked_events{",
        "provisioner_dead_events{",
        "provisioner_requests_total{",
        "provisioner_store_failures_total",
        "provisioner_calls_total{",
    ] {
        assert!(metrics.0.lines().any(|line| line.starts_with(name)), "{name} in {}", metrics.0);
    }
}
