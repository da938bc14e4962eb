//! Purchases: made from the catalog, paid at the provider, fulfilled, given back.
//!
//! A row's status is computed from its session, its subscription and its refunds each time one of them changes, so
//! that it doesn't matter which is known first.

use crate::catalog;
use crate::charge::Payment;
use crate::context::{Context, Handled, Loaded, Step, Stop, decode, encode, request, short_hash};
use crate::placement::key;
use crate::product::{refuse, required_text, text};
use crate::session::{Session, Status};
use crate::subscription::{self, Billing, Pending};
use crate::{entitlement, instance, notice, settle};
use products_contract::*;
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// The purchase of a session, by our own record of the session, else by the id that its metadata names.
pub(crate) fn find(context: &mut Context<'_, '_>, session: &str, named: Option<&str>) -> Step<Option<Purchase>> {
    match (context.host.purchase_of_session(session)?, named) {
        (None, Some(id)) => Ok(context.host.purchase(id)?),
        (found, _) => Ok(found),
    }
}

/// Bring a purchase to what its session, subscription and refunds say. One that we did not make gets a row.
pub(crate) fn refresh(context: &mut Context<'_, '_>, id: &str, found: Option<Purchase>) -> Step<()> {
    let stored = match found {
        Some(row) => Some(row),
        None => context.host.purchase(id)?,
    };
    let known = stored.as_ref().and_then(|row| row.values.session_id.clone());
    let Some(Sessions { counts: (session_id, session), beaten }) = sessions_of(context, id, known)? else {
        return Ok(());
    };
    for (loser, session) in &beaten {
        give_back(context, id, loser, session)?;
    }
    let version = stored.as_ref().map_or(0, |row| row.version);
    let before = stored.map(|row| row.values);
    let mut values = match &before {
        Some(values) => values.clone(),
        None => unknown_purchase(&session),
    };
    values.session_id = Some(session_id);
    values.payment_intent_id = session.payment_intent.clone().or(values.payment_intent_id);
    values.subscription_id = session.subscription.clone().or(values.subscription_id);
    values.refunded = Money { amount_minor: refunded(context, id, &beaten)?, currency: values.total.currency.clone() };
    let mut metadata: Object = decode("purchases", id, &values.metadata)?;
    let (status, step) = judge(context, id, &session, &values, &mut metadata)?;
    values.status = status;
    metadata.insert("step".to_owned(), json!(step));
    values.metadata = encode(&metadata)?;
    if before.as_ref() != Some(&values) {
        context.host.purchase_save(id, version, &values)?;
    }
    Ok(())
}

/// All sessions that are known of a purchase.
struct Sessions {
    /// The one that counts.
    counts: (String, Session),
    /// Others that were paid as well.
    beaten: Vec<(String, Session)>,
}

/// The session that counts is the one that was paid first by the provider's clock, then the smaller id; where none is
/// paid the furthest, so an expired one never undoes another, whichever is known first. Before any event tells of one,
/// it is the one we made.
fn sessions_of(context: &mut Context<'_, '_>, id: &str, known: Option<String>) -> Step<Option<Sessions>> {
    let mut sessions: Vec<(String, Session)> = Vec::new();
    for row in context.host.records("sessions")? {
        let session: Session = decode("sessions", &row.id, &row.value)?;
        if session.purchase == id {
            sessions.push((row.id, session));
        }
    }
    sessions.sort_by(|(a_id, a), (b_id, b)| {
        b.status.cmp(&a.status).then_with(|| (a.paid_at, a_id).cmp(&(b.paid_at, b_id)))
    });
    let mut sessions = sessions.into_iter();
    let Some(counts) = sessions.next().or_else(|| known.map(|id| (id, Session::default()))) else {
        return Ok(None);
    };
    let beaten = sessions.filter(|(_, session)| session.status == Status::Paid).collect();
    Ok(Some(Sessions { counts, beaten }))
}

