//! Endpoints: where messages go, which types, and whether they arrive.

use crate::deliveries::{DeliveryState, NewMessage, add_message, time_text};
use crate::tables::{Webhooks, WebhooksError};
use extension_contract::{Account, Timestamp};
use host_small_store::{Row, SmallError, Statements, values};
use serde_json::{Value, json};

/// Time for which the secret before a rotation still signs, in milliseconds: a day.
const OLD_SECRET_MS: i64 = 24 * 3_600_000;

/// Whether messages are sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// They are.
    Enabled,
    /// They are not: a person has disabled it, or it failed for too long.
    Disabled,
}

/// An endpoint. Its secrets are references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Id.
    pub id: String,
    /// The account whose events it gets; none for those of all accounts.
    pub account: Option<Account>,
    /// Address.
    pub url: String,
    /// Event types that it gets; empty for all.
    pub types: Vec<String>,
    /// Words for people.
    pub description: String,
    /// Reference of the secret that signs.
    pub secret: String,
    /// Reference of the secret before, and until when it signs as well.
    pub old_secret: Option<(String, Timestamp)>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Since when no message arrives.
    pub failing_since: Option<Timestamp>,
    /// When it was made, in milliseconds since the epoch.
    pub created_at: Timestamp,
}

impl Endpoint {
    /// Returns the status.
    pub fn status(&self) -> EndpointStatus {
        match self.disabled_at {
            None => EndpointStatus::Enabled,
            Some(_) => EndpointStatus::Disabled,
        }
    }

    /// Returns true if the endpoint gets events of a type in an account.
    pub fn gets(&self, account: &Account, event_type: &str) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
            && (self.types.is_empty() || self.types.iter().any(|wanted| wanted == event_type))
    }
}

/// Changes of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New address.
    pub url: Option<String>,
    /// New event types.
    pub types: Option<Vec<String>>,
    /// New words for people.
    pub description: Option<String>,
}

const COLUMNS: &str =
    "id, account, url, types, description, secret, old_secret, old_until, disabled_at, failing_since, created_at";

fn endpoint(row: &Row) -> Result<Endpoint, SmallError> {
    // The program itself writes the texts.
    let account: Option<String> = row.get(1)?;
    let types: String = row.get(3)?;
    let (old, until): (Option<String>, Option<Timestamp>) = (row.get(6)?, row.get(7)?);
    Ok(Endpoint {
        id: row.get(0)?,
        account: account.and_then(|account| account.parse().ok()),
        url: row.get(2)?,
        types: serde_json::from_str(&types).unwrap_or_default(),
        description: row.get(4)?,
        secret: row.get(5)?,
        old_secret: old.zip(until),
        disabled_at: row.get(8)?,
        failing_since: row.get(9)?,
        created_at: row.get(10)?,
    })
}

fn texts(types: &[String]) -> String {
    Value::from(types.to_vec()).to_string()
}

/// Returns all endpoints, in the order of their ids.
pub(crate) fn all(rows: &impl Statements) -> Result<Vec<Endpoint>, SmallError> {
    rows.query(&format!("SELECT {COLUMNS} FROM endpoints ORDER BY id"), &[], endpoint)
}

impl Webhooks {
    /// Adds an endpoint.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn add_endpoint(&self, endpoint: &Endpoint) -> Result<(), WebhooksError> {
        self.0.execute(
            "INSERT INTO endpoints (id, account, url, types, description, secret, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            values![
                &endpoint.id,
                endpoint.account.as_ref().map(ToString::to_string),
                &endpoint.url,
                texts(&endpoint.types),
                &endpoint.description,
                &endpoint.secret,
                endpoint.created_at
            ],
        )?;
        Ok(())
    }

    /// Returns all endpoints, in the order of their ids.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, WebhooksError> {
        Ok(all(&self.0)?)
    }

    /// Returns an endpoint.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn endpoint(&self, id: &str) -> Result<Option<Endpoint>, WebhooksError> {
        let one = format!("SELECT {COLUMNS} FROM endpoints WHERE id = ?1");
        Ok(self.0.query_one(&one, values![id], endpoint)?)
    }

    /// Changes an endpoint.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn change_endpoint(&self, id: &str, changes: &Changes) -> Result<(), WebhooksError> {
        self.0.execute(
            "UPDATE endpoints SET url = coalesce(?2, url), types = coalesce(?3, types), description = coalesce(?4, description) \
             WHERE id = ?1",
            values![id, changes.url.as_deref(), changes.types.as_deref().map(texts), changes.description.as_deref()],
        )?;
        Ok(())
    }

    /// Gives an endpoint another secret. The one before signs as well for a day. Returns the reference of the one before that, which
    /// signs no more.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn rotate(&self, id: &str, secret: &str, now: Timestamp) -> Result<Option<String>, WebhooksError> {
        self.0.write(|rows| {
            let oldest = "SELECT old_secret FROM endpoints WHERE id = ?1";
            let oldest: Option<Option<String>> = rows.query_one(oldest, values![id], |row| row.get(0))?;
            let rotate = "UPDATE endpoints SET old_secret = secret, old_until = ?3, secret = ?2 WHERE id = ?1";
            rows.execute(rotate, values![id, secret, now.saturating_add(OLD_SECRET_MS)])?;
            Ok(oldest.flatten())
        })
    }

    /// Deletes an endpoint with its deliveries.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn delete_endpoint(&self, id: &str) -> Result<(), WebhooksError> {
        self.0.execute("DELETE FROM endpoints WHERE id = ?1", values![id])?;
        Ok(())
    }

    /// Disables an endpoint: what waits for it fails, and can be sent again later. Returns false if it was disabled before.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn disable(&self, id: &str, now: Timestamp) -> Result<bool, WebhooksError> {
        self.0.write(|rows| {
            let disable = "UPDATE endpoints SET disabled_at = ?2 WHERE id = ?1 AND disabled_at IS NULL";
            let is_new = rows.execute(disable, values![id, now])? == 1;
            rows.execute(
                "UPDATE deliveries SET state = ?2 WHERE endpoint = ?1 AND state = ?3",
                values![id, DeliveryState::Failed.name(), DeliveryState::Pending.name()],
            )?;
            Ok(is_new)
        })
    }

    /// Enables an endpoint, and tells it how many messages it has missed. Returns false if it was enabled before.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn enable(&self, endpoint: &Endpoint, message: &str, now: Timestamp) -> Result<bool, WebhooksError> {
        let disabled_at = endpoint.disabled_at.unwrap_or(now);
        let account = endpoint.account.clone().unwrap_or(Account::Platform);
        self.0.write(|rows| {
            let enable = "UPDATE endpoints SET disabled_at = NULL, failing_since = NULL \
                          WHERE id = ?1 AND disabled_at IS NOT NULL";
            if rows.execute(enable, values![&endpoint.id])? == 0 {
                return Ok(false);
            }
            let missed = "SELECT count(*) FROM deliveries WHERE endpoint = ?1 AND state = ?2";
            let missed: Option<u64> =
                rows.query_one(missed, values![&endpoint.id, DeliveryState::Failed.name()], |row| row.get(0))?;
            let data = json!({"endpoint": endpoint.id, "disabled_at": time_text(disabled_at), "missed": missed});
            let new = NewMessage { id: message, account: &account, event_type: "endpoint.recovered", at: now, data };
            add_message(rows, &new, &[Endpoint { disabled_at: None, types: Vec::new(), ..endpoint.clone() }])?;
            Ok(true)
        })
    }
}
