//! Changes subscriptions: items with proration, trials, and pending changes whose payment is not complete.

use serde_json::{Value, json};

use crate::billing::changes::{create, end};
use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::proration::{self, Half};
use crate::billing::invoicing::{lines, usage};
use crate::billing::period::{Span, period, set_period};
use crate::billing::settlement::outcome::AttemptCause;
use crate::billing::settlement::settle::{self, Outcome};
use crate::billing::{intervals, items, tax};
use crate::calendar::HOUR_S;
use crate::discount::{self, term};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::Args;
use crate::payments::method::Presence;
use crate::pricing;
use crate::state::State;

/// The time in hours that a pending change (`pending_if_incomplete`) waits for its payment.
const PENDING_HOURS: i64 = 23;

/// Applies an update request to a subscription.
///
/// # Errors
/// The subscription is unknown or ended, a parameter is invalid, or a required payment failed.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let before = st.load("subscription", id, "id")?;
    let status = before.text("status").to_owned();
    if matches!(status.as_str(), "canceled" | "incomplete_expired") {
        let only_words = !args.has("items") && !args.has("cancel_at_period_end") && !args.has("trial_end");
        if !only_words {
            let message = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(ApiError::invalid(message));
        }
    }
    check_can_wait(args)?;
    intervals::check_parameters(&before, args, intervals::FIXED)?;
    let now = st.now(&before);
    let mut next = Object::clone(&before);
    create::apply_settings(st, &mut next, args, now)?;
    if args.has("pause_collection") {
        let pause = args.map("pause_collection");
        let value = match pause.text("behavior") {
            Some(behavior) => json!({ "behavior": behavior, "resumes_at": pause.value("resumes_at") }),
            None if args.given("pause_collection").is_some() => {
                return Err(ApiError::missing("pause_collection[behavior]"));
            }
            None => Value::Null,
        };
        next.set("pause_collection", value);
    }
    if ends_trial(args, &status)
        && let Some(end) = end::end_without_method(st, &next)
    {
        // The other changes of the request are stored before the subscription ends or pauses.
        store(st, &before, next);
        end(st, id);
        return Ok(st.find(id)?.value());
    }
    let trial = apply_trial(&mut next, args, now)?;
    create::apply_discounts(st, &mut next, args)?;
    let changed = if args.has("items") { Some(read_change(st, &next, args, now)?) } else { None };
    let resets = args.text("billing_cycle_anchor") == Some("now") || ends_trial(args, &status);
    let restart = match trial {
        Some(end) => Restart::WithTrial(end),
        None if resets => Restart::Paid,
        None => Restart::No,
    };
    if changed.is_none() && restart == Restart::No {
        return Ok(store(st, &before, next).value());
    }
    let unchanged = || Change { list: next.list_at("items").to_vec(), ..Change::default() };
    let change = changed.unwrap_or_else(unchanged);
    apply_items(st, &before, next, change, args, restart, now)
}

/// Whether a change begins a new period immediately. Such a change credits the unused time of the old period and is invoiced at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    /// The current period continues.
    No,
    /// A full period begins.
    Paid,
    /// A trial begins, which ends at this time in Unix seconds.
    WithTrial(i64),
}

/// The parameters that a pending change may have, as at Stripe.
const CAN_WAIT: [&str; 7] = [
    "billing_cycle_anchor",
    "items",
    "off_session",
    "payment_behavior",
    "proration_behavior",
    "proration_date",
    "trial_end",
];

fn check_can_wait(args: &Args) -> Result<(), ApiError> {
    if args.text("payment_behavior") != Some("pending_if_incomplete") {
        return Ok(());
    }
    match args.names().find(|name| !CAN_WAIT.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "When `payment_behavior` is set to `pending_if_incomplete`, only these can be changed: {}.",
                CAN_WAIT.join(", ")
            );
            Err(ApiError::invalid(message).about(name))
        }
    }
}

fn ends_trial(args: &Args, status: &str) -> bool {
    args.text("trial_end") == Some("now") && status == "trialing"
}

