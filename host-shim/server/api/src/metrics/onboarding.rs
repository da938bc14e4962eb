//! `GET /api/operator/onboarding`: how many instances became ready since the server started, how long they took, and what people did
//! for them (ORC-34, 61, 67). The same is in `/metrics`, for a time series.

use super::progress::LOOKED_MAX;
use super::{EventLabels, Metrics, SiteLabels};
use crate::description::{Access, Shape};
use crate::extract::Operator;
use crate::front::AppState;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use axum::Json;
use axum::extract::State;
use host_store::Partition;
use serde_json::{Value, json};

/// Time within which an instance shall be ready: five minutes, in milliseconds (ORC-21).
const IN_TIME_MS: i64 = 300_000;
/// Source of Stripe's webhooks.
const STRIPE: &str = "stripe";
/// Names of the outcomes of an event.
const OUTCOMES: [&str; 6] = ["applied", "duplicate", "stale", "ignored", "deferred", "rejected"];

/// The instances that became ready in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    count: u64,
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

    fn json(self) -> Value {
        let average = i64::try_from(self.count).ok().and_then(|count| self.sum_ms.checked_div(count));
        json!({
            "count": self.count, "within_300_s": self.in_time,
            "average_s": average.map(|ms| ms.div_euclid(1_000)), "longest_s": self.longest_ms.div_euclid(1_000),
        })
    }
}

const ONBOARDING: Shape = Shape::new(
    "ServerOnboarding",
    &["ready: json", "automatic_percent: integer?", "resources: json", "manual_steps: json", "webhooks: json[]"],
);

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/onboarding", "getOnboarding", get)
            .about("Since the start of the server: how many instances became ready, with and without a person, and how long it took.")
            .detail("Also resources that were created, steps of people, and Stripe's webhooks by outcome.")
            .by(Access::Operators)
            .gives(&ONBOARDING),
    ]
}

/// Carries out `GET /api/operator/onboarding`.
async fn get(State(app): State<AppState>, Operator { hosted, .. }: Operator) -> Result<Json<Value>, Problem> {
    while app.metrics.look(&hosted).await.map_err(|_| Problem::unavailable("the store cannot be read"))? == LOOKED_MAX {
    }
    Ok(Json(app.metrics.onboarding(hosted.site.partition())))
}

impl Metrics {
    fn onboarding(&self, partition: &Partition) -> Value {
        let (automatic, manual) = (self.progress.ready(partition, false), self.progress.ready(partition, true));
        let all = automatic.count + manual.count;
        json!({
            "ready": {"automatic": automatic.json(), "manual": manual.json()},
            "automatic_percent": (automatic.count * 100).checked_div(all),
            "resources": self.progress.created(partition),
            "manual_steps": self.progress.steps(partition),
            "webhooks": OUTCOMES.map(|outcome| {
                let site = SiteLabels::of(partition);
                let labels = EventLabels { site, source: STRIPE.to_owned(), outcome: outcome.to_owned() };
                json!({"outcome": outcome, "count": self.events.get(&labels).map_or(0, |count| count.get())})
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_an_average_a_maximum_and_a_number_within_five_minutes() {
        let mut ready = Ready::default();
        assert_eq!(ready.json(), json!({"count": 0, "within_300_s": 0, "average_s": null, "longest_s": 0}));
        [300_000, 300_001, 60_500].into_iter().for_each(|took_ms| ready.add(took_ms));
        assert_eq!(ready.json(), json!({"count": 3, "within_300_s": 2, "average_s": 220, "longest_s": 300}));
    }
}
