//! Mails as they look: `GET /api/operator/mails` lists the templates of the business, `…/mails/TEMPLATE` fills one in with samples, and
//! `GET /api/operator/effects/SEQ/mail` shows the mail of an effect. With `?html=true` the answer is the mail's HTML itself.

use crate::extract::{Asked, Named, Operator};
use crate::front::{AppState, HostedSite};
use crate::problem::Problem;
use crate::query::read;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use host::view::parsed;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Kind of the effect that sends a mail.
const SEND: &str = "mail.send";
/// The HTML of a mail may load its own styles and pictures, nothing else, and only pages of this server may frame it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-ancestors 'self'; sandbox";

/// A mail as it looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailPreview {
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub plain: String,
    /// HTML; none for a mail of plain text.
    pub html: Option<String>,
}

/// Shows mails as they look.
pub trait MailPreviews: Send + Sync {
    /// Returns the templates of the business with their placeholders, in order.
    fn templates(&self) -> Vec<(String, Vec<String>)>;

    /// Fills in a template, or lists the values if there is no such template.
    ///
    /// # Errors
    /// Fails if a value is missing or does not fit; the text is for people.
    fn preview(&self, template: &str, values: &Value) -> Result<MailPreview, String>;
}

/// The query of a mail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// True for the HTML itself.
    #[serde(default)]
    html: bool,
}

/// Carries out `GET /api/operator/mails`.
pub(crate) async fn list(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
) -> Result<Json<Value>, Problem> {
    let templates = previews(&app, &hosted)?.templates();
    let shown = templates.iter().map(|(name, places)| json!({"template": name, "placeholders": places}));
    Ok(Json(json!({"mails": shown.collect::<Vec<_>>()})))
}

/// Carries out `GET /api/operator/mails/TEMPLATE`: each placeholder has its own name as its value.
pub(crate) async fn sample(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    Named(template): Named<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let previews = previews(&app, &hosted)?;
    let found = previews.templates().into_iter().find(|(name, _)| *name == template);
    let (_, places) = found.ok_or_else(|| Problem::not_found(format!("no template `{template}`")))?;
    let values: Map<String, Value> =
        places.into_iter().map(|name| (name.clone(), json!(format!("[{}]", name.replace('_', " "))))).collect();
    answer(&*previews, &template, &Value::Object(values), &wanted)
}

/// Carries out `GET /api/operator/effects/SEQ/mail`. Secrets are not filled in.
pub(crate) async fn of_effect(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    Named(seq): Named<u64>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let previews = previews(&app, &hosted)?;
    let row = read(&hosted, move |store| store.effect_at(seq)).await?;
    let partition = hosted.site.partition();
    let is_own =
        |row: &host_store::EffectRow| row.scope.partition() == *partition && row.effect.kind == SEND && !row.erased;
    let row = row.filter(is_own).ok_or_else(|| Problem::not_found(format!("no mail of the effect {seq}")))?;
    let payload = parsed(&row.effect.payload);
    let mut values = payload["values"].as_object().cloned().unwrap_or_default();
    let secrets = payload["secrets"].as_object().into_iter().flatten();
    values.extend(secrets.map(|(name, _)| (name.clone(), json!(format!("[{}]", name.replace('_', " "))))));
    let template = payload["template"].as_str().unwrap_or_default();
    answer(&*previews, template, &Value::Object(values), &wanted)
}

fn previews(app: &AppState, hosted: &HostedSite) -> Result<Arc<dyn MailPreviews>, Problem> {
    let found = app.tools(hosted).and_then(|tools| tools.mails.clone());
    found.ok_or_else(|| Problem::not_found("this server shows no mails"))
}

fn answer(previews: &dyn MailPreviews, template: &str, values: &Value, wanted: &Wanted) -> Result<Response, Problem> {
    let mail = previews.preview(template, values);
    let MailPreview { subject, plain, html } =
        mail.map_err(|problem| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-template", problem))?;
    if !wanted.html {
        let body = json!({"template": template, "subject": subject, "plain": plain, "has_html": html.is_some()});
        return Ok(Json(body).into_response());
    }
    let html = html.ok_or_else(|| Problem::not_found("the mail has no HTML"))?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, html).into_response())
}
