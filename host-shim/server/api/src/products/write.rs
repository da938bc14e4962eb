//! The routes that write: each sends one command of the extension, which checks everything that it gets.

use super::read::not_found;
use super::{ProductsRequest, Style, show};
use crate::body as request_body;
use crate::command::{self, Answered};
use crate::problem::Problem;
use axum::body::Body;
use axum::http::StatusCode;
use extension_contract::Account;
use host_business::routes::limits::COMMAND_BYTES_MAX;
use serde_json::{Map, Value, json};

/// Names of billing cycles on the platform, and the intervals of `purchase.create`.
const CYCLES: [(&str, &str); 2] = [("monthly", "month"), ("yearly", "year")];
/// Members whose names some versions of the platform spell differently.
const SPELLINGS: [(&str, &str); 6] = [
    ("successUrl", "success_url"),
    ("cancelUrl", "cancel_url"),
    ("productId", "product_id"),
    ("purchaseId", "purchase_id"),
    ("planId", "plan_id"),
    ("requiresApproval", "requires_approval"),
];

type Object = Map<String, Value>;

/// Reads the body of a request: an object, or nothing.
async fn object(asking: &ProductsRequest, body: Body) -> Result<Object, Problem> {
    let bytes = request_body::read(&asking.headers, body, asking.app.limits.body, COMMAND_BYTES_MAX).await?;
    let text = command::payload(&bytes)?;
    let mut object: Object =
        serde_json::from_str(&text).map_err(|error| Problem::bad("malformed", error.to_string()))?;
    for (other, own) in SPELLINGS {
        if let Some(value) = object.remove(other) {
            object.entry(own).or_insert(value);
        }
    }
    Ok(object)
}

fn invalid(pointer: &str, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    let errors = json!([{"pointer": pointer, "code": "not-allowed", "detail": detail}]);
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).with("errors", errors)
}

/// Sends a command and answers with its reply.
async fn send(asking: &ProductsRequest, account: Account, kind: &str, payload: Object) -> Result<Answered, Problem> {
    let text = Value::Object(payload).to_string();
    let caller = asking.caller()?.clone();
    command::run(&asking.app, &asking.hosted, caller, account, kind, text, &asking.headers).await
}

/// Creates a product: of the caller's account, or of the catalog.
pub(super) async fn create(asking: &ProductsRequest, body: Body) -> Result<Answered, Problem> {
    let account = asking.account_or_platform()?;
    let product = object(asking, body).await?;
    let has_type = product.contains_key("type") || product.contains_key("product_type");
    let kind = if account == Account::Platform || has_type { "product.create" } else { "instance.create" };
    let answered = send(asking, account, kind, product).await?;
    Ok(answered.map(StatusCode::CREATED, |product| asking.object(product)))
}

/// Changes a product. The id in the path takes precedence.
pub(super) async fn update(asking: &ProductsRequest, body: Body) -> Result<Answered, Problem> {
    let account = asking.account_or_platform()?;
    let mut product = object(asking, body).await?;
    if product.get("id").is_some_and(|id| *id != asking.id.as_str()) {
        return Err(invalid("/id", "expected the id in the path"));
    }
    product.insert("id".to_owned(), json!(asking.id));
    let answered = send(asking, account, "product.update", product).await?;
    Ok(answered.map(StatusCode::OK, |product| asking.object(product)))
}

/// Deletes an instance with its resources, or withdraws a product of the catalog. Rows that others refer to are kept.
pub(super) async fn delete(asking: &ProductsRequest, body: Body) -> Result<Answered, Problem> {
    let account = asking.account_or_platform()?;
    let mut given = object(asking, body).await?;
    if let Some(name) = &asking.filter.confirm {
        given.entry("confirm").or_insert_with(|| json!(name));
    }
    let mut payload = Object::new();
    payload.insert("id".to_owned(), json!(asking.id));
    let kind = match account == Account::Platform {
        true => {
            payload.insert("active".to_owned(), json!(false));
            "product.update"
        }
        false => {
            // An unknown id and an id of another account get the same answer, whatever is confirmed.
            asking.entry(account.clone(), "products", &asking.id).await?;
            payload.extend(given.remove("confirm").map(|name| ("confirm".to_owned(), name)));
            "instance.delete"
        }
    };
    let answered = send(asking, account, kind, payload).await?;
    Ok(answered.map(StatusCode::OK, |product| {
        let mut answer = asking.object(product);
        answer["deleted"] = json!(true);
        answer
    }))
}

/// Buys the plan in the path.
pub(super) async fn purchase(asking: &ProductsRequest, body: Body) -> Result<Answered, Problem> {
    let mut payload = object(asking, body).await?;
    if payload.get("plan_id").is_some_and(|id| *id != asking.id.as_str()) {
        return Err(invalid("/plan_id", "expected the plan in the path"));
    }
    payload.insert("plan_id".to_owned(), json!(asking.id));
    with_cycle(&mut payload)?;
    send(asking, asking.account()?, "purchase.create", payload).await
}

/// Replaces a billing cycle with an interval.
fn with_cycle(payload: &mut Object) -> Result<(), Problem> {
    let Some(cycle) = payload.remove("billing_cycle") else { return Ok(()) };
    let Some((_, interval)) = CYCLES.iter().find(|(name, _)| cycle == **name) else {
        return Err(invalid("/billing_cycle", "expected monthly or yearly"));
    };
    payload.entry("interval").or_insert_with(|| json!(interval));
    Ok(())
}

