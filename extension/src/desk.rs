//! The context of a decision: the account, the catalog, and the event without its content.

pub(crate) mod instance;
pub(crate) mod making;
pub(crate) mod react;

use crate::catalog::price::Mode;
use crate::catalog::view::Catalog;
use crate::model::account::Account;
use crate::model::halt::Ruled;
use crate::model::json::short_hash;
use crate::model::reader::Reader;
use crate::model::records::product::ProductRow;
use extension_contract::{Account as Owner, Actor, Event, Imports, PaymentFacts, Timestamp};
use std::rc::Rc;

/// The context in which an event is decided.
pub(crate) struct Desk<'d> {
    /// The account, with the changes of the decision.
    pub account: Account<'d>,
    /// The catalog of the business.
    pub catalog: Catalog<'d>,
    /// The time of all changes that the event causes, in milliseconds since the epoch.
    pub now: Timestamp,
    /// The payment source's time of the event, or the time of arrival if it has none.
    pub payment_time: Timestamp,
    /// Business whose catalog applies.
    pub business: &'d str,
    /// Id of the event.
    pub event_id: &'d str,
    /// Kind of the event.
    pub kind: &'d str,
    /// The originator of the event.
    pub actor: &'d Actor,
    /// Facts of the payment source; `None` for an event that is not from it.
    pub payment: Option<&'d PaymentFacts>,
    /// The caller that waits for the reply.
    pub reply_to: Option<&'d String>,
}

impl<'d> Desk<'d> {
    /// Creates the desk for an event of `owner`, or of no account.
    pub fn of(host: &'d mut dyn Imports, event: &'d Event, owner: Option<Owner>) -> Desk<'d> {
        let reader = Rc::new(Reader::new(host));
        Desk {
            account: Account::new(reader.clone(), owner),
            catalog: Catalog::new(reader, Mode::of(event)),
            now: event.received_at,
            payment_time: event.payment.as_ref().and_then(|facts| facts.time).unwrap_or(event.received_at),
            business: &event.business,
            event_id: &event.id,
            kind: &event.kind,
            actor: &event.actor,
            payment: event.payment.as_ref(),
            reply_to: event.reply_to.as_ref(),
        }
    }
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
