//! Early fraud warnings, reviews and value lists.

use crate::play::{Play, id};
use serde_json::json;

#[test]
fn a_warning_follows_the_payment_and_ends_with_its_refund() {
    let mut play = Play::new();
    let card = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_createIssuerFraudRecord";
    let paid = play.post("/v1/payment_intents", card);
    assert_eq!(play.events().last().unwrap(), "radar.early_fraud_warning.created");
    let listed = play.get(&format!("/v1/radar/early_fraud_warnings?payment_intent={}", id(&paid)))["data"].clone();
    let warning = listed[0].clone();
    assert_eq!((&warning["actionable"], &warning["charge"]), (&json!(true), &paid["latest_charge"]));
    let path = format!("/v1/radar/early_fraud_warnings/{}", id(&warning));
    let charge = warning["charge"].as_str().unwrap();
    play.post("/v1/refunds", &format!("charge={charge}&amount=400"));
    assert_eq!(play.get(&path)["actionable"], true);
    play.events();
    play.post("/v1/refunds", &format!("charge={charge}"));
    assert_eq!(play.get(&path)["actionable"], false);
    assert!(play.events().contains(&"radar.early_fraud_warning.updated".to_owned()));
    play.post("/v1/charges", "amount=1000&currency=usd&source=tok_createIssuerFraudRecord");
    assert_eq!(play.get("/v1/radar/early_fraud_warnings")["data"].as_array().unwrap().len(), 2);
}

#[test]
fn a_payment_with_an_elevated_risk_is_reviewed_and_approved_or_refunded() {
    let mut play = Play::new();
    let form = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_riskLevelElevated&expand[]=latest_charge";
    let paid = play.post("/v1/payment_intents", form);
    assert!(play.events().contains(&"review.opened".to_owned()));
    let review = play.get("/v1/reviews")["data"][0].clone();
    assert_eq!((&paid["review"], &paid["latest_charge"]["review"]), (&review["id"], &review["id"]));
    assert_eq!((&review["open"], &review["reason"]), (&json!(true), &json!("rule")));
    let outcome = &paid["latest_charge"]["outcome"];
    assert_eq!((&outcome["type"], &outcome["risk_level"]), (&json!("manual_review"), &json!("elevated")));
    let path = format!("/v1/reviews/{}", id(&review));
    play.events();
    let approved = play.post(&format!("{path}/approve"), "");
    assert_eq!(play.events(), ["review.closed"]);
    assert_eq!((&approved["open"], &approved["closed_reason"]), (&json!(false), &json!("approved")));
    assert_eq!(play.get("/v1/reviews")["data"], json!([]));
    play.refused("POST", &format!("{path}/approve"), "", 400);
    for (finish, reason) in [("refund", "refunded"), ("fraud", "refunded_as_fraud"), ("cancel", "canceled")] {
        let manual = if finish == "cancel" { "&capture_method=manual" } else { "" };
        let paid = id(&play.post("/v1/payment_intents", &format!("{form}{manual}")));
        match finish {
            "cancel" => play.post(&format!("/v1/payment_intents/{paid}/cancel"), ""),
            "fraud" => play.post("/v1/refunds", &format!("payment_intent={paid}&reason=fraudulent")),
            _ => play.post("/v1/refunds", &format!("payment_intent={paid}")),
        };
        assert_eq!(play.event("review.closed")["data"]["object"]["closed_reason"], reason);
    }
}

#[test]
fn value_lists_hold_valid_values_once() {
    let mut play = Play::new();
    let (lists, items) = ("/v1/radar/value_lists", "/v1/radar/value_list_items");
    let made = play.post(lists, "alias=bad_mails&name=Bad mails&item_type=email&metadata[a]=b");
    assert_eq!((&made["item_type"], &made["list_items"]["data"]), (&json!("email"), &json!([])));
    let list = id(&made);
    let other = id(&play.post(lists, "alias=countries&name=Countries&item_type=country"));
    let first = id(&play.post(items, &format!("value_list={list}&value=a@example.com")));
    for n in 0..11 {
        play.post(items, &format!("value_list={list}&value=b{n}@example.com"));
    }
    let shown = play.get(&format!("{lists}/{list}"))["list_items"].clone();
    assert_eq!((shown["data"].as_array().unwrap().len(), &shown["has_more"]), (10, &json!(true)));
    assert_eq!(shown["data"][0]["value"], "b10@example.com");
    for (owner, value) in [(&list, "a@example.com"), (&list, "nobody"), (&other, "USA")] {
        let error = play.refused("POST", items, &format!("value_list={owner}&value={value}"), 400);
        assert_eq!(error["param"], "value", "{value}");
    }
    let found = play.get(&format!("{items}?value_list={list}&value=B1"))["data"].clone();
    assert_eq!(found.as_array().unwrap().len(), 2);
    let found = play.get(&format!("{lists}?contains=a@example.com"))["data"].clone();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &json!(list)));
    play.refused("POST", lists, "alias=countries&name=Again", 400);
    play.refused("POST", &format!("{lists}/{list}"), "alias=countries", 400);
    assert_eq!(play.post(&format!("{lists}/{list}"), "name=Worse")["name"], "Worse");
    assert_eq!(play.ok("DELETE", &format!("{items}/{first}"), "")["deleted"], true);
    assert_eq!(play.get(&format!("{lists}?contains=a@example.com"))["data"], json!([]));
    assert_eq!(play.ok("DELETE", &format!("{lists}/{list}"), "")["deleted"], true);
    play.refused("GET", items, &format!("value_list={list}"), 400);
}
