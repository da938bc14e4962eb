//! Adds, changes, disables and deletes endpoints, and rotates their secrets.

use crate::webhooks::deliveries::{DeliveryState, NewMessage, add_message, time_text};
use crate::webhooks::endpoint::{COLUMNS, Endpoint, Maker, Reason, endpoint};
use crate::webhooks::heads::set_all;
use crate::webhooks::tables::{Webhooks, WebhooksError};
use crate::webhooks::{
    ENDPOINTS_MAX, ENDPOINTS_OF_ACCOUNT_MAX, ENDPOINTS_OF_CUSTOMERS_MAX, ENDPOINTS_OF_MAKER_MAX, OLD_SECRETS_MAX,
};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};
use serde_json::{Value, json};

/// How long a secret still signs after its rotation, in milliseconds: a day.
const OLD_SECRET_MS: i64 = 24 * 3_600_000;

/// The result of adding an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The endpoint was added.
    Done,
    /// The operators and services of the business have too many endpoints.
    TooMany,
    /// The customers of the business have too many endpoints.
    TooManyOfCustomers,
    /// The maker has too many endpoints.
    TooManyOfMaker,
    /// The account has too many endpoints.
    TooManyOfAccount,
}

/// The result of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The endpoint has the new secret. The secrets with these references no longer sign.
    Done(Vec<String>),
    /// The request was carried out before; the endpoint has the secret with this reference.
    Repeated(String),
    /// The maximum number of secrets sign already; the oldest one signs until this time.
    TooMany(Timestamp),
    /// There is no such endpoint.
    Unknown,
}

/// Changes to an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New address.
    pub url: Option<String>,
    /// New event types.
    pub types: Option<Vec<String>>,
    /// New description.
    pub description: Option<String>,
}

fn texts(types: &[String]) -> String {
    Value::from(types.to_vec()).to_string()
}

fn one(rows: &impl Statements, id: &str) -> Result<Option<Endpoint>, SmallError> {
    rows.query_one(&format!("SELECT {COLUMNS} FROM endpoints WHERE id = ?1"), values![id], endpoint)
}

/// Returns the endpoints that may get events of an account: its own, and those for all accounts.
pub(crate) fn telling(rows: &impl Statements, account: &Account) -> Result<Vec<Endpoint>, SmallError> {
    let telling = format!("SELECT {COLUMNS} FROM endpoints WHERE account = ?1 OR account IS NULL ORDER BY id");
    rows.query(&telling, values![account.to_string()], endpoint)
}

/// Deletes the endpoints that match a condition, with their deliveries and the messages that no other endpoint has.
fn delete(rows: &impl Statements, condition: &str, value: &str) -> Result<(), SmallError> {
    rows.execute(
        &format!(
            "DELETE FROM messages WHERE \
             seq IN (SELECT message FROM deliveries WHERE endpoint IN (SELECT id FROM endpoints WHERE {condition})) \
             AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = seq \
             AND endpoint NOT IN (SELECT id FROM endpoints WHERE {condition}))"
        ),
        values![value],
    )?;
    rows.execute(&format!("DELETE FROM endpoints WHERE {condition}"), values![value])?;
    Ok(())
}