/// A purchase is paid once: what a later session brought goes back, and what it began ends. The money of a subscription's
/// first invoice is given back by the operators, who are told: no session names its payment.
fn give_back(context: &mut Context<'_, '_>, purchase: &str, loser: &str, session: &Session) -> Step<()> {
    if !context.note(&format!("beaten:{loser}"))? {
        return Ok(());
    }
    if let Some(payment_intent) = &session.payment_intent {
        let payload = json!({"payment_intent": payment_intent, "reason": "duplicate"});
        ask(context, "stripe.refund.create", format!("give-back:{loser}"), &payload)?;
    }
    if let Some(subscription) = &session.subscription {
        let payload = json!({"subscription": subscription, "at_period_end": false});
        ask(context, "stripe.subscription.cancel", format!("cancel-beaten:{subscription}"), &payload)?;
    }
    let values = json!({
        "session": loser, "purchase": purchase, "subscription": session.subscription,
        "refunded": session.payment_intent.is_some(),
    });
    notice::now(context, "paid_twice", notice::To::Admin, loser, &values)
}

/// A session that was made elsewhere, for a customer or account of ours.
fn unknown_purchase(session: &Session) -> PurchaseValues {
    let money = |amount_minor| Money { amount_minor, currency: session.currency.clone() };
    PurchaseValues {
        provider: "stripe".to_owned(),
        session_id: None,
        payment_intent_id: None,
        subscription_id: None,
        status: PurchaseStatus::Pending,
        items: Vec::new(),
        amount: money(session.total_minor),
        tax: money(0),
        total: money(session.total_minor),
        refunded: money(0),
        metadata: "{}".to_owned(),
    }
}

/// Status and step of a purchase (requirements M3).
fn judge(
    context: &mut Context<'_, '_>,
    id: &str,
    session: &Session,
    values: &PurchaseValues,
    metadata: &mut Object,
) -> Step<(PurchaseStatus, &'static str)> {
    match session.status {
        Status::Open | Status::Complete => return Ok((PurchaseStatus::Pending, "checkout_open")),
        Status::Expired => return Ok((PurchaseStatus::Cancelled, "expired")),
        Status::Failed => return Ok((PurchaseStatus::Cancelled, "failed")),
        Status::Paid => {}
    }
    // What the session asked for in the end: a discount may have made it less than what was agreed.
    let total = if session.total_minor > 0 { session.total_minor } else { values.total.amount_minor };
    let refunded = total > 0 && values.refunded.amount_minor >= total;
    let Some(subscription) = &values.subscription_id else {
        return Ok(match refunded {
            true => (PurchaseStatus::Refunded, "refunded"),
            false => (PurchaseStatus::Paid, "fulfilled"),
        });
    };
    let row = context.host.subscription(subscription)?;
    let billing: Loaded<Billing> = context.record("billing", subscription)?;
    let ended = row.is_some_and(|row| subscription::is_final(row.values.status));
    if ended {
        metadata.insert("subscription_ended".to_owned(), json!(true));
    }
    if refunded {
        return Ok((PurchaseStatus::Refunded, "refunded"));
    }
    if billing.value.was_ever_live() {
        return Ok((PurchaseStatus::Paid, "fulfilled"));
    }
    // Paid, and nothing was ever given for it: a person decides about the money.
    if ended && total > 0 {
        let values = json!({"purchase": id, "subscription": subscription, "total_minor": total});
        notice::now(context, "paid_but_ended", notice::To::Admin, id, &values)?;
    }
    Ok((PurchaseStatus::Paid, "paid"))
}

/// What was given back of a purchase: refunds of its own payment, or of its subscription's first invoice.
fn refunded(context: &mut Context<'_, '_>, purchase: &str, beaten: &[(String, Session)]) -> Step<i64> {
    let host = &mut *context.host;
    let rows = host.records("payments")?;
    let mut sum = 0i64;
    for row in rows {
        // What a second session paid goes back in full, which gives nothing of the purchase back.
        if beaten.iter().any(|(_, session)| session.payment_intent.as_deref() == Some(row.id.as_str())) {
            continue;
        }
        let payment: Payment = decode("payments", &row.id, &row.value)?;
        if payment.refunded_minor() > 0 && owner(context, &payment)?.as_deref() == Some(purchase) {
            sum = sum.saturating_add(payment.refunded_minor());
        }
    }
    Ok(sum)
}

