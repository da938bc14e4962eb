//! The figures of the business: what its subscriptions bring in a month, who came and left, and which payments failed. Each figure
//! names its rows.

use super::limit;
use super::waiting::waiting;
use crate::description::Shape;
use crate::extract::{Operator, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The days that a figure with a trend covers; it is compared with as many days before.
const DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

/// The figures that count subscriptions as they are now: their `standing`.
const STANDINGS: [&str; 5] = ["active", "leaving", "trial", "paused", "unpaid"];

const REVENUE: Shape = Shape::new(
    "ServerRevenue",
    &["mrr: json[]", "counts: json", "new: json", "churned: json", "failed: json", "days: integer", "rows: json[]?"],
);

/// The query of the figures.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevenueQuery {
    /// The figure whose rows are listed.
    show: Option<String>,
    /// Only subscriptions that bring in money of this currency.
    currency: Option<String>,
    limit: Option<usize>,
}

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/revenue", "getRevenue", get)
            .about("What all subscriptions bring in a month, by currency, and who came and left.")
            .detail(
                "`mrr` counts the subscriptions with the standing `active`: the recurring lines of the next full invoice after discounts and \
                 before tax, divided by the months of the interval, rounded half to even for each subscription. `new`, `churned` and `failed` \
                 have `last` and `before`: the last 30 days, and the 30 days before. `show` lists the rows of a figure: `active`, `leaving`, \
                 `trial`, `paused`, `unpaid`, `new`, `churned` or `failed`.",
            )
            .query(&["show: string?", "currency: string?", "limit: integer?"])
            .gives(&REVENUE),
    ]
}

/// The time at which a row counts for a figure with a trend; none if it does not count.
fn counted_at(figure: &str, row: &Value) -> Option<i64> {
    match figure {
        "new" if row["was_customer"] == true => row["began_at"].as_i64(),
        "churned" if row["was_customer"] == true => row["ended_at"].as_i64(),
        "failed" => row["failed_at"].as_i64(),
        _ => None,
    }
}

/// Returns whether a time is within the days that end at another time, not including their first moment.
fn is_within(at: i64, end: i64) -> bool {
    at <= end && at > end.saturating_sub(DAYS * DAY_MS)
}

/// Carries out `GET /api/operator/revenue`.
async fn get(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    QueryOf(query): QueryOf<RevenueQuery>,
) -> Result<Json<Value>, Problem> {
    let limit = limit(query.limit)?;
    let now = hosted.site.clock().now();
    let waiting = waiting(&app, &hosted).await?;
    let subscriptions: Vec<&Value> = waiting.subscriptions().collect();
    let unpaid: Vec<&Value> = waiting.unpaid().collect();
    let mut answer = figures(&subscriptions, &unpaid, now);
    if let Some(show) = &query.show {
        let is_of_currency =
            |row: &&&Value| query.currency.as_ref().is_none_or(|code| row["monthly"]["currency"] == code.as_str());
        let mut rows: Vec<&Value> = match show.as_str() {
            standing if STANDINGS.contains(&standing) => {
                subscriptions.iter().filter(|row| row["standing"] == standing).filter(is_of_currency).copied().collect()
            }
            "failed" => unpaid.iter().filter(|row| counts(show, row, now)).copied().collect(),
            "new" | "churned" => subscriptions.iter().filter(|row| counts(show, row, now)).copied().collect(),
            _ => return Err(Problem::bad("query", "expected one of the figures in `show`")),
        };
        rows.truncate(limit);
        answer["rows"] = json!(rows);
    }
    Ok(Json(answer))
}

fn counts(figure: &str, row: &Value, now: i64) -> bool {
    counted_at(figure, row).is_some_and(|at| is_within(at, now))
}

/// Returns the figures of these subscriptions and failed payments.
fn figures(subscriptions: &[&Value], unpaid: &[&Value], now: i64) -> Value {
    let mut by_currency: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for row in subscriptions.iter().filter(|row| row["standing"] == "active") {
        let monthly = &row["monthly"];
        let Some((currency, amount)) = monthly["currency"].as_str().zip(monthly["amount_minor"].as_i64()) else {
            continue;
        };
        let sums = by_currency.entry(currency).or_default();
        *sums = (sums.0.saturating_add(amount), sums.1 + 1);
    }
    let mrr: Vec<Value> = by_currency
        .into_iter()
        .map(|(currency, (amount_minor, count))| json!({"currency": currency, "amount_minor": amount_minor, "count": count}))
        .collect();
    let standing = |name: &str| subscriptions.iter().filter(|row| row["standing"] == name).count();
    let counts: Value = STANDINGS.iter().map(|name| ((*name).to_owned(), json!(standing(name)))).collect();
    let trend = |figure: &str, rows: &[&Value]| {
        let within =
            |end: i64| rows.iter().filter_map(|row| counted_at(figure, row)).filter(|at| is_within(*at, end)).count();
        json!({"last": within(now), "before": within(now.saturating_sub(DAYS * DAY_MS))})
    };
    json!({
        "mrr": mrr, "counts": counts, "days": DAYS, "new": trend("new", subscriptions),
        "churned": trend("churned", subscriptions), "failed": trend("failed", unpaid), "rows": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_counts_its_days_and_compares_them_with_those_before() {
        let now = 100 * DAY_MS;
        let row = |standing: &str, began: i64, ended: Option<i64>| {
            json!({
                "standing": standing, "was_customer": standing != "trial", "began_at": began * DAY_MS,
                "ended_at": ended.map(|day| day * DAY_MS), "monthly": {"amount_minor": 500, "currency": "usd"},
            })
        };
        let rows = [
            row("active", 71, None),
            row("active", 70, None),
            row("trial", 99, None),
            row("ended", 10, Some(100)),
            row("ended", 10, Some(69)),
        ];
        let rows: Vec<&Value> = rows.iter().collect();
        let found = figures(&rows, &[], now);
        assert_eq!(found["mrr"], json!([{"currency": "usd", "amount_minor": 1000, "count": 2}]));
        assert_eq!(found["new"], json!({"last": 1, "before": 1}));
        assert_eq!(found["churned"], json!({"last": 1, "before": 1}));
        assert_eq!(found["counts"]["trial"], 1);
    }
}
