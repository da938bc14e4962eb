//! The upper limit for a server: a handler that only verifies the signature and inserts the body. One thread commits groups, as the host's
//! writer does.

use super::SECRET;
use crate::setting::{BATCH, Setting, scratch};
use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A body to insert, and the caller that waits for the commit.
type Insert = (Bytes, oneshot::Sender<()>);

#[derive(Clone)]
struct Shared {
    secrets: Arc<EndpointSecrets>,
    inserts: Sender<Insert>,
}

/// Prints its address and serves until the process is killed.
pub fn serve(setting: &Setting) -> Result<()> {
    let folder = scratch(&setting.disk)?;
    let (inserts, receiver) = channel();
    let path = folder.path().join("bare.db");
    std::thread::spawn(move || write(&path, &receiver));
    let secret = SecretConfig { name: "bench".into(), mode: Mode::Test, connect: None, secret: SECRET.to_owned() };
    let secrets = Arc::new(EndpointSecrets::new(vec![secret], TOLERANCE_S_DEFAULT)?);
    let app = Router::new().route("/api/webhooks/stripe", post(take)).with_state(Shared { secrets, inserts });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("address {}", listener.local_addr()?);
        axum::serve(listener, app).await?;
        Ok(())
    })
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let signatures = headers.get_all("stripe-signature").iter().map(|value| value.as_bytes());
    if shared.secrets.verify(signatures, &body, i64::try_from(now).unwrap_or_default()).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    let (sender, stored) = oneshot::channel();
    match shared.inserts.send((body, sender)).is_ok() && stored.await.is_ok() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Inserts bodies in groups with the settings of the host's store.
fn write(path: &Path, inserts: &Receiver<Insert>) -> Result<()> {
    let connection = Connection::open(path)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE bodies (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")?;
    while let Ok(first) = inserts.recv() {
        let mut group = vec![first];
        while group.len() < BATCH {
            match inserts.recv_timeout(Duration::from_millis(1)) {
                Ok(next) => group.push(next),
                Err(_) => break,
            }
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (body, _) in &group {
            connection.prepare_cached("INSERT INTO bodies (body) VALUES (?1)")?.execute([&body[..]])?;
        }
        connection.execute_batch("COMMIT")?;
        for (_, stored) in group {
            // The caller may have given up.
            let _ = stored.send(());
        }
    }
    Ok(())
}
