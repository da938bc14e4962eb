//! An endpoint: where messages are sent, which types, and whether they arrive.

use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{Row, SmallError};

/// Whether messages are sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// Messages are sent.
    Enabled,
    /// No messages are sent; [`Reason`] says why.
    Disabled,
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A person has disabled it.
    Person,
    /// It has answered that it wants no more messages (410).
    Gone,
    /// It has failed for three days.
    Failing,
    /// Too many messages were waiting for it.
    Waiting,
    /// Whoever created it may no longer have it: the key has been revoked, or the user has been deleted or is no longer an
    /// owner of the account.
    Maker,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 5] = [Reason::Person, Reason::Gone, Reason::Failing, Reason::Waiting, Reason::Maker];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Person => "person",
            Reason::Gone => "gone",
            Reason::Failing => "failing",
            Reason::Waiting => "waiting",
            Reason::Maker => "maker",
        }
    }

    /// Returns the reason with a name.
    fn parse(name: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Who created an endpoint, or took it over by enabling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Id of the key or of the user. The server that creates endpoints defines the format.
    pub id: String,
    /// True for somebody who can access only some accounts. Their endpoints are counted separately from those of operators
    /// and services.
    pub is_customer: bool,
}

/// An endpoint. Its secrets are references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Id.
    pub id: String,
    /// The account whose events it gets; none if it gets those of all accounts.
    pub account: Option<Account>,
    /// Address.
    pub url: String,
    /// Event types that it gets; empty for all types.
    pub types: Vec<String>,
    /// Human-readable description.
    pub description: String,
    /// Reference to the secret that signs.
    pub secret: String,
    /// References to earlier secrets, and until when each of them also signs.
    pub old_secrets: Vec<(String, Timestamp)>,
    /// Who created it; none if the server of that time did not record it. The endpoint then stays, whoever leaves.
    pub maker: Option<Maker>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Why it was disabled; also none if the server of that time did not record it.
    pub disabled_reason: Option<Reason>,
    /// Since when no messages have arrived.
    pub failing_since: Option<Timestamp>,
    /// When it was created, in milliseconds since the epoch.
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

    /// Returns true if the endpoint gets events of a type from an account.
    pub fn gets(&self, account: &Account, event_type: &str) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
            && (self.types.is_empty() || self.types.iter().any(|wanted| wanted == event_type))
    }
}

/// The columns of an endpoint.
pub(crate) const COLUMNS: &str = "id, account, url, types, description, secret, old_secrets, disabled_at, failing_since, \
                                  created_at, maker, of_customer, disabled_reason";

pub(crate) fn endpoint(row: &Row) -> Result<Endpoint, SmallError> {
    // The program itself writes these strings.
    let account: Option<String> = row.get(1)?;
    let types: String = row.get(3)?;
    let old_secrets: String = row.get(6)?;
    let (maker, is_customer) = (row.get::<Option<String>>(10)?, row.get(11)?);
    let reason: Option<String> = row.get(12)?;
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
        maker: maker.map(|id| Maker { id, is_customer }),
        disabled_reason: reason.and_then(|name| Reason::parse(&name)),
    })
}
