//! Changes and cancels subscriptions, now or at the end of the period. A call compares the payload with the current
//! state of the subscription, so a repeated call changes nothing.

use super::member;
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::{Payload, is_id};
use host_provider_api::Call;
use serde_json::{Map, Value, json};
use stripe_billing::SubscriptionScheduleEndBehavior;
use stripe_billing::subscription::{
    CancelSubscription, CancelSubscriptionCancellationDetails, CancelSubscriptionCancellationDetailsFeedback,
    UpdateSubscription, UpdateSubscriptionCancelAt, UpdateSubscriptionCancellationDetails,
    UpdateSubscriptionCancellationDetailsFeedback, UpdateSubscriptionItems, UpdateSubscriptionPauseCollection,
    UpdateSubscriptionPauseCollectionBehavior, UpdateSubscriptionProrationBehavior,
};
use stripe_billing::subscription_schedule::{
    CreateSubscriptionSchedule, ReleaseSubscriptionSchedule, UpdateSubscriptionSchedule,
    UpdateSubscriptionSchedulePhases, UpdateSubscriptionSchedulePhasesDiscounts,
    UpdateSubscriptionSchedulePhasesEndDate, UpdateSubscriptionSchedulePhasesItems,
    UpdateSubscriptionSchedulePhasesProrationBehavior, UpdateSubscriptionSchedulePhasesStartDate,
    UpdateSubscriptionSchedulePhasesTrialEnd, UpdateSubscriptionScheduleProrationBehavior,
};
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};

/// `stripe.subscription.cancel`: takes `subscription`, `at_period_end`, `cancel_at_ms`, `cancellation_details` (`feedback`, `comment`);
/// returns `id`, `status`. Succeeds without a change if the subscription has ended. Nothing becomes customer balance: what goes back is
/// refunded.
pub(crate) fn cancel(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let id = payload.id("subscription")?;
    let at_period_end = payload.maybe_flag("at_period_end")?;
    let at_period_end = at_period_end.ok_or(Failed::Payload { member: "at_period_end", expected: "true or false" })?;
    let at_s = payload.maybe_int("cancel_at_ms")?.map(|ms| ms.div_euclid(1_000));
    let details = payload.maybe_object("cancellation_details")?.map(Details::of);
    let now = current(api, id)?;
    if has_ended(&now) {
        return outputs(&now);
    }
    if !at_period_end {
        let mut request = CancelSubscription::new(id);
        if let Some(details) = details {
            request = request.cancellation_details(details.of_end());
        }
        return outputs(&api.delete(request.build())?);
    }
    let is_told = details.as_ref().is_none_or(|details| details.are_those_of(&now));
    let is_done = is_told
        && match at_s {
            Some(at_s) => now.get("cancel_at").and_then(Value::as_i64) == Some(at_s),
            None => now.get("cancel_at_period_end") == Some(&Value::Bool(true)),
        };
    if is_done {
        return outputs(&now);
    }
    release(api, &marks, &now)?;
    let mut request = UpdateSubscription::new(id);
    request = match at_s {
        Some(at_s) => request
            .cancel_at(UpdateSubscriptionCancelAt::Timestamp(at_s))
            .proration_behavior(UpdateSubscriptionProrationBehavior::None),
        None => request.cancel_at_period_end(true),
    };
    if let Some(details) = details {
        request = request.cancellation_details(details.of_update());
    }
    outputs(&api.post(request.build(), &marks, "cancel")?)
}

/// Why a subscription is cancelled, as Stripe takes it. The empty text removes what was said before.
struct Details<'p> {
    feedback: Option<&'p str>,
    comment: Option<&'p str>,
}