/// The purchase that a payment belongs to.
fn owner(context: &mut Context<'_, '_>, payment: &Payment) -> Step<Option<String>> {
    if payment.purchase.is_some() {
        return Ok(payment.purchase.clone());
    }
    let Some(invoice) = &payment.invoice else { return Ok(None) };
    let invoice: Loaded<crate::invoice::Invoice> = context.record("invoices", invoice)?;
    let Some(subscription) = invoice.value.subscription.filter(|_| invoice.value.reason == "subscription_create")
    else {
        return Ok(None);
    };
    let billing: Loaded<Billing> = context.record("billing", &subscription)?;
    Ok(billing.value.purchase)
}

/// A payment changed: its purchase may have.
pub(crate) fn payment_changed(context: &mut Context<'_, '_>, payment: &str) -> Step<()> {
    let payment: Loaded<Payment> = context.record("payments", payment)?;
    match owner(context, &payment.value)? {
        Some(purchase) => refresh(context, &purchase, None),
        None => Ok(()),
    }
}

/// A subscription or its first invoice changed: the purchase that began it may have.
pub(crate) fn subscription_changed(context: &mut Context<'_, '_>, billing: &Billing) -> Step<()> {
    match &billing.purchase {
        Some(purchase) => refresh(context, purchase, None),
        None => Ok(()),
    }
}

/// A product on sale, with its price.
struct Offer {
    product: Product,
    price: Price,
}

fn find_offer(context: &mut Context<'_, '_>, body: &Object) -> Step<Offer> {
    let given = ["plan_id", "product_id", "plan"].into_iter().find(|key| body.get(*key).is_some_and(|v| !v.is_null()));
    let name = required_text(body, given.unwrap_or("plan_id"))?;
    let mut id = name.clone();
    for decl in catalog::types(context.host)? {
        if let Some(family) = &decl.family
            && let Some(found) = catalog::plan_by_name(context.host, family, &name)?
        {
            id = found;
            break;
        }
    }
    let product = context.product(&id)?.filter(|row| row.owner == Account::Platform && !row.deleted);
    let product = product.ok_or(Refusal::NotFound(format!("plan {name}")))?;
    let metadata = entitlement::metadata(&product)?;
    let unavailable = || Stop::Refused(Refusal::RequirementUnmet(format!("purchasable:{}", product.id)));
    let price_id = metadata.get("stripe_price_id").and_then(Value::as_str).ok_or_else(unavailable)?.to_owned();
    if !product.values.active || metadata.get("purchasable") == Some(&json!(false)) {
        return Err(unavailable());
    }
    let price = context.host.prices_load(&[price_id])?.into_iter().next().flatten();
    let price = price.filter(|price| price.active).ok_or_else(unavailable)?;
    Ok(Offer { product, price })
}

