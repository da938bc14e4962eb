//! Meters: the sums of meter events, and the billing of usage at the end of a period.

use crate::play::{Play, id};
use local_stripe::calendar::DAY_S;
use local_stripe::settings::START_S;
use serde_json::{Value, json};

/// Creates a meter, and a metered price of half a cent per unit. Returns both ids.
fn metered(play: &mut Play, formula: &str) -> (String, String) {
    let form = format!("display_name=Calls&event_name=calls&default_aggregation[formula]={formula}");
    let meter = id(&play.post("/v1/billing/meters", &form));
    let product = id(&play.post("/v1/products", "name=Calls"));
    let form = format!(
        "product={product}&currency=usd&unit_amount_decimal=0.5&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}"
    );
    (meter, id(&play.post("/v1/prices", &form)))
}

fn count(play: &mut Play, customer: &str, value: i64, more: &str) -> Value {
    let form = format!("event_name=calls&payload[stripe_customer_id]={customer}&payload[value]={value}{more}");
    play.post("/v1/billing/meter_events", &form)
}

fn latest(play: &mut Play, sub: &str) -> Value {
    let sub = play.get(&format!("/v1/subscriptions/{sub}"));
    play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))
}

#[test]
fn usage_is_billed_after_its_period_with_the_next_periods_price() {
    let mut play = Play::new();
    let (_, calls) = metered(&mut play, "sum");
    let base = play.monthly("Pro", 2_000);
    let (customer, other) = (play.customer("pm_card_visa"), play.customer("pm_card_visa"));
    let sub = play.subscribe(&customer, &base, &format!("&items[1][price]={calls}"));
    assert!(sub["items"]["data"][1].get("quantity").is_none());
    let sub = id(&sub);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 2_000);
    play.until_day(10);
    count(&mut play, &customer, 301, "&identifier=a");
    count(&mut play, &customer, 700, "&identifier=b");
    count(&mut play, &other, 9_999, "");
    play.post("/v1/billing/meter_event_adjustments", "event_name=calls&type=cancel&cancel[identifier]=b");
    let preview = play.post("/v1/invoices/create_preview", &format!("subscription={sub}"));
    assert_eq!(preview["total"], 2_000 + 151);
    play.until_day(31);
    let renewal = latest(&mut play, &sub);
    let lines: Vec<(i64, i64, i64)> = renewal["lines"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| {
            let of = |value: &Value| value.as_i64().unwrap();
            (of(&l["amount"]), of(&l["quantity"]), of(&l["period"]["start"]))
        })
        .collect();
    assert_eq!(lines, [(2_000, 1, START_S + 30 * DAY_S), (151, 301, START_S)]);
    play.until_day(62);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 2_000);
}

#[test]
fn only_meter_events_of_the_customer_in_the_period_are_billed() {
    let mut play = Play::new();
    let (meter, calls) = metered(&mut play, "sum");
    play.post("/v1/billing/meters", "display_name=Mails&event_name=mails&default_aggregation[formula]=sum");
    let (customer, other) = (play.customer("pm_card_visa"), play.customer("pm_card_visa"));
    let sub = id(&play.subscribe(&customer, &calls, ""));
    play.until_day(29);
    let (first, end) = (START_S, START_S + 30 * DAY_S);
    for (who, name, at, value) in [
        (&customer, "calls", first - 1, 1),
        (&customer, "calls", first, 10),
        (&customer, "calls", first + DAY_S, 100),
        (&customer, "mails", first + DAY_S, 1_000),
        (&other, "calls", first + DAY_S, 10_000),
    ] {
        let payload = format!("payload[stripe_customer_id]={who}&payload[value]={value}");
        play.post("/v1/billing/meter_events", &format!("event_name={name}&timestamp={at}&{payload}"));
    }
    play.until(end - 1);
    count(&mut play, &customer, 100_000, "");
    // This usage belongs to the next period.
    count(&mut play, &customer, 1_000_000, &format!("&timestamp={end}"));
    play.until_day(31);
    assert_eq!(latest(&mut play, &sub)["lines"]["data"][0]["quantity"], 100_110);
    play.until_day(62);
    assert_eq!(latest(&mut play, &sub)["lines"]["data"][0]["quantity"], 1_000_000);
    // The sandbox reads 300 meter events in several batches. One of the events is cancelled.
    for n in 0..300 {
        count(&mut play, &other, 1, &format!("&identifier=n{n}"));
    }
    play.post("/v1/billing/meter_event_adjustments", "event_name=calls&type=cancel&cancel[identifier]=n150");
    let day = START_S + 62 * DAY_S;
    let path =
        format!("/v1/billing/meters/{meter}/event_summaries?customer={other}&start_time={day}&end_time={}", day + 60);
    assert_eq!(play.get(&path)["data"][0]["aggregated_value"], 299);
}

