//! Changes of a subscription's plan: exact prorations, and failed payments of a change.

use crate::play::{Play, id};
use serde_json::{Value, json};

struct Upgrade {
    play: Play,
    customer: String,
    sub: String,
    item: String,
    team: String,
}

/// Returns a Pro subscription ($20 per month of 30 days) that is ten days old, and a Team price of $50.
fn ten_days_in() -> Upgrade {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "");
    play.until_day(10);
    play.events();
    Upgrade { play, customer, item: id(&sub["items"]["data"][0]), sub: id(&sub), team }
}

fn latest(play: &mut Play, sub: &str) -> Value {
    let sub = play.get(&format!("/v1/subscriptions/{sub}"));
    play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))
}

#[test]
fn two_items_cannot_have_one_price() {
    let Upgrade { mut play, sub, item, team, .. } = ten_days_in();
    let path = format!("/v1/subscriptions/{sub}");
    play.post(&path, &format!("items[0][price]={team}"));
    let refused = play.refused("POST", &path, &format!("items[0][id]={item}&items[0][price]={team}"), 400);
    let expected = format!("Cannot add multiple subscription items with the same plan: {team}");
    assert_eq!(refused["message"], expected);
}

#[test]
fn an_upgrade_invoiced_at_once_costs_the_difference_for_the_remaining_time() {
    let Upgrade { mut play, sub, item, team, .. } = ten_days_in();
    play.post(
        &format!("/v1/subscriptions/{sub}"),
        &format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice"),
    );
    let invoice = latest(&mut play, &sub);
    let lines: Vec<(i64, &str)> = invoice["lines"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (l["amount"].as_i64().unwrap(), l["description"].as_str().unwrap()))
        .collect();
    // The change is prorated for 20 of 30 days: a credit of 13.33 and a charge of 33.33.
    assert_eq!(
        lines,
        [(-1_333, "Unused time on Pro after 11 Nov 2026"), (3_333, "Remaining time on Team after 11 Nov 2026")]
    );
    assert_eq!((&invoice["amount_paid"], &invoice["billing_reason"]), (&json!(2_000), &json!("subscription_update")));
    let events = play.events();
    assert_eq!(
        events[..4],
        ["invoiceitem.created", "invoiceitem.created", "invoice.created", "customer.subscription.updated"]
    );
    play.until_day(31);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 5_000);
}

#[test]
fn a_proration_not_invoiced_at_once_is_on_the_renewals_invoice() {
    let Upgrade { mut play, sub, item, team, .. } = ten_days_in();
    play.post(&format!("/v1/subscriptions/{sub}"), &format!("items[0][id]={item}&items[0][price]={team}"));
    assert_eq!(play.events(), ["invoiceitem.created", "invoiceitem.created", "customer.subscription.updated"]);
    play.until_day(31);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 5_000 + 2_000);
}

#[test]
fn a_downgrade_credits_the_next_invoices() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 9_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &team, "");
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    play.post(
        &format!("/v1/subscriptions/{sub}"),
        &format!("items[0][id]={item}&items[0][price]={pro}&proration_behavior=always_invoice"),
    );
    let invoice = latest(&mut play, &sub);
    assert_eq!(
        (invoice["total"].as_i64(), invoice["amount_due"].as_i64(), invoice["status"].as_str()),
        (Some(-7_000), Some(0), Some("paid"))
    );
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], -7_000);
    play.until_day(31);
    let renewal = latest(&mut play, &sub);
    assert_eq!(
        (renewal["amount_due"].as_i64(), renewal["starting_balance"].as_i64(), renewal["ending_balance"].as_i64()),
        (Some(0), Some(-7_000), Some(-5_000))
    );
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], -5_000);
}

#[test]
fn proration_none_is_free_and_a_new_interval_restarts_the_period() {
    let Upgrade { mut play, sub, item, team, .. } = ten_days_in();
    play.post(
        &format!("/v1/subscriptions/{sub}"),
        &format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=none"),
    );
    assert_eq!(play.events(), ["customer.subscription.updated"]);
    let yearly = play.price("Year", 20_000, "&recurring[interval]=year");
    let changed =
        play.post(&format!("/v1/subscriptions/{sub}"), &format!("items[0][id]={item}&items[0][price]={yearly}"));
    let invoice = latest(&mut play, &sub);
    // The credit is for 20 of 30 days of Team. The yearly period begins now.
    assert_eq!(invoice["amount_paid"], 20_000 - 3_333);
    assert_eq!(changed["items"]["data"][0]["current_period_start"].as_i64(), Some(1_793_491_200 + 10 * 86_400));
    assert_eq!(changed["items"]["data"][0]["current_period_end"].as_i64(), Some(1_793_491_200 + 375 * 86_400));
}