impl<'p> Details<'p> {
    fn of(given: &'p Map<String, Value>) -> Details<'p> {
        let text = |name: &str| given.get(name).and_then(Value::as_str);
        Details { feedback: text("feedback"), comment: text("comment") }
    }

    /// Returns whether the subscription has these details already.
    fn are_those_of(&self, subscription: &Value) -> bool {
        let known = |name: &str| subscription.pointer(&format!("/cancellation_details/{name}")).and_then(Value::as_str);
        self.feedback == known("feedback") && self.comment == known("comment")
    }

    fn of_end(&self) -> CancelSubscriptionCancellationDetails {
        let mut details = CancelSubscriptionCancellationDetails::new();
        details.feedback =
            self.feedback.map(|word| CancelSubscriptionCancellationDetailsFeedback::Unknown(word.to_owned()));
        details.comment = self.comment.map(str::to_owned);
        details
    }

    fn of_update(&self) -> UpdateSubscriptionCancellationDetails {
        let mut details = UpdateSubscriptionCancellationDetails::new();
        details.feedback =
            self.feedback.map(|word| UpdateSubscriptionCancellationDetailsFeedback::Unknown(word.to_owned()));
        details.comment = self.comment.map(str::to_owned);
        details
    }
}

/// Asks Stripe not to end a subscription, and to forget why it was to end.
fn take_back_end(api: &Api<'_>, id: &str, marks: &Marks) -> Result<Value, Failed> {
    let nothing = Details { feedback: Some(""), comment: Some("") };
    let request = UpdateSubscription::new(id).cancel_at_period_end(false).cancellation_details(nothing.of_update());
    api.post(request.build(), marks, "keep")
}

/// `stripe.subscription.keep`: takes `subscription`, `promotion_code`; returns `id`, `status`. Takes back a planned end and a scheduled
/// change. Succeeds without a change if neither is planned. Adds the discount of a promotion code to those that the subscription has.
pub(crate) fn keep(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let id = payload.id("subscription")?;
    let now = living(id, current(api, id)?)?;
    let promotion_code = payload.maybe_id("promotion_code")?;
    let released = release(api, &marks, &now)?;
    // Whoever cannot have the discount has not decided to stay.
    if let Some(promotion_code) = promotion_code {
        discount(api, id, promotion_code, &marks)?;
    }
    match (is_ending(&now), released || promotion_code.is_some()) {
        (true, _) => outputs(&take_back_end(api, id, &marks)?),
        (false, true) => outputs(&current(api, id)?),
        (false, false) => outputs(&now),
    }
}

/// Adds the discount of a promotion code to a subscription, unless it has it.
fn discount(api: &Api<'_>, id: &str, promotion_code: &str, marks: &Marks) -> Result<(), Failed> {
    let path = format!("/subscriptions/{id}");
    let now = api.get(path.clone(), &[("expand[]", "discounts")])?.object;
    let given = now.get("discounts").and_then(Value::as_array).cloned().unwrap_or_default();
    if given.iter().any(|discount| discount.get("promotion_code").and_then(Value::as_str) == Some(promotion_code)) {
        return Ok(());
    }
    let kept = given.iter().filter_map(|discount| Some(json!({"discount": discount.get("id")?})));
    let discounts: Vec<Value> = kept.chain([json!({"promotion_code": promotion_code})]).collect();
    let request = RequestBuilder::new(StripeMethod::Post, path).form(&json!({"discounts": discounts}));
    api.post(request, marks, "discount").map(drop)
}

/// `stripe.subscription.pause`: takes `subscription`, `resumes_at_ms`; returns `id`, `status`. Until then Stripe voids the invoices of new
/// periods. The period that is paid for is not changed.
pub(crate) fn pause(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let id = payload.id("subscription")?;
    let missing = Failed::Payload { member: "resumes_at_ms", expected: "milliseconds since the epoch" };
    let resumes_at_s = payload.maybe_int("resumes_at_ms")?.ok_or(missing)?.div_euclid(1_000);
    let now = living(id, current(api, id)?)?;
    let known = |name: &str| now.pointer(&format!("/pause_collection/{name}"));
    if known("behavior").and_then(Value::as_str) == Some("void")
        && known("resumes_at").and_then(Value::as_i64) == Some(resumes_at_s)
    {
        return outputs(&now);
    }
    let mut pause = UpdateSubscriptionPauseCollection::new(UpdateSubscriptionPauseCollectionBehavior::Void);
    pause.resumes_at = Some(resumes_at_s);
    outputs(&api.post(UpdateSubscription::new(id).pause_collection(pause).build(), &marks, "pause")?)
}

/// Returns whether the end of a pause begins a new period: the invoice of the current one was voided. Expects `latest_invoice`.
pub(super) fn begins_period(subscription: &Value) -> bool {
    subscription.pointer("/latest_invoice/status").and_then(Value::as_str) == Some("void")
}

/// `stripe.subscription.resume`: takes `subscription`; returns `id`, `status`. If the invoice of the current period was voided, a new period
/// begins now and is paid for now, since nobody would pay for the rest of the current one. Otherwise the period stays.
pub(crate) fn resume(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let id = payload.id("subscription")?;
    let path = format!("/subscriptions/{id}");
    let now = living(id, api.get(path.clone(), &[("expand[]", "latest_invoice")])?.object)?;
    let is_paused = now.get("pause_collection").is_some_and(|pause| !pause.is_null());
    let is_unpaid = begins_period(&now);
    if !is_paused && !is_unpaid {
        return outputs(&now);
    }
    // The empty text removes the pause.
    let mut form = json!({"pause_collection": ""});
    if is_unpaid {
        form["billing_cycle_anchor"] = json!("now");
        form["proration_behavior"] = json!("none");
    }
    let request = RequestBuilder::new(StripeMethod::Post, path).form(&form);
    outputs(&api.post(request, &marks, "resume")?)
}

/// `stripe.subscription.trial`: takes `subscription`, `trial_end_ms`; returns `id`, `status`. Without a time it ends the trial now: the
/// first payment is due at once, but a subscription that would end with its trial, because it has no card, ends now.
pub(crate) fn trial(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let id = payload.id("subscription")?;
    let end_s = payload.maybe_int("trial_end_ms")?.map(|ms| ms.div_euclid(1_000));
    let path = format!("/subscriptions/{id}");
    let now = api.get(path.clone(), &[("expand[]", "customer")])?.object;
    let is_in_trial = now.get("status").and_then(Value::as_str) == Some("trialing");
    let form = match end_s {
        None if !is_in_trial => return outputs(&now),
        None if ends_without_card(&now) => return outputs(&api.delete(CancelSubscription::new(id).build())?),
        None => json!({"trial_end": "now"}),
        Some(_) if !is_in_trial => return Err(Failed::Inconsistent(format!("`{id}` is not in a trial"))),
        Some(end) if now.get("trial_end").and_then(Value::as_i64) == Some(end) => return outputs(&now),
        Some(end) => json!({"trial_end": end, "proration_behavior": "none"}),
    };
    outputs(&api.post(RequestBuilder::new(StripeMethod::Post, path).form(&form), &marks, "trial")?)
}

/// Returns whether a subscription with its customer ends with its trial, because neither of them has a card.
fn ends_without_card(subscription: &Value) -> bool {
    let behavior = subscription.pointer("/trial_settings/end_behavior/missing_payment_method");
    let cards = [
        "/default_payment_method",
        "/default_source",
        "/customer/invoice_settings/default_payment_method",
        "/customer/default_source",
    ];
    let has_card = cards.iter().any(|place| subscription.pointer(place).is_some_and(|card| !card.is_null()));
    behavior.and_then(Value::as_str) == Some("cancel") && !has_card
}

/// `stripe.subscription.update`: takes `subscription`, `item`, `price`, `quantity`, `at` (`now`, or `period_end` with
/// `period_end_ms`), `proration_behavior`, and `keep`: an end of the subscription is taken back first; returns `id`, `status`.
pub(crate) fn update(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let change = ItemChange::of(payload)?;
    let now = living(change.subscription, current(api, change.subscription)?)?;
    let now = match payload.maybe_flag("keep")? == Some(true) && is_ending(&now) {
        true => take_back_end(api, change.subscription, &marks)?,
        false => now,
    };
    match payload.maybe_text("at")?.unwrap_or("now") {
        "now" => update_now(api, payload, &marks, &now, &change),
        "period_end" => update_later(api, payload, &marks, &now, &change),
        _ => Err(Failed::Payload { member: "at", expected: "now or period_end" }),
    }
}

/// A requested change of a subscription item.
pub(super) struct ItemChange<'p> {
    pub(super) subscription: &'p str,
    pub(super) item: &'p str,
    pub(super) price: &'p str,
    pub(super) quantity: Option<u64>,
}