/// Ends, moves or begins the trial. Returns the end of a trial that begins in a paid period.
fn apply_trial(sub: &mut Object, args: &Args, now: i64) -> Result<Option<i64>, ApiError> {
    match args.given("trial_end") {
        Some(Value::String(_)) if sub.text("status") == "trialing" => {
            sub.set("trial_end", now);
            sub.set("status", "active");
            sub.set("billing_cycle_anchor", now);
        }
        Some(Value::Number(end)) => {
            let end = end.as_i64().filter(|e| *e > now);
            let end = end.ok_or_else(|| ApiError::invalid("Timestamp must be in the future.").about("trial_end"))?;
            let begins = !matches!(sub.text("status"), "trialing" | "incomplete" | "paused");
            let start = if begins { now } else { period(sub).map_or(now, |p| p.0) };
            let since = sub.int_at("trial_start").filter(|_| !begins);
            sub.set("trial_end", end);
            sub.set("trial_start", since.unwrap_or(now));
            sub.set("status", "trialing");
            sub.set("billing_cycle_anchor", end);
            set_period(sub, start, end);
            sub.as_subscription_mut().trial_notice_sent = false;
            return Ok(begins.then_some(end));
        }
        _ => {}
    }
    Ok(None)
}

/// The items after a change, and the items to prorate, each as its old or its new half.
#[derive(Default)]
struct Change {
    list: Vec<Value>,
    prorated: Vec<(Value, Half)>,
    /// The ids of the items whose price has changed.
    begun: Vec<String>,
}

fn read_change(st: &mut State, sub: &Object, args: &Args, now: i64) -> Result<Change, ApiError> {
    let mut list = sub.list_at("items").to_vec();
    let (mut prorated, mut begun) = (Vec::new(), Vec::new());
    let (start, end) = period(sub).unwrap_or((now, now));
    for (n, given) in args.list("items").into_iter().enumerate() {
        let given = Args::of(given);
        let param = format!("items[{n}]");
        let Some(item_id) = given.text("id").map(str::to_owned) else {
            let priced = items::in_currency(items::read(st, &given, &param)?, sub.text("currency"), &param)?;
            let item_id = st.new_id("si");
            create::point_to(st, &item_id, sub.id());
            let mut item = model::billing::subscription_item(
                &item_id,
                now,
                sub.id(),
                &priced.price,
                priced.quantity,
                intervals::period_like(&list, &priced.price.value()).unwrap_or((start, end)),
            );
            item["metadata"] = priced.metadata;
            item["tax_rates"] = priced.tax_rates;
            items::set_thresholds(&mut item, &given);
            discount::item::set(st, sub, &mut item, &priced.discounts, &format!("{param}[discounts]"))?;
            begun.push(item_id);
            prorated.push((item.clone(), Half::Remaining));
            list.push(item);
            continue;
        };
        let position = list.iter().position(|i| i["id"] == json!(item_id));
        let position =
            position.ok_or_else(|| ApiError::no_such("subscription item", &item_id, &format!("{param}[id]")))?;
        let old = list[position].clone();
        if given.flag("clear_usage") == Some(true) && !pricing::is_metered(&old["price"]) {
            let message = "`clear_usage` is only for a price whose usage_type is metered.";
            return Err(ApiError::invalid(message).about(&format!("{param}[clear_usage]")));
        }
        if given.flag("deleted") == Some(true) {
            discount::item::set(st, sub, &mut old.clone(), &[], &format!("{param}[discounts]"))?;
            prorated.push((old, Half::Unused));
            list.remove(position);
            continue;
        }
        let mut new = old.clone();
        if ["plan", "price", "price_data"].iter().any(|member| given.given(member).is_some()) {
            let priced = items::in_currency(items::read(st, &given, &param)?, sub.text("currency"), &param)?;
            new["price"] = priced.price.value();
            new["plan"] = model::price::plan_of(&new["price"]);
            new["quantity"] = json!(1);
            if new["price"]["id"] != old["price"]["id"] {
                begun.push(item_id);
            }
            if let (true, Value::Object(members)) = (pricing::is_metered(&new["price"]), &mut new) {
                members.remove("quantity");
            }
        }
        if pricing::is_metered(&new["price"]) && given.given("quantity").is_some() {
            let message = "A price of usage_type metered takes no quantity.";
            return Err(ApiError::invalid(message).about(&format!("{param}[quantity]")));
        }
        if let Some(quantity) = given.int("quantity") {
            new["quantity"] = json!(quantity);
        }
        if given.has("tax_rates") {
            new["tax_rates"] = tax::read(st, &given, "tax_rates", &format!("{param}[tax_rates]"))?;
        }
        if given.has("discounts") {
            discount::item::set(st, sub, &mut new, &given.list("discounts"), &format!("{param}[discounts]"))?;
        }
        items::set_thresholds(&mut new, &given);
        new["metadata"] = crate::params::merge_metadata(&old["metadata"], &given)?;
        if new["price"]["id"] != old["price"]["id"] || new["quantity"] != old["quantity"] {
            prorated.push((old, Half::Unused));
            prorated.push((new.clone(), Half::Remaining));
        }
        list[position] = new;
    }
    if list.is_empty() {
        let message = "A subscription must have at least one active plan. To cancel a subscription, please use the cancel API endpoint on /v1/subscriptions.";
        return Err(ApiError::invalid(message).about("items"));
    }
    if list.len() > items::ITEMS_MAX {
        return Err(
            ApiError::invalid(format!("A subscription can have at most {} items.", items::ITEMS_MAX)).about("items")
        );
    }
    let prices: Vec<Object> = list.iter().map(|i| Object::of(i["price"].clone())).collect();
    create::check_alike(prices.iter())?;
    intervals::check_kept(sub.list_at("items"), &list)?;
    Ok(Change { list, prorated, begun })
}