/// `purchase.create`: begin a checkout, or change the plan of who has one already.
pub(crate) fn create(context: &mut Context<'_, '_>, body: &Object) -> Step<Handled> {
    let offer = find_offer(context, body)?;
    let settings = context.settings()?;
    let success_url = return_url(body, "success_url", settings.success_url.as_deref(), &settings.origins)?;
    let cancel_url = return_url(body, "cancel_url", settings.cancel_url.as_deref(), &settings.origins)?;
    let standing = settle::standing(context)?;
    let same_family = |price: &Price| price.family.is_some() && price.family == offer.price.family;
    if let Some(plan) = standing.plan.as_ref().filter(|plan| same_family(&plan.price)) {
        if plan.price.id == offer.price.id {
            return Err(Stop::Refused(Refusal::AlreadyOwned(offer.product.id)));
        }
        // What is ordered with it is made first: if there is no room for it, nothing changes.
        let product = match product_of(body)? {
            Some(product) => Some(instance::create_now(context, product)?),
            None => None,
        };
        return change(context, &standing, &offer, product);
    }
    if let Some(open) = open_checkout(context, body, &offer)? {
        return Ok(open);
    }
    let id = format!("pur_{}", short_hash(&context.event.id));
    context.claim(&[key("purchase", &id)])?;
    let amount = offer.price.amount.clone();
    let nothing = Money { amount_minor: 0, currency: amount.currency.clone() };
    let mut metadata = Object::new();
    metadata.insert("step".to_owned(), json!("created"));
    if let Some(product) = product_of(body)? {
        let instance = instance::create_waiting(context, product, &id)?;
        metadata.insert("product_id".to_owned(), json!(instance));
    }
    let values = PurchaseValues {
        provider: settings.provider.clone(),
        session_id: None,
        payment_intent_id: None,
        subscription_id: None,
        status: PurchaseStatus::Pending,
        items: vec![LineItem {
            product_id: offer.product.id.clone(),
            price_id: Some(offer.price.id.clone()),
            name: offer.product.values.name.clone(),
            quantity: 1,
            unit_price: amount.clone(),
        }],
        total: amount.clone(),
        amount,
        tax: nothing.clone(),
        refunded: nothing,
        metadata: encode(&metadata)?,
    };
    context.host.purchase_save(&id, 0, &values)?;
    let owner = match context.account()? {
        Account::Platform => json!({"purchase_id": id}),
        Account::User(user) => json!({"purchase_id": id, "user_id": user}),
        Account::Organization(organization) => json!({"purchase_id": id, "organization_id": organization}),
    };
    let customer = context.host.claims_mine("stripe-customer:")?;
    let mode = if offer.price.interval.is_some() { "subscription" } else { "payment" };
    let payload = json!({
        "mode": mode, "price": offer.price.id, "quantity": 1, "client_reference_id": id, "metadata": owner,
        "customer": customer.first().and_then(|key| key.strip_prefix("stripe-customer:")),
        "success_url": success_url, "cancel_url": cancel_url,
    });
    ask(context, "stripe.checkout.create", format!("checkout:{id}"), &payload)?;
    Ok(Handled { outcome: Outcome::Applied, reply: None })
}

/// The product that is to be made for a purchase.
fn product_of(body: &Object) -> Step<Option<&Object>> {
    match body.get("product") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(product)) => Ok(Some(product)),
        Some(_) => Err(refuse("/product", FieldErrorCode::WrongType, "expected an object")),
    }
}

/// The answer for who asks for a checkout that is open already: a double click buys once. One that orders a product is
/// told apart by the product's name, which is taken then.
fn open_checkout(context: &mut Context<'_, '_>, body: &Object, offer: &Offer) -> Step<Option<Handled>> {
    if product_of(body)?.is_some() {
        return Ok(None);
    }
    for row in context.host.purchases()? {
        let same = row.values.items.iter().any(|item| item.price_id.as_ref() == Some(&offer.price.id));
        if !same || row.values.status != PurchaseStatus::Pending {
            continue;
        }
        let metadata: Object = decode("purchases", &row.id, &row.values.metadata)?;
        if metadata.contains_key("product_id") {
            continue;
        }
        let reply = json!({
            "purchase_id": row.id, "session_id": row.values.session_id, "checkout_url": metadata.get("checkout_url"),
        });
        let reply = Some(Reply::Answer(encode(&reply)?));
        return Ok(Some(Handled { outcome: Outcome::Ignored(IgnoreReason::NoChange), reply }));
    }
    Ok(None)
}

