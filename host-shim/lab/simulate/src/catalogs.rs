//! Changes the catalog while customers hold what it sold. An operator loads a catalog with one clause changed, removed
//! or added, or changes a product. What was sold keeps its terms: price, grants, credits, share, conditions and limits.
//!
//! Only products that are paid once change, because a subscription is sold again with each period.

use crate::catalog::{Catalog, Ware};
use crate::person::Batch;
use crate::rates::{AMOUNTS, CATALOG_CHANGES, CONDITIONS, DROPPED_GRANTS, LIMITS, OFF_SALE, REFUNDS, SPLITS};
use crate::repricing::Repricing;
use crate::story::{Incoming, VERSIONS};
use host_replay::shuffle::Random;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Beginning of the ids of commands that change the catalog.
pub(crate) const ID_PREFIX: &str = "catalog_change_";

/// Field by which a new limit tells products apart.
const LIMITED_BY: &str = "edition";

/// The terms on which each ware is sold now, in the order of the catalog at the start. Clones share one state.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnSale(Arc<Mutex<Vec<Option<Ware>>>>);

impl OnSale {
    /// The terms of a catalog.
    pub(crate) fn of(catalog: &Catalog) -> Self {
        OnSale(Arc::new(Mutex::new(catalog.wares.iter().cloned().map(Some).collect())))
    }

    fn wares(&self) -> MutexGuard<'_, Vec<Option<Ware>>> {
        // A panic of another thread ends the simulation anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The terms of a ware; None if it is off sale.
    pub(crate) fn ware(&self, index: usize) -> Option<Ware> {
        self.wares().get(index).cloned().flatten()
    }

    fn set(&self, catalog: &Catalog, now: &Catalog) {
        let mut wares = self.wares();
        let current = |(ware, known): (&Ware, &Option<Ware>)| {
            let mut terms = now.wares[now.ware(&ware.offer.price)?].clone();
            // A price keeps an entitlement that the catalog leaves out.
            let kept = known.iter().flat_map(|known| known.grants.clone());
            let left_out: Vec<_> = kept.filter(|kept| terms.grants.iter().all(|own| own.key != kept.key)).collect();
            terms.grants.extend(left_out);
            Some(terms)
        };
        *wares = catalog.wares.iter().zip(wares.iter()).map(current).collect();
    }
}

/// The operators who change the catalog of a shard.
pub(crate) struct Catalogs {
    /// The catalog at the start.
    first: Value,
    /// The catalog in force.
    document: Value,
    /// The terms of sale.
    pub on_sale: OnSale,
    /// Number of commands so far.
    sent: usize,
}

/// A change of a catalog, as a function of the document, the positions of a type and one of its products, and chance.
/// Returns false if the change does not apply.
type Change = fn(&mut Value, usize, usize, &mut Random) -> bool;

/// The changes, each with its probability per hundred changes.
const CHANGES: [(usize, Change); 7] = [
    (AMOUNTS, change_amount),
    (DROPPED_GRANTS, drop_grant),
    (CONDITIONS, require_entitlement),
    (LIMITS, limit_to_one),
    (SPLITS, change_split),
    (REFUNDS, change_refund),
    (OFF_SALE, take_off_sale),
];

fn list<'v>(document: &'v Value, name: &str) -> &'v [Value] {
    document[name].as_array().map_or(&[], Vec::as_slice)
}

/// The positions of the types whose products are all paid once, each with the positions of its products.
fn sold_once(document: &Value) -> Vec<(usize, Vec<usize>)> {
    let products = list(document, "products");
    let of_type = |(position, kind): (usize, &Value)| {
        let own = products.iter().enumerate().filter(|(_, product)| product["product_type"] == kind["name"]);
        let own: Vec<(usize, &Value)> = own.collect();
        let is_once = |product: &Value| {
            let prices = product["prices"].as_object();
            prices.is_some_and(|prices| prices.len() == 1 && prices.contains_key("once"))
                && product["prices"]["once"]["amount"].as_i64().unwrap_or(0) > 0
        };
        let all_are = !own.is_empty() && own.iter().all(|(_, product)| is_once(product));
        (all_are && kind["family"].is_null()).then(|| (position, own.into_iter().map(|(at, _)| at).collect()))
    };
    list(document, "product_types").iter().enumerate().filter_map(of_type).collect()
}

/// The fields of a product that clauses of its type name.
fn named_fields(kind: &Value) -> Vec<String> {
    let name = |clause: &Value| {
        let clause = if clause.is_object() { &clause["amount"] } else { clause };
        Some(clause.as_str()?.strip_prefix("{product.")?.strip_suffix('}')?.to_owned())
    };
    let granted = kind["grants"].as_object().into_iter().flat_map(Map::values);
    let paid = kind["on_paid"].as_array().into_iter().flatten().map(|clause| &clause["credit"]);
    granted.chain(paid).filter_map(name).collect()
}

