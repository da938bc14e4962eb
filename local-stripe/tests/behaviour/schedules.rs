//! Subscription schedules: phases that the clock runs, and all ways in which a schedule ends.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use serde_json::json;

/// Creates a schedule with two phases: a month with one unit, and a month with three units. Returns the ids of the
/// schedule and its subscription.
fn two_months(play: &mut Play, card: &str, more: &str) -> (String, String) {
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer(card);
    let phases = format!(
        "phases[0][items][0][price]={price}&phases[0][iterations]=1&phases[1][items][0][price]={price}&phases[1][items][0][quantity]=3&phases[1][iterations]=1"
    );
    let form = format!("customer={customer}&start_date=now&{phases}{more}");
    let schedule = play.post("/v1/subscription_schedules", &form);
    (id(&schedule), schedule["subscription"].as_str().unwrap().to_owned())
}

#[test]
fn the_second_phase_begins_with_the_renewal_without_proration() {
    let mut play = Play::new();
    let (schedule, sub) = two_months(&mut play, "pm_card_visa", "");
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["schedule"], schedule.as_str());
    assert!(play.events().ends_with(&["subscription_schedule.created".to_owned()]));
    play.until_day(31);
    let now = play.get(&format!("/v1/subscriptions/{sub}"));
    assert_eq!(now["items"]["data"][0]["quantity"], 3);
    let invoice = play.get(&format!("/v1/invoices/{}", now["latest_invoice"].as_str().unwrap()));
    assert_eq!((invoice["total"].as_i64(), invoice["lines"]["data"].as_array().map(Vec::len)), (Some(6_000), Some(1)));
    let shown = play.get(&format!("/v1/subscription_schedules/{schedule}"));
    assert_eq!(shown["current_phase"]["start_date"], shown["phases"][1]["start_date"]);
    assert!(play.events().contains(&"subscription_schedule.updated".to_owned()));
    play.until_day(62);
    let ended = play.get(&format!("/v1/subscription_schedules/{schedule}"));
    assert_eq!((&ended["status"], &ended["current_phase"]), (&json!("completed"), &json!(null)));
    let sub = play.get(&format!("/v1/subscriptions/{sub}"));
    assert_eq!(
        (&sub["status"], &sub["schedule"]),
        (&json!("active"), &json!(null)),
        "a released subscription continues"
    );
    let events = play.events();
    assert!(events.contains(&"subscription_schedule.expiring".to_owned()), "{events:?}");
    assert!(events.contains(&"subscription_schedule.completed".to_owned()), "{events:?}");
}

#[test]
fn a_canceling_schedule_cancels_the_subscription() {
    let mut play = Play::new();
    let (schedule, sub) = two_months(&mut play, "pm_card_visa", "&end_behavior=cancel");
    play.until_day(62);
    assert_eq!(play.get(&format!("/v1/subscription_schedules/{schedule}"))["status"], "completed");
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "canceled");
    assert_eq!(play.get("/v1/invoices")["data"].as_array().map(Vec::len), Some(2), "no third month is billed");
}

#[test]
fn schedules_are_released_canceled_or_aborted() {
    let mut play = Play::new();
    let (schedule, sub) = two_months(&mut play, "pm_card_visa", "");
    let released = play.post(&format!("/v1/subscription_schedules/{schedule}/release"), "");
    assert_eq!((&released["status"], &released["released_subscription"]), (&json!("released"), &json!(sub)));
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "active");
    play.refused("POST", &format!("/v1/subscription_schedules/{schedule}/release"), "", 400);

    let (schedule, sub) = two_months(&mut play, "pm_card_visa", "");
    play.post(&format!("/v1/subscription_schedules/{schedule}/cancel"), "");
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "canceled");

    let (schedule, sub) = two_months(&mut play, "pm_card_visa", "");
    play.events();
    play.ok("DELETE", &format!("/v1/subscriptions/{sub}"), "");
    assert_eq!(play.events(), ["customer.subscription.deleted", "subscription_schedule.canceled"]);
    assert_eq!(play.get(&format!("/v1/subscription_schedules/{schedule}"))["status"], "canceled");
}

#[test]
fn dunning_that_ends_a_subscription_aborts_its_schedule() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    let schedule = id(&play.post("/v1/subscription_schedules", &format!("from_subscription={sub}")));
    let more = format!("phases[0][items][0][price]={price}&phases[0][iterations]=12");
    play.post(&format!("/v1/subscription_schedules/{schedule}"), &more);
    let failing =
        id(&play.post("/v1/payment_methods/pm_card_chargeCustomerFail/attach", &format!("customer={customer}")));
    play.post(&format!("/v1/customers/{customer}"), &format!("invoice_settings[default_payment_method]={failing}"));
    play.until_day(60);
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "canceled");
    assert!(play.events().contains(&"subscription_schedule.aborted".to_owned()));
}

