//! Requests a catalog product and its prices at Stripe, one by one, each once.

use crate::catalog::price::{self, Interval, PRICE_ID, PRICES, ProductPrice, prices_of};
use crate::catalog::product::Proposed;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::json::{Object, decode, encode};
use crate::model::keys::EffectKey;
use extension_contract::*;
use serde_json::{Value, json};

/// Keeps the Stripe ids when the catalog is loaded again without them. Returns true if the last sync failed.
pub(crate) fn keep_stripe_ids(current: &Product, proposed: &mut Proposed) -> Ruled<bool> {
    let stored: Object = decode("products", &current.id, &current.values.metadata)?;
    let same_price =
        current.values.price == proposed.values.price && current.values.interval == proposed.values.interval;
    price::keep_ids(&current.values, &stored, &mut proposed.metadata);
    for key in ["stripe_product_id", PRICE_ID, "sync", "sync_generation"] {
        let is_in_prices = key == PRICE_ID && proposed.metadata.contains_key(PRICES);
        let kept = same_price && !is_in_prices || matches!(key, "stripe_product_id" | "sync_generation");
        if let (true, None, Some(value)) = (kept, proposed.metadata.get(key), stored.get(key)) {
            proposed.metadata.insert(key.to_owned(), value.clone());
        }
    }
    proposed.values.metadata = encode(&proposed.metadata)?;
    Ok(stored.get("sync").and_then(Value::as_str) == Some("failed"))
}

/// Marks a product as syncing. After a failure it raises the generation, because a repeated request would have no
/// effect.
pub(crate) fn mark(proposed: &mut Proposed, failed_before: bool) -> Ruled<()> {
    proposed.metadata.insert("sync".to_owned(), json!("syncing"));
    if failed_before {
        let next = generation(&proposed.metadata).saturating_add(1);
        proposed.metadata.insert("sync_generation".to_owned(), json!(next));
    }
    proposed.values.metadata = encode(&proposed.metadata)?;
    Ok(())
}

/// Returns the generation, which rises with each sync after a failure.
fn generation(metadata: &Object) -> u32 {
    metadata.get("sync_generation").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
}

/// A product that Stripe should have.
pub(crate) struct Wanted<'p> {
    /// Its values.
    pub values: &'p ProductValues,
    /// The metadata in `values`, as an object.
    pub metadata: &'p Object,
    /// Its metadata at Stripe.
    pub at_stripe: Option<&'p Object>,
}

/// Requests the next missing object: the product first, then its prices one by one.
pub(crate) fn request_missing(
    desk: &mut Desk<'_>,
    id: &str,
    wanted: Wanted<'_>,
    reply_to: Option<String>,
) -> Ruled<()> {
    let Wanted { values, metadata, at_stripe } = wanted;
    let ordering_key = Some(format!("sync:{id}"));
    let about = |interval: Option<Interval>| Correlation::Sync {
        product: id.into(),
        interval: interval.map(|interval| interval.name().to_owned()),
    };
    let Some(product) = metadata.get("stripe_product_id").and_then(Value::as_str) else {
        let mut payload = json!({"product": id, "name": values.name, "description": values.description});
        if let Some(at_stripe) = at_stripe {
            payload["metadata"] = json!(at_stripe);
        }
        let key = EffectKey::SyncProduct { product: id.into() };
        let effect = request(&key, &payload, Some(&about(None)))?;
        desk.account.ask(Effect { reply_to, generation: generation(metadata), ordering_key, ..effect });
        return Ok(());
    };
    let settings = desk.catalog.settings()?;
    let currency = settings.currency.clone();
    let missing = prices_of(values, metadata, &currency).into_iter().find(|price| price.id.is_none());
    let Some(ProductPrice { interval, amount, others, .. }) = missing else { return Ok(()) };
    let billing = match metadata.contains_key(PRICES) {
        true => interval.billing(),
        false => values.interval,
    };
    let mut payload = json!({
        "product": id, "stripe_product_id": product, "unit_amount": amount.amount_minor,
        "currency": amount.currency, "interval": billing.map(|billing| billing.unit),
        "interval_count": billing.map(|billing| billing.count),
    });
    if let Some(tax) = settings.tax {
        payload["tax_behavior"] = json!(tax.behavior());
    }
    if !others.is_empty() {
        payload["currencies"] = json!(others);
    }
    let key = EffectKey::SyncPrice {
        product: id.into(),
        amount: others.iter().fold(format!("{}{}", amount.amount_minor, amount.currency), |sum, (currency, minor)| {
            format!("{sum}+{minor}{currency}")
        }),
        interval: interval.name().to_owned(),
    };
    let effect = request(&key, &payload, Some(&about(Some(interval))))?;
    desk.account.ask(Effect { reply_to, generation: generation(metadata), ordering_key, ..effect });
    Ok(())
}
