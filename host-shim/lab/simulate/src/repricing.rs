//! Changes what creators charge for the use of their products. A creator proposes a price, and an operator approves it on a
//! later day, or sets a price without the creator. Until the approval, use costs the price from before.

use crate::catalog::{Catalog, SoldByUse};
use crate::creators::Creators;
use crate::person::Batch;
use crate::story::Incoming;
use host_replay::shuffle::Random;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Highest price that is proposed or set, in millionths of the currency unit per unit of use.
const MICROS_MAX: usize = 40;
/// One of so many days has a proposal, for each product without one.
const PROPOSES: usize = 8;
/// One of so many days has an approval, for each product with a proposal.
const APPROVES: usize = 5;
/// One of so many days has an operator's edit that approves nothing, for each product with a proposal.
const EDITS: usize = 6;
/// One of so many days has a price that an operator sets, for each product without a proposal.
const SETS: usize = 25;

/// Prices by product: each with the time from which it is in force, in milliseconds since the epoch, in order.
type Histories = BTreeMap<String, Vec<(i64, i64)>>;

/// The prices of creators for use, with their history. Clones share one history.
#[derive(Clone, Debug, Default)]
pub struct UsePrices(Arc<Mutex<Histories>>);

impl UsePrices {
    /// The prices of the catalog, in force from the beginning.
    pub fn of(catalog: &Catalog) -> Self {
        let sold = catalog.rates.iter().filter_map(|rate| rate.seller.as_ref()).flat_map(|seller| &seller.products);
        UsePrices(Arc::new(Mutex::new(sold.map(|sold| (sold.id.clone(), vec![(i64::MIN, sold.micros)])).collect())))
    }

    fn history(&self) -> MutexGuard<'_, Histories> {
        // A panic of another thread ends the simulation anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The price of a product at a time (milliseconds since the epoch), in millionths per unit; 0 if it has none.
    pub fn at(&self, product: &str, at_ms: i64) -> i64 {
        let history = self.history();
        let in_force = history.get(product).into_iter().flatten().rev().find(|(since_ms, _)| *since_ms <= at_ms);
        in_force.map_or(0, |(_, micros)| *micros)
    }

    fn set(&self, product: &str, since_ms: i64, micros: i64) {
        self.history().entry(product.to_owned()).or_default().push((since_ms, micros));
    }
}

/// A product that is sold by use.
struct Priced {
    sold: SoldByUse,
    /// Field of the price.
    field: String,
    /// The price that waits for approval.
    proposed: Option<i64>,
}

/// The creators and operators who change prices.
pub(crate) struct Repricing {
    products: Vec<Priced>,
    /// The prices in force.
    pub prices: UsePrices,
    /// Number of commands so far.
    sent: usize,
}

impl Repricing {
    /// Creates the price changes of a catalog. Leaves out products that are also sold at a price, because a proposal takes
    /// its product off sale.
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let is_sold = |id: &str| catalog.wares.iter().any(|ware| ware.offer.product == id);
        let mut products = Vec::new();
        for seller in catalog.rates.iter().filter_map(|rate| rate.seller.as_ref()) {
            let free = seller.products.iter().filter(|sold| !is_sold(&sold.id));
            let priced = |sold: &SoldByUse| Priced { sold: sold.clone(), field: seller.field.clone(), proposed: None };
            products.extend(free.map(priced));
        }
        Repricing { products, prices: UsePrices::of(catalog), sent: 0 }
    }

    /// True if a price waits for its approval.
    pub(crate) fn has_proposals(&self) -> bool {
        self.products.iter().any(|product| product.proposed.is_some())
    }

    /// The field of a product's price, and the price in force; None if its price never changes.
    pub(crate) fn in_force(&self, product: &str, now_s: i64) -> Option<(&str, i64)> {
        let priced = self.products.iter().find(|priced| priced.sold.id == product)?;
        Some((&priced.field, self.prices.at(product, now_s * 1_000)))
    }

    /// Returns the commands of a day. All of them must be applied.
    pub(crate) fn pass(&mut self, now_s: i64, creators: &Creators, random: &mut Random) -> Batch {
        let mut batch = Batch::default();
        for Priced { sold, field, proposed } in &mut self.products {
            let operator = (json!("platform"), json!({"kind": "admin", "id": "operator"}));
            let price = |random: &mut Random| 1 + random.below(MICROS_MAX) as i64;
            let ((account, actor), name, payload) = match *proposed {
                Some(micros) if random.below(APPROVES) == 0 => {
                    *proposed = None;
                    self.prices.set(&sold.id, now_s * 1_000, micros);
                    (operator, "product.update", json!({"id": sold.id, "active": true}))
                }
                Some(_) if random.below(EDITS) == 0 => {
                    let words = format!("Edited at {now_s}");
                    (operator, "product.update", json!({"id": sold.id, "description": words}))
                }
                Some(_) => continue,
                None if random.below(PROPOSES) == 0 => {
                    // Only a creator who can be paid may ask for a price.
                    let Some(actor) = creators.actor_ready_for_payouts(&sold.share.to) else { continue };
                    let micros = price(random);
                    *proposed = Some(micros);
                    let payload = json!({"id": sold.id, "metadata": {field.as_str(): micros}});
                    ((json!(sold.share.to), actor), "product.list", payload)
                }
                None if random.below(SETS) == 0 => {
                    let micros = price(random);
                    self.prices.set(&sold.id, now_s * 1_000, micros);
                    (operator, "product.update", json!({"id": sold.id, "metadata": {field.as_str(): micros}}))
                }
                None => continue,
            };
            self.sent += 1;
            let id = format!("{ID_PREFIX}{}", self.sent);
            let body: Value = json!({
                "id": id, "command": name, "account": account, "timestamp": now_s, "actor": actor, "payload": payload,
            });
            batch.commands.push(Incoming::of(&id, &[creators.version], |_| body.to_string()));
        }
        batch
    }
}

/// Beginning of the ids of commands that change prices.
pub(crate) const ID_PREFIX: &str = "reprice_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_in_force_from_its_time_on() {
        let prices = UsePrices::default();
        prices.set("quill", i64::MIN, 10);
        prices.set("quill", 1_000, 25);
        assert_eq!([prices.at("quill", 999), prices.at("quill", 1_000), prices.at("pen", 1_000)], [10, 25, 0]);
    }
}
