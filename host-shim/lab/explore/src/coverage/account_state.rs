//! Reads the state of one account between two steps: the parts on which clauses depend.

use extension_contract::{Account, Actor, ActorKind, Entitlement, Outcome, Payload, PurchaseStatus, Question, Usage};
use host_engine::processor::{Processor, Questions};
use host_engine::view::parsed;
use host_engine::{read, time};
use host_replay::rig::Rig;
use host_scenario::error::ReplayError;
use host_store::{Scope, Stored};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Number of inbox rows per page.
const PAGE: usize = 500;

/// An instance of the account. It may be deleted.
pub(crate) struct Instance {
    pub id: String,
    pub product_type: String,
    pub metadata: Map<String, Value>,
}

/// A line of a purchase.
pub(crate) struct PurchaseLine {
    pub purchase: String,
    pub product_id: String,
    pub product_type: String,
    pub is_paid: bool,
    pub is_given_back: bool,
}

/// One generation of a requested effect.
pub(crate) struct RequestedEffect {
    pub kind: String,
    pub key: String,
    pub payload: Value,
}

/// An event of the account.
pub(crate) struct PastEvent {
    pub kind: String,
    pub is_applied: bool,
    pub is_by_member: bool,
    pub measured: Vec<Usage>,
    /// Key of the fired timer; None for other events.
    pub timer: Option<String>,
}

/// The products of the catalog: the type of each product and the product of each price.
#[derive(Default)]
pub(crate) struct CatalogProducts {
    types: BTreeMap<String, String>,
    prices: BTreeMap<String, String>,
}

impl CatalogProducts {
    /// Reads the catalog's products and prices.
    pub fn read(processor: &Processor) -> Stored<CatalogProducts> {
        let platform = processor.scope(Account::Platform);
        let products = read::products(processor.store(), &platform)?;
        let prices = read::prices(processor.store(), processor.partition())?;
        Ok(CatalogProducts {
            types: products.into_iter().map(|row| (row.id, row.values.product_type)).collect(),
            prices: prices.into_iter().map(|price| (price.id, price.product_id)).collect(),
        })
    }

    /// The type of a product of the catalog.
    pub fn type_of(&self, product: &str) -> Option<&str> {
        self.types.get(product).map(String::as_str)
    }
}

/// The state of one account.
pub(crate) struct AccountState {
    pub account: Account,
    pub instances: Vec<Instance>,
    pub purchases: Vec<PurchaseLine>,
    /// Subscribed products, with their types.
    pub subscribed: BTreeSet<(String, String)>,
    pub entitlements: Vec<Entitlement>,
    /// Products that grant entitlements, by the id of the purchase or subscription.
    pub sources: BTreeMap<String, BTreeSet<String>>,
    pub effects: Vec<RequestedEffect>,
    pub events: Vec<PastEvent>,
    /// Records by collection.
    pub records: BTreeMap<String, Vec<(String, Value)>>,
    /// Types of the catalog's products.
    pub types: BTreeMap<String, String>,
}

impl AccountState {
    /// Reads the state of an account; the extension computes its entitlements.
    pub fn look(host: &mut Rig, account: &Account, sold: &CatalogProducts) -> Result<AccountState, ReplayError> {
        let question = Question { account: account.clone(), actor: Actor::system(), at: host.clock() };
        // The platform has no entitlements.
        let entitlements = match account {
            Account::Platform => Vec::new(),
            _ => host.processor_mut().ask_entitlements(&question).map_err(|error| {
                let at = time::text(question.at);
                ReplayError::Host(format!("entitlements of {account} at {at}: {error}"))
            })?,
        };
        let scope = host.processor().scope(account.clone());
        let mut state = AccountState {
            account: account.clone(),
            instances: Vec::new(),
            purchases: Vec::new(),
            subscribed: BTreeSet::new(),
            entitlements,
            sources: BTreeMap::new(),
            effects: effects_of(host, account, &scope)?,
            events: events_of(host.processor(), account)?,
            records: BTreeMap::new(),
            types: sold.types.clone(),
        };
        state.add_rows(host.processor(), &scope, sold)?;
        Ok(state)
    }

