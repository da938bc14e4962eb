//! Creates subscriptions, with a trial or a first payment.

use serde_json::{Value, json};

use crate::billing::changes::anchor;
use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::{invoice_settings, lines};
use crate::billing::items::{self, Priced};
use crate::billing::period::{self, Span};
use crate::billing::settlement::outcome::AttemptCause;
use crate::billing::settlement::settle::{self, Outcome};
use crate::billing::{due, intervals, tax};
use crate::calendar::{DAY_S, HOUR_S};
use crate::connect::division;
use crate::discount::redeem::{self, Purpose};
use crate::discount::{self, term};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::Args;
use crate::payments::method::Presence;
use crate::payments::{setup, source};
use crate::pricing;
use crate::state::State;
use crate::tax::{Place, automatic};

/// The number of hours within which a first payment must be completed.
const FIRST_PAYMENT_HOURS: i64 = 23;
/// The maximum length of a trial in days, Stripe's limit.
const TRIAL_DAYS_MAX: i64 = 730;

/// Reads and checks the items of a new subscription.
///
/// # Errors
/// Items are missing or too many, a price is invalid or not recurring, or currencies or intervals differ.
///
/// All prices are read in one currency: the request's, or the customer's if all prices have it, or that of the first price.
pub fn read_items(st: &mut State, args: &Args, customer: Option<&Object>) -> Result<Vec<Priced>, ApiError> {
    let given = args.list("items");
    if given.is_empty() {
        return Err(ApiError::missing("items"));
    }
    if given.len() > items::ITEMS_MAX {
        return Err(
            ApiError::invalid(format!("A subscription can have at most {} items.", items::ITEMS_MAX)).about("items")
        );
    }
    let mut priced = Vec::new();
    for (n, item) in given.into_iter().enumerate() {
        let param = format!("items[{n}]");
        let item = items::read(st, &Args::of(item), &param)?;
        if item.price.text("type") != "recurring" {
            let message = "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.";
            return Err(ApiError::invalid(message).about(&format!("{param}[price]")));
        }
        priced.push(item);
    }
    let prices: Vec<&Object> = priced.iter().map(|item| &item.price).collect();
    let currency = args.text("currency").unwrap_or_else(|| pricing::currency_for(&prices, customer)).to_owned();
    let numbered = priced.into_iter().enumerate();
    let priced = numbered.map(|(n, item)| items::in_currency(item, &currency, &format!("items[{n}]")));
    let priced = priced.collect::<Result<Vec<_>, _>>()?;
    check_alike(priced.iter().map(|p| &p.price))?;
    Ok(priced)
}

/// Checks that all prices of a subscription are different, and have the same currency and compatible intervals.
///
/// # Errors
/// A price is there twice, or currencies or intervals differ.
pub fn check_alike<'a>(prices: impl Iterator<Item = &'a Object> + Clone) -> Result<(), ApiError> {
    let mut first: Option<&Object> = None;
    for (number, price) in prices.clone().enumerate() {
        if prices.clone().take(number).any(|earlier| earlier.id() == price.id()) {
            let message = format!("Cannot add multiple subscription items with the same plan: {}", price.id());
            return Err(ApiError::invalid(message).about("items"));
        }
        let Some(first) = first else {
            first = Some(price);
            continue;
        };
        if first.text("currency") != price.text("currency") {
            let message = format!(
                "The price specified supports currencies of `{}`. This doesn't match the expected currency: `{}`.",
                price.text("currency"),
                first.text("currency")
            );
            return Err(ApiError::invalid(message).about("items"));
        }
    }
    intervals::check(prices)
}

