//! What a decision is made with: the account, the catalog, and of the event what is not its content.

use super::Catalog;
use crate::model::account::Account;
use crate::model::halt::Ruled;
use crate::model::json::short_hash;
use crate::model::records::product::ProductRow;
use extension_contract::{Actor, ProviderFacts, Timestamp};

/// The account and the catalog while an event is decided.
pub(crate) struct Desk<'d> {
    /// The account's rows, and what is written.
    pub account: Account<'d>,
    /// What is sold.
    pub catalog: Catalog<'d>,
    /// The time of all that the event causes, in milliseconds since the epoch.
    pub now: Timestamp,
    /// The provider's time of the event; the time of arrival where the provider names none.
    pub provider_time: Timestamp,
    /// Business whose catalog applies.
    pub business: &'d str,
    /// Id of the event.
    pub event_id: &'d str,
    /// Kind of the event.
    pub kind: &'d str,
    /// Who caused it.
    pub actor: &'d Actor,
    /// The provider's view of the event; none where no provider is involved.
    pub provider: Option<&'d ProviderFacts>,
    /// Who waits for an answer.
    pub reply_to: Option<&'d String>,
}

impl Desk<'_> {
    /// Sixteen digits that derive from the event's id: for ids of what it makes.
    pub fn event_hash(&self) -> String {
        short_hash(self.event_id)
    }

    /// Whether an id is taken by a product of the account or of the catalog, a deleted one too.
    pub fn is_product_id_taken(&mut self, id: &str) -> Ruled<bool> {
        Ok(self.account.is_stored::<ProductRow>(id)? || self.catalog.product(id)?.is_some())
    }
}
