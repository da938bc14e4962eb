//! What would the start with a catalog change? The catalog is loaded into a copy of the platform's rows; the store stays as it is.

use crate::catalog::{check_not_newer, load_if_changed};
use crate::outbox::Outbox;
use crate::processor::Processor;
use crate::{Setup, StartError, read};
use extension_contract::{
    Account, Price, Product, PurchaseStatus, Row, RowKind, StoredRow, SubscriptionStatus, Timestamp,
};
use host_provider_api::Registry;
use host_store::{Changes, MemoryStore, Partition, Read, RowWrite, Scope, Store, Stored};
use host_wasm_runner::runner::Runner;
use std::collections::{BTreeMap, BTreeSet};

/// Rows per query and per change.
const PAGE: usize = 500;
/// The amount of a grant without a limit.
const UNLIMITED: i64 = -1;

/// What a start would change for those who hold something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// What goes off sale, by id.
    pub off_sale: Vec<OffSale>,
    /// Limits that fall, by price and entitlement.
    pub falls: Vec<Fall>,
}

/// A product or a price that goes off sale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffSale {
    /// Id of the product.
    pub product: String,
    /// Id of the price; none if the product has no price on sale.
    pub price: Option<String>,
    /// Number of accounts that hold it.
    pub accounts: usize,
}

/// An entitlement of which a price grants less.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fall {
    /// Id of the product.
    pub product: String,
    /// Id of the price.
    pub price: String,
    /// Entitlement.
    pub key: String,
    /// Amount before the start; -1 is unlimited.
    pub before: i64,
    /// Amount after it.
    pub after: i64,
    /// Number of accounts that pay the price.
    pub accounts: usize,
}

/// Returns what a start over a store would change, without changing it. The store's rows should not change meanwhile.
///
/// # Errors
/// Fails as the start would, or if the store fails.
pub fn rehearse(
    setup: &Setup,
    store: &dyn Read,
    runner: Box<dyn Runner>,
    now: Timestamp,
) -> Result<Rehearsal, StartError> {
    let business = setup.processor_business();
    let partition = Partition { business: business.name.clone(), livemode: business.livemode };
    check_not_newer(store, &partition, runner.declarations().data_version)?;
    let mut copy = MemoryStore::new();
    copy_platform(store, &mut copy, &partition, now)?;
    let processor = Processor::new(Box::new(copy), runner, business.clone())
        .map_err(|error| StartError::Config { business: business.name.clone(), error })?;
    let mut outbox = Outbox::new(processor, Registry::new());
    load_if_changed(setup.business(), &mut outbox, now)?;
    let after = outbox.processor().store();
    let prices = |store: &dyn Read| -> Stored<BTreeMap<String, Price>> {
        Ok(read::prices(store, &partition)?.into_iter().map(|price| (price.id.clone(), price)).collect())
    };
    let (prices_before, prices_after) = (prices(store)?, prices(after)?);
    let platform = partition.scope(Account::Platform);
    let on_sale = |store: &dyn Read| -> Stored<BTreeMap<String, Product>> {
        let all = read::products(store, &platform)?;
        Ok(all.into_iter().filter(|row| row.values.active && !row.deleted).map(|row| (row.id.clone(), row)).collect())
    };
    let (mut gone, on_sale_after) = (on_sale(store)?, on_sale(after)?);
    gone.retain(|id, _| !on_sale_after.contains_key(id));
    let mut rehearsal = Rehearsal::default();
    for (id, price) in &prices_before {
        let now_active = prices_after.get(id).is_some_and(|after| after.active);
        if price.active && !now_active {
            gone.remove(&price.product_id);
            let (product, price) = (price.product_id.clone(), Some(id.clone()));
            rehearsal.off_sale.push(OffSale { product, price, accounts: 0 });
        }
        for grant in &price.grants {
            let grants = prices_after.get(id).map(|after| after.grants.as_slice()).unwrap_or_default();
            let after = grants.iter().find(|after| after.key == grant.key).map_or(0, |after| after.amount);
            if is_less(after, grant.amount) {
                rehearsal.falls.push(Fall {
                    product: price.product_id.clone(),
                    price: id.clone(),
                    key: grant.key.clone(),
                    before: grant.amount,
                    after,
                    accounts: 0,
                });
            }
        }
    }
    rehearsal.off_sale.extend(gone.into_keys().map(|product| OffSale { product, price: None, accounts: 0 }));
    rehearsal.off_sale.sort();
    count_holders(store, &partition, &mut rehearsal)?;
    Ok(rehearsal)
}