/// Creates a subscription. With [`Presence::Authenticated`], the customer has already passed 3-D Secure for the first
/// payment.
///
/// # Errors
/// The customer is unknown, a parameter is invalid, or the first payment failed and the payment behavior refuses that.
pub fn create(st: &mut State, args: &Args, presence: Presence) -> Result<Object, ApiError> {
    let customer_id = args.text("customer").unwrap_or_default().to_owned();
    let customer = st.load("customer", &customer_id, "customer")?;
    let priced = read_items(st, args, Some(&customer))?;
    let currency = priced.first().map(|p| p.price.text("currency").to_owned()).unwrap_or_default();
    if !customer.text("currency").is_empty() && customer.text("currency") != currency {
        let message = format!(
            "You cannot combine currencies on a single customer. This customer has an active subscription, discount or balance in {}.",
            customer.text("currency")
        );
        return Err(ApiError::invalid(message).about("currency"));
    }
    let now = st.now(&customer);
    let trial_end = trial_end(args, &priced, now)?;
    let id = st.new_id("sub");
    let mut sub = model::billing::subscription(id.clone(), now, &customer, &currency);
    sub.set("billing_mode", billing_mode(args));
    apply_settings(st, &mut sub, args, now)?;
    sub.set("schedule", args.value("schedule"));
    let shortest = intervals::shortest(priced.iter().map(|item| &item.price)).map(Object::value);
    let Some(first) = shortest else { return Err(ApiError::missing("items")) };
    let anchor = anchor::of(args, &first, now, trial_end)?;
    sub.set("billing_cycle_anchor", anchor.unwrap_or(trial_end.unwrap_or(now)));
    sub.set("billing_cycle_anchor_config", args.value("billing_cycle_anchor_config"));
    let backdated = anchor::backdated(args, now, trial_end)?;
    sub.set("start_date", backdated.unwrap_or(now));
    let mut list = Vec::new();
    for (n, p) in priced.iter().enumerate() {
        let item_id = st.new_id("si");
        let end = trial_end.unwrap_or_else(|| Span::beginning(&sub, &p.price.value(), now).period.1);
        let mut item = model::billing::subscription_item(&item_id, now, &id, &p.price, p.quantity, (now, end));
        item["metadata"] = p.metadata.clone();
        item["tax_rates"] = p.tax_rates.clone();
        items::set_thresholds(&mut item, &args.list("items").get(n).cloned().map(Args::of).unwrap_or_default());
        discount::item::set(st, &sub, &mut item, &p.discounts, &format!("items[{n}][discounts]"))?;
        list.push(item);
    }
    for item in &list {
        point_to(st, item["id"].as_str().unwrap_or_default(), &id);
    }
    sub.set_at("items.data", list);
    intervals::check_parameters(&sub, args, intervals::NOT_AT_FIRST)?;
    term::note_ends(st, &mut sub);
    // The cancellation is applied a second time: `cancel_at_period_end` needs the period, which is known only now.
    apply_cancellation(&mut sub, args, now)?;
    if let Some(end) = trial_end {
        sub.set("status", "trialing");
        sub.set("trial_start", now);
        sub.set("trial_end", end);
    } else {
        sub.set("status", "incomplete");
        sub.as_subscription_mut().expires_at = Some(now + FIRST_PAYMENT_HOURS * HOUR_S);
    }
    sub.as_subscription_mut().being_made = true;
    st.put(sub.clone());
    apply_discounts(st, &mut sub, args)?;
    st.put(sub);
    if customer.get("currency").is_null() {
        st.change_and_emit(&customer_id, "customer.updated", |c| c.set("currency", currency));
    }
    if trial_end.is_some() && args.text("payment_behavior") == Some("default_incomplete") {
        ask_for_method(st, &id);
    }
    first_invoice(st, &id, args, presence)?;
    let made = st.find(&id)?;
    if made.as_subscription().being_made {
        let made = st.change(&id, |s| s.as_subscription_mut().being_made = false);
        st.emit("customer.subscription.created", &made);
    }
    if trial_end.is_some_and(|end| end - now <= DAY_S * due::TRIAL_NOTICE_DAYS) {
        let told = st.change(&id, |s| s.as_subscription_mut().trial_notice_sent = true);
        st.emit("customer.subscription.trial_will_end", &told);
    }
    Ok(st.copy(&id))
}