#[test]
fn the_last_usage_is_billed_at_the_subscriptions_end() {
    for (now, amount) in [(true, 500), (false, 500)] {
        let mut play = Play::new();
        let (_, calls) = metered(&mut play, "sum");
        let customer = play.customer("pm_card_visa");
        let sub = id(&play.subscribe(&customer, &calls, ""));
        play.until_day(5);
        count(&mut play, &customer, 1_000, "");
        play.until_day(6);
        if now {
            play.ok("DELETE", &format!("/v1/subscriptions/{sub}"), "invoice_now=true");
        } else {
            play.post(&format!("/v1/subscriptions/{sub}"), "cancel_at_period_end=true");
            play.until_day(31);
        }
        assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "canceled");
        assert_eq!(latest(&mut play, &sub)["amount_paid"], amount);
    }
}

/// A subscription with a price of 20.00 per month and a metered price for calls, on the tenth day, with 1 000 calls,
/// which cost 5.00.
struct Used {
    play: Play,
    customer: String,
    sub: String,
    calls: String,
}

fn used() -> Used {
    used_in("flexible")
}

fn used_in(billing_mode: &str) -> Used {
    let mut play = Play::new();
    let (_, calls) = metered(&mut play, "sum");
    let base = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let more = format!("&items[1][price]={calls}&billing_mode[type]={billing_mode}");
    let sub = play.subscribe(&customer, &base, &more);
    play.until_day(5);
    count(&mut play, &customer, 1_000, "");
    play.until_day(10);
    Used { play, customer, calls: id(&sub["items"]["data"][1]), sub: id(&sub) }
}

/// Returns the amount and quantity of each line of an invoice, except free lines.
fn lines(invoice: &Value) -> Vec<(i64, i64)> {
    let lines = invoice["lines"]["data"].as_array().unwrap().iter();
    let both = lines.map(|l| (l["amount"].as_i64().unwrap(), l["quantity"].as_i64().unwrap()));
    both.filter(|(amount, _)| *amount != 0).collect()
}

#[test]
fn a_removed_items_usage_is_billed_once_unless_nothing_is_prorated() {
    for (more, renewal) in [
        ("", vec![(500, 1_000), (2_000, 1)]),
        ("&items[0][clear_usage]=true", vec![(500, 1_000), (2_000, 1)]),
        ("&proration_behavior=none", vec![(2_000, 1)]),
    ] {
        let Used { mut play, customer, sub, calls } = used();
        let form = format!("items[0][id]={calls}&items[0][deleted]=true{more}");
        play.post(&format!("/v1/subscriptions/{sub}"), &form);
        count(&mut play, &customer, 7_777, "");
        play.until_day(31);
        assert_eq!(lines(&latest(&mut play, &sub)), renewal, "{more}");
        play.until_day(62);
        assert_eq!(lines(&latest(&mut play, &sub)), [(2_000, 1)], "{more}");
    }
    let Used { mut play, sub, calls, .. } = used();
    play.ok("DELETE", &format!("/v1/subscription_items/{calls}"), "proration_behavior=always_invoice");
    assert_eq!(lines(&latest(&mut play, &sub)), [(500, 1_000)]);
    play.until_day(31);
    assert_eq!(lines(&latest(&mut play, &sub)), [(2_000, 1)]);
}

#[test]
fn a_removed_items_usage_is_not_billed_in_the_classic_mode() {
    let Used { mut play, sub, calls, .. } = used_in("classic");
    play.post(&format!("/v1/subscriptions/{sub}"), &format!("items[0][id]={calls}&items[0][deleted]=true"));
    play.until_day(31);
    assert_eq!(lines(&latest(&mut play, &sub)), [(2_000, 1)]);
}

