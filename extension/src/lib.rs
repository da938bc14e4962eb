//! All decisions of the instance provisioner: which rows an event changes and which effects it enqueues.
//!
//! The library is pure: it has no I/O, clock, randomness or state. For each event, [`Provisioner`] reads the account
//! through [`Imports`] and returns one [`Decision`]. The code contains mechanisms only; a business is data in the
//! catalog. Each module is a layer, and uses only the layers that `xtask/tests/layers.rs` allows.

/// What several rules do.
mod actions;
/// The catalog language, prices, policies and their checks.
mod catalog;
/// Opens an event's account, decides the event, and returns the changes.
mod decision;
/// Computes plans and entitlements from the records.
mod derive;
/// The context of a decision, and an instance during a decision.
mod desk;
#[cfg(test)]
mod effects_document;
/// Parses an event and finds its account.
mod input;
mod manifest;
/// The account with its records, keys, and `merge`.
mod model;
/// Answers questions without changing anything.
mod queries;
/// Brings the actual state to the desired state.
mod reconcile;
/// Merges an event's object into the records, or executes a command.
mod rules;

pub use catalog::product::PRODUCT_MEMBERS;
pub use catalog::schema;
pub use model::DATA_VERSION;
pub use rules::commands::table as commands_table;

use catalog::price::Mode;
use catalog::view::Catalog;
use extension_contract::*;
use model::reader::Reader;
use std::rc::Rc;

/// The instance provisioner, an [`Extension`] without state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provisioner;

impl Extension for Provisioner {
    fn declare(&self) -> Declarations {
        manifest::declare()
    }

    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem> {
        // The mode is irrelevant here: it only selects price ids.
        queries::validate(&Catalog::new(Rc::new(Reader::new(host)), Mode::Test), candidate)
    }

    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Decision> {
        let input = decision::read(host, event)?;
        let Some(mut desk) = decision::open(host, event, &input)? else {
            return Ok(Decision::of(Outcome::Ignored(IgnoreReason::NotOurs)));
        };
        let decided = decision::decide(&mut desk, event, input);
        decision::conclude(desk, event, decided)
    }

    fn catalog(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Offer>, Problem> {
        queries::run(host, question, "catalog", queries::catalog)
    }

    fn entitlements(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Entitlement>, Problem> {
        queries::run(host, question, "entitlements", queries::entitlements)
    }

    fn usage(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, Problem> {
        queries::run(host, question, "usage", |desk| queries::usage(desk, start, end))
    }

    fn balances(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Balance>, Problem> {
        queries::run(host, question, "balances", queries::balances)
    }

    fn list(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, Problem> {
        queries::list(host, question, kind, filter, page)
    }
}