impl<'p> ItemChange<'p> {
    pub(super) fn of(payload: Payload<'p>) -> Result<ItemChange<'p>, Failed> {
        Ok(ItemChange {
            subscription: payload.id("subscription")?,
            item: payload.id("item")?,
            price: payload.text("price")?,
            quantity: payload.maybe_count("quantity")?,
        })
    }
}

fn update_now(
    api: &Api<'_>,
    payload: Payload<'_>,
    marks: &Marks,
    now: &Value,
    change: &ItemChange<'_>,
) -> Result<Value, Failed> {
    let behavior = match payload.maybe_text("proration_behavior")? {
        None | Some("create_prorations") => UpdateSubscriptionProrationBehavior::CreateProrations,
        Some("always_invoice") => UpdateSubscriptionProrationBehavior::AlwaysInvoice,
        Some("none") => UpdateSubscriptionProrationBehavior::None,
        Some(_) => {
            let expected = "always_invoice, create_prorations or none";
            return Err(Failed::Payload { member: "proration_behavior", expected });
        }
    };
    // An immediate change cancels a scheduled change.
    let released = release(api, marks, now)?;
    let existing = items(now)?.into_iter().find(|item| item.id == change.item);
    let existing = existing
        .ok_or_else(|| Failed::Inconsistent(format!("`{}` is not an item of the subscription", change.item)))?;
    if existing.price == change.price && change.quantity.is_none_or(|quantity| existing.quantity == Some(quantity)) {
        return match released {
            true => outputs(&current(api, change.subscription)?),
            false => outputs(now),
        };
    }
    let mut item = UpdateSubscriptionItems::new();
    item.id = Some(change.item.to_owned());
    item.price = Some(change.price.to_owned());
    item.quantity = change.quantity;
    let request = UpdateSubscription::new(change.subscription).items(vec![item]).proration_behavior(behavior);
    outputs(&api.post(request.build(), marks, "update")?)
}

/// Changes the item at the end of the period, by a subscription schedule. Its first phase is the current state until
/// the end of the period; its second phase has the change. A phase that names no discounts, tax rates or end of a trial
/// ends those of the subscription, so both name them.
fn update_later(
    api: &Api<'_>,
    payload: Payload<'_>,
    marks: &Marks,
    now: &Value,
    change: &ItemChange<'_>,
) -> Result<Value, Failed> {
    let missing = Failed::Payload { member: "period_end_ms", expected: "milliseconds since the epoch" };
    let end_s = payload.maybe_int("period_end_ms")?.ok_or(missing)?.div_euclid(1_000);
    let existing = items(now)?;
    if existing.iter().all(|item| item.id != change.item) {
        return Err(Failed::Inconsistent(format!("`{}` is not an item of the subscription", change.item)));
    }
    let schedule = match schedule_id(now) {
        Some(id) => api.get(format!("/subscription_schedules/{id}"), &[])?.object,
        None => {
            let request = CreateSubscriptionSchedule::new().from_subscription(change.subscription);
            api.post(request.build(), marks, "schedule")?
        }
    };
    if marks.made(&schedule)? {
        return outputs(now);
    }
    let start = schedule.pointer("/current_phase/start_date").and_then(Value::as_i64);
    let start_s = start.ok_or(Failed::Unreadable { status: 200, reason: "a schedule without a current phase" })?;
    let expand = [("expand[]", "discounts")];
    let terms = Terms::of(&api.get(format!("/subscriptions/{}", change.subscription), &expand)?.object);
    let phase_items = |changed: bool| -> Vec<_> {
        let item = |existing: &Item<'_>| {
            let is_it = changed && existing.id == change.item;
            let mut item = UpdateSubscriptionSchedulePhasesItems::new();
            item.price = Some(if is_it { change.price } else { existing.price }.to_owned());
            item.quantity = change.quantity.filter(|_| is_it).or(existing.quantity);
            item
        };
        existing.iter().map(item).collect()
    };
    let mut until = terms.phase(phase_items(false), start_s);
    until.trial_end = terms
        .trial_end_s
        .filter(|at_s| (start_s + 1..=end_s).contains(at_s))
        .map(UpdateSubscriptionSchedulePhasesTrialEnd::Timestamp);
    until.start_date = Some(UpdateSubscriptionSchedulePhasesStartDate::Timestamp(start_s));
    until.end_date = Some(UpdateSubscriptionSchedulePhasesEndDate::Timestamp(end_s));
    let mut from = terms.phase(phase_items(true), end_s);
    from.proration_behavior = Some(UpdateSubscriptionSchedulePhasesProrationBehavior::None);
    let request = UpdateSubscriptionSchedule::new(member(&schedule, "id")?)
        .phases(vec![until, from])
        .end_behavior(SubscriptionScheduleEndBehavior::Release)
        .proration_behavior(UpdateSubscriptionScheduleProrationBehavior::None)
        .metadata(marks.on(std::collections::HashMap::new()));
    api.post(request.build(), marks, "phases")?;
    outputs(now)
}