    fn add_rows(&mut self, processor: &Processor, scope: &Scope, sold: &CatalogProducts) -> Stored<()> {
        let store = processor.store();
        if self.account != Account::Platform {
            for row in read::products(store, scope)? {
                let Value::Object(metadata) = parsed(&row.values.metadata) else { continue };
                self.instances.push(Instance { id: row.id, product_type: row.values.product_type, metadata });
            }
        }
        for row in read::purchases(store, scope)? {
            let is_paid = matches!(row.values.status, PurchaseStatus::Paid | PurchaseStatus::Refunded);
            for item in row.values.items {
                let product_type = sold.type_of(&item.product_id).unwrap_or_default().to_owned();
                self.sources.entry(row.id.clone()).or_default().insert(item.product_id.clone());
                let is_given_back = row.values.refunded.amount_minor > 0;
                let (purchase, product_id) = (row.id.clone(), item.product_id);
                self.purchases.push(PurchaseLine { purchase, product_id, product_type, is_paid, is_given_back });
            }
        }
        for row in read::subscriptions(store, scope)? {
            for product in row.values.items.iter().filter_map(|item| sold.prices.get(&item.price_id)) {
                let product_type = sold.type_of(product).unwrap_or_default().to_owned();
                self.sources.entry(row.id.clone()).or_default().insert(product.clone());
                self.subscribed.insert((product.clone(), product_type));
            }
        }
        for collection in store.collections(scope)? {
            let records = read::records(store, scope, &collection)?;
            self.records.insert(collection, records.into_iter().map(|row| (row.id, parsed(&row.value))).collect());
        }
        Ok(())
    }

    /// The account's instances of a type.
    pub fn instances_of<'s>(&'s self, product_type: &'s str) -> impl Iterator<Item = &'s Instance> {
        self.instances.iter().filter(move |instance| instance.product_type == product_type)
    }

    /// The catalog products that grant an entitlement; none if its allowed amount is 0. The source of a default plan's
    /// entitlement is the id of the plan itself.
    pub fn granted_by<'s>(&'s self, entitlement: &'s Entitlement) -> impl Iterator<Item = &'s str> {
        let products = entitlement.sources.iter().flat_map(|source| match self.sources.get(source) {
            Some(products) => products.iter().map(String::as_str).collect::<Vec<_>>(),
            None => vec![source.as_str()],
        });
        products.filter(|_| entitlement.allowed != 0)
    }

    /// The type of a product of the catalog.
    pub fn type_of(&self, product: &str) -> Option<&str> {
        self.types.get(product).map(String::as_str)
    }

    /// Effects of an instance, each with the name of its entry: the keys of these effects are `INSTANCE/ENTRY/VERB`.
    pub fn effects_of_instance<'s>(
        &'s self,
        instance: &'s str,
    ) -> impl Iterator<Item = (&'s str, &'s RequestedEffect)> {
        self.effects.iter().filter_map(move |asked| {
            let rest = asked.key.strip_prefix(instance)?.strip_prefix('/')?;
            Some((rest.split_once('/')?.0, asked))
        })
    }

    /// Mails that use a template.
    pub fn mails<'s>(&'s self, template: &'s str) -> impl Iterator<Item = &'s RequestedEffect> {
        let is_meant =
            move |asked: &&RequestedEffect| asked.kind == "mail.send" && asked.payload["template"] == template;
        self.effects.iter().filter(is_meant)
    }

    /// Records of a collection, with their ids.
    pub fn records<'s>(&'s self, collection: &str) -> impl Iterator<Item = &'s (String, Value)> + use<'s> {
        self.records.get(collection).into_iter().flatten()
    }

    /// Applied measurements.
    pub fn measured(&self) -> impl Iterator<Item = &Usage> {
        self.events.iter().filter(|event| event.is_applied).flat_map(|event| &event.measured)
    }

    /// True if a timer whose key starts with `prefix` has fired.
    pub fn timer_fired(&self, prefix: &str) -> bool {
        self.events.iter().filter_map(|event| event.timer.as_ref()).any(|key| key.starts_with(prefix))
    }
}

fn effects_of(host: &Rig, account: &Account, scope: &Scope) -> Stored<Vec<RequestedEffect>> {
    let mut found = Vec::new();
    for (_, key) in host.asked().filter(|(of, _)| *of == account) {
        for row in host.store().effect(scope, key)? {
            let payload = parsed(&row.effect.payload);
            found.push(RequestedEffect { kind: row.effect.kind, key: row.effect.key, payload });
        }
    }
    Ok(found)
}

fn events_of(processor: &Processor, account: &Account) -> Stored<Vec<PastEvent>> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = processor.inbox_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.seq;
        for row in page.into_iter().filter(|row| row.event.account.as_ref() == Some(account)) {
            let (mut measured, mut timer) = (Vec::new(), None);
            match row.event.payload {
                Payload::Usage(list) => measured = list,
                Payload::Timer(delivery) => timer = Some(delivery.key),
                _ => {}
            }
            let is_by_member = row.event.actor.kind == ActorKind::User;
            let is_applied = row.outcome == Some(Outcome::Applied);
            found.push(PastEvent { kind: row.event.kind, is_applied, is_by_member, measured, timer });
        }
    }
}
