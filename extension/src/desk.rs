//! The context of a decision: the account, the catalog, and the event without its content.

pub(crate) mod instance;
pub(crate) mod making;
pub(crate) mod react;

use crate::catalog::view::Catalog;
use crate::model::account::Account;
use crate::model::halt::Ruled;
use crate::model::json::short_hash;
use crate::model::records::product::ProductRow;
use extension_contract::{Actor, ProviderFacts, Timestamp};

/// The context in which an event is decided.
pub(crate) struct Desk<'d> {
    /// The account, with the changes of the decision.
    pub account: Account<'d>,
    /// The catalog of the business.
    pub catalog: Catalog<'d>,
    /// The time of all changes that the event causes, in milliseconds since the epoch.
    pub now: Timestamp,
    /// The provider's time of the event, or the time of arrival if the event has no provider's time.
    pub provider_time: Timestamp,
    /// Business whose catalog applies.
    pub business: &'d str,
    /// Id of the event.
    pub event_id: &'d str,
    /// Kind of the event.
    pub kind: &'d str,
    /// The originator of the event.
    pub actor: &'d Actor,
    /// The provider's properties of the event; `None` if no provider is involved.
    pub provider: Option<&'d ProviderFacts>,
    /// The caller that waits for the reply.
    pub reply_to: Option<&'d String>,
}

impl Desk<'_> {
    /// Returns sixteen hexadecimal digits derived from the event's id, for ids of the rows that the event creates.
    pub fn event_hash(&self) -> String {
        short_hash(self.event_id)
    }

    /// Returns whether a product of the account or of the catalog has this id, including deleted products of the
    /// account.
    pub fn is_product_id_taken(&mut self, id: &str) -> Ruled<bool> {
        Ok(self.account.is_stored::<ProductRow>(id)? || self.catalog.product(id)?.is_some())
    }
}