/// Creates a setup intent for a trial without a payment method, because no payment asks for one.
fn ask_for_method(st: &mut State, id: &str) {
    let Ok(sub) = st.find(id) else { return };
    if settle::has_method(st, &sub) {
        return;
    }
    let clock = sub.clock().to_owned();
    let intent = setup::create(st, "off_session", &clock, |si| {
        si.set("customer", sub.get("customer").clone());
        si.as_intent_mut().subscription = id.to_owned();
    });
    st.change(id, |s| s.set("pending_setup_intent", intent));
}

/// Stores an item's subscription under the item's id, so that it can be found by that id.
pub fn point_to(st: &mut State, item: &str, subscription: &str) {
    st.put(Object::of(json!({ "id": item, "object": "sandbox.subscription_item", "subscription": subscription })));
}

fn trial_end(args: &Args, priced: &[Priced], now: i64) -> Result<Option<i64>, ApiError> {
    let from_price = || priced.first().and_then(|p| p.price.int_at("recurring.trial_period_days"));
    let from_plan = args.flag("trial_from_plan") == Some(true);
    let days = args.int("trial_period_days").or(if from_plan { from_price() } else { None });
    let end = match (args.given("trial_end"), days) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: trial_end, trial_period_days.";
            return Err(ApiError::invalid(message).about("trial_end"));
        }
        (Some(Value::Number(end)), None) => end.as_i64(),
        (Some(_), None) => None,
        (None, days) => days.filter(|d| *d > 0).map(|d| now + d * DAY_S),
    };
    if end.is_some_and(|e| e <= now) {
        return Err(ApiError::invalid("Timestamp must be in the future.").about("trial_end"));
    }
    if end.is_some_and(|e| e > now + TRIAL_DAYS_MAX * DAY_S) {
        return Err(ApiError::invalid(format!("Trials can be at most {TRIAL_DAYS_MAX} days long.")).about("trial_end"));
    }
    Ok(end)
}

/// Applies the parameters that creation and update share.
///
/// # Errors
/// A parameter is invalid, or the payment method is unknown or belongs to another customer.
pub fn apply_settings(st: &mut State, sub: &mut Object, args: &Args, now: i64) -> Result<(), ApiError> {
    sub.set("metadata", crate::params::merge_metadata(sub.get("metadata"), args)?);
    if args.has("default_payment_method") {
        let method = match args.text("default_payment_method") {
            None => Value::Null,
            Some(name) => {
                let method = crate::payments::method::resolve(st, name, "default_payment_method")?;
                if method.text("customer") != sub.text("customer") {
                    let message = format!(
                        "The customer does not have a payment method with the ID {name}. The payment method must be attached to the customer."
                    );
                    return Err(ApiError::coded("resource_missing", message).about("default_payment_method"));
                }
                json!(method.id())
            }
        };
        sub.set("default_payment_method", method);
    }
    if let Some(method) = args.text("collection_method") {
        sub.set("collection_method", method);
    }
    if let Some(days) = args.int("days_until_due") {
        sub.set("days_until_due", days);
    }
    if sub.text("collection_method") == "send_invoice" && sub.get("days_until_due").is_null() {
        return Err(ApiError::missing("days_until_due"));
    }
    if args.has("default_tax_rates") {
        sub.set("default_tax_rates", tax::read(st, args, "default_tax_rates", "default_tax_rates")?);
    }
    if args.has("billing_thresholds") {
        let amount = args.map("billing_thresholds").int("amount_gte");
        let shown = amount.map(|amount| json!({ "amount_gte": amount, "reset_billing_cycle_anchor": false }));
        sub.set("billing_thresholds", shown);
    }
    automatic::apply(st, sub, args)?;
    if sub.at("automatic_tax.enabled") == true && Place::of_customer(&st.copy_if_any(sub.text("customer"))).is_none() {
        return Err(crate::tax::no_place("customer"));
    }
    if args.has("description") {
        sub.set("description", args.value("description"));
    }
    if let Some(behavior) = args.map("trial_settings").map("end_behavior").text("missing_payment_method") {
        sub.set_at("trial_settings.end_behavior.missing_payment_method", behavior);
    }
    apply_payment_settings(sub, &args.map("payment_settings"));
    invoice_settings::read(st, sub, "invoice_settings", &args.map("invoice_settings"), "invoice_settings")?;
    if args.has("default_source") {
        let card = match args.text("default_source") {
            None => Value::Null,
            Some(id) => {
                let card = source::load(st, sub.text("customer"), id);
                json!(card.map_err(|_| ApiError::no_such("source", id, "default_source"))?.id())
            }
        };
        sub.set("default_source", card);
    }
    division::apply_percent(st, sub, args, "")?;
    let details = args.map("cancellation_details");
    for member in ["comment", "feedback"] {
        if details.has(member) {
            sub.set_at(&format!("cancellation_details.{member}"), details.value(member));
        }
    }
    apply_cancellation(sub, args, now)
}