/// A return URL must be of an origin that the business names; the default needs no check.
fn return_url(body: &Object, field: &str, default: Option<&str>, origins: &[String]) -> Step<Option<String>> {
    let Some(url) = text(body, field)? else { return Ok(default.map(str::to_owned)) };
    let own = origins.iter().any(|origin| {
        url.strip_prefix(origin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    });
    if own {
        return Ok(Some(url));
    }
    Err(refuse(
        &format!("/{field}"),
        FieldErrorCode::NotAllowed,
        format!("expected an origin of {}", origins.join(", ")),
    ))
}

fn ask(context: &mut Context<'_, '_>, kind: &str, key: String, payload: &Value) -> Step<()> {
    context.host.effects_enqueue(&[Effect {
        reply_to: context.event.reply_to.clone(),
        ..request(kind, key, encode(payload)?)
    }]);
    Ok(())
}

/// The checkout exists, or does not.
pub(crate) fn checkout_made(context: &mut Context<'_, '_>, report: &EffectReport) -> Step<Handled> {
    let id = report.key.trim_start_matches("checkout:").to_owned();
    let Some(row) = context.host.purchase(&id)? else {
        return Ok(Handled { outcome: Outcome::Ignored(IgnoreReason::NoChange), reply: None });
    };
    let mut values = row.values;
    let mut metadata: Object = decode("purchases", &id, &values.metadata)?;
    let reply = match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            let Some(session) = answer.get("session_id").or_else(|| answer.get("id")).and_then(Value::as_str) else {
                return Err(Stop::Failed(Failure::Internal(format!("{} answered without a session", report.key))));
            };
            // The webhook may have been faster.
            if values.session_id.is_none() {
                context.claim(&[key("stripe-session", session)])?;
                values.session_id = Some(session.to_owned());
                metadata.insert("step".to_owned(), json!("checkout_open"));
            }
            let url = answer.get("url").cloned().unwrap_or(Value::Null);
            metadata.insert("checkout_url".to_owned(), url.clone());
            Reply::Answer(encode(&json!({"checkout_url": url, "session_id": session, "purchase_id": id}))?)
        }
        // The webhook told that it exists after all, and may have told that it is paid.
        Err(failure) if values.session_id.is_some() => {
            Reply::Refused(Refusal::BadTransition(format!("checkout {}", failure.code)))
        }
        Err(failure) => {
            values.status = PurchaseStatus::Cancelled;
            metadata.insert("step".to_owned(), json!("failed"));
            metadata.insert("error".to_owned(), json!({"code": failure.code}));
            Reply::Refused(Refusal::BadTransition(format!("checkout {}", failure.code)))
        }
    };
    values.metadata = encode(&metadata)?;
    context.host.purchase_save(&id, row.version, &values)?;
    settle::settle(context)?;
    Ok(Handled { outcome: Outcome::Applied, reply: Some(reply) })
}

/// `subscription.change`: to a higher plan at once with the difference charged at once; to a lower one at the end of
/// the period.
pub(crate) fn change_plan(context: &mut Context<'_, '_>, body: &Object) -> Step<Handled> {
    let offer = find_offer(context, body)?;
    let standing = settle::standing(context)?;
    change(context, &standing, &offer, None)
}