/// Raises or lowers an amount that a product grants or credits.
fn change_amount(document: &mut Value, kind: usize, product: usize, random: &mut Random) -> bool {
    let fields = named_fields(&document["product_types"][kind]);
    let Some(field) = random.below(fields.len().max(1)).checked_rem(fields.len()).map(|at| fields[at].clone()) else {
        return false;
    };
    let amount = &mut document["products"][product]["metadata"][&field];
    let Some(known) = amount.as_i64().filter(|known| *known > 0) else { return false };
    let changed = 1 + random.below(2 * known as usize) as i64;
    *amount = json!(changed);
    changed != known
}

/// Removes a grant from a type.
fn drop_grant(document: &mut Value, kind: usize, _: usize, random: &mut Random) -> bool {
    let is_granted_elsewhere = |key: &String| {
        let base = |key: &str| key.split(':').next().unwrap_or_default().to_owned();
        let others = list(document, "product_types").iter().enumerate().filter(|(at, _)| *at != kind);
        let keys = others.filter_map(|(_, kind)| kind["grants"].as_object()).flat_map(Map::keys);
        keys.into_iter().any(|other| base(other) == base(key))
    };
    // A catalog is refused if nothing grants one of its entitlements.
    let own = document["product_types"][kind]["grants"].as_object();
    if !own.into_iter().flat_map(Map::keys).all(is_granted_elsewhere) {
        return false;
    }
    let Some(grants) = document["product_types"][kind]["grants"].as_object_mut().filter(|grants| !grants.is_empty())
    else {
        return false;
    };
    let Some(key) = grants.keys().nth(random.below(grants.len())).cloned() else { return false };
    grants.remove(&key).is_some()
}

/// Lets a type require an entitlement that a plan grants.
fn require_entitlement(document: &mut Value, kind: usize, _: usize, random: &mut Random) -> bool {
    let plans = list(document, "product_types").iter().filter(|kind| !kind["family"].is_null());
    let keys = plans.filter_map(|kind| kind["grants"].as_object()).flat_map(Map::keys);
    let keys: Vec<String> = keys.filter(|key| !key.contains('{')).cloned().collect();
    if keys.is_empty() || !document["product_types"][kind]["buy"]["if"].is_null() {
        return false;
    }
    let key = &keys[random.below(keys.len())];
    document["product_types"][kind]["buy"]["if"] = json!(format!("allowed.{key}"));
    true
}

/// Limits a type to one purchase of an account.
fn limit_to_one(document: &mut Value, kind: usize, _: usize, _: &mut Random) -> bool {
    if !document["product_types"][kind]["buy"]["at_most"].is_null() {
        return false;
    }
    let name = document["product_types"][kind]["name"].clone();
    let Some(fields) = document["product_types"][kind]["fields"].as_array_mut() else { return false };
    fields.push(json!({"name": LIMITED_BY, "type": "string", "required": true}));
    document["product_types"][kind]["buy"]["at_most"] = json!({"count": 1, "per": format!("{{product.{LIMITED_BY}}}")});
    for product in document["products"].as_array_mut().into_iter().flatten() {
        if product["product_type"] == name {
            product["metadata"][LIMITED_BY] = product["id"].clone();
        }
    }
    true
}

/// Ends the share of a type, or changes it.
fn change_split(document: &mut Value, kind: usize, _: usize, random: &mut Random) -> bool {
    let kind = &mut document["product_types"][kind];
    if kind["split"].is_null() {
        return false;
    }
    if random.below(2) == 0 && kind["listing"].is_null() {
        return kind.as_object_mut().and_then(|members| members.remove("split")).is_some();
    }
    kind["split"]["share_bp"] = json!(1_000 + 100 * random.below(90));
    true
}

/// Ends the time in which buyers may ask for a refund.
fn change_refund(document: &mut Value, kind: usize, _: usize, _: &mut Random) -> bool {
    document["product_types"][kind].as_object_mut().and_then(|members| members.remove("refund")).is_some()
}

/// Takes a product off sale. A business whose customers can top up keeps something that they can buy.
fn take_off_sale(document: &mut Value, _: usize, product: usize, _: &mut Random) -> bool {
    let gives_credits = |kind: &Value| kind["on_paid"].as_array().is_some_and(|paid| !paid.is_empty());
    let once = sold_once(document);
    let types = list(document, "product_types");
    let mut packs = once.iter().filter(|(kind, _)| gives_credits(&types[*kind])).flat_map(|(_, products)| products);
    if document["policies"]["top_up"].is_object() && packs.all(|pack| *pack == product) {
        return false;
    }
    document["products"].as_array_mut().is_some_and(|products| {
        products.remove(product);
        true
    })
}

impl Catalogs {
    /// Begins with a catalog, and with its document.
    pub(crate) fn new(catalog: &Catalog, document: &Value) -> Self {
        let (first, document) = (document.clone(), document.clone());
        Catalogs { first, document, on_sale: OnSale::of(catalog), sent: 0 }
    }