#[test]
fn a_schedule_begins_at_its_start_even_without_a_card() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = id(&play.post("/v1/customers", "name=later"));
    let start = local_stripe::settings::START_S + 10 * 86_400;
    let form = format!("customer={customer}&start_date={start}&phases[0][items][0][price]={price}");
    let schedule = play.post("/v1/subscription_schedules", &form);
    assert_eq!((&schedule["status"], &schedule["subscription"]), (&json!("not_started"), &json!(null)));
    play.until_day(11);
    let begun = play.get(&format!("/v1/subscription_schedules/{}", id(&schedule)));
    let sub = play.get(&format!("/v1/subscriptions/{}", begun["subscription"].as_str().unwrap()));
    assert_eq!((&begun["status"], &sub["status"]), (&json!("active"), &json!("past_due")));
    assert_eq!(sub["start_date"].as_i64(), Some(start));
}

#[test]
fn changing_the_current_phase_changes_the_subscription() {
    let mut play = Play::new();
    let (schedule, sub) = two_months(&mut play, "pm_card_visa", "");
    let other = play.monthly("Team", 5_000);
    let form = format!("proration_behavior=none&phases[0][items][0][price]={other}&phases[0][iterations]=2");
    let changed = play.post(&format!("/v1/subscription_schedules/{schedule}"), &form);
    assert_eq!(changed["phases"].as_array().map(Vec::len), Some(1));
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["items"]["data"][0]["price"]["id"], other.as_str());
    let wrong = format!(
        "customer={}&phases[0][items][0][price]={other}&phases[0][end_date]=1",
        changed["customer"].as_str().unwrap()
    );
    assert_eq!(play.refused("POST", "/v1/subscription_schedules", &wrong, 400)["param"], "phases[0][end_date]");
}

#[test]
fn the_current_phase_can_not_be_cut_off_or_moved() {
    let mut play = Play::new();
    let (schedule, sub) = two_months(&mut play, "pm_card_visa", "");
    play.until_day(40);
    let before = play.get(&format!("/v1/subscription_schedules/{schedule}"));
    let price = before["phases"][0]["items"][0]["price"].as_str().unwrap().to_owned();
    let (first, second) = (&before["phases"][0]["start_date"], &before["phases"][1]["start_date"]);
    let end = before["phases"][1]["end_date"].as_i64().unwrap();
    let phase = |n: usize, more: String| format!("phases[{n}][items][0][price]={price}&phases[{n}]{more}");
    let path = format!("/v1/subscription_schedules/{schedule}");
    play.events();
    for (form, words) in [
        // The last phase would end in the past.
        (phase(0, "[iterations]=1".into()), "can not end in the past"),
        (
            phase(0, format!("[start_date]={second}&phases[0][end_date]={}", end - 25 * 86_400)),
            "can not end in the past",
        ),
        // The current phase would begin at another time.
        (phase(0, "[iterations]=2".into()), "start date of the current phase"),
        (
            format!("{}&{}", phase(0, format!("[end_date]={}", end - 29 * 86_400)), phase(1, "[iterations]=1".into())),
            "start date of the current phase",
        ),
        (
            phase(0, format!("[start_date]={}&phases[0][iterations]=1", end - 24 * 86_400)),
            "start date of the current phase",
        ),
    ] {
        let error = play.refused("POST", &path, &form, 400);
        assert_eq!(error["param"], "phases", "{form}");
        assert!(error["message"].as_str().unwrap().contains(words), "{form}: {error}");
    }
    assert_eq!((play.get(&path), play.events().len()), (before.clone(), 0));
    // A request can omit past phases, which then stay unchanged.
    let form = format!(
        "{}&phases[0][items][0][quantity]=3",
        phase(0, format!("[start_date]={second}&phases[0][iterations]=2"))
    );
    let changed = play.post(&path, &form);
    assert_eq!((&changed["phases"][0], &changed["phases"][0]["start_date"]), (&before["phases"][0], first));
    assert_eq!(changed["current_phase"]["start_date"], *second);
    assert_eq!(changed["phases"].as_array().map(Vec::len), Some(2));
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["items"]["data"][0]["quantity"], 3);
}

