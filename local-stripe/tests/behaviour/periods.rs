//! Where billing periods begin and end, and what a part of a period costs: anchors, starts in the past, trials that are added later,
//! cancellations at a date, and changes that begin a new period. The source of each rule is Stripe's reference of `POST /v1/subscriptions`,
//! if no other is named.

use crate::play::{Play, id};
use local_stripe::calendar::{DAY_S, date_text};
use local_stripe::settings::START_S;
use serde_json::{Value, json};

/// Returns a time this many days after the sandbox's start, 1 November 2026.
fn day(days: i64) -> i64 {
    START_S + days * DAY_S
}

/// The amounts of an invoice's lines, and its total.
fn amounts(play: &mut Play, invoice: &Value) -> (Vec<i64>, i64) {
    let invoice = play.get(&format!("/v1/invoices/{}", invoice.as_str().expect("an invoice")));
    let lines = invoice["lines"]["data"].as_array().unwrap().iter().map(|line| line["amount"].as_i64().unwrap());
    (lines.collect(), invoice["total"].as_i64().unwrap())
}

/// The amounts of a customer's invoice items, oldest first.
fn items_of(play: &mut Play, customer: &str) -> Vec<i64> {
    let found = play.get(&format!("/v1/invoiceitems?customer={customer}"));
    found["data"].as_array().unwrap().iter().rev().map(|item| item["amount"].as_i64().unwrap()).collect()
}

fn period_of(sub: &Value) -> (String, String) {
    let item = &sub["items"]["data"][0];
    let date = |member: &str| date_text(item[member].as_i64().unwrap());
    (date("current_period_start"), date("current_period_end"))
}

/// A sandbox with a customer whose card works, and the id of the customer.
fn shop() -> (Play, String) {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    (play, customer)
}

/// A customer with a subscription to a price of $30 a month (November has 30 days).
fn thirty_a_month() -> (Play, String, Value) {
    let (mut play, customer) = shop();
    let price = play.monthly("Pro", 3_000);
    let sub = play.subscribe(&customer, &price, "");
    (play, customer, sub)
}

#[test]
fn a_first_period_costs_its_full_price_on_any_day_of_purchase() {
    // The last days of each month until March 2028, with the 29th of February, and one day in its middle.
    let late = (0..516)
        .filter(|days| matches!(date_text(day(*days)).split_once(' '), Some(("15" | "28" | "29" | "30" | "31", _))));
    for days in late {
        let mut play = Play::new();
        play.until_day(days);
        let customer = play.customer("pm_card_visa");
        for (unit, count) in [("month", 1), ("month", 3), ("month", 6), ("year", 1), ("week", 1), ("day", 10)] {
            let recurring = format!("&recurring[interval]={unit}&recurring[interval_count]={count}");
            let price = play.price("Pro", 36_600, &recurring);
            let sub = play.subscribe(&customer, &price, "");
            let billed = amounts(&mut play, &sub["latest_invoice"]);
            assert_eq!(billed, (vec![36_600], 36_600), "{count} {unit} from {}", date_text(day(days)));
        }
    }
}

#[test]
fn an_anchor_shortens_the_first_period_and_lies_before_the_first_natural_billing_date() {
    let (mut play, customer) = shop();
    let price = play.monthly("Pro", 3_000);
    let sub = play.subscribe(&customer, &price, &format!("&billing_cycle_anchor={}", day(10)));
    assert_eq!(period_of(&sub), ("1 Nov 2026".into(), "11 Nov 2026".into()));
    // 10 of the 31 days from 11 October.
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]).1, 968);
    for (anchor, told) in
        [(day(-1), "in the future"), (day(0), "in the future"), (day(31), "next natural billing date")]
    {
        let form = format!("customer={customer}&items[0][price]={price}&billing_cycle_anchor={anchor}");
        let error = play.refused("POST", "/v1/subscriptions", &form, 400);
        assert_eq!(error["param"], "billing_cycle_anchor");
        assert!(error["message"].as_str().unwrap().contains(told), "{error}");
    }
}

