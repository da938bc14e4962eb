//! Endpoints: where messages go, which types, and whether they arrive.

use crate::deliveries::{DeliveryState, NewMessage, add_message, time_text};
use crate::tables::{Webhooks, WebhooksError};
use crate::{ENDPOINTS_MAX, ENDPOINTS_OF_ACCOUNT_MAX, OLD_SECRETS_MAX};
use extension_contract::{Account, Timestamp};
use host_small_store::{Row, SmallError, Statements, values};
use serde_json::{Value, json};

/// Time for which a secret still signs after its rotation, in milliseconds: a day.
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
    /// References of earlier secrets, and until when each signs as well.
    pub old_secrets: Vec<(String, Timestamp)>,
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

/// The result of adding an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The endpoint is added.
    Done,
    /// The business has too many endpoints.
    TooMany,
    /// The account has too many endpoints.
    TooManyOfAccount,
}

/// The result of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The endpoint has the new secret. The secrets with these references sign no more.
    Done(Vec<String>),
    /// The request was carried out before; the endpoint has the secret with this reference.
    Repeated(String),
    /// As many secrets sign as may; the oldest one signs until this time.
    TooMany(Timestamp),
    /// There is no such endpoint.
    Unknown,
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
    "id, account, url, types, description, secret, old_secrets, disabled_at, failing_since, created_at";

fn endpoint(row: &Row) -> Result<Endpoint, SmallError> {
    // The program itself writes the texts.
    let account: Option<String> = row.get(1)?;
    let types: String = row.get(3)?;
    let old_secrets: String = row.get(6)?;
    Ok(Endpoint {
        id: row.get(0)?,
        account: account.and_then(|account| account.parse().ok()),
        url: row.get(2)?,
        types: serde_json::from_str(&types).unwrap_or_default(),
        description: row.get(4)?,
        secret: row.get(5)?,
        old_secrets: serde_json::from_str(&old_secrets).unwrap_or_default(),
        disabled_at: row.get(7)?,
        failing_since: row.get(8)?,
        created_at: row.get(9)?,
    })
}

fn texts(types: &[String]) -> String {
    Value::from(types.to_vec()).to_string()
}

fn one(rows: &impl Statements, id: &str) -> Result<Option<Endpoint>, SmallError> {
    rows.query_one(&format!("SELECT {COLUMNS} FROM endpoints WHERE id = ?1"), values![id], endpoint)
}

/// Returns all endpoints, in the order of their ids.
pub(crate) fn all(rows: &impl Statements) -> Result<Vec<Endpoint>, SmallError> {
    rows.query(&format!("SELECT {COLUMNS} FROM endpoints ORDER BY id"), &[], endpoint)
}

impl Webhooks {
    /// Adds an endpoint, unless the business or its account has too many.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn add_endpoint(&self, endpoint: &Endpoint) -> Result<Added, WebhooksError> {
        let account = endpoint.account.as_ref().map(ToString::to_string);
        self.0.write(|rows| {
            let counts = "SELECT count(*), count(CASE WHEN account = ?1 THEN 1 END) FROM endpoints";
            let parameters = values![account.as_deref().unwrap_or_default()];
            let counts: Option<(u32, u32)> =
                rows.query_one(counts, parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (of_business, of_account) = counts.unwrap_or_default();
            if of_account >= ENDPOINTS_OF_ACCOUNT_MAX {
                return Ok(Added::TooManyOfAccount);
            }
            if of_business >= ENDPOINTS_MAX {
                return Ok(Added::TooMany);
            }
            rows.execute(
                "INSERT INTO endpoints (id, account, url, types, description, secret, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                values![
                    &endpoint.id,
                    account,
                    &endpoint.url,
                    texts(&endpoint.types),
                    &endpoint.description,
                    &endpoint.secret,
                    endpoint.created_at
                ],
            )?;
            Ok(Added::Done)
        })
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
        Ok(one(&self.0, id)?)
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

    /// Gives an endpoint another secret. Each secret signs as well for a day after its rotation, also if there is another one meanwhile.
    /// The last request, by its id, is carried out once.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn rotate(&self, id: &str, secret: &str, request: &str, now: Timestamp) -> Result<Rotation, WebhooksError> {
        self.0.write(|rows| {
            let last = "SELECT rotation FROM endpoints WHERE id = ?1";
            let last: Option<Option<String>> = rows.query_one(last, values![id], |row| row.get(0))?;
            let (Some(last), Some(before)) = (last, one(rows, id)?) else { return Ok(Rotation::Unknown) };
            if last.as_deref() == Some(request) {
                return Ok(Rotation::Repeated(before.secret));
            }
            let (mut old, ended): (Vec<_>, Vec<_>) =
                before.old_secrets.into_iter().partition(|(_, until)| *until > now);
            if let Some((_, until)) = old.first().filter(|_| old.len() >= OLD_SECRETS_MAX) {
                return Ok(Rotation::TooMany(*until));
            }
            old.push((before.secret, now.saturating_add(OLD_SECRET_MS)));
            let rotate = "UPDATE endpoints SET old_secrets = ?3, secret = ?2, rotation = ?4 WHERE id = ?1";
            rows.execute(rotate, values![id, secret, json!(old).to_string(), request])?;
            Ok(Rotation::Done(ended.into_iter().map(|(reference, _)| reference).collect()))
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

    /// Deletes the endpoints of an account with their deliveries, and returns them.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn delete_endpoints_of(&self, account: &Account) -> Result<Vec<Endpoint>, WebhooksError> {
        let account = account.to_string();
        self.0.write(|rows| {
            let of_account = format!("SELECT {COLUMNS} FROM endpoints WHERE account = ?1 ORDER BY id");
            let deleted = rows.query(&of_account, values![&account], endpoint)?;
            rows.execute("DELETE FROM endpoints WHERE account = ?1", values![&account])?;
            Ok(deleted)
        })
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