fn apply_payment_settings(sub: &mut Object, given: &Args) {
    if let Some(save) = given.text("save_default_payment_method") {
        sub.set_at("payment_settings.save_default_payment_method", save);
    }
    if given.has("payment_method_types") {
        let types = given.list("payment_method_types");
        sub.set_at("payment_settings.payment_method_types", if types.is_empty() { Value::Null } else { json!(types) });
    }
    if given.has("payment_method_options") {
        sub.set_at("payment_settings.payment_method_options", given.value("payment_method_options"));
    }
}

/// Returns the member `billing_mode` of a new subscription.
fn billing_mode(args: &Args) -> Value {
    match args.map("billing_mode").text("type") {
        Some("classic") => json!({ "flexible": null, "type": "classic" }),
        _ => json!({ "flexible": { "proration_discounts": "included" }, "type": "flexible" }),
    }
}

/// Sets the discounts of a request. A promotion code's minimum applies to the subscription's amount, with its one-time
/// prices.
///
/// # Errors
/// A discount is unknown or can't be redeemed, or an amount is invalid.
pub fn apply_discounts(st: &mut State, sub: &mut Object, args: &Args) -> Result<(), ApiError> {
    if !args.has("discounts") {
        return Ok(());
    }
    let given = args.list("discounts");
    let amounts =
        sub.list_at("items").iter().map(|item| pricing::amount(&item["price"], item["quantity"].as_i64().unwrap_or(1)));
    let mut amount = amounts.sum::<Result<i64, ApiError>>()?;
    for extra in args.list("add_invoice_items") {
        let extra = items::read_licensed(st, &Args::of(extra), "add_invoice_items")?;
        let extra = items::in_currency(extra, sub.text("currency"), "add_invoice_items")?;
        amount = amount.saturating_add(pricing::amount(&extra.price.value(), extra.quantity)?);
    }
    let (customer, currency) = (sub.text("customer").to_owned(), sub.text("currency").to_owned());
    let purpose = Purpose { customer: Some(&customer), amount, currency: &currency };
    let redeemed = redeem::read(st, &given, "discounts", purpose)?;
    let known = term::ids(sub);
    let kept: Vec<String> = given.iter().filter_map(|entry| entry["discount"].as_str()).map(str::to_owned).collect();
    if let Some(wrong) = kept.iter().find(|id| !known.contains(id)) {
        return Err(ApiError::no_such("discount", wrong, "discounts"));
    }
    term::set_of_subscription(st, sub, &kept, &redeemed);
    Ok(())
}

fn apply_cancellation(sub: &mut Object, args: &Args, now: i64) -> Result<(), ApiError> {
    if let Some(at_end) = args.flag("cancel_at_period_end") {
        let end = period::period(sub).map(|p| p.1);
        sub.set("cancel_at_period_end", at_end);
        sub.set("cancel_at", if at_end { crate::state::time_or_null(end) } else { Value::Null });
        sub.set("canceled_at", if at_end { json!(now) } else { Value::Null });
        let reason = if at_end { json!("cancellation_requested") } else { Value::Null };
        sub.set_at("cancellation_details.reason", reason);
    }
    if args.has("cancel_at") {
        let period_end = period::period(sub).map(|p| p.1);
        // All items have the same period, so `min_period_end` and `max_period_end` are the same time.
        let at = if args.text("cancel_at").is_some() { period_end } else { args.int("cancel_at") };
        if at.is_some_and(|t| t <= now) {
            return Err(ApiError::invalid("`cancel_at` must be in the future.").about("cancel_at"));
        }
        sub.set("cancel_at", crate::state::time_or_null(at));
        sub.as_subscription_mut().cancel_proration = args.text("proration_behavior").map(str::to_owned);
        sub.set("canceled_at", crate::state::time_or_null(at.map(|_| now)));
        let reason = if at.is_some() { json!("cancellation_requested") } else { Value::Null };
        sub.set_at("cancellation_details.reason", reason);
    }
    Ok(())
}

