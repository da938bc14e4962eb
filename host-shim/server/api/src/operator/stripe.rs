//! `GET /api/operator/accounts/ACCOUNT/stripe`: compares what Stripe has for an account with the records, and previews what a
//! synchronization would change and which command does it. `host-verify` compares; nothing is changed.

use super::account;
use crate::ask::ask;
use crate::description::Shape;
use crate::extract::{Operator, PathPart, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use axum::Json;
use axum::http::StatusCode;
use host_verify::{
    AccountRecords, AccountVerified, Beside, BothSides, Difference, Kind, StripeAccess, VerifyError, What,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedMutexGuard;

/// The query, which has no members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoQuery {}

const COMPARED: Shape = Shape::new(
    "ServerStripeAccount",
    &["account: string", "customers: json", "objects: json", "changes: json[]", "is_complete: boolean"],
);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/accounts/{account}/stripe", "getStripeAccount", get)
            .about("Stripe's objects of the account beside the records, and a preview: `changes`.")
            .gives(&COMPARED),
    ]
}

/// Answers the request.
async fn get(
    Operator { hosted, .. }: Operator,
    PathPart(name): PathPart<String>,
    QueryOf(NoQuery {}): QueryOf<NoQuery>,
) -> Result<Json<Value>, Problem> {
    let (scope, now) = (hosted.site.partition().scope(account(&name)?), hosted.site.clock().now());
    let tools = &hosted.tools;
    let Some(stripe) = tools.stripe.clone() else {
        return Err(Problem::not_found("the server has no provider `stripe`"));
    };
    // The records are read when the turn comes, so that they are not older than Stripe's objects by the time spent waiting
    // for others.
    let turn = tools.stripe_turn.clone().lock_owned().await;
    let records = ask(&hosted.site, move |answerer| AccountRecords::read(answerer, &scope, now)).await??;
    let Some(records) = records else { return Err(Problem::not_found(format!("no account `{name}`"))) };
    let sides = fetch(records, stripe, turn).await?;
    let verified = ask(&hosted.site, move |answerer| sides.compare(answerer)).await??;
    Ok(Json(show(&name, &verified)))
}

/// Fetches Stripe's objects on a thread that may wait for Stripe. The turn ends with the thread's work, even if the caller no
/// longer waits for it.
async fn fetch(records: AccountRecords, stripe: StripeAccess, turn: OwnedMutexGuard<()>) -> Result<BothSides, Problem> {
    let fetched = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        records.fetch(&stripe)
    });
    Ok(fetched.await.map_err(|_| Problem::unavailable("Stripe's objects were not read"))??)
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Ask { error, .. } => error.into(),
            VerifyError::Store(error) => error.into(),
            other => Problem::new(StatusCode::BAD_GATEWAY, "provider", other.to_string()),
        }
    }
}

/// Shows both sides: the objects by kind, and the differences with what a synchronization would change.
fn show(account: &str, verified: &AccountVerified) -> Value {
    let of = |kind: Kind| {
        let objects = verified.objects.iter().filter(|object| object.kind == kind);
        (kind.name().to_owned(), objects.map(object).collect::<Value>())
    };
    json!({
        "account": account,
        "customers": verified.customers,
        "objects": Kind::ALL.into_iter().map(of).collect::<Map<_, _>>(),
        "changes": verified.differences.iter().map(change).collect::<Vec<_>>(),
        "is_complete": verified.is_complete,
    })
}

fn object(beside: &Beside) -> Value {
    json!({"id": beside.id, "ours": beside.ours, "stripe": beside.theirs})
}

fn change(one: &Difference) -> Value {
    let (what, fields) = match &one.found.what {
        What::OnlyOurs(_) => ("only-ours", Vec::new()),
        What::OnlyTheirs(_) => ("only-stripe", Vec::new()),
        What::Fields(fields) => {
            let field =
                |it: &host_verify::FieldDifference| json!({"field": it.field, "from": it.ours, "to": it.theirs});
            ("differs", fields.iter().map(field).collect())
        }
    };
    let mend = json!({"command": one.mend.command, "reason": one.mend.reason});
    json!({"kind": one.found.kind.name(), "id": one.found.id, "what": what, "fields": fields, "mend": mend})
}