/// Returns the payload for the only item of an order.
fn item_of(order: &mut Object) -> Result<Object, Problem> {
    let Some(Value::Array(items)) = order.remove("items") else { return Err(invalid("/items", "expected a list")) };
    let [Value::Object(item)] = items.as_slice() else {
        return Err(invalid("/items", format!("{} items, expected one: a checkout has one price", items.len())));
    };
    let mut payload = Object::new();
    for (name, value) in item {
        match name.as_str() {
            "product_id" | "productId" => drop(payload.insert("product_id".to_owned(), value.clone())),
            "quantity" | "interval" => drop(payload.insert(name.clone(), value.clone())),
            "variables" if value.as_object().is_some_and(Map::is_empty) || value.is_null() => {}
            "variables" => {
                return Err(invalid("/items/0/variables", "expected none: the catalog has the price"));
            }
            other => return Err(invalid(&format!("/items/0/{other}"), "expected product_id, quantity or interval")),
        }
    }
    Ok(payload)
}

/// Orders one item, and opens its checkout.
pub(super) async fn buy(asking: &ProductsRequest, body: Body) -> Result<Answered, Problem> {
    let mut order = object(asking, body).await?;
    let mut payload = item_of(&mut order)?;
    if let Some(currency) = order.remove("currency") {
        let lower = currency.as_str().map(str::to_ascii_lowercase);
        payload.insert("currency".to_owned(), lower.map_or(currency, Value::String));
    }
    for name in ["success_url", "cancel_url", "payment_method"] {
        payload.extend(order.remove(name).map(|value| (name.to_owned(), value)));
    }
    if let Some(name) = order.keys().next() {
        return Err(invalid(&format!("/{name}"), "expected items, currency, success_url or cancel_url"));
    }
    let account = asking.account()?;
    let answered = send(asking, account.clone(), "purchase.create", payload).await?;
    let Some(id) = answered.reply()["purchase_id"].as_str().map(str::to_owned) else { return Ok(answered) };
    let listed = asking.entry(account.clone(), "purchases", &id).await?;
    let purchase = show::purchase(&listed, &account.to_string());
    let (url, session) = (answered.reply()["checkout_url"].clone(), answered.reply()["session_id"].clone());
    let answer = match asking.style {
        Style::Extension => json!({"purchase": purchase, "checkoutUrl": url}),
        Style::Plain | Style::Records => json!({
            "id": id,
            "status": purchase["status"],
            "total_cents": purchase["total_cents"],
            "item_count": show::lines(&listed).len(),
            "session_id": session,
            "checkout_url": url,
        }),
    };
    let status = if asking.style == Style::Extension { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answered.map(status, |_| answer))
}

/// Opens a checkout of a plan, with the instance to create after the payment, or of a purchase that has begun.
pub(super) async fn checkout(asking: &ProductsRequest, body: Body) -> Result<Answered, Problem> {
    let mut payload = object(asking, body).await?;
    let account = asking.account()?;
    if let Some(purchase) = payload.remove("purchase_id") {
        let id = purchase.as_str().ok_or_else(|| invalid("/purchase_id", "expected a text"))?;
        again(asking, &account, id, &mut payload).await?;
    }
    with_cycle(&mut payload)?;
    if let Some(metadata) = payload.remove("metadata") {
        let subdomain = metadata["subdomain"].clone();
        let name = payload.remove("name").unwrap_or(subdomain);
        payload.insert("product".to_owned(), json!({"name": name, "metadata": metadata}));
    }
    send(asking, account, "purchase.create", payload).await
}

/// Orders the item of a purchase that has begun; the extension returns its open checkout.
async fn again(asking: &ProductsRequest, account: &Account, id: &str, payload: &mut Object) -> Result<(), Problem> {
    let listed = asking.entry(account.clone(), "purchases", id).await?;
    if listed["status"] != "pending" {
        let detail = format!("the purchase is {}, expected pending", listed["status"]);
        return Err(Problem::new(StatusCode::CONFLICT, "bad-transition", detail));
    }
    let item = &listed["items"][0];
    let product = item["product_id"].as_str().ok_or_else(|| not_found(id))?;
    payload.insert("product_id".to_owned(), json!(product));
    payload.insert("quantity".to_owned(), item["quantity"].clone());
    payload.insert("currency".to_owned(), item["unit_price"]["currency"].clone());
    let offers = asking.offers().await?;
    if let Some(interval) = item["price_id"].as_str().and_then(|price| show::interval(&offers, price)) {
        payload.insert("interval".to_owned(), json!(interval));
    }
    Ok(())
}

/// Refunds a purchase. Without an amount, or with 0, refunds everything that is left.
pub(super) async fn refund(asking: &ProductsRequest, body: Body) -> Result<Answered, Problem> {
    let mut payload = object(asking, body).await?;
    payload.insert("id".to_owned(), json!(asking.id));
    if payload.get("amount") == Some(&json!(0)) {
        payload.remove("amount");
    }
    let account = asking.buyer().await?;
    send(asking, account, "purchase.refund", payload).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Object {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn an_order_has_one_item_without_a_formula() {
        let of = |items: Value| item_of(&mut map(json!({"items": items}))).map(Value::Object);
        let item = json!({"productId": "prod_1", "quantity": 2, "variables": {}});
        assert_eq!(of(json!([item])).expect("an item"), json!({"product_id": "prod_1", "quantity": 2}));
        for wrong in [
            json!([]),
            json!([item, item]),
            json!("prod_1"),
            json!([{"product_id": "prod_1", "variables": {"base_price": 1}}]),
            json!([{"product_id": "prod_1", "price": 1}]),
        ] {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_billing_cycle_is_an_interval() {
        let mut payload = map(json!({"billing_cycle": "yearly"}));
        with_cycle(&mut payload).expect("a cycle");
        assert_eq!(Value::Object(payload), json!({"interval": "year"}));
        assert!(with_cycle(&mut map(json!({"billing_cycle": "weekly"}))).is_err());
    }
}