#[test]
fn a_trial_and_a_later_anchor_bill_the_days_between_them() {
    let (mut play, customer) = shop();
    let price = play.monthly("Pro", 3_000);
    let more = format!("&trial_end={}&billing_cycle_anchor={}", day(20), day(25));
    let sub = play.subscribe(&customer, &price, &more);
    assert_eq!((&sub["status"], &sub["billing_cycle_anchor"]), (&json!("trialing"), &json!(day(25))));
    play.until(day(20) + 7_200);
    let sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert_eq!(period_of(&sub), ("21 Nov 2026".into(), "26 Nov 2026".into()));
    // 5 of the 31 days from 26 October.
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]), (vec![484], 484));
    play.until(day(25) + 7_200);
    let sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]), (vec![3_000], 3_000));
}

#[test]
fn an_anchor_by_its_day_is_the_next_such_day_and_keeps_it_in_longer_months() {
    let (mut play, customer) = shop();
    let monthly = play.monthly("Pro", 3_000);
    let yearly = play.price("Year", 36_500, "&recurring[interval]=year");
    for (price, config, ends) in [
        (&monthly, "[day_of_month]=31", ["30 Nov 2026", "31 Dec 2026", "31 Jan 2027"]),
        (&monthly, "[day_of_month]=15", ["15 Nov 2026", "15 Dec 2026", "15 Jan 2027"]),
        (
            &yearly,
            "[day_of_month]=29&billing_cycle_anchor_config[month]=2",
            ["28 Feb 2027", "29 Feb 2028", "28 Feb 2029"],
        ),
    ] {
        let clock = id(&play.post("/v1/test_helpers/test_clocks", &format!("frozen_time={START_S}")));
        let card = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
        let customer = id(&play.post("/v1/customers", &format!("test_clock={clock}&{card}")));
        let mut sub = play.subscribe(&customer, price, &format!("&billing_cycle_anchor_config{config}"));
        for end in ends {
            assert_eq!(period_of(&sub).1, end, "{config}");
            let at = sub["items"]["data"][0]["current_period_end"].as_i64().unwrap() + 7_200;
            play.post(&format!("/v1/test_helpers/test_clocks/{clock}/advance"), &format!("frozen_time={at}"));
            sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
        }
    }
    let form = format!(
        "customer={customer}&items[0][price]={monthly}&billing_cycle_anchor={}&billing_cycle_anchor_config[day_of_month]=3",
        day(3)
    );
    play.refused("POST", "/v1/subscriptions", &form, 400);
}

/// The figures are those of docs.stripe.com/billing/subscriptions/backdating: an imagined interval begins on the backdated start.
#[test]
fn a_start_in_the_past_bills_the_time_until_now() {
    let (mut play, customer) = shop();
    let price = play.monthly("Pro", 3_000);
    // 17 of the 31 days from 15 October, then a month.
    let sub = play.subscribe(&customer, &price, &format!("&backdate_start_date={}", day(-17)));
    assert_eq!(sub["start_date"], day(-17));
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]), (vec![1_645, 3_000], 4_645));
    // A whole month from 15 September, and the same part of the next one.
    let sub = play.subscribe(&customer, &price, &format!("&backdate_start_date={}", day(-47)));
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]), (vec![3_000, 1_645, 3_000], 7_645));
    let free = format!("&backdate_start_date={}&proration_behavior=none", day(-17));
    let sub = play.subscribe(&customer, &price, &free);
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]), (vec![3_000], 3_000));
    // Until the anchor on 10 November: 26 of the 31 days.
    let anchored = format!("&backdate_start_date={}&billing_cycle_anchor={}", day(-17), day(9));
    let sub = play.subscribe(&customer, &price, &anchored);
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]), (vec![2_516], 2_516));
    assert_eq!(period_of(&sub).1, "10 Nov 2026");
    for more in
        [format!("backdate_start_date={}", day(1)), format!("backdate_start_date={}&trial_period_days=3", day(-1))]
    {
        let form = format!("customer={customer}&items[0][price]={price}&{more}");
        assert_eq!(play.refused("POST", "/v1/subscriptions", &form, 400)["param"], "backdate_start_date");
    }
}

