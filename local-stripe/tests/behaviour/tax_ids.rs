//! Tax ids of customers and of the own account, and their verification.

use crate::play::{Play, id};
use serde_json::{Value, json};

fn statuses(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|one| one["verification"]["status"].as_str().unwrap()).collect()
}

#[test]
fn a_customers_tax_ids_are_verified_and_shown_on_invoices() {
    let mut play = Play::new();
    let customer =
        play.post("/v1/customers", "tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789&expand[]=tax_ids");
    assert_eq!(customer["tax_ids"]["data"][0]["value"], "DE123456789");
    assert_eq!(play.events(), ["customer.created", "customer.tax_id.created", "customer.tax_id.updated"]);
    let customer = id(&customer);
    let path = format!("/v1/customers/{customer}/tax_ids");
    let made = play.post(&path, "type=eu_vat&value=DE111111111");
    assert_eq!(
        (&made["object"], &made["country"], &made["customer"]),
        (&json!("tax_id"), &json!("DE"), &json!(customer))
    );
    assert_eq!(made["verification"]["status"], "pending", "the outcome follows");
    let told = play.event("customer.tax_id.updated");
    assert_eq!(told["data"]["object"]["verification"]["status"], "unverified");
    assert_eq!(told["data"]["previous_attributes"], json!({ "verification": { "status": "pending" } }));
    play.post(&path, "type=gb_vat&value=gb222222222");
    play.post(&path, "type=us_ein&value=12-3456789");
    assert_eq!(statuses(&play.get(&path)), ["unavailable", "pending", "unverified", "verified"]);
    let other = id(&play.post("/v1/customers", ""));
    play.refused("GET", &format!("/v1/customers/{other}/tax_ids/{}", id(&made)), "", 404);
    play.ok("DELETE", &format!("{path}/{}", id(&made)), "");
    assert_eq!(play.event("customer.tax_id.deleted")["data"]["object"]["id"], made["id"]);
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=500"));
    let invoice = play.post("/v1/invoices", &format!("customer={customer}&pending_invoice_items_behavior=include"));
    let shown = json!([
        { "type": "eu_vat", "value": "DE123456789" },
        { "type": "gb_vat", "value": "GB222222222" },
        { "type": "us_ein", "value": "12-3456789" },
    ]);
    assert_eq!(invoice["customer_tax_ids"], shown);
}

#[test]
fn a_tax_id_belongs_to_a_customer_or_to_the_own_account() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    let own = play.post("/v1/tax_ids", "type=us_ein&value=11-1111111");
    assert_eq!((&own["owner"]["type"], &own["customer"]), (&json!("self"), &json!(null)));
    let theirs = play.post(
        "/v1/tax_ids",
        &format!("type=ch_vat&value=CHE-123.456.789&owner[type]=customer&owner[customer]={customer}"),
    );
    assert_eq!((&theirs["owner"]["customer"], &theirs["country"]), (&json!(customer), &json!("CH")));
    let ids = |list: &Value| list["data"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    assert_eq!(ids(&play.get("/v1/tax_ids")), [id(&own)]);
    let of_customer = play.get(&format!("/v1/tax_ids?owner[type]=customer&owner[customer]={customer}"));
    assert_eq!(ids(&of_customer), [id(&theirs)]);
    assert_eq!(play.get(&format!("/v1/tax_ids/{}", id(&theirs)))["value"], "CHE-123.456.789");
    play.ok("DELETE", &format!("/v1/tax_ids/{}", id(&own)), "");
    play.refused("GET", &format!("/v1/tax_ids/{}", id(&own)), "", 404);
}

#[test]
fn a_value_that_is_no_tax_id_is_refused() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    let path = format!("/v1/customers/{customer}/tax_ids");
    for value in ["123456789", "US123456789", "DE", "DE1", "DE12345678901234", "DE12345678_"] {
        let error = play.refused("POST", &path, &format!("type=eu_vat&value={value}"), 400);
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("tax_id_invalid"), &json!("Invalid value for eu_vat.")),
            "{value}"
        );
    }
    let error = play.refused("POST", "/v1/customers", "tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=x", 400);
    assert_eq!(error["param"], "tax_id_data[0][value]");
    assert_eq!(play.get("/v1/customers")["data"].as_array().unwrap().len(), 1);
    assert_eq!(play.refused("POST", &path, "type=moon_vat&value=1", 400)["param"], "type");
    assert_eq!(
        play.refused("POST", "/v1/tax_ids", "type=us_ein&value=1&owner[type]=customer", 400)["param"],
        "owner[customer]"
    );
}