fn change(
    context: &mut Context<'_, '_>,
    standing: &entitlement::Standing,
    offer: &Offer,
    product: Option<String>,
) -> Step<Handled> {
    let Some(plan) = standing.plan.as_ref().filter(|plan| plan.price.family == offer.price.family) else {
        let family = offer.price.family.clone().unwrap_or_else(|| offer.product.id.clone());
        return Err(Stop::Refused(Refusal::NoEntitlement(family)));
    };
    let mut billing: Loaded<Billing> = context.record("billing", &plan.subscription)?;
    // What is still to come can be taken back: the plan stays what it is.
    let taken_back = billing.value.pending.as_ref().is_some_and(|p| p.at > context.now && p.price != plan.price.id);
    if plan.price.id == offer.price.id && !taken_back {
        return Err(Stop::Refused(Refusal::AlreadyOwned(offer.product.id.clone())));
    }
    let Some((_, item)) = standing.plan_item() else {
        return Err(Stop::Failed(Failure::Internal(format!("{} has no item of its plan", plan.subscription))));
    };
    let rank = |price: &Price| catalog::Terms::read(price).map(|terms| terms.rank);
    let (at, behavior) = match rank(&offer.price)?.cmp(&rank(&plan.price)?) {
        std::cmp::Ordering::Greater => ("now", "always_invoice"),
        std::cmp::Ordering::Equal if plan.price.id == offer.price.id => ("now", "none"),
        _ => ("period_end", "none"),
    };
    let pending = (at == "period_end").then(|| Pending { price: offer.price.id.clone(), at: item.period_end });
    if billing.value.pending != pending {
        billing.value.pending = pending;
        context.save_record("billing", &plan.subscription, &billing)?;
    }
    let payload = json!({
        "subscription": plan.subscription, "item": item.id, "price": offer.price.id, "at": at,
        "period_end_ms": item.period_end, "proration_behavior": behavior,
    });
    let key = format!("change:{}:{}", plan.subscription, short_hash(&context.event.id));
    ask(context, "stripe.subscription.update", key, &payload)?;
    let over = over_after(context, standing, offer)?;
    let mut reply = json!({
        "subscription": plan.subscription, "plan_id": offer.product.id, "at": at,
        "effective_at": if at == "now" { context.now } else { item.period_end }, "exceeds": over,
    });
    if let Some(product) = product {
        reply["product_id"] = json!(product);
    }
    Ok(Handled { outcome: Outcome::Applied, reply: Some(Reply::Answer(encode(&reply)?)) })
}

/// What is in use beyond what the other plan allows; a change down is allowed after this warning.
fn over_after(context: &mut Context<'_, '_>, standing: &entitlement::Standing, offer: &Offer) -> Step<Vec<Value>> {
    let instances = instance::all(context)?;
    let mut out = Vec::new();
    for grant in &offer.price.grants {
        let used = instance::used(&instances, &grant.key, None);
        if grant.amount != entitlement::UNLIMITED && used > grant.amount {
            let now = standing.allowed(&grant.key);
            out.push(json!({"key": grant.key, "used": used, "allowed": grant.amount, "allowed_now": now}));
        }
    }
    Ok(out)
}

/// `subscription.cancel`: at the end of the period; at once only by an administrator.
pub(crate) fn cancel(context: &mut Context<'_, '_>, body: &Object) -> Step<Handled> {
    let at_period_end = match body.get("at_period_end") {
        None | Some(Value::Null | Value::Bool(true)) => true,
        Some(Value::Bool(false)) => false,
        Some(_) => return Err(refuse("/at_period_end", FieldErrorCode::WrongType, "expected true or false")),
    };
    if !at_period_end && context.event.actor.kind == ActorKind::User {
        return Err(Stop::Refused(Refusal::Forbidden("only an administrator cancels at once".to_owned())));
    }
    let rows = subscription::all(context.host)?;
    let named = text(body, "id")?;
    let mut live = rows.into_iter().filter(|row| !subscription::is_final(row.values.status));
    // Without a name it is the one that gives the plan; without a plan the first that lives.
    let meant = match &named {
        Some(id) => Some(id.clone()),
        None => settle::standing(context)?.plan.map(|plan| plan.subscription),
    };
    let row = live.find(|row| meant.as_ref().is_none_or(|id| row.id == *id));
    let row = row.ok_or_else(|| Refusal::NotFound(named.unwrap_or_else(|| "subscription".to_owned())))?;
    let payload = json!({"subscription": row.id, "at_period_end": at_period_end});
    let key = format!("cancel:{}:{}", row.id, short_hash(&context.event.id));
    ask(context, "stripe.subscription.cancel", key, &payload)?;
    let reply = json!({"subscription": row.id, "at_period_end": at_period_end});
    Ok(Handled { outcome: Outcome::Applied, reply: Some(Reply::Answer(encode(&reply)?)) })
}
