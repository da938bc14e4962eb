//! The result of creating a catalog product or one of its prices at Stripe.

use crate::actions::coupons;
use crate::actions::put_product::{Wanted, put_price, request_missing, save, save_settings};
use crate::catalog::price::{self, Interval, prices_of};
use crate::catalog::price_rows::price_rows;
use crate::catalog::product::Proposed;
use crate::desk::Desk;
use crate::model::effect_kinds::PRODUCT_CREATE;
use crate::model::halt::{Answer, Ruled, Verdict, internal};
use crate::model::json::{Object, decode, encode};
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::product::ProductRow;
use extension_contract::*;
use serde_json::{Value, json};

/// Handles the result of a sync effect: stores the id and requests the next object. The caller receives the product
/// when all objects were created.
pub(super) fn decide(
    desk: &mut Desk<'_>,
    id: &str,
    interval: Option<Interval>,
    report: &EffectReport,
) -> Ruled<Verdict> {
    let Some(row) = desk.account.get::<ProductRow>(id)? else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    };
    let is_product = desk.kind == PRODUCT_CREATE;
    let (row, mut metadata) = row.parts(id)?;
    let mut is_whole = false;
    match &report.answer {
        Err(failure) => {
            metadata.insert("sync".to_owned(), json!("failed"));
            let values = json!({"product": id, "code": failure.code});
            let reference = format!("{}:{}", report.key, report.generation);
            send_once(&mut desk.account, &mail_kinds::SYNC_FAILED, &reference, &values)?;
        }
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            let Some(made) = answer.get("id").and_then(Value::as_str) else {
                return Err(internal(format!("{}: the result has no id", report.key)));
            };
            match (is_product, interval) {
                (true, _) => drop(metadata.insert("stripe_product_id".to_owned(), json!(made))),
                (false, Some(interval)) => price::set_id(&mut metadata, interval, made),
                (false, None) => return Err(internal(format!("{}: the correlation has no interval", report.key))),
            }
            let currency = desk.catalog.settings()?.currency.clone();
            is_whole = !is_product && prices_of(&row, &metadata, &currency).iter().all(|price| price.id.is_some());
            if is_whole {
                metadata.insert("sync".to_owned(), json!("synced"));
            }
        }
    }
    let values = ProductValues { metadata: encode(&*metadata)?, ..ProductValues::clone(&row) };
    save(desk, id, &values)?;
    if is_whole {
        // Coupons of this product have waited for its prices.
        let mut settings = (*desk.catalog.settings()?).clone();
        coupons::request_missing(desk, &mut settings)?;
        save_settings(desk, &settings)?;
    }
    let reply_to = desk.reply_to.cloned();
    if report.answer.is_ok()
        && !is_product
        && let Some(decl) = desk.catalog.type_named(&values.product_type)?
    {
        let currency = desk.catalog.settings()?.currency.clone();
        let metadata = Object::clone(&metadata);
        let stripe_metadata = Object::new();
        let values = values.clone();
        let proposed = Proposed { id: None, decl, values, metadata, is_default: false, waits: false, stripe_metadata };
        for price in price_rows(&proposed, id, &currency)? {
            put_price(desk, price)?;
        }
    }
    // After a failure the product is kept; the reply shows that its prices are not synced.
    if report.answer.is_ok() && !is_whole {
        // The product exists already, so its metadata at Stripe is not sent again.
        request_missing(desk, id, Wanted { values: &values, metadata: &metadata, at_stripe: None }, reply_to)?;
        return Ok(Outcome::Applied.into());
    }
    Ok(match reply_to {
        Some(_) => Verdict::answered(Answer::Product(id.to_owned())),
        None => Outcome::Applied.into(),
    })
}