/// What a schedule's phases must name, because they would end it otherwise.
struct Terms {
    /// The subscription's discounts, each with the time of its end in seconds, if it has one.
    discounts: Vec<(String, Option<i64>)>,
    tax_rates: Vec<String>,
    trial_end_s: Option<i64>,
}

impl Terms {
    /// Reads the terms of a subscription with expanded `discounts`.
    fn of(subscription: &Value) -> Terms {
        let list = |name: &str| subscription.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let id = |value: &Value| value.get("id").and_then(Value::as_str).map(str::to_owned);
        let discount = |value: &Value| Some((id(value)?, value.get("end").and_then(Value::as_i64)));
        Terms {
            discounts: list("discounts").iter().filter_map(discount).collect(),
            tax_rates: list("default_tax_rates").iter().filter_map(id).collect(),
            trial_end_s: subscription.get("trial_end").and_then(Value::as_i64),
        }
    }

    /// Returns a phase with these terms, as far as they are in force at its start.
    fn phase(
        &self,
        items: Vec<UpdateSubscriptionSchedulePhasesItems>,
        start_s: i64,
    ) -> UpdateSubscriptionSchedulePhases {
        let mut phase = UpdateSubscriptionSchedulePhases::new(items);
        let in_force = self.discounts.iter().filter(|(_, end_s)| end_s.is_none_or(|end_s| end_s > start_s));
        let discount = |(id, _): &(String, Option<i64>)| {
            let mut discount = UpdateSubscriptionSchedulePhasesDiscounts::new();
            discount.discount = Some(id.clone());
            discount
        };
        phase.discounts = Some(in_force.map(discount).collect::<Vec<_>>()).filter(|all| !all.is_empty());
        phase.default_tax_rates = Some(self.tax_rates.clone()).filter(|all| !all.is_empty());
        phase
    }
}