#[test]
fn a_change_from_a_free_price_to_a_paid_one_is_billed_at_once_for_a_whole_period() {
    let (mut play, customer) = shop();
    let (free, paid) = (play.monthly("Free", 0), play.monthly("Pro", 3_000));
    let sub = play.subscribe(&customer, &free, "");
    play.until_day(10);
    let item = id(&sub["items"]["data"][0]);
    let path = format!("/v1/subscriptions/{}", id(&sub));
    let sub = play.post(&path, &format!("items[0][id]={item}&items[0][price]={paid}"));
    assert_eq!(sub["billing_cycle_anchor"], day(10));
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]).1, 3_000);
    assert_eq!(period_of(&sub), ("11 Nov 2026".into(), "11 Dec 2026".into()));
    // Back to the free price: the credit waits for the next invoice, as for any cheaper price.
    play.until_day(25);
    let sub = play.post(&path, &format!("items[0][id]={item}&items[0][price]={free}"));
    assert_eq!(period_of(&sub), ("11 Nov 2026".into(), "11 Dec 2026".into()));
    assert_eq!(items_of(&mut play, &customer), [0, -1_500, 0]);
}

#[test]
fn a_trial_that_begins_in_a_paid_period_credits_the_unused_time() {
    for (more, credit) in [("", -2_000), ("&proration_behavior=none", 0)] {
        let (mut play, customer, sub) = thirty_a_month();
        play.until_day(10);
        let path = format!("/v1/subscriptions/{}", id(&sub));
        let sub = play.post(&path, &format!("trial_end={}{more}", day(20)));
        assert_eq!((&sub["status"], &sub["trial_start"]), (&json!("trialing"), &json!(day(10))));
        assert_eq!(period_of(&sub), ("11 Nov 2026".into(), "21 Nov 2026".into()));
        assert_eq!(amounts(&mut play, &sub["latest_invoice"]).1, credit);
        assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], credit);
        play.until(day(20) + 7_200);
        let sub = play.get(&path);
        assert_eq!((&sub["status"], period_of(&sub).1), (&json!("active"), "21 Dec 2026".into()));
        let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
        assert_eq!(invoice["amount_paid"], 3_000 + credit);
        // A trial that is only moved credits nothing.
        assert_eq!(items_of(&mut play, &customer).iter().sum::<i64>(), credit);
    }
}

#[test]
fn a_cancellation_at_a_date_credits_the_rest_of_its_period() {
    for (behavior, items, balance) in
        [("create_prorations", vec![-1_000], 0), ("none", vec![], 0), ("always_invoice", vec![-1_000], -1_000)]
    {
        let (mut play, customer, sub) = thirty_a_month();
        play.until_day(3);
        let path = format!("/v1/subscriptions/{}", id(&sub));
        play.post(&path, &format!("cancel_at={}&proration_behavior={behavior}", day(20)));
        assert!(items_of(&mut play, &customer).is_empty(), "{behavior}: nothing is credited before the end");
        play.until_day(21);
        assert_eq!(play.get(&path)["status"], "canceled");
        assert_eq!(items_of(&mut play, &customer), items, "{behavior}");
        assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], balance, "{behavior}");
    }
}

#[test]
fn a_cancellation_in_a_later_period_shortens_that_period() {
    let (mut play, customer, sub) = thirty_a_month();
    let path = format!("/v1/subscriptions/{}", id(&sub));
    // 16 December, whatever the request says of prorations.
    play.post(&path, &format!("cancel_at={}&proration_behavior=none", day(45)));
    let preview = play.post("/v1/invoices/create_preview", &format!("subscription={}", id(&sub)));
    assert_eq!(preview["total"], 1_452);
    play.until(day(30) + 7_200);
    let sub = play.get(&path);
    // 15 of the 31 days of December.
    assert_eq!(amounts(&mut play, &sub["latest_invoice"]), (vec![1_452], 1_452));
    assert_eq!(period_of(&sub), ("1 Dec 2026".into(), "16 Dec 2026".into()));
    play.until_day(46);
    assert_eq!(play.get(&path)["status"], "canceled");
    assert!(items_of(&mut play, &customer).is_empty(), "what was never billed is not credited");
}

