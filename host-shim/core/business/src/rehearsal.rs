//! Finds out what starting with a catalog would change. The catalog is loaded into a copy of the platform's rows, and
//! the store itself is left unchanged.

use crate::start::{check_not_newer, load_if_changed};
use crate::{Setup, StartError};
use extension_contract::{
    Account, Actor, Entitlement, Price, Product, PurchaseStatus, Question, Row, RowKind, StoredRow, SubscriptionStatus,
    Timestamp,
};
use host_engine::outbox::Outbox;
use host_engine::processor::{Processor, Questions};
use host_engine::read;
use host_provider_api::Registry;
use host_store::{Changes, MemoryStore, Partition, Read, RowWrite, Scope, Store, Stored};
use host_wasm_runner::runner::Runner;
use std::collections::{BTreeMap, BTreeSet};

/// Number of rows per query and per change.
const PAGE: usize = 500;
/// The amount of a grant without a limit.
const UNLIMITED: i64 = -1;

/// What a start would change for those who already hold something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Everything that goes off sale, by id.
    pub off_sale: Vec<OffSale>,
    /// Limits that are lowered: by price and entitlement, then those of the default plans.
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

/// An entitlement of which a price or a default plan will grant less than before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fall {
    /// Id of the product.
    pub product: String,
    /// Id of the price; none for a default plan, which has none.
    pub price: Option<String>,
    /// Entitlement.
    pub key: String,
    /// Amount before the start; -1 is unlimited.
    pub before: i64,
    /// Amount after the start.
    pub after: i64,
    /// Number of accounts that pay the price, or have no other plan.
    pub accounts: usize,
}

/// Returns the changes that a start would make to a store, without making them. The store's rows should not change
/// meanwhile.
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
    let unpaid_before = unpaid(outbox.processor_mut(), &business.name, now)?;
    load_if_changed(setup.business(), &mut outbox, now)?;
    let unpaid_after = unpaid(outbox.processor_mut(), &business.name, now)?;
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
                    price: Some(id.clone()),
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
    let mut defaults = DefaultFall::all(&unpaid_before, &unpaid_after);
    let types: BTreeMap<String, String> =
        read::products(store, &platform)?.into_iter().map(|row| (row.id, row.values.product_type)).collect();
    for default in &mut defaults {
        let of_type = types.get(&default.fall.product);
        let family = prices_before.values().find(|price| Some(&price.product_type) == of_type);
        default.family = family.and_then(|price| price.family.clone());
    }
    count_holders(store, &partition, &prices_before, &mut rehearsal, &mut defaults)?;
    rehearsal.falls.extend(defaults.into_iter().map(|default| default.fall));
    Ok(rehearsal)
}

/// What accounts without a purchase may have, by the kind of account and the entitlement.
type Unpaid = BTreeMap<(AccountKind, String), Entitlement>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum AccountKind {
    User,
    Organization,
}

impl AccountKind {
    fn of(account: &Account) -> Option<AccountKind> {
        match account {
            Account::Platform => None,
            Account::User(_) => Some(AccountKind::User),
            Account::Organization(_) => Some(AccountKind::Organization),
        }
    }
}

/// Queries the entitlements of a new user and a new organization.
fn unpaid(processor: &mut Processor, business: &str, at: Timestamp) -> Result<Unpaid, StartError> {
    let mut found = Unpaid::new();
    let nobody = || "rehearsal".to_owned();
    for account in [Account::User(nobody()), Account::Organization(nobody())] {
        let Some(kind) = AccountKind::of(&account) else { continue };
        let question = Question { account, actor: Actor::system(), at };
        let granted = processor.ask_entitlements(&question).map_err(|error| {
            let reason = format!("it does not say what an account without a plan may have: {error}");
            StartError::Extension { business: business.to_owned(), reason }
        })?;
        found.extend(granted.into_iter().map(|one| ((kind, one.key.clone()), one)));
    }
    Ok(found)
}

/// A limit that is lowered for accounts that have no other plan of a family.
struct DefaultFall {
    fall: Fall,
    kinds: BTreeSet<AccountKind>,
    /// The family of the default plan; none if none of its plans has a price.
    family: Option<String>,
}

impl DefaultFall {
    /// Returns the lowered limits, without the families and the accounts.
    fn all(before: &Unpaid, after: &Unpaid) -> Vec<DefaultFall> {
        let mut found: Vec<DefaultFall> = Vec::new();
        for ((kind, key), granted) in before {
            let allowed = after.get(&(*kind, key.clone())).map_or(0, |after| after.allowed);
            if !is_less(allowed, granted.allowed) {
                continue;
            }
            let fall = Fall {
                product: granted.sources.join(", "),
                price: None,
                key: key.clone(),
                before: granted.allowed,
                after: allowed,
                accounts: 0,
            };
            match found.iter_mut().find(|known| known.fall == fall) {
                Some(known) => _ = known.kinds.insert(*kind),
                None => found.push(DefaultFall { fall, kinds: [*kind].into(), family: None }),
            }
        }
        found
    }
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
    let held = store.claims_held(&scope, "")?;
    let rows = store.claims(&held)?;
    let claims = held.into_iter().zip(rows).collect();
    let changes =
        Changes { scope: Some(scope), event_id: "rehearsal".to_owned(), at: now, claims, ..Changes::default() };
    copy.apply(&changes).map(|_| ())
}

/// Visits the rows of a kind, one page at a time.
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

/// Counts the accounts that pay a price or have bought it, or that have no plan other than the default one.
fn count_holders(
    store: &dyn Read,
    partition: &Partition,
    all_prices: &BTreeMap<String, Price>,
    rehearsal: &mut Rehearsal,
    defaults: &mut [DefaultFall],
) -> Stored<()> {
    if rehearsal.off_sale.is_empty() && rehearsal.falls.is_empty() && defaults.is_empty() {
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
                        // A purchase with a subscription ends when the subscription does.
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
            fall.accounts += usize::from(fall.price.as_ref().is_some_and(|price| prices.contains(price)));
        }
        let families: BTreeSet<&str> = prices.iter().filter_map(|id| all_prices.get(id)?.family.as_deref()).collect();
        for DefaultFall { fall, kinds, family } in &mut *defaults {
            let is_of_kind = AccountKind::of(&scope.account).is_some_and(|kind| kinds.contains(&kind));
            let has_other = family.as_deref().is_some_and(|family| families.contains(family));
            fall.accounts += usize::from(is_of_kind && !has_other);
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