fn first_invoice(st: &mut State, id: &str, args: &Args, presence: Presence) -> Result<(), ApiError> {
    let sub = st.find(id)?;
    let trial = sub.text("status") == "trialing";
    let (start, end) = period::period(&sub).unwrap_or_default();
    let mut lines = lines::lines(st, &sub, (start, end), None, trial)?;
    let is_free = args.text("proration_behavior") == Some("none");
    if !trial {
        let has_anchor = args.given("billing_cycle_anchor").is_some();
        match args.int("backdate_start_date").filter(|_| !is_free) {
            // The time until the anchor is billed as part of the time since the backdated start.
            Some(since) if has_anchor => lines = lines::past_lines(st, &sub, (since, end))?,
            since => {
                lines::prorate_each(&sub, &mut lines, is_free)?;
                let past = since.map(|since| lines::past_lines(st, &sub, (since, start))).transpose()?;
                lines.splice(0..0, past.unwrap_or_default());
            }
        }
    }
    for (n, extra) in args.list("add_invoice_items").into_iter().enumerate() {
        let param = format!("add_invoice_items[{n}]");
        let priced = items::read_licensed(st, &Args::of(extra), &param)?;
        let priced = items::in_currency(priced, sub.text("currency"), &param)?;
        let mut line = lines::extra_line(st, &sub, &priced, start)?;
        let (customer, param) = (st.copy_if_any(sub.text("customer")), format!("add_invoice_items[{n}][discounts]"));
        line.discounts =
            discount::item::redeem_for(st, &priced.discounts, &param, &customer, line.amount, sub.text("currency"))?;
        lines.push(line);
    }
    let draft = Draft {
        customer: sub.text("customer"),
        currency: sub.text("currency"),
        reason: "subscription_create",
        subscription: Some(&sub),
        lines,
        takes_pending: true,
        period: None,
    };
    let invoice = invoice::draft(st, draft, |_| {})?;
    let due = st.find(&invoice)?.int("amount_due");
    if sub.text("collection_method") == "send_invoice" {
        if !trial {
            st.change(id, |s| s.set("status", "active"));
        }
        return if due == 0 { invoice::finalize(st, &invoice) } else { Ok(()) };
    }
    invoice::finalize(st, &invoice)?;
    let open = st.find(&invoice)?;
    if open.text("status") == "paid" {
        return Ok(());
    }
    let behavior = args.text("payment_behavior").unwrap_or("allow_incomplete");
    if behavior == "default_incomplete" {
        settle::await_confirmation(st, &open);
        return Ok(());
    }
    st.change(&invoice, |i| i.set("next_payment_attempt", Value::Null));
    let Some(method) = settle::method_of(st, &open) else {
        return Err(settle::no_method());
    };
    let presence = match args.flag("off_session") {
        Some(true) => Presence::OffSession,
        _ => presence,
    };
    match settle::attempt_with(st, &invoice, &method, AttemptCause::Hand, presence) {
        Outcome::Paid | Outcome::Processing => Ok(()),
        Outcome::NeedsAction if behavior == "error_if_incomplete" => {
            let message = "Payment for this subscription requires additional user action before it can be completed successfully.";
            Err(settle::action_required("subscription_payment_intent_requires_action", message))
        }
        Outcome::Failed(error) if behavior == "error_if_incomplete" => Err(ApiError { keeps_changes: false, ..error }),
        Outcome::NeedsAction | Outcome::Failed(_) => Ok(()),
    }
}
