//! The server side of `stripe listen`: the session, and the WebSocket that sends events to the CLI.
//!
//! The server sends each event twice: once in the account's version, and once in the newest version, marked as such.
//! With `--latest`, the CLI forwards the second one. The sandbox has no thin events, so a session for thin events
//! receives nothing.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response as HttpResponse};
use serde_json::{Value, json};

use super::{Shared, read_body, reply, wall_s};
use crate::event::Event;
use crate::form::{self, Node};
use crate::ids;
use crate::version::{NEWEST, Version};
use crate::webhook::signature;

/// The time in seconds after which the CLI requests a new session.
const RECONNECT_S: u64 = 86_400;
/// The maximum length in bytes of a message from the CLI, which reports the response of the local endpoint.
const MESSAGE_BYTES_MAX: usize = 1_000_000;

fn secret(shared: &Shared) -> String {
    shared.read(|s| ids::id("whsec", s.state().settings.seed ^ 0x6c69_7374_656e, 0))
}

/// The feature of sessions for snapshot events. The sandbox has no other events.
const SNAPSHOTS: &str = "webhooks";
/// The feature of sessions for thin events.
const THIN: &str = "v2_events";

/// `POST /v1/stripecli/sessions`.
pub(super) async fn session(State(shared): State<Shared>, body: Body) -> HttpResponse<Body> {
    let form = match read_body(body).await {
        Ok(body) => form::decode(body.as_bytes()).unwrap_or_default(),
        Err(error) => return reply(error.status, error.body().to_string(), HeaderMap::new()),
    };
    let asked = |feature: &str| {
        let wanted = Node::Text(feature.into());
        matches!(form.get("websocket_features"), Some(Node::List(all)) if all.contains(&wanted))
    };
    let feature = if asked(THIN) && !asked(SNAPSHOTS) { THIN } else { SNAPSHOTS };
    let (base, version) =
        shared.read(|s| (s.state().settings.base_url.clone(), s.state().settings.version.to_string()));
    let socket = base.replacen("http://", "ws://", 1);
    let body = json!({
        "websocket_id": "cliws_local",
        "websocket_url": format!("{socket}/_sandbox/listen/{feature}"),
        "websocket_authorized_feature": feature,
        "reconnect_delay": RECONNECT_S,
        "secret": secret(&shared),
        "default_version": version,
        "latest_version": NEWEST,
        "display_connect_filter_warning": false,
    });
    reply(200, body.to_string(), HeaderMap::new())
}

/// `GET /_sandbox/listen/{feature}`: upgrades to the WebSocket of a session.
pub(super) async fn socket(
    Path(feature): Path<String>,
    State(shared): State<Shared>,
    upgrade: WebSocketUpgrade,
) -> HttpResponse<Body> {
    let snapshots = feature == SNAPSHOTS;
    let protocols: Vec<&str> = vec!["stripecli-devproxy-v1"];
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .protocols(protocols)
        .on_upgrade(move |socket| forward(socket, shared, snapshots))
}

async fn forward(mut socket: WebSocket, shared: Shared, snapshots: bool) {
    let mut events = shared.listen();
    let secret = secret(&shared);
    loop {
        tokio::select! {
            position = events.recv() => {
                let Some(position) = position else { return };
                if !snapshots {
                    continue;
                }
                let Some(event) = shared.read(|s| s.state().event(position)) else { continue };
                let account = shared.read(|s| s.state().settings.version.clone());
                for (version, marked) in [(account, Value::Null), (NEWEST.into(), json!(NEWEST))] {
                    let message = message(&version, marked, &secret, &event);
                    if socket.send(Message::Text(message.into())).await.is_err() {
                        return;
                    }
                }
            }
            received = socket.recv() => match received {
                // The CLI's reports need no reply, and the library replies to pings.
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}

/// Returns the message with an event in a version. `marked` is the version's name, or null for the account's version.
fn message(version: &Version, marked: Value, secret: &str, event: &Arc<Event>) -> String {
    let payload = serde_json::to_string_pretty(&event.render(version)).unwrap_or_default();
    let signature = signature::header(&[secret.to_owned()], wall_s(), payload.as_bytes());
    let headers = json!({
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Accept": "*/*; q=0.5, application/xml",
        "Cache-Control": "no-cache",
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
    });
    let message = json!({
        "type": "webhook_event",
        "endpoint": { "api_version": marked },
        "event_payload": payload,
        "http_headers": headers,
        "webhook_conversation_id": format!("wc_{}", event.id),
        "webhook_id": format!("wh_{}", event.id),
    });
    message.to_string()
}