    /// The command of a day, or none. It must be applied.
    pub(crate) fn pass(&mut self, catalog: &Catalog, repricing: &Repricing, now_s: i64, random: &mut Random) -> Batch {
        let mut batch = Batch::default();
        // A load would decide about the prices that creators have proposed.
        if random.below(100) >= CATALOG_CHANGES || repricing.has_proposals() {
            return batch;
        }
        let is_back = self.document != self.first && random.below(4) == 0;
        let mut next = if is_back { self.first.clone() } else { self.document.clone() };
        if !is_back && !changed(&mut next, random) {
            return batch;
        }
        // A load sets all values of the catalog, so that the document has the prices in force.
        for product in next["products"].as_array_mut().into_iter().flatten() {
            if let Some((field, micros)) = repricing.in_force(product["id"].as_str().unwrap_or_default(), now_s) {
                product["metadata"][field] = json!(micros);
            }
        }
        let (name, payload) = match single_update(&self.document, &next).filter(|_| random.below(2) == 0) {
            Some(update) => ("product.update", update),
            None => ("catalog.load", next.clone()),
        };
        self.sent += 1;
        let id = format!("{ID_PREFIX}{}", self.sent);
        let body = json!({
            "id": id, "command": name, "account": "platform", "timestamp": now_s,
            "actor": {"kind": "admin", "id": "operator"}, "payload": payload,
        });
        batch.commands.push(Incoming::of(&id, &[VERSIONS[0]], |_| body.to_string()));
        self.on_sale.set(catalog, &Catalog::read(&catalog.name, &next));
        self.document = next;
        batch
    }
}

/// Changes one clause. Returns false if no change applies.
fn changed(document: &mut Value, random: &mut Random) -> bool {
    let once = sold_once(document);
    if once.is_empty() {
        return false;
    }
    let (kind, products) = &once[random.below(once.len())];
    let product = products[random.below(products.len())];
    let mut roll = random.below(100);
    for (percent, change) in CHANGES {
        if roll < percent {
            return change(document, *kind, product, random);
        }
        roll -= percent;
    }
    false
}

/// The payload of `product.update` that makes one catalog of another; None if more than the metadata of one product
/// differs.
fn single_update(before: &Value, after: &Value) -> Option<Value> {
    let (old, new) = (list(before, "products"), list(after, "products"));
    if old.len() != new.len() || before["product_types"] != after["product_types"] {
        return None;
    }
    let mut differing = old.iter().zip(new).filter(|(old, new)| old != new);
    let (_, product) = differing.next()?;
    differing.next().is_none().then(|| json!({"id": product["id"], "metadata": product["metadata"]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({
            "product_types": [
                {"name": "plan", "family": "plan", "grants": {"shows": "{product.shows}"}},
                {"name": "course", "fields": [], "grants": {"lessons": "{product.lessons}"}},
            ],
            "products": [
                {"id": "studio", "product_type": "plan", "prices": {"month": {"amount": 900}},
                 "metadata": {"shows": 3}},
                {"id": "guitar", "product_type": "course", "prices": {"once": {"amount": 700}},
                 "metadata": {"lessons": 4}},
            ],
        })
    }

    #[test]
    fn only_what_is_paid_once_changes() {
        assert_eq!(sold_once(&document()), [(1, vec![1])]);
    }

    /// Given a changed amount of one product, when an operator changes the product, then the command names it only.
    #[test]
    fn an_amount_of_one_product_changes_by_an_update() {
        let (before, mut after) = (document(), document());
        let mut random = Random::new(7);
        while !change_amount(&mut after, 1, 1, &mut random) {}
        let lessons = after["products"][1]["metadata"]["lessons"].clone();
        assert_ne!(lessons, json!(4));
        assert_eq!(single_update(&before, &after), Some(json!({"id": "guitar", "metadata": {"lessons": lessons}})));
        assert_eq!(single_update(&before, &before), None);
    }

    /// Given a type without a limit, when a limit is added, then each of its products has a value of its own for it.
    #[test]
    fn a_limit_tells_the_products_of_its_type_apart() {
        let mut document = document();
        assert!(limit_to_one(&mut document, 1, 1, &mut Random::new(7)));
        assert_eq!(document["products"][1]["metadata"][LIMITED_BY], "guitar");
        assert_eq!(document["product_types"][1]["buy"]["at_most"]["per"], "{product.edition}");
        assert!(!limit_to_one(&mut document, 1, 1, &mut Random::new(7)), "one limit is enough");
    }

    /// A catalog that grants an entitlement nowhere is refused.
    #[test]
    fn the_only_grant_of_an_entitlement_stays() {
        assert!(!drop_grant(&mut document(), 1, 1, &mut Random::new(7)));
    }
}