#[test]
fn usage_is_billed_once_if_its_period_restarts() {
    // The usage of an unchanged item is billed when the period restarts, the usage of a removed item by an invoice
    // item. In both cases, the rest of the monthly price is credited.
    for (more, restart) in [
        ("", vec![(-1_333, 1), (2_000, 1), (500, 1_000)]),
        ("&items[0][id]=CALLS&items[0][deleted]=true", vec![(-1_333, 1), (500, 1_000), (2_000, 1)]),
    ] {
        let Used { mut play, customer, sub, calls } = used();
        let form = format!("billing_cycle_anchor=now{}", more.replace("CALLS", &calls));
        play.post(&format!("/v1/subscriptions/{sub}"), &form);
        assert_eq!(lines(&latest(&mut play, &sub)), restart, "{more}");
        play.until_day(20);
        count(&mut play, &customer, 200, "");
        play.until_day(41);
        let renewal = if more.is_empty() { vec![(2_000, 1), (100, 200)] } else { vec![(2_000, 1)] };
        assert_eq!(lines(&latest(&mut play, &sub)), renewal, "{more}");
    }
}

#[test]
fn each_price_bills_the_usage_while_it_was_the_items_price() {
    let Used { mut play, customer, sub, calls } = used();
    let item = play.get(&format!("/v1/subscription_items/{calls}"));
    let meter = item["price"]["recurring"]["meter"].as_str().unwrap();
    let dear = play.price(
        "Dear",
        1,
        &format!("&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}"),
    );
    play.post(&format!("/v1/subscription_items/{calls}"), &format!("price={dear}"));
    count(&mut play, &customer, 30, "");
    play.until_day(31);
    assert_eq!(lines(&latest(&mut play, &sub)), [(500, 1_000), (2_000, 1), (30, 30)]);
    // With another interval, the period restarts, and the usage of the old price is billed.
    let mut play = Play::new();
    let (meter, calls) = metered(&mut play, "sum");
    let customer = play.customer("pm_card_visa");
    let yearly = play.price(
        "Year",
        2,
        &format!("&recurring[interval]=year&recurring[usage_type]=metered&recurring[meter]={meter}"),
    );
    let sub = play.subscribe(&customer, &calls, "");
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    play.until_day(5);
    count(&mut play, &customer, 1_000, "");
    play.until_day(10);
    play.post(&format!("/v1/subscriptions/{sub}"), &format!("items[0][id]={item}&items[0][price]={yearly}"));
    assert_eq!(lines(&latest(&mut play, &sub)), [(500, 1_000)]);
    count(&mut play, &customer, 10, "");
    play.until_day(376);
    assert_eq!(lines(&latest(&mut play, &sub)), [(20, 10)]);
}

#[test]
fn summaries_have_sums_counts_or_last_values_by_window() {
    for (formula, expected) in [("sum", 9), ("count", 3), ("last", 2)] {
        let mut play = Play::new();
        let (meter, _) = metered(&mut play, formula);
        let customer = play.customer("pm_card_visa");
        play.until_day(3);
        for (value, at) in [(3, START_S), (4, START_S + DAY_S), (2, START_S + 2 * DAY_S)] {
            count(&mut play, &customer, value, &format!("&timestamp={at}"));
        }
        let (start, end) = (START_S, START_S + 3 * DAY_S);
        let path =
            format!("/v1/billing/meters/{meter}/event_summaries?customer={customer}&start_time={start}&end_time={end}");
        assert_eq!(play.get(&path)["data"][0]["aggregated_value"], expected, "{formula}");
        let days = play.get(&format!("{path}&value_grouping_window=day"));
        let newest = &days["data"][0];
        assert_eq!((days["data"].as_array().unwrap().len(), &newest["start_time"]), (3, &json!(end - DAY_S)));
    }
}