#[test]
fn phases_have_the_shape_of_the_requested_version() {
    let mut play = Play::new();
    let (schedule, _) = two_months(&mut play, "pm_card_visa", "");
    let has = |shown: &serde_json::Value, member: &str| shown.get(member).is_some();
    for (version, coupon, discounts, plan, thresholds) in [
        ("2020-08-27", true, false, false, true),
        ("2024-09-30.acacia", true, true, true, true),
        ("2025-03-31.basil", false, true, true, false),
        ("2026-10-28.endive", false, true, true, true),
    ] {
        let mut asked = request("GET", &format!("/v1/subscription_schedules/{schedule}"), "");
        asked.version = Some(version.into());
        let shown = json_of(&play.sandbox.handle(&asked));
        for phase in shown["phases"].as_array().unwrap() {
            let item = &phase["items"][0];
            assert_eq!((has(phase, "coupon"), has(phase, "discounts")), (coupon, discounts), "{version}");
            assert_eq!((has(item, "plan"), has(item, "discounts")), (plan, discounts), "{version}");
            assert_eq!((has(item, "billing_thresholds"), has(phase, "billing_thresholds")), (thresholds, thresholds));
        }
    }
}

#[test]
fn phases_of_months_end_on_the_day_on_which_the_schedule_began() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 1_500);
    // 31 January 2027.
    play.until_day(91);
    let customer = play.customer("pm_card_visa");
    let phase =
        |n: usize, months: i64| format!("&phases[{n}][items][0][price]={price}&phases[{n}][iterations]={months}");
    let form = format!("customer={customer}&start_date=now{}{}{}", phase(0, 1), phase(1, 2), phase(2, 1));
    let schedule = play.post("/v1/subscription_schedules", &form);
    let ends = schedule["phases"].as_array().unwrap().iter().map(|phase| phase["end_date"].as_i64().unwrap());
    let ends: Vec<String> = ends.map(local_stripe::calendar::date_text).collect();
    assert_eq!(ends, ["28 Feb 2027", "30 Apr 2027", "31 May 2027"]);
}

#[test]
fn a_trial_phase_is_followed_by_a_phase_with_a_discount() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 1_000);
    let customer = play.customer("pm_card_visa");
    let coupon = id(&play.post("/v1/coupons", "percent_off=50&duration=forever"));
    let trial_end = local_stripe::settings::START_S + 10 * local_stripe::calendar::DAY_S;
    let form = format!(
        "customer={customer}&start_date=now&phases[0][items][0][price]={price}&phases[0][trial]=true&phases[0][end_date]={trial_end}&phases[1][items][0][price]={price}&phases[1][discounts][0][coupon]={coupon}&phases[1][duration][interval]=month&phases[1][duration][interval_count]=1&phases[2][items][0][price]={price}"
    );
    let schedule = play.post("/v1/subscription_schedules", &form);
    assert_eq!(schedule["phases"][0]["trial_end"], trial_end);
    assert_eq!(schedule["phases"][1]["discounts"][0]["coupon"], coupon.as_str());
    let path = format!("/v1/subscriptions/{}", schedule["subscription"].as_str().unwrap());
    let mut seen = Vec::new();
    for day in [0, 11, 42] {
        play.until_day(day);
        let sub = play.get(&path);
        let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
        seen.push((sub["status"].as_str().unwrap().to_owned(), invoice["total"].as_i64().unwrap()));
    }
    // The last phase names no discount, so it has none.
    assert_eq!(seen, [("trialing".to_owned(), 0), ("active".to_owned(), 500), ("active".to_owned(), 1_000)]);
    let form = format!(
        "customer={customer}&start_date=now&phases[0][items][0][price]={price}&phases[0][trial_end]={}",
        trial_end + 80 * local_stripe::calendar::DAY_S
    );
    assert_eq!(play.refused("POST", "/v1/subscription_schedules", &form, 400)["param"], "phases[0][trial_end]");
}

#[test]
fn a_phase_with_another_interval_begins_a_period_of_its_own() {
    let mut play = Play::new();
    let monthly = play.monthly("Pro", 1_000);
    let yearly = play.price("Year", 10_000, "&recurring[interval]=year");
    let customer = play.customer("pm_card_visa");
    let form = format!(
        "customer={customer}&start_date=now&phases[0][items][0][price]={monthly}&phases[0][iterations]=2&phases[1][items][0][price]={yearly}&phases[1][iterations]=1"
    );
    let schedule = play.post("/v1/subscription_schedules", &form);
    play.until_day(62);
    let sub = play.get(&format!("/v1/subscriptions/{}", schedule["subscription"].as_str().unwrap()));
    let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
    assert_eq!(invoice["total"], 10_000);
    let item = &sub["items"]["data"][0];
    let dates = ["current_period_start", "current_period_end"].map(|member| item[member].as_i64().unwrap());
    assert_eq!(dates.map(local_stripe::calendar::date_text), ["1 Jan 2027", "1 Jan 2028"]);
}
