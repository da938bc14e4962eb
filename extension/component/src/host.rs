//! The imports of the world as the library's [`Imports`]: rows go out by reference and come back by value.

use crate::convert::Cross;
use crate::wire::solobase::products as import;
use products_contract::{
    Account, Cancellation, ClaimState, ConfigValue, Effect, EffectError, Imports, LineItem, LogLevel, Money, Page,
    Price, Product, ProductValues, Purchase, PurchaseKey, PurchaseValues, RecordKey, RecordWrite, RowVersion, Stored,
    StoredRecord, Subscription, SubscriptionItem, SubscriptionValues, Timestamp,
};

/// The host of this instance; the world's imports are its only state.
pub struct Host;

impl Imports for Host {
    fn products_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Product>>> {
        import::products::load(&texts(ids)).cross()
    }

    fn products_scan(&mut self, catalog: bool, product_type: Option<&str>, at: &Page) -> Stored<Vec<Product>> {
        import::products::scan(catalog, product_type, page(at)).cross()
    }

    fn product_save(&mut self, id: &str, expected: RowVersion, values: &ProductValues) -> Stored<RowVersion> {
        let values = import::products::ProductValuesParam {
            product_type: &values.product_type,
            name: &values.name,
            description: &values.description,
            active: values.active,
            price: values.price.as_ref().map(money),
            interval: values.interval.map(Cross::cross),
            filters: &pairs(&values.filters),
            metadata: &values.metadata,
        };
        import::products::save(id, expected, values).cross()
    }

    fn product_remove(&mut self, id: &str, expected: RowVersion) -> Stored<RowVersion> {
        import::products::remove(id, expected).cross()
    }

    fn prices_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Price>>> {
        import::products::load_prices(&texts(ids)).cross()
    }

    fn price_save(&mut self, price: &Price) -> Stored<()> {
        let grants: Vec<_> = price
            .grants
            .iter()
            .map(|grant| import::products::GrantParam { key: &grant.key, amount: grant.amount })
            .collect();
        let price = import::products::PriceParam {
            id: &price.id,
            product_id: &price.product_id,
            product_type: &price.product_type,
            family: price.family.as_deref(),
            amount: money(&price.amount),
            interval: price.interval.map(Cross::cross),
            active: price.active,
            grants: &grants,
            terms: &price.terms,
        };
        import::products::save_price(price).cross()
    }