#[test]
fn a_cancellation_at_period_end_moves_with_a_new_interval() {
    for pay in ["allow_incomplete", "pending_if_incomplete"] {
        let Upgrade { mut play, sub, item, .. } = ten_days_in();
        play.post(&format!("/v1/subscriptions/{sub}"), "cancel_at_period_end=true");
        let yearly = play.price("Year", 20_000, "&recurring[interval]=year");
        let change = format!("items[0][id]={item}&items[0][price]={yearly}&payment_behavior={pay}");
        let changed = play.post(&format!("/v1/subscriptions/{sub}"), &change);
        let end = 1_793_491_200 + 375 * 86_400;
        assert_eq!(changed["items"]["data"][0]["current_period_end"], end, "{pay}");
        assert_eq!((&changed["cancel_at"], &changed["cancel_at_period_end"]), (&json!(end), &json!(true)), "{pay}");
        play.until_day(374);
        assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "active");
        play.until_day(375);
        assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "canceled");
    }
    let mut play = Play::new();
    let (price, customer) = (play.monthly("Pro", 2_000), play.customer("pm_card_visa"));
    let sub = play.subscribe(&customer, &price, "&cancel_at_period_end=true");
    assert_eq!(sub["cancel_at"], sub["items"]["data"][0]["current_period_end"]);
}

#[test]
fn a_failed_upgrade_payment_keeps_the_change_and_makes_the_subscription_past_due() {
    let Upgrade { mut play, customer, sub, item, team } = ten_days_in();
    play.new_card(&customer, "pm_card_chargeCustomerFail");
    let changed = play.post(
        &format!("/v1/subscriptions/{sub}"),
        &format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice"),
    );
    assert_eq!((&changed["status"], &changed["items"]["data"][0]["price"]["id"]), (&json!("past_due"), &json!(team)));
    play.new_card(&customer, "pm_card_visa");
    play.post(&format!("/v1/invoices/{}/pay", changed["latest_invoice"].as_str().unwrap()), "");
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "active");
}

#[test]
fn error_if_incomplete_changes_nothing() {
    let Upgrade { mut play, customer, sub, item, team } = ten_days_in();
    play.new_card(&customer, "pm_card_chargeCustomerFail");
    let before = play.get(&format!("/v1/subscriptions/{sub}"));
    play.events();
    let form = format!(
        "items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice&payment_behavior=error_if_incomplete"
    );
    play.refused("POST", &format!("/v1/subscriptions/{sub}"), &form, 402);
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}")), before);
    assert!(play.events().is_empty());
}

#[test]
fn pending_if_incomplete_waits_for_the_payment_or_expires() {
    for pays in [true, false] {
        let Upgrade { mut play, customer, sub, item, team } = ten_days_in();
        play.new_card(&customer, "pm_card_chargeCustomerFail");
        let form = format!(
            "items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice&payment_behavior=pending_if_incomplete"
        );
        let waiting = play.post(&format!("/v1/subscriptions/{sub}"), &form);
        assert_eq!(
            (waiting["status"].as_str(), waiting["pending_update"]["expires_at"].is_i64()),
            (Some("active"), true)
        );
        assert_ne!(waiting["items"]["data"][0]["price"]["id"], json!(team));
        assert_eq!(waiting["pending_update"]["subscription_items"][0]["price"]["id"], json!(team));
        if pays {
            play.new_card(&customer, "pm_card_visa");
            play.post(&format!("/v1/invoices/{}/pay", waiting["latest_invoice"].as_str().unwrap()), "");
        } else {
            play.until_day(11);
        }
        let after = play.get(&format!("/v1/subscriptions/{sub}"));
        assert_eq!(after["items"]["data"][0]["price"]["id"] == json!(team), pays);
        assert!(after["pending_update"].is_null());
        let wanted = if pays {
            "customer.subscription.pending_update_applied"
        } else {
            "customer.subscription.pending_update_expired"
        };
        assert!(play.events().contains(&wanted.to_owned()));
    }
}

#[test]
fn quantities_and_items_can_be_changed_added_and_removed() {
    let Upgrade { mut play, sub, item, team, .. } = ten_days_in();
    play.post(&format!("/v1/subscription_items/{item}"), "quantity=3&proration_behavior=none");
    let added =
        play.post("/v1/subscription_items", &format!("subscription={sub}&price={team}&proration_behavior=none"));
    let both = play.get(&format!("/v1/subscription_items?subscription={sub}"));
    assert_eq!(both["data"].as_array().unwrap().len(), 2);
    assert_eq!(both["data"][0]["quantity"], 3);
    play.ok("DELETE", &format!("/v1/subscription_items/{}", id(&added)), "proration_behavior=none");
    play.refused("GET", &format!("/v1/subscription_items/{}", id(&added)), "", 404);
    play.refused("DELETE", &format!("/v1/subscription_items/{item}"), "", 400);
    play.until_day(31);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 6_000);
}

#[test]
fn a_change_in_the_customers_absence_does_not_wait_for_3d_secure() {
    for (more, status) in [("", "requires_action"), ("&off_session=true", "requires_payment_method")] {
        let mut play = Play::new();
        let (basic, pro) = (play.monthly("Basic", 1_000), play.monthly("Pro", 5_000));
        let customer = play.customer("pm_card_visa");
        let sub = play.subscribe(&customer, &basic, "");
        play.new_card(&customer, "pm_card_authenticationRequired");
        let item = id(&sub["items"]["data"][0]);
        play.post(
            &format!("/v1/subscription_items/{item}"),
            &format!("price={pro}&proration_behavior=always_invoice{more}"),
        );
        assert_eq!(play.get("/v1/payment_intents?limit=1")["data"][0]["status"], status, "{more}");
    }
}
