//! Queries the extension and the store of a site, each time on a snapshot, on a thread that never decides.

use crate::problem::Problem;
use crate::site::Site;
use crate::turn;
use host_business::routes::limits::STORE_S_MAX;
use host_engine::processor::{Answerer, AskError};
use host_store::{Read, Stored};
use std::fmt::Display;
use std::time::Duration;
use tokio::sync::oneshot;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(STORE_S_MAX);

/// Runs a query on a thread of the site, in the request's turn, and waits for the answer.
pub(crate) async fn ask<T: Send + 'static>(
    site: &Site,
    body: impl FnOnce(&mut Answerer) -> T + Send + 'static,
) -> Result<T, Problem> {
    let (sender, answer) = oneshot::channel();
    site.questioner().try_ask_in(turn::current(), move |answerer| {
        // Nobody is waiting any longer for a query that was queued too long.
        if !sender.is_closed() {
            drop(sender.send(body(answerer)));
        }
    })?;
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answered) => answered.map_err(|_| Problem::unavailable("the question was not answered")),
        Err(_) => Err(Problem::unavailable("the store does not answer")),
    }
}

/// Reads the store in one snapshot, on a thread of the site.
pub(crate) async fn read<T: Send + 'static>(
    site: &Site,
    body: impl FnOnce(&dyn Read) -> Stored<T> + Send + 'static,
) -> Result<T, Problem> {
    Ok(ask(site, move |answerer| answerer.read(body)).await??)
}

/// Queries the extension on a thread of the site, and waits for the answer.
pub(crate) async fn asked<T: Send + 'static>(
    site: &Site,
    body: impl FnOnce(&mut Answerer) -> Result<T, AskError> + Send + 'static,
) -> Result<T, Problem> {
    Ok(ask(site, body).await??)
}

/// Checks the number of rows requested for a page.
pub(crate) fn limit<N: PartialOrd + From<u8> + Display>(limit: N, max: N) -> Result<N, Problem> {
    match limit >= N::from(1) && limit <= max {
        true => Ok(limit),
        false => Err(Problem::bad("query", format!("`limit` is {limit}, expected 1 to {max}"))),
    }
}