impl Webhooks {
    /// Adds an endpoint, unless there are too many. Those of operators and services are counted separately from those of customers.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn add_endpoint(&self, endpoint: &Endpoint) -> Result<Added, WebhooksError> {
        let (account, maker) = (endpoint.account.as_ref().map(ToString::to_string), endpoint.maker.as_ref());
        self.0.write(|rows| {
            let is_customer = maker.is_none_or(|maker| maker.is_customer);
            let counts = "SELECT count(*), count(CASE WHEN account = ?2 THEN 1 END), \
                          count(CASE WHEN maker = ?3 THEN 1 END) FROM endpoints WHERE of_customer = ?1";
            let maker_id = maker.map(|maker| maker.id.as_str());
            let parameters = values![is_customer, account.as_deref().unwrap_or_default(), maker_id.unwrap_or_default()];
            let counts: Option<[u32; 3]> =
                rows.query_one(counts, parameters, |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
            let [of_all, of_account, of_maker] = counts.unwrap_or_default();
            let limits = match is_customer {
                false => &[(of_all, ENDPOINTS_MAX, Added::TooMany)][..],
                true => &[
                    (of_account, ENDPOINTS_OF_ACCOUNT_MAX, Added::TooManyOfAccount),
                    (of_maker, ENDPOINTS_OF_MAKER_MAX, Added::TooManyOfMaker),
                    (of_all, ENDPOINTS_OF_CUSTOMERS_MAX, Added::TooManyOfCustomers),
                ],
            };
            if let Some((_, _, refused)) = limits.iter().find(|(count, most, _)| count >= most) {
                return Ok(*refused);
            }
            rows.execute(
                "INSERT INTO endpoints (id, account, url, types, description, secret, created_at, maker, of_customer) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                values![
                    &endpoint.id,
                    account,
                    &endpoint.url,
                    texts(&endpoint.types),
                    &endpoint.description,
                    &endpoint.secret,
                    endpoint.created_at,
                    maker_id,
                    is_customer
                ],
            )?;
            Ok(Added::Done)
        })
    }

    /// Returns the endpoints of an account, or of the whole business if none is given, in id order.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn endpoints(&self, account: Option<&Account>) -> Result<Vec<Endpoint>, WebhooksError> {
        Ok(match account {
            None => self.0.query(&format!("SELECT {COLUMNS} FROM endpoints ORDER BY id"), &[], endpoint)?,
            Some(account) => {
                let own = format!("SELECT {COLUMNS} FROM endpoints WHERE account = ?1 ORDER BY id");
                self.0.query(&own, values![account.to_string()], endpoint)?
            }
        })
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

    /// Gives an endpoint a new secret. After its rotation, each secret also signs for another day, even if there is a newer one in the
    /// meantime. A repetition of the last request, recognised by its id, changes nothing.
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

    /// Deletes an endpoint with its deliveries, and the messages that no other endpoint has.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn delete_endpoint(&self, id: &str) -> Result<(), WebhooksError> {
        self.0.write(|rows| Ok(delete(rows, "id = ?1", id)?))
    }

    /// Deletes the endpoints of an account in the same way, and returns them.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn delete_endpoints_of(&self, account: &Account) -> Result<Vec<Endpoint>, WebhooksError> {
        let account = account.to_string();
        self.0.write(|rows| {
            let of_account = format!("SELECT {COLUMNS} FROM endpoints WHERE account = ?1 ORDER BY id");
            let deleted = rows.query(&of_account, values![&account], endpoint)?;
            delete(rows, "account = ?1", &account)?;
            Ok(deleted)
        })
    }

    /// Disables an endpoint: the messages waiting for it fail, and can be resent later. Returns false if it was already disabled.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn disable(&self, id: &str, reason: Reason, now: Timestamp) -> Result<bool, WebhooksError> {
        self.0.write(|rows| {
            let disable = "UPDATE endpoints SET disabled_at = ?2, disabled_reason = ?3 \
                           WHERE id = ?1 AND disabled_at IS NULL";
            let is_new = rows.execute(disable, values![id, now, reason.name()])? == 1;
            rows.execute(
                "UPDATE deliveries SET state = ?2 WHERE endpoint = ?1 AND state = ?3",
                values![id, DeliveryState::Failed.name(), DeliveryState::Pending.name()],
            )?;
            set_all(rows, id)?;
            Ok(is_new)
        })
    }

    /// Enables an endpoint, and sends it the number of messages that it has missed. `by` takes it over if its maker may no longer have
    /// it. Returns false if it was already enabled.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn enable(
        &self,
        endpoint: &Endpoint,
        by: &Maker,
        message: &str,
        now: Timestamp,
    ) -> Result<bool, WebhooksError> {
        let disabled_at = endpoint.disabled_at.unwrap_or(now);
        let account = endpoint.account.clone().unwrap_or(Account::Platform);
        self.0.write(|rows| {
            let take_over = "UPDATE endpoints SET maker = ?2, of_customer = ?3 WHERE id = ?1 AND disabled_reason = ?4";
            rows.execute(take_over, values![&endpoint.id, &by.id, by.is_customer, Reason::Maker.name()])?;
            let enable = "UPDATE endpoints SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL \
                          WHERE id = ?1 AND disabled_at IS NOT NULL";
            if rows.execute(enable, values![&endpoint.id])? == 0 {
                return Ok(false);
            }
            set_all(rows, &endpoint.id)?;
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
