//! Whose event is it: keys, metadata and mark of a provider's event, read without judging it.
//!
//! Pure over the event and the catalog. The host looks the keys up; what metadata says counts only where no key does.

use crate::stripe::{Body, Ids, id_of};
use products_contract::*;

/// Claim key of a provider's object: `stripe-customer:cus_1`.
pub(crate) fn key(kind: &str, id: &str) -> String {
    let mut out = String::with_capacity(kind.len() + id.len() + 1);
    out.push_str(kind);
    out.push(':');
    out.push_str(id);
    out
}

/// What the catalog is told of belongs to it, whoever's metadata is on it.
const CATALOG_KINDS: [&str; 6] =
    ["price.created", "price.updated", "price.deleted", "product.created", "product.updated", "product.deleted"];

/// How to place an event. A body that can't be read names nothing; deciding it then says what is wrong with it.
pub(crate) fn of(event: &Event) -> Placement {
    let Payload::Provider(body) = &event.payload else { return Placement::known(Vec::new()) };
    if CATALOG_KINDS.contains(&event.kind.as_str()) {
        return Placement { account: Some(Account::Platform), ..Placement::known(Vec::new()) };
    }
    let text = std::str::from_utf8(body).ok();
    let Some(body) = text.and_then(|text| serde_json::from_str::<Body<'_, Ids<'_>>>(text).ok()) else {
        return Placement::known(Vec::new());
    };
    let object = &body.data.object;
    let metadata = object.owner_metadata();
    let account = if event.provider.as_ref().is_some_and(|facts| facts.connected_account.is_some()) {
        None
    } else {
        metadata.and_then(|m| named_account(m.user_id.as_deref(), m.organization_id.as_deref()))
    };
    let names = prices(object);
    let mark = match (metadata.is_some(), names.is_empty()) {
        (true, _) => Mark::Ours,
        (false, false) => Mark::ByPrices,
        (false, true) => Mark::Unknown,
    };
    Placement { keys: keys(object), account, mark, names }
}

/// The account that metadata names.
pub(crate) fn named_account(user: Option<&str>, organization: Option<&str>) -> Option<Account> {
    match (organization, user) {
        (Some(id), _) if !id.is_empty() => Some(Account::Organization(id.to_owned())),
        (_, Some(id)) if !id.is_empty() => Some(Account::User(id.to_owned())),
        _ => None,
    }
}

/// Claim keys, strongest first: ids that we made, then the provider's.
fn keys(object: &Ids<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |kind: &str, id: Option<&str>| {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            let key = key(kind, id);
            if !out.contains(&key) {
                out.push(key);
            }
        }
    };
    add("purchase", object.owner_metadata().and_then(|m| m.purchase_id.as_deref()));
    let own = object.id.as_deref();
    match object.object.as_deref() {
        Some("checkout.session") => add("stripe-session", own),
        Some("subscription") => add("stripe-subscription", own),
        Some("customer") => add("stripe-customer", own),
        Some("payment_intent") => add("stripe-payment-intent", own),
        Some("charge") => add("stripe-charge", own),
        Some("invoice") => add("stripe-invoice", own),
        _ => {}
    }
    add("stripe-subscription", object.subscription_id());
    add("stripe-customer", id_of(&object.customer));
    add("stripe-payment-intent", id_of(&object.payment_intent));
    add("stripe-charge", id_of(&object.charge));
    add("stripe-charge", id_of(&object.latest_charge));
    add("stripe-invoice", id_of(&object.invoice));
    for (kind, id) in object.invoice_payments() {
        add(kind, Some(id));
    }
    out
}

/// The prices that the object names.
fn prices(object: &Ids<'_>) -> Vec<Reference> {
    let lines = [&object.items, &object.lines, &object.line_items];
    let mut prices: Vec<String> = lines
        .into_iter()
        .flatten()
        .flat_map(|list| &list.data)
        .filter_map(|line| line.price_id().map(str::to_owned))
        .chain(id_of(&object.plan).map(str::to_owned))
        .take(BULK_MAX)
        .collect();
    prices.sort_unstable();
    prices.dedup();
    prices.into_iter().map(|id| Reference::Catalog(CatalogKey::Price(id))).collect()
}
