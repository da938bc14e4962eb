//! Previews of mails: `GET /api/operator/mails` lists the mails of the business, `…/mails/TEMPLATE` fills one in with samples, and
//! `GET /api/operator/effects/SEQ/mail` shows the mail of an effect. With `?html=true` the answer is the HTML of the mail itself.

use super::tools::{MailPreview, MailPreviews, ShownMail};
use crate::ask::read;
use crate::description::Shape;
use crate::extract::{Operator, PathPart, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::HostedSite;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use host_engine::view::parsed;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The account in samples.
const SAMPLE_ACCOUNT: &str = "user:sample";
/// The time in samples.
const SAMPLE_TIME: &str = "2026-01-31T09:00:00Z";
/// Kind of the effect that sends a mail.
const SEND: &str = "mail.send";
/// The HTML of a mail may load only its own styles and pictures, and only pages of this server may frame it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-ancestors 'self'; sandbox";

/// The query of a mail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowMailQuery {
    /// True to get the HTML itself.
    #[serde(default)]
    html: bool,
}

const MAIL_KIND: Shape =
    Shape::new("ServerMailKind", &["template: string", "placeholders: string[]", "is_own: boolean"]);
const MAIL_KINDS: Shape = Shape::new("ServerMailKinds", &["mails: ServerMailKind[]"]).with(&[&MAIL_KIND]);
const MAIL: Shape =
    Shape::new("ServerMail", &["template: string", "subject: string", "plain: string", "has_html: boolean"]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/mails", "listMails", list)
            .about("All mails of the business, also the built-in ones.")
            .gives(&MAIL_KINDS),
        ServerRoute::get("/api/operator/mails/{template}", "getMail", sample)
            .about("A mail, filled in with samples.")
            .detail("With `html=true`, its HTML.")
            .query(&["html: boolean?"])
            .gives(&MAIL),
        ServerRoute::get("/api/operator/effects/{seq}/mail", "getMailOfEffect", of_effect)
            .about("The mail of an effect as it looks.")
            .detail("With `html=true`, its HTML.")
            .query(&["html: boolean?"])
            .gives(&MAIL),
    ]
}

/// Carries out `GET /api/operator/mails`.
async fn list(Operator { hosted, .. }: Operator) -> Result<Json<Value>, Problem> {
    let kinds = previews(&hosted)?.kinds();
    let shown = kinds
        .iter()
        .map(|mail| json!({"template": mail.template, "placeholders": mail.placeholders, "is_own": mail.is_own}));
    Ok(Json(json!({"mails": shown.collect::<Vec<_>>()})))
}

/// Carries out `GET /api/operator/mails/TEMPLATE`: each placeholder is filled in with a sample.
async fn sample(
    Operator { hosted, .. }: Operator,
    PathPart(template): PathPart<String>,
    QueryOf(query): QueryOf<ShowMailQuery>,
) -> Result<Response, Problem> {
    let previews = previews(&hosted)?;
    let found = previews.kinds().into_iter().find(|mail| mail.template == template);
    let found = found.ok_or_else(|| Problem::not_found(format!("no mail `{template}`")))?;
    let mut values = Map::new();
    for name in &found.placeholders {
        add_sample(&mut values, name, name);
    }
    let mail = ShownMail { template: &template, to: "account", account: SAMPLE_ACCOUNT };
    answer(&*previews, mail, &Value::Object(values), &query)
}

/// Returns a sample of a value: one that suits its name, or else the name in brackets.
fn sample_of(name: &str, whole: &str) -> Value {
    let words = format!("[{}]", whole.replace(['_', '.'], " "));
    let is_time = |name: &str| name.ends_with("_at") || name.ends_with("_end");
    match name {
        "at" | "due" | "until" => json!(SAMPLE_TIME),
        name if is_time(name) => json!(SAMPLE_TIME),
        name if name.ends_with("_minor") => json!(1_500),
        "currency" => json!("usd"),
        "percent" => json!(80),
        "used" => json!(800),
        "allowed" => json!(1_000),
        "products" | "beyond" | "asks" => json!([words]),
        "details" | "given" | "error" => json!({"name": words}),
        _ => json!(words),
    }
}

/// Adds a value for a placeholder whose name contains dots: the whole name in brackets.
fn add_sample(values: &mut Map<String, Value>, placeholder: &str, whole: &str) {
    let Some((first, rest)) = placeholder.split_once('.') else {
        values.entry(placeholder).or_insert_with(|| sample_of(placeholder, whole));
        return;
    };
    let value = values.entry(first).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    if let Value::Object(members) = value {
        add_sample(members, rest, whole);
    }
}

/// Carries out `GET /api/operator/effects/SEQ/mail`. Secrets are not filled in.
async fn of_effect(
    Operator { hosted, .. }: Operator,
    PathPart(seq): PathPart<u64>,
    QueryOf(query): QueryOf<ShowMailQuery>,
) -> Result<Response, Problem> {
    let previews = previews(&hosted)?;
    let row = read(&hosted.site, move |store| store.effect_at(seq)).await?;
    let partition = hosted.site.partition();
    let is_own =
        |row: &host_store::EffectRow| row.scope.partition() == *partition && row.effect.kind == SEND && !row.erased;
    let row = row.filter(is_own).ok_or_else(|| Problem::not_found(format!("no mail of the effect {seq}")))?;
    let payload = parsed(&row.effect.payload);
    let mut values = payload["values"].as_object().cloned().unwrap_or_default();
    let secrets = payload["secrets"].as_object().into_iter().flatten();
    values.extend(secrets.map(|(name, _)| (name.clone(), json!(format!("[{}]", name.replace('_', " "))))));
    let [template, to] = ["template", "to"].map(|name| payload[name].as_str().unwrap_or_default());
    let account = row.scope.account.to_string();
    let mail = ShownMail { template, to, account: &account };
    answer(&*previews, mail, &Value::Object(values), &query)
}

fn previews(hosted: &HostedSite) -> Result<Arc<dyn MailPreviews>, Problem> {
    hosted.tools.mails.clone().ok_or_else(|| Problem::not_found("this server shows no mails"))
}

fn answer(
    previews: &dyn MailPreviews,
    mail: ShownMail<'_>,
    values: &Value,
    query: &ShowMailQuery,
) -> Result<Response, Problem> {
    let shown = previews.preview(mail, values);
    let MailPreview { subject, plain, html } =
        shown.map_err(|problem| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-template", problem))?;
    if !query.html {
        let body = json!({"template": mail.template, "subject": subject, "plain": plain, "has_html": true});
        return Ok(Json(body).into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, html).into_response())
}