    fn purchase_find(&mut self, keys: &[PurchaseKey]) -> Stored<Option<Purchase>> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| match key {
                PurchaseKey::Id(id) => import::purchases::PurchaseKey::Id(id),
                PurchaseKey::Session(id) => import::purchases::PurchaseKey::Session(id),
                PurchaseKey::PaymentIntent(id) => import::purchases::PurchaseKey::PaymentIntent(id),
            })
            .collect();
        import::purchases::find(&keys).cross()
    }

    fn purchases_scan(&mut self, at: &Page) -> Stored<Vec<Purchase>> {
        import::purchases::scan(page(at)).cross()
    }

    fn purchase_save(&mut self, id: &str, expected: RowVersion, values: &PurchaseValues) -> Stored<RowVersion> {
        let items: Vec<_> = values.items.iter().map(line_item).collect();
        let values = import::purchases::PurchaseValuesParam {
            provider: &values.provider,
            session_id: values.session_id.as_deref(),
            payment_intent_id: values.payment_intent_id.as_deref(),
            subscription_id: values.subscription_id.as_deref(),
            status: values.status.cross(),
            items: &items,
            amount: money(&values.amount),
            tax: money(&values.tax),
            total: money(&values.total),
            refunded: money(&values.refunded),
            metadata: &values.metadata,
        };
        import::purchases::save(id, expected, values).cross()
    }

    fn subscriptions_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Subscription>>> {
        import::subscriptions::load(&texts(ids)).cross()
    }

    fn subscriptions_scan(&mut self, at: &Page) -> Stored<Vec<Subscription>> {
        import::subscriptions::scan(page(at)).cross()
    }

    fn subscription_save(&mut self, id: &str, expected: RowVersion, values: &SubscriptionValues) -> Stored<RowVersion> {
        let items: Vec<_> = values.items.iter().map(subscription_item).collect();
        let values = import::subscriptions::SubscriptionValuesParam {
            customer_id: &values.customer_id,
            status: values.status.cross(),
            items: &items,
            cancel_at_period_end: values.cancel_at_period_end,
            cancel_at: values.cancel_at,
            trial_end: values.trial_end,
            grace_end: values.grace_end,
            snapshot: import::subscriptions::SnapshotParam {
                at: values.snapshot.at,
                rank: values.snapshot.rank.cross(),
                event_id: &values.snapshot.event_id,
            },
            metadata: &values.metadata,
        };
        import::subscriptions::save(id, expected, values).cross()
    }

    fn records_load(&mut self, keys: &[RecordKey]) -> Stored<Vec<Option<StoredRecord>>> {
        let keys: Vec<_> = keys.iter().map(record_key).collect();
        import::records::load(&keys).cross()
    }

    fn records_scan(
        &mut self,
        collection: &str,
        prefix: &str,
        descending: bool,
        at: &Page,
    ) -> Stored<Vec<StoredRecord>> {
        import::records::scan(collection, prefix, descending, page(at)).cross()
    }

    fn records_save(&mut self, writes: &[RecordWrite]) -> Stored<Vec<RowVersion>> {
        let writes: Vec<_> = writes
            .iter()
            .map(|write| import::records::RecordWrite {
                key: record_key(&write.key),
                expected: write.expected,
                value: write.value.as_deref(),
            })
            .collect();
        import::records::save(&writes).cross()
    }

    fn facts_note(&mut self, facts: &[String]) -> Stored<Vec<bool>> {
        import::records::note(&texts(facts)).cross()
    }

    fn claims_take(&mut self, keys: &[String], until: Option<Timestamp>) -> Stored<Vec<ClaimState>> {
        import::claims::take(&texts(keys), until).cross()
    }

    fn claims_release(&mut self, keys: &[String], blocked_until: Option<Timestamp>) -> Stored<()> {
        import::claims::release(&texts(keys), blocked_until).cross()
    }

    fn claims_mine(&mut self, prefix: &str) -> Stored<Vec<String>> {
        import::claims::mine(prefix).cross()
    }

    fn effects_enqueue(&mut self, effects: &[Effect]) -> Result<(), EffectError> {
        let effects: Vec<_> = effects.iter().map(effect).collect();
        import::effects::enqueue(&effects).cross()
    }

    fn effects_cancel(&mut self, keys: &[String]) -> Stored<Vec<Cancellation>> {
        import::effects::cancel(&texts(keys)).cross()
    }

    fn config_load(&mut self, keys: &[String]) -> Result<Vec<Option<ConfigValue>>, String> {
        match import::config::load(&texts(keys)) {
            Ok(values) => Ok(values.cross()),
            Err(import::config::ConfigError::Undeclared(key)) => Err(key),
        }
    }

    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let level = match level {
            LogLevel::Debug => import::log::Level::Debug,
            LogLevel::Info => import::log::Level::Info,
            LogLevel::Warn => import::log::Level::Warn,
            LogLevel::Error => import::log::Level::Error,
        };
        import::log::write(level, message, &pairs(fields));
    }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn pairs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn page(page: &Page) -> import::types::Page<'_> {
    import::types::Page { after: page.after.as_deref(), limit: page.limit }
}

fn account(account: &Account) -> import::types::AccountParam<'_> {
    match account {
        Account::Platform => import::types::AccountParam::Platform,
        Account::User(id) => import::types::AccountParam::User(id),
        Account::Organization(id) => import::types::AccountParam::Organization(id),
    }
}

fn money(money: &Money) -> import::types::MoneyParam<'_> {
    import::types::MoneyParam { amount_minor: money.amount_minor, currency: &money.currency }
}

fn line_item(item: &LineItem) -> import::purchases::LineItemParam<'_> {
    import::purchases::LineItemParam {
        product_id: &item.product_id,
        price_id: item.price_id.as_deref(),
        name: &item.name,
        quantity: item.quantity,
        unit_price: money(&item.unit_price),
    }
}

fn subscription_item(item: &SubscriptionItem) -> import::subscriptions::SubscriptionItemParam<'_> {
    import::subscriptions::SubscriptionItemParam {
        id: &item.id,
        price_id: &item.price_id,
        quantity: item.quantity,
        period_start: item.period_start,
        period_end: item.period_end,
    }
}

fn record_key(key: &RecordKey) -> import::records::RecordKey<'_> {
    import::records::RecordKey { collection: &key.collection, id: &key.id }
}

fn effect(effect: &Effect) -> import::effects::Effect<'_> {
    import::effects::Effect {
        kind: &effect.kind,
        to: effect.to.as_ref().map(account),
        key: &effect.key,
        generation: effect.generation,
        payload: &effect.payload,
        reply_to: effect.reply_to.as_deref(),
        ordering_key: effect.ordering_key.as_deref(),
        not_before: effect.not_before,
        deadline: effect.deadline,
        retry: effect.retry.map(Cross::cross),
    }
}