/// Whether all items of a subscription are billed at the same interval.
pub fn same_interval(one: &[Value], other: &[Value]) -> bool {
    intervals::lengths(one) == intervals::lengths(other)
}

/// Whether all items are free, whatever the usage.
fn is_free(list: &[Value]) -> bool {
    let costs_nothing = |item: &Value| {
        let quantity = item["quantity"].as_i64().unwrap_or(1);
        !pricing::is_metered(&item["price"])
            && pricing::amount(&item["price"], quantity).is_ok_and(|amount| amount == 0)
    };
    list.iter().all(costs_nothing)
}

fn apply_items(
    st: &mut State,
    before: &Object,
    mut next: Object,
    change: Change,
    args: &Args,
    restart: Restart,
    now: i64,
) -> Result<Value, ApiError> {
    let id = before.id().to_owned();
    let behavior = args.text("proration_behavior").unwrap_or("create_prorations");
    let payment = args.text("payment_behavior").unwrap_or("allow_incomplete");
    let in_trial = matches!(before.text("status"), "trialing" | "incomplete" | "paused");
    // As at Stripe, a new interval begins a new period, and so does the first price that is not free.
    let old = before.list_at("items");
    let begins = !in_trial && (!same_interval(old, &change.list) || is_free(old) && !is_free(&change.list));
    let restart = if restart == Restart::No && begins { Restart::Paid } else { restart };
    let restarts = restart != Restart::No;
    next.set_at("items.data", change.list);
    for item in &change.begun {
        usage::begin(&mut next, item, now);
    }
    term::note_ends(st, &mut next);
    let mut full_lines = Vec::new();
    let prorates = behavior != "none" && !in_trial;
    if restarts {
        intervals::check_restart(next.list_at("items"))?;
        let price = next.list_at("items").first().map(|i| i["price"].clone()).unwrap_or_default();
        // Usage during a trial is free.
        let over = period(before).filter(|_| before.text("status") != "trialing").map(|over| (over.0, now));
        if let Restart::WithTrial(end) = restart {
            set_period(&mut next, now, end);
            full_lines = lines::lines(st, &next, (now, end), over, true)?;
        } else {
            next.set("billing_cycle_anchor", now);
            let span = Span::beginning(&next, &price, now);
            set_period(&mut next, now, span.period.1);
            full_lines = lines::lines(st, &next, span.period, over, false)?;
            span.prorate(&mut full_lines, false)?;
        }
    }
    let from = args.int("proration_date").unwrap_or(now);
    if period(before).is_some_and(|(start, end)| !(start..=end).contains(&from)) {
        let message = "`proration_date` must be within the current period of the subscription.";
        return Err(ApiError::invalid(message).about("proration_date"));
    }
    if prorates {
        for item in before.list_at("items").iter().filter(|_| restarts) {
            proration::add(st, before, item, Half::Unused, from)?;
        }
        for (item, half) in change.prorated.iter().filter(|_| !restarts) {
            let owner = if *half == Half::Unused { before } else { &next };
            proration::add(st, owner, item, *half, from)?;
        }
        let kept = next.list_at("items");
        let goes =
            |item: &&Value| !kept.iter().any(|k| k["id"] == item["id"] && k["price"]["id"] == item["price"]["id"]);
        for item in before.list_at("items").iter().filter(goes) {
            // "Usage from January 1 to January 16 isn't billed" in `classic` mode:
            // <https://docs.stripe.com/billing/subscriptions/usage-based/manage-billing-setup>.
            if before.at("billing_mode.type") != "classic" {
                usage::close(st, before, item, now)?;
            }
        }
    }
    let invoices_now = restarts || (behavior == "always_invoice" && prorates);
    if !invoices_now {
        return Ok(store(st, before, next).value());
    }
    let waits = payment == "pending_if_incomplete";
    let earlier = &before.as_subscription().pending_invoice;
    if !earlier.is_empty() {
        // A new change replaces the pending change, whose invoice is voided unless it is paid.
        let _ = settle::void(st, earlier);
    }
    let stored = if waits { before.clone() } else { Object::clone(&store_without_event(st, before, next.clone())) };
    let draft = Draft {
        customer: before.text("customer"),
        currency: before.text("currency"),
        reason: "subscription_update",
        subscription: Some(&stored),
        lines: full_lines,
        takes_pending: true,
        period: None,
    };
    let invoice = invoice::draft(st, draft, |_| {})?;
    // The event is emitted after the invoice is created, because it contains the invoice's id.
    st.emit_since(&id, "customer.subscription.updated", before);
    if waits {
        let change = Box::new(next.clone());
        let marked = invoice.clone();
        st.change(&id, |s| {
            s.as_subscription_mut().pending_change = Some(change);
            s.as_subscription_mut().pending_invoice = marked;
        });
    }
    invoice::finalize(st, &invoice)?;
    let open = st.find(&invoice)?;
    if open.text("collection_method") == "send_invoice" {
        return Ok(st.find(&id)?.value());
    }
    if payment == "default_incomplete" && open.text("status") == "open" {
        settle::await_confirmation(st, &open);
        st.change_and_emit(&id, "customer.subscription.updated", |s| s.set("status", "past_due"));
        return Ok(st.find(&id)?.value());
    }
    let method = settle::method_of(st, &open).filter(|_| open.text("status") == "open");
    let outcome = match method.filter(|_| args.flag("off_session") == Some(true)) {
        Some(method) => settle::attempt_with(st, &invoice, &method, AttemptCause::Hand, Presence::OffSession),
        None => settle::attempt(st, &invoice, AttemptCause::Hand),
    };
    match outcome {
        Outcome::Paid => {}
        Outcome::Failed(error) if payment == "error_if_incomplete" => {
            return Err(ApiError { keeps_changes: false, status: 402, ..error });
        }
        Outcome::NeedsAction if payment == "error_if_incomplete" => {
            let message = "Payment for this subscription requires additional user action before it can be completed successfully.";
            return Err(settle::action_required("subscription_payment_intent_requires_action", message));
        }
        Outcome::NeedsAction | Outcome::Processing | Outcome::Failed(_) if waits => {
            let pending = json!({
                "billing_cycle_anchor": if restarts { json!(now) } else { Value::Null },
                "discount": null,
                "discounts": null,
                "expires_at": now + PENDING_HOURS * HOUR_S,
                "metadata": null,
                "subscription_items": next.at("items.data"),
                "trial_end": null,
                "trial_from_plan": null,
            });
            st.change_and_emit(&id, "customer.subscription.updated", |s| s.set("pending_update", pending));
        }
        Outcome::NeedsAction | Outcome::Processing | Outcome::Failed(_) => {}
    }
    Ok(st.find(&id)?.value())
}

/// Stores a changed subscription and emits one event for all changed members.
fn store(st: &mut State, before: &Object, next: Object) -> std::sync::Arc<Object> {
    let stored = store_without_event(st, before, next);
    st.emit_since(before.id(), "customer.subscription.updated", before);
    stored
}

/// Stores a changed subscription. The caller emits the event later.
fn store_without_event(st: &mut State, before: &Object, mut next: Object) -> std::sync::Arc<Object> {
    next.set("latest_invoice", st.copy(before.id()).get("latest_invoice").clone());
    st.change(before.id(), |s| *s = next)
}