pub(super) fn current(api: &Api<'_>, id: &str) -> Result<Value, Failed> {
    Ok(api.get(format!("/subscriptions/{id}"), &[])?.object)
}

fn has_ended(subscription: &Value) -> bool {
    matches!(subscription.get("status").and_then(Value::as_str), Some("canceled" | "incomplete_expired"))
}

/// Returns a subscription unless it has ended.
pub(super) fn living(id: &str, subscription: Value) -> Result<Value, Failed> {
    match has_ended(&subscription) {
        true => Err(Failed::Inconsistent(format!("`{id}` has ended"))),
        false => Ok(subscription),
    }
}

/// Returns whether a subscription is to end with its period or at a time.
pub(super) fn is_ending(subscription: &Value) -> bool {
    subscription.get("cancel_at_period_end") == Some(&Value::Bool(true))
        || subscription.get("cancel_at").is_some_and(Value::is_i64)
}

fn outputs(subscription: &Value) -> Result<Value, Failed> {
    Ok(json!({"id": member(subscription, "id")?, "status": subscription.get("status")}))
}

/// Returns the id of a subscription's schedule.
fn schedule_id(subscription: &Value) -> Option<&str> {
    subscription.get("schedule").and_then(Value::as_str).filter(|id| is_id(id))
}

/// Releases a subscription from its schedule, which prevents changes. Returns true if there was a schedule.
fn release(api: &Api<'_>, marks: &Marks, subscription: &Value) -> Result<bool, Failed> {
    let Some(schedule) = schedule_id(subscription) else { return Ok(false) };
    api.post(ReleaseSubscriptionSchedule::new(schedule).build(), marks, "release")?;
    Ok(true)
}

/// An item of a subscription.
struct Item<'s> {
    id: &'s str,
    price: &'s str,
    quantity: Option<u64>,
}

fn items(subscription: &Value) -> Result<Vec<Item<'_>>, Failed> {
    let data = subscription.pointer("/items/data").and_then(Value::as_array);
    let items = data.and_then(|all| all.iter().map(Item::read).collect());
    items.ok_or(Failed::Unreadable { status: 200, reason: "a subscription whose items can't be read" })
}

impl Item<'_> {
    fn read(item: &Value) -> Option<Item<'_>> {
        Some(Item {
            id: item.get("id")?.as_str()?,
            price: item.pointer("/price/id")?.as_str()?,
            quantity: item.get("quantity").and_then(Value::as_u64),
        })
    }
}
