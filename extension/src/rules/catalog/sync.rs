//! A catalog product's match at the payment provider: product and price are made there, one after the other, each once.

use super::put_price;
use crate::catalog::desk::Desk;
use crate::catalog::product::Proposed;
use crate::catalog::terms::{price_row, unit_name};
use crate::model::concern::Concern;
use crate::model::effect::request;
use crate::model::halt::{Answer, Ruled, Verdict, internal};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::EffectKey;
use crate::model::notice::{To, send_once};
use crate::model::records::product::ProductRow;
use products_contract::*;
use serde_json::{Value, json};

/// The provider's kind of effect that makes a product; the other one makes its price.
const PRODUCT: &str = "stripe.product.create";

/// What the provider gave stays when the catalog is loaded again without it. True if the last sync failed.
pub(super) fn keep(current: &Product, proposed: &mut Proposed) -> Ruled<bool> {
    let stored: Object = decode("products", &current.id, &current.values.metadata)?;
    let same_price =
        current.values.price == proposed.values.price && current.values.interval == proposed.values.interval;
    for key in ["stripe_product_id", "stripe_price_id", "sync", "sync_generation"] {
        let kept = same_price || matches!(key, "stripe_product_id" | "sync_generation");
        if let (true, None, Some(value)) = (kept, proposed.metadata.get(key), stored.get(key)) {
            proposed.metadata.insert(key.to_owned(), value.clone());
        }
    }
    proposed.values.metadata = encode(&proposed.metadata)?;
    Ok(stored.get("sync").and_then(Value::as_str) == Some("failed"))
}

/// Mark a product as on its way to the provider. What failed is asked for anew: the same request again would do nothing.
pub(super) fn mark(proposed: &mut Proposed, failed_before: bool) -> Ruled<()> {
    proposed.metadata.insert("sync".to_owned(), json!("syncing"));
    if failed_before {
        let next = generation(&proposed.metadata).saturating_add(1);
        proposed.metadata.insert("sync_generation".to_owned(), json!(next));
    }
    proposed.values.metadata = encode(&proposed.metadata)?;
    Ok(())
}

/// Rises each time that a sync is asked for after a failure.
fn generation(metadata: &Object) -> u32 {
    metadata.get("sync_generation").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
}

/// Ask for what is missing: the product first, then its price.
pub(super) fn ask(
    desk: &mut Desk<'_>,
    id: &str,
    values: &ProductValues,
    metadata: &Object,
    reply_to: Option<String>,
) -> Ruled<()> {
    let Some(price) = &values.price else { return Ok(()) };
    let about = Concern::Sync { product: id.to_owned() };
    let effect = match metadata.get("stripe_product_id").and_then(Value::as_str) {
        None => {
            let payload = json!({"product": id, "name": values.name, "description": values.description});
            request(PRODUCT, &EffectKey::SyncProduct { product: id.to_owned() }, &payload, Some(&about))?
        }
        Some(product) => {
            let unit = values.interval.map(|interval| interval.unit);
            let payload = json!({
                "product": id, "stripe_product_id": product, "unit_amount": price.amount_minor,
                "currency": price.currency, "interval": unit,
                "interval_count": values.interval.map(|interval| interval.count),
            });
            let key = EffectKey::SyncPrice {
                product: id.to_owned(),
                amount: format!("{}{}", price.amount_minor, price.currency),
                interval: unit.map_or("once", unit_name).to_owned(),
            };
            request("stripe.price.create", &key, &payload, Some(&about))?
        }
    };
    let ordering_key = Some(format!("sync:{id}"));
    desk.account.ask(Effect { reply_to, generation: generation(metadata), ordering_key, ..effect });
    Ok(())
}

/// The end of a sync effect: store the id, and go on. Who waits is answered with the product when both are made.
pub(crate) fn synced(desk: &mut Desk<'_>, id: &str, report: &EffectReport) -> Ruled<Verdict> {
    let Some(row) = desk.account.get::<ProductRow>(id)? else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    };
    let is_product = desk.kind == PRODUCT;
    let (row, mut metadata) = row.parts(id)?;
    match &report.answer {
        Err(failure) => {
            metadata.insert("sync".to_owned(), json!("failed"));
            let values = json!({"product": id, "code": failure.code});
            let reference = format!("{}:{}", report.key, report.generation);
            send_once(&mut desk.account, "sync_failed", To::Admin, &reference, &values)?;
        }
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            let Some(made) = answer.get("id").and_then(Value::as_str) else {
                return Err(internal(format!("{} answered without an id", report.key)));
            };
            let field = if is_product { "stripe_product_id" } else { "stripe_price_id" };
            metadata.insert(field.to_owned(), json!(made));
            if !is_product {
                metadata.insert("sync".to_owned(), json!("synced"));
            }
        }
    }
    let values = ProductValues { metadata: encode(&*metadata)?, ..ProductValues::clone(&row) };
    desk.account.put(id, ProductRow::from(values.clone()));
    let reply_to = desk.reply_to.cloned();
    match (&report.answer, is_product) {
        // The product stays, and its answer says that its price is not synced.
        (Err(_), _) => {}
        (Ok(_), true) => {
            ask(desk, id, &values, &metadata, reply_to)?;
            return Ok(Outcome::Applied.into());
        }
        (Ok(_), false) => {
            let price_id = metadata.get("stripe_price_id").and_then(Value::as_str).map(str::to_owned);
            if let (Some(price_id), Some(amount)) = (price_id, values.price.clone())
                && let Some(decl) = desk.catalog.type_named(&values.product_type)?
            {
                let proposed =
                    Proposed { id: None, decl, values, metadata: Object::clone(&metadata), is_default: false };
                put_price(desk, price_row(&proposed, id, &price_id, amount)?)?;
            }
        }
    }
    Ok(match reply_to {
        Some(_) => Verdict::answered(Answer::Product(id.to_owned())),
        None => Outcome::Applied.into(),
    })
}