#[test]
fn a_cancellation_in_the_first_period_shortens_it() {
    let (mut play, customer) = shop();
    let price = play.monthly("Pro", 3_000);
    for (behavior, billed) in [("create_prorations", 2_000), ("none", 0)] {
        let more = format!("&cancel_at={}&proration_behavior={behavior}", day(20));
        let sub = play.subscribe(&customer, &price, &more);
        assert_eq!(amounts(&mut play, &sub["latest_invoice"]).1, billed, "{behavior}");
        assert_eq!(period_of(&sub).1, "21 Nov 2026");
    }
}

#[test]
fn a_change_that_waits_for_its_payment_makes_the_subscription_past_due() {
    let (mut play, customer, sub) = thirty_a_month();
    let team = play.monthly("Team", 9_000);
    play.until_day(15);
    let path = format!("/v1/subscriptions/{}", id(&sub));
    let change = format!(
        "items[0][id]={}&items[0][price]={team}&proration_behavior=always_invoice&payment_behavior=default_incomplete",
        id(&sub["items"]["data"][0])
    );
    let sub = play.post(&path, &change);
    assert_eq!(sub["status"], "past_due");
    let latest = sub["latest_invoice"].as_str().unwrap().to_owned();
    let invoice = play.get(&format!("/v1/invoices/{latest}"));
    assert_eq!((&invoice["status"], &invoice["amount_due"]), (&json!("open"), &json!(3_000)));
    assert_eq!(invoice["next_payment_attempt"], json!(null));
    play.post(&format!("/v1/invoices/{latest}/pay"), "");
    assert_eq!(play.get(&path)["status"], "active");
    // A change that costs nothing needs no payment.
    let (free, item) = (play.monthly("Free", 0), id(&sub["items"]["data"][0]));
    let change = format!(
        "items[0][id]={item}&items[0][price]={free}&proration_behavior=always_invoice&payment_behavior=default_incomplete"
    );
    assert_eq!(play.post(&path, &change)["status"], "active");
    assert!(play.get(&format!("/v1/customers/{customer}"))["balance"].as_i64().unwrap() < 0);
}

#[test]
fn a_proration_date_lies_in_the_current_period() {
    let (mut play, _, sub) = thirty_a_month();
    let team = play.monthly("Team", 9_000);
    play.until_day(15);
    for date in [day(-1), day(31)] {
        let form =
            format!("items[0][id]={}&items[0][price]={team}&proration_date={date}", id(&sub["items"]["data"][0]));
        let error = play.refused("POST", &format!("/v1/subscriptions/{}", id(&sub)), &form, 400);
        assert_eq!(error["param"], "proration_date");
    }
}

/// The first day of each item's period and the day on which it ends, counted from the start of the sandbox.
fn item_periods(play: &mut Play, sub: &str) -> Vec<(i64, i64)> {
    let sub = play.get(&format!("/v1/subscriptions/{sub}"));
    let day = |item: &Value, member: &str| (item[member].as_i64().unwrap() - START_S) / DAY_S;
    let items = sub["items"]["data"].as_array().unwrap();
    items.iter().map(|item| (day(item, "current_period_start"), day(item, "current_period_end"))).collect()
}