fn is_less(amount: i64, than: i64) -> bool {
    amount != UNLIMITED && (than == UNLIMITED || amount < than)
}

/// Copies the rows and the claims of the account `platform`, without its log of events.
fn copy_platform(store: &dyn Read, copy: &mut MemoryStore, partition: &Partition, now: Timestamp) -> Stored<()> {
    let scope = partition.scope(Account::Platform);
    let records = store.collections(&scope)?.into_iter().map(RowKind::Record);
    for kind in [RowKind::Product, RowKind::Price].into_iter().chain(records) {
        each(store, &scope, &kind, &mut |rows| {
            let rows = rows.into_iter().map(|StoredRow { data_version, row }| RowWrite {
                key: row.key(),
                row: Some(row),
                data_version,
                live: true,
                references: Vec::new(),
                fingerprint: None,
            });
            let changes = Changes {
                scope: Some(scope.clone()),
                event_id: "rehearsal".to_owned(),
                at: now,
                rows: rows.collect(),
                ..Changes::default()
            };
            copy.apply(&changes).map(|_| ())
        })?;
    }
    let mut claims = BTreeMap::new();
    store.claims_each(Some(partition), &mut |key, row| {
        if row.holder == Some(Account::Platform) {
            claims.insert(key.to_owned(), Some(row.clone()));
        }
    })?;
    let changes =
        Changes { scope: Some(scope), event_id: "rehearsal".to_owned(), at: now, claims, ..Changes::default() };
    copy.apply(&changes).map(|_| ())
}

/// Visits the rows of a kind, a page at a time.
fn each(
    store: &dyn Read,
    scope: &Scope,
    kind: &RowKind,
    visit: &mut dyn FnMut(Vec<StoredRow>) -> Stored<()>,
) -> Stored<()> {
    let mut after: Option<String> = None;
    loop {
        let rows = store.rows_all(scope, kind, after.as_deref(), PAGE)?;
        let is_last = rows.len() < PAGE;
        after = rows.last().map(|stored| stored.row.id().to_owned());
        if !rows.is_empty() {
            visit(rows)?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Counts the accounts that pay a price or have bought it.
fn count_holders(store: &dyn Read, partition: &Partition, rehearsal: &mut Rehearsal) -> Stored<()> {
    if rehearsal.off_sale.is_empty() && rehearsal.falls.is_empty() {
        return Ok(());
    }
    for scope in store.scopes(Some(partition))? {
        let (mut prices, mut products) = (BTreeSet::new(), BTreeSet::new());
        for kind in [RowKind::Subscription, RowKind::Purchase] {
            each(store, &scope, &kind, &mut |rows| {
                for stored in rows {
                    match stored.row {
                        Row::Subscription(row) if is_held(row.values.status) => {
                            prices.extend(row.values.items.into_iter().map(|item| item.price_id));
                        }
                        // A purchase with a subscription ends with it.
                        Row::Purchase(row)
                            if row.values.status == PurchaseStatus::Paid && row.values.subscription_id.is_none() =>
                        {
                            for item in row.values.items {
                                prices.extend(item.price_id);
                                products.insert(item.product_id);
                            }
                        }
                        _ => {}
                    }
                }
                Ok(())
            })?;
        }
        for off in &mut rehearsal.off_sale {
            let is_held = match &off.price {
                Some(price) => prices.contains(price),
                None => products.contains(&off.product),
            };
            off.accounts += usize::from(is_held);
        }
        for fall in &mut rehearsal.falls {
            fall.accounts += usize::from(prices.contains(&fall.price));
        }
    }
    Ok(())
}

fn is_held(status: SubscriptionStatus) -> bool {
    !matches!(
        status,
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired | SubscriptionStatus::Incomplete
    )
}
