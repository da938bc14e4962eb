//! `GET /api/operator/onboarding`: how many instances became ready since the server started, how long that took, and which steps
//! people did for them (ORC-34, 61, 67). `/metrics` has the same as a time series.

use super::progress::LOOKED_MAX;
use super::{EventLabels, Metrics, SiteLabels};
use crate::description::{Access, Shape};
use crate::extract::Operator;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use host_store::Partition;
use serde_json::{Value, json};

/// Source of Stripe's webhooks.
const STRIPE: &str = "stripe";
/// Names of the outcomes of an event.
const OUTCOMES: [&str; 6] = ["applied", "duplicate", "stale", "ignored", "deferred", "rejected"];

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
    while app.metrics.look(&hosted.site).await.map_err(|_| Problem::unavailable("the store cannot be read"))?
        == LOOKED_MAX
    {}
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
