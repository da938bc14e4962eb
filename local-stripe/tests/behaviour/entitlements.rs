//! Features, the features of products, and what customers are entitled to by their subscriptions.

use crate::play::{Play, id};
use serde_json::{Value, json};

/// Creates a feature, and attaches it to the product of a price.
fn attach(play: &mut Play, price: &str, key: &str) -> (String, String) {
    let product = play.get(&format!("/v1/prices/{price}"))["product"].as_str().unwrap().to_owned();
    let feature = id(&play.post("/v1/entitlements/features", &format!("lookup_key={key}&name={key} feature")));
    let attached = play.post(&format!("/v1/products/{product}/features"), &format!("entitlement_feature={feature}"));
    assert_eq!(attached["entitlement_feature"]["lookup_key"], key);
    (feature, format!("/v1/products/{product}/features/{}", id(&attached)))
}

fn keys(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|one| one["lookup_key"].as_str().unwrap()).collect()
}

#[test]
fn subscriptions_give_and_take_the_features_of_their_products() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let (api, _) = attach(&mut play, &pro, "api");
    attach(&mut play, &team, "seats");
    let customer = play.customer("pm_card_visa");
    let path = format!("/v1/entitlements/active_entitlements?customer={customer}");
    assert_eq!(keys(&play.get(&path)), Vec::<&str>::new());
    let sub = id(&play.subscribe(&customer, &pro, ""));
    let held = play.get(&path);
    assert_eq!((keys(&held), &held["data"][0]["feature"]), (vec!["api"], &json!(api)));
    let one = play.get(&format!("/v1/entitlements/active_entitlements/{}?expand[]=feature", id(&held["data"][0])));
    assert_eq!(one["feature"]["name"], "api feature");
    let told = play.event("entitlements.active_entitlement_summary.updated")["data"]["object"].clone();
    assert_eq!((&told["customer"], keys(&told["entitlements"])), (&json!(customer), vec!["api"]));
    play.events();
    play.post(&format!("/v1/subscriptions/{sub}"), &format!("items[0][price]={team}"));
    assert_eq!(keys(&play.get(&path)), ["seats", "api"]);
    play.post(&format!("/v1/subscriptions/{sub}"), "metadata[a]=b");
    let summaries = play.events().into_iter().filter(|kind| kind.contains("summary")).count();
    assert_eq!(summaries, 1, "an event only if the features change");
    let (_, attached) = attach(&mut play, &pro, "export");
    assert_eq!(keys(&play.get(&path)), ["export", "seats", "api"]);
    play.ok("DELETE", &attached, "");
    assert_eq!(keys(&play.get(&path)), ["seats", "api"]);
    play.post(&format!("/v1/subscriptions/{sub}"), "cancel_at_period_end=true");
    assert_eq!(keys(&play.get(&path)), ["seats", "api"]);
    play.until_day(31);
    assert_eq!(keys(&play.get(&path)), Vec::<&str>::new());
    let told = play.event("entitlements.active_entitlement_summary.updated");
    assert_eq!((&told["request"]["id"], &told["data"]["object"]["entitlements"]["data"]), (&json!(null), &json!([])));
}

#[test]
fn an_unpaid_first_invoice_gives_nothing_and_two_subscriptions_give_a_feature_once() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    attach(&mut play, &price, "api");
    let customer = play.customer("pm_card_visa");
    let path = format!("/v1/entitlements/active_entitlements?customer={customer}");
    play.subscribe(&customer, &price, "&payment_behavior=default_incomplete");
    assert_eq!(keys(&play.get(&path)), Vec::<&str>::new());
    let first = id(&play.subscribe(&customer, &price, ""));
    play.subscribe(&customer, &price, "&trial_period_days=5");
    assert_eq!(keys(&play.get(&path)), ["api"]);
    play.ok("DELETE", &format!("/v1/subscriptions/{first}"), "");
    assert_eq!(keys(&play.get(&path)), ["api"]);
}

#[test]
fn features_are_changed_archived_and_unique() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let (feature, attached) = attach(&mut play, &price, "api");
    let path = format!("/v1/entitlements/features/{feature}");
    let changed = play.post(&path, "name=API&metadata[a]=b&active=false");
    assert_eq!(
        (&changed["name"], &changed["active"], &changed["metadata"]["a"]),
        (&json!("API"), &json!(false), &json!("b"))
    );
    assert_eq!(play.get(&attached)["entitlement_feature"]["name"], "API");
    assert_eq!(keys(&play.get("/v1/entitlements/features")), Vec::<&str>::new());
    assert_eq!(keys(&play.get("/v1/entitlements/features?archived=true&lookup_key=api")), ["api"]);
    assert_eq!(play.refused("POST", "/v1/entitlements/features", "lookup_key=api&name=a", 400)["param"], "lookup_key");
    let product = play.get(&format!("/v1/prices/{price}"))["product"].as_str().unwrap().to_owned();
    let features = format!("/v1/products/{product}/features");
    assert_eq!(play.get(&features)["data"].as_array().unwrap().len(), 1);
    play.refused("POST", &features, &format!("entitlement_feature={feature}"), 400);
    play.refused("POST", &features, "entitlement_feature=feat_none", 400);
    play.refused("GET", &format!("{features}/prodft_none"), "", 404);
    let other = id(&play.post("/v1/products", "name=Other"));
    play.refused("DELETE", &attached.replace(&product, &other), "", 404);
}