#[test]
fn a_monthly_and_a_yearly_item_renew_in_their_own_intervals() {
    let mut play = Play::new();
    let (plan, yearly) = (play.monthly("Pro", 1_000), play.price("Domain", 12_000, "&recurring[interval]=year"));
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &yearly, &format!("&items[1][price]={plan}&items[1][quantity]=2")));
    let latest = |play: &mut Play| {
        let invoice = play.get(&format!("/v1/subscriptions/{sub}"))["latest_invoice"].as_str().unwrap().to_owned();
        play.get(&format!("/v1/invoices/{invoice}"))
    };
    // Both are billed at first: 120.00 and two times 10.00.
    assert_eq!(latest(&mut play)["amount_paid"], 14_000);
    // November has 30 days, the year 365.
    assert_eq!(item_periods(&mut play, &sub), [(0, 365), (0, 30)]);
    let preview = play.post("/v1/invoices/create_preview", &format!("subscription={sub}"));
    assert_eq!(preview["total"], 2_000);
    play.until_day(31);
    let renewal = latest(&mut play);
    assert_eq!((&renewal["total"], renewal["lines"]["data"].as_array().unwrap().len()), (&json!(2_000), 1));
    assert_eq!(item_periods(&mut play, &sub), [(0, 365), (30, 61)]);
    // A third seat in the middle of December's period costs its part of the month alone: 15 and a half days are left.
    play.until_day(46);
    let seats = play.get(&format!("/v1/subscriptions/{sub}"))["items"]["data"][1]["id"].as_str().unwrap().to_owned();
    let more = format!("items[0][id]={seats}&items[0][quantity]=3&proration_behavior=always_invoice");
    play.post(&format!("/v1/subscriptions/{sub}"), &more);
    // 15 of 31 days: 3 × 10.00 × 15/31 is 14.52, less 2 × 10.00 × 15/31, which is 9.68.
    assert_eq!(latest(&mut play)["total"], 1_452 - 968);
    play.until_day(364);
    let preview = play.post("/v1/invoices/create_preview", &format!("subscription={sub}"));
    assert_eq!(preview["total"], 12_000 + 3_000);
    play.until_day(366);
    assert_eq!(latest(&mut play)["total"], 12_000 + 3_000);
    // The second year has a 29th of February.
    assert_eq!(item_periods(&mut play, &sub), [(365, 731), (365, 395)]);
}

#[test]
fn what_the_sandbox_can_not_do_with_several_intervals_is_refused() {
    let mut play = Play::new();
    let (plan, yearly) = (play.monthly("Pro", 1_000), play.price("Domain", 12_000, "&recurring[interval]=year"));
    let weekly = play.price("Week", 300, "&recurring[interval]=week");
    let customer = play.customer("pm_card_visa");
    let form =
        |prices: [&str; 2]| format!("customer={customer}&items[0][price]={}&items[1][price]={}", prices[0], prices[1]);
    // Weeks and months have no common measure.
    play.refused("POST", "/v1/subscriptions", &form([&plan, &weekly]), 400);
    let made = play.post("/v1/subscriptions", &form([&plan, &yearly]));
    let path = format!("/v1/subscriptions/{}", id(&made));
    for refused in ["cancel_at_period_end=true", "trial_end=now", "billing_cycle_anchor=now"] {
        play.refused("POST", &path, refused, 400);
    }
    let item = id(&made["items"]["data"][1]);
    play.refused("POST", &path, &format!("items[0][id]={item}&items[0][deleted]=true"), 400);
    play.refused("POST", "/v1/subscription_schedules", &format!("from_subscription={}", id(&made)), 400);
    // From free to paid, all items would begin a new period.
    let (free, free_yearly) = (play.monthly("Free", 0), play.price("Name", 0, "&recurring[interval]=year"));
    let free = play.post("/v1/subscriptions", &form([&free, &free_yearly]));
    let first = id(&free["items"]["data"][0]);
    let paid = format!("items[0][id]={first}&items[0][price]={plan}");
    play.refused("POST", &format!("/v1/subscriptions/{}", id(&free)), &paid, 400);
    // A second monthly item has the period of the first.
    let addon = play.monthly("Addon", 500);
    play.post(&path, &format!("items[0][price]={addon}"));
    assert_eq!(item_periods(&mut play, &id(&made)), [(0, 30), (0, 365), (0, 30)]);
    // Cancelled at once, both give back what is left.
    play.until_day(15);
    let ended = play.ok("DELETE", &path, "prorate=true&invoice_now=true");
    assert_eq!(ended["status"], "canceled");
}