#[test]
fn invalid_events_and_prices_are_refused() {
    let mut play = Play::new();
    let (meter, calls) = metered(&mut play, "sum");
    let customer = play.customer("pm_card_visa");
    let event = format!("event_name=calls&payload[stripe_customer_id]={customer}");
    count(&mut play, &customer, 1, "&identifier=a");
    for (form, param) in [
        ("event_name=other&payload[value]=1".to_owned(), "event_name"),
        ("event_name=calls&payload[value]=1".to_owned(), "payload[stripe_customer_id]"),
        (
            "event_name=calls&payload[value]=1&payload[stripe_customer_id]=cus_no".to_owned(),
            "payload[stripe_customer_id]",
        ),
        (event.clone(), "payload[value]"),
        (format!("{event}&payload[value]=-1"), "payload[value]"),
        (format!("{event}&payload[value]=0.5"), "payload[value]"),
        (format!("{event}&payload[value]=1&identifier=a"), "identifier"),
        (format!("{event}&payload[value]=1&timestamp={}", START_S - 36 * DAY_S), "timestamp"),
        (format!("{event}&payload[value]=1&timestamp={}", START_S + 301), "timestamp"),
    ] {
        assert_eq!(play.refused("POST", "/v1/billing/meter_events", &form, 400)["param"], param, "{form}");
    }
    let form = format!("customer={customer}&items[0][price]={calls}&items[0][quantity]=2");
    assert_eq!(play.refused("POST", "/v1/subscriptions", &form, 400)["param"], "items[0][quantity]");
    let sub = play.subscribe(&customer, &calls, "");
    let change = format!("items[0][id]={}&items[0][quantity]=2", id(&sub["items"]["data"][0]));
    let error = play.refused("POST", &format!("/v1/subscriptions/{}", id(&sub)), &change, 400);
    assert_eq!(error["param"], "items[0][quantity]");
    play.post(&format!("/v1/billing/meters/{meter}/deactivate"), "");
    play.refused("POST", &format!("/v1/billing/meters/{meter}/deactivate"), "", 400);
    play.refused("POST", "/v1/billing/meter_events", &format!("{event}&payload[value]=1"), 400);
    let product = id(&play.post("/v1/products", "name=Calls"));
    let price = format!("product={product}&currency=usd&unit_amount=1&recurring[interval]=month");
    for more in [
        "&recurring[usage_type]=metered".to_owned(),
        format!("&recurring[usage_type]=metered&recurring[meter]={meter}"),
        format!("&recurring[meter]={meter}"),
    ] {
        assert_eq!(play.refused("POST", "/v1/prices", &format!("{price}{more}"), 400)["param"], "recurring[meter]");
    }
}

#[test]
fn usage_that_reaches_a_threshold_is_invoiced_before_the_periods_end_and_not_again() {
    let mut play = Play::new();
    let (_, calls) = metered(&mut play, "sum");
    let base = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let more = format!("&items[1][price]={calls}&billing_thresholds[amount_gte]=500");
    let made = play.subscribe(&customer, &base, &more);
    assert_eq!(made["billing_thresholds"], json!({ "amount_gte": 500, "reset_billing_cycle_anchor": false }));
    let sub = id(&made);
    let first = id(&latest(&mut play, &sub));
    play.until_day(10);
    // 999 calls cost 4.995, which rounds to 5.00; 998 cost 4.99.
    count(&mut play, &customer, 998, "");
    assert_eq!(id(&latest(&mut play, &sub)), first);
    count(&mut play, &customer, 22, "");
    let early = latest(&mut play, &sub);
    assert_eq!((&early["billing_reason"], &early["total"]), (&json!("subscription_threshold"), &json!(510)));
    assert_eq!(early["status"], "draft");
    play.until_day(11);
    assert_eq!(latest(&mut play, &sub)["status"], "paid");
    // What comes after it is billed with the renewal: 80 calls for 0.40.
    count(&mut play, &customer, 80, "");
    let preview = play.post("/v1/invoices/create_preview", &format!("subscription={sub}"));
    assert_eq!(preview["total"], 2_040);
    play.until_day(31);
    assert_eq!(latest(&mut play, &sub)["total"], 2_040);
    // The next period begins at zero.
    count(&mut play, &customer, 998, "");
    play.until_day(61);
    assert_eq!(latest(&mut play, &sub)["total"], 2_499);
    play.post(&format!("/v1/subscriptions/{sub}"), "billing_thresholds=");
    count(&mut play, &customer, 5_000, "");
    play.until_day(93);
    assert_eq!(latest(&mut play, &sub)["total"], 4_500);
}

#[test]
fn a_threshold_of_an_item_counts_its_quantity_and_tiers_go_on_where_it_ended() {
    let mut play = Play::new();
    let form = "display_name=Calls&event_name=calls&default_aggregation[formula]=sum";
    let meter = id(&play.post("/v1/billing/meters", form));
    let product = id(&play.post("/v1/products", "name=Calls"));
    // The first hundred cost 0.10 each, further ones 0.01.
    let form = format!(
        "product={product}&currency=usd&billing_scheme=tiered&tiers_mode=graduated&tiers[0][up_to]=100&tiers[0][unit_amount]=10\
         &tiers[1][up_to]=inf&tiers[1][unit_amount]=1&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}"
    );
    let price = id(&play.post("/v1/prices", &form));
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, "&items[0][billing_thresholds][usage_gte]=150"));
    play.until_day(3);
    count(&mut play, &customer, 150, "");
    assert_eq!(latest(&mut play, &sub)["total"], 100 * 10 + 50);
    play.until_day(4);
    count(&mut play, &customer, 149, "");
    play.until_day(31);
    assert_eq!(latest(&mut play, &sub)["total"], 149);
}
