//! The world's imports: each forwards to the transaction of the running call.

use super::bounds::Weight;
use super::state::HostState;
use crate::bindings as wire;
use crate::convert::Cross;
use products_contract::{Imports, LogLevel, Page, PurchaseKey, RecordKey, RecordWrite};
use wasmtime::Result;

type Stored<T> = Result<std::result::Result<T, wire::StoreError>>;

impl wire::types::Host for HostState {}

impl wire::products::Host for HostState {
    fn load(&mut self, ids: Vec<String>) -> Stored<Vec<Option<wire::Product>>> {
        self.import(ids.weight(), |tx| tx.products_load(&ids))
    }

    fn scan(&mut self, catalog: bool, product_type: Option<String>, page: wire::Page) -> Stored<Vec<wire::Product>> {
        let page: Page = page.cross();
        self.import(product_type.weight() + page.after.weight(), |tx| {
            tx.products_scan(catalog, product_type.as_deref(), &page)
        })
    }

    fn save(&mut self, id: String, expected: u64, values: wire::ProductValues) -> Stored<u64> {
        self.import(id.weight() + values.weight(), |tx| tx.product_save(&id, expected, &values.cross()))
    }

    fn remove(&mut self, id: String, expected: u64) -> Stored<u64> {
        self.import(id.weight(), |tx| tx.product_remove(&id, expected))
    }

    fn load_prices(&mut self, ids: Vec<String>) -> Stored<Vec<Option<wire::Price>>> {
        self.import(ids.weight(), |tx| tx.prices_load(&ids))
    }

    fn save_price(&mut self, price: wire::Price) -> Stored<()> {
        self.import(price.weight(), |tx| tx.price_save(&price.cross()))
    }
}

impl wire::purchases::Host for HostState {
    fn find(&mut self, keys: Vec<wire::PurchaseKey>) -> Stored<Option<wire::Purchase>> {
        let bytes = keys.weight();
        let keys: Vec<PurchaseKey> = keys.cross();
        self.import(bytes, |tx| tx.purchase_find(&keys))
    }

    fn scan(&mut self, page: wire::Page) -> Stored<Vec<wire::Purchase>> {
        let page: Page = page.cross();
        self.import(page.after.weight(), |tx| tx.purchases_scan(&page))
    }

    fn save(&mut self, id: String, expected: u64, values: wire::PurchaseValues) -> Stored<u64> {
        self.import(id.weight() + values.weight(), |tx| tx.purchase_save(&id, expected, &values.cross()))
    }
}

impl wire::subscriptions::Host for HostState {
    fn load(&mut self, ids: Vec<String>) -> Stored<Vec<Option<wire::Subscription>>> {
        self.import(ids.weight(), |tx| tx.subscriptions_load(&ids))
    }

    fn scan(&mut self, page: wire::Page) -> Stored<Vec<wire::Subscription>> {
        let page: Page = page.cross();
        self.import(page.after.weight(), |tx| tx.subscriptions_scan(&page))
    }

    fn save(&mut self, id: String, expected: u64, values: wire::SubscriptionValues) -> Stored<u64> {
        self.import(id.weight() + values.weight(), |tx| tx.subscription_save(&id, expected, &values.cross()))
    }
}

impl wire::records::Host for HostState {
    fn load(&mut self, keys: Vec<wire::RecordKey>) -> Stored<Vec<Option<wire::StoredRecord>>> {
        let bytes = keys.weight();
        let keys: Vec<RecordKey> = keys.cross();
        self.import(bytes, |tx| tx.records_load(&keys))
    }

    fn scan(
        &mut self,
        collection: String,
        prefix: String,
        descending: bool,
        page: wire::Page,
    ) -> Stored<Vec<wire::StoredRecord>> {
        let page: Page = page.cross();
        self.import(collection.weight() + prefix.weight() + page.after.weight(), |tx| {
            tx.records_scan(&collection, &prefix, descending, &page)
        })
    }

    fn save(&mut self, writes: Vec<wire::RecordWrite>) -> Stored<Vec<u64>> {
        let bytes = writes.weight();
        let writes: Vec<RecordWrite> = writes.cross();
        self.import(bytes, |tx| tx.records_save(&writes))
    }

    fn note(&mut self, facts: Vec<String>) -> Stored<Vec<bool>> {
        self.import(facts.weight(), |tx| tx.facts_note(&facts))
    }
}

impl wire::claims::Host for HostState {
    fn take(&mut self, keys: Vec<String>, until: Option<i64>) -> Stored<Vec<wire::ClaimState>> {
        self.import(keys.weight(), |tx| tx.claims_take(&keys, until))
    }

    fn release(&mut self, keys: Vec<String>, blocked_until: Option<i64>) -> Stored<()> {
        self.import(keys.weight(), |tx| tx.claims_release(&keys, blocked_until))
    }

    fn mine(&mut self, prefix: String) -> Stored<Vec<String>> {
        self.import(prefix.weight(), |tx| tx.claims_mine(&prefix))
    }
}

impl wire::effects::Host for HostState {
    fn enqueue(&mut self, effects: Vec<wire::Effect>) -> Result<std::result::Result<(), wire::EffectError>> {
        let bytes = effects.weight();
        let effects: Vec<products_contract::Effect> = effects.cross();
        self.import(bytes, |tx| tx.effects_enqueue(&effects))
    }

    fn cancel(&mut self, keys: Vec<String>) -> Stored<Vec<wire::Cancellation>> {
        self.import(keys.weight(), |tx| tx.effects_cancel(&keys))
    }
}

impl wire::config::Host for HostState {
    fn load(
        &mut self,
        keys: Vec<String>,
    ) -> Result<std::result::Result<Vec<Option<wire::ConfigValue>>, wire::ConfigError>> {
        let answer: std::result::Result<_, String> = self.import(keys.weight(), |tx| tx.config_load(&keys))?;
        Ok(answer.map_err(wire::ConfigError::Undeclared))
    }
}

impl wire::log::Host for HostState {
    fn write(&mut self, level: wire::Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        let level: LogLevel = level.cross();
        self.import(message.weight() + fields.weight(), |tx| tx.log_write(level, &message, &fields))
    }
}
