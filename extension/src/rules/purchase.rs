//! Commands about purchases: made from the catalog, changed and cancelled. What a checkout brings is told by its session.

use super::instance;
use crate::catalog::desk::Desk;
use crate::catalog::product::{required_text, text};
use crate::catalog::terms::CatalogPrice;
use crate::derive::standing::{Standing, UNLIMITED, standing};
use crate::model::concern::Concern;
use crate::model::effect::request;
use crate::model::halt::{Answer, Halt, Ruled, Verdict, internal, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::{CUSTOMER_CLAIMS, ClaimKey, EffectKey};
use crate::model::records::customer::Customer;
use crate::model::records::purchase::{Details, PurchaseRow, Step};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::{BillingHistory, PendingChange};
use crate::model::records::summary::Summary;
use products_contract::*;
use serde_json::{Value, json};
use std::rc::Rc;

/// A product on sale, with its price.
struct OnOffer {
    product: Rc<Product>,
    price: Rc<CatalogPrice>,
}

fn find_offer(desk: &mut Desk<'_>, body: &Object) -> Ruled<OnOffer> {
    let given = ["plan_id", "product_id", "plan"].into_iter().find(|key| body.get(*key).is_some_and(|v| !v.is_null()));
    let name = required_text(body, given.unwrap_or("plan_id"))?;
    let mut id = name.clone();
    for decl in desk.catalog.types()?.iter() {
        if let Some(family) = &decl.family
            && let Some(found) = desk.catalog.plan_by_name(family, &name)?
        {
            id = found;
            break;
        }
    }
    let product = desk.catalog.product(&id)?.ok_or(Refusal::NotFound(format!("plan {name}")))?;
    let metadata = desk.catalog.metadata(&id)?;
    let unavailable = || Halt::Refused(Refusal::RequirementUnmet(format!("purchasable:{}", product.id)));
    let price_id = metadata.get("stripe_price_id").and_then(Value::as_str).ok_or_else(unavailable)?;
    if !product.values.active || metadata.get("purchasable") == Some(&json!(false)) {
        return Err(unavailable());
    }
    let price = desk.catalog.price(price_id)?.filter(|price| price.active).ok_or_else(unavailable)?;
    Ok(OnOffer { product, price })
}

/// `purchase.create`: begin a checkout, or change the plan of who has one already.
pub(super) fn create(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let offer = find_offer(desk, body)?;
    let settings = desk.catalog.settings()?;
    let success_url = return_url(body, "success_url", settings.success_url.as_deref(), &settings.origins)?;
    let cancel_url = return_url(body, "cancel_url", settings.cancel_url.as_deref(), &settings.origins)?;
    let standing = standing(desk)?;
    let held = offer.price.family.as_ref().and_then(|family| standing.plans.get(family));
    // A plan that is in force by default, or that was paid once, has no subscription that could change.
    if let Some(plan) = held.filter(|plan| plan.price_id.is_some()) {
        if plan.price_id.as_ref() == Some(&offer.price.id) {
            return Err(Refusal::AlreadyOwned(offer.product.id.clone()).into());
        }
        if plan.subscription.is_some() {
            // What is ordered with it is made first: if there is no room for it, nothing changes.
            let product = match product_of(body)? {
                Some(product) => Some(instance::create_now(desk, product)?),
                None => None,
            };
            return change(desk, &standing, &offer, product);
        }
    }
    if let Some(open) = open_checkout(desk, body, &offer)? {
        return Ok(open);
    }
    let id = format!("pur_{}", desk.event_hash());
    desk.account.claim([ClaimKey::Purchase(&id)])?;
    let product_id = match product_of(body)? {
        Some(product) => Some(instance::create_waiting(desk, product, &id)?),
        None => None,
    };
    let amount = offer.price.amount.clone();
    let nothing = Money { amount_minor: 0, currency: amount.currency.clone() };
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
        metadata: "{}".to_owned(),
    };
    desk.account.put(&id, PurchaseRow { values, details: Details { product_id, ..Details::default() } });
    let owner = match desk.account.owned()? {
        Account::Platform => json!({"purchase_id": id}),
        Account::User(user) => json!({"purchase_id": id, "user_id": user}),
        Account::Organization(organization) => json!({"purchase_id": id, "organization_id": organization}),
    };
    let mode = if offer.price.interval.is_some() { "subscription" } else { "payment" };
    let payload = json!({
        "mode": mode, "price": offer.price.id, "quantity": 1, "client_reference_id": id, "metadata": owner,
        "customer": customer(desk)?, "success_url": success_url, "cancel_url": cancel_url,
    });
    let about = Concern::Checkout { purchase: id.clone() };
    ask(desk, "stripe.checkout.create", &EffectKey::Checkout { purchase: id }, &payload, Some(&about))?;
    Ok(Outcome::Applied.into())
}

/// The customer of the account that can still be sold to: the first by id.
fn customer(desk: &mut Desk<'_>) -> Ruled<Option<String>> {
    for key in desk.account.claims_mine(CUSTOMER_CLAIMS)? {
        let Some(id) = key.strip_prefix(CUSTOMER_CLAIMS) else { continue };
        let is_deleted = desk.account.get::<Customer>(id)?.is_some_and(|customer| customer.deleted_at.is_some());
        if !is_deleted {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}

/// The product that is to be made for a purchase.
fn product_of(body: &Object) -> Ruled<Option<&Object>> {
    match body.get("product") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(product)) => Ok(Some(product)),
        Some(_) => Err(wrong_field("/product", FieldErrorCode::WrongType, "expected an object")),
    }
}

/// The answer for who asks for a checkout that is open already: a double click buys once. One that orders a product is
/// told apart by the product's name, which is taken then.
fn open_checkout(desk: &mut Desk<'_>, body: &Object, offer: &OnOffer) -> Ruled<Option<Verdict>> {
    if product_of(body)?.is_some() {
        return Ok(None);
    }
    for (id, row) in desk.account.all::<PurchaseRow>()? {
        let same = row.values.items.iter().any(|item| item.price_id.as_ref() == Some(&offer.price.id));
        if !same || row.values.status != PurchaseStatus::Pending || row.details.product_id.is_some() {
            continue;
        }
        let reply = json!({
            "purchase_id": id, "session_id": row.values.session_id, "checkout_url": row.details.checkout_url,
        });
        let answer = Answer::Value(encode(&reply)?);
        return Ok(Some(Verdict { answer, ..Outcome::Ignored(IgnoreReason::NoChange).into() }));
    }
    Ok(None)
}

/// A return URL must be of an origin that the business names; the default needs no check.
fn return_url(body: &Object, field: &str, default: Option<&str>, origins: &[String]) -> Ruled<Option<String>> {
    let Some(url) = text(body, field)? else { return Ok(default.map(str::to_owned)) };
    let own = origins.iter().any(|origin| {
        url.strip_prefix(origin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    });
    if own {
        return Ok(Some(url));
    }
    let message = format!("expected an origin of {}", origins.join(", "));
    Err(wrong_field(&format!("/{field}"), FieldErrorCode::NotAllowed, message))
}

fn ask(desk: &mut Desk<'_>, kind: &str, key: &EffectKey, payload: &Value, about: Option<&Concern>) -> Ruled<()> {
    let reply_to = desk.reply_to.cloned();
    desk.account.ask(Effect { reply_to, ..request(kind, key, payload, about)? });
    Ok(())
}

/// The checkout exists, or does not.
pub(super) fn checkout_made(desk: &mut Desk<'_>, id: &str, report: &EffectReport) -> Ruled<Verdict> {
    let Some(mut row) = desk.account.fetch::<PurchaseRow>(id)? else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    };
    let failed = |code: &str| Halt::Refused(Refusal::BadTransition(format!("checkout {code}")));
    let answer = match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            let Some(session) = answer.get("session_id").or_else(|| answer.get("id")).and_then(Value::as_str) else {
                return Err(internal(format!("{} answered without a session", report.key)));
            };
            // The webhook may have been faster.
            if row.values.session_id.is_none() {
                desk.account.claim([ClaimKey::Session(session)])?;
                row.values.session_id = Some(session.to_owned());
                row.details.step = Step::CheckoutOpen;
            }
            let url = answer.get("url").cloned().unwrap_or(Value::Null);
            row.details.checkout_url = Some(url.clone());
            Ok(encode(&json!({"checkout_url": url, "session_id": session, "purchase_id": id}))?)
        }
        // The webhook told that it exists after all, and may have told that it is paid.
        Err(failure) if row.values.session_id.is_some() => Err(failed(&failure.code)),
        Err(failure) => {
            row.values.status = PurchaseStatus::Cancelled;
            row.details.step = Step::Failed;
            row.details.error = Some(json!({"code": failure.code}));
            Err(failed(&failure.code))
        }
    };
    desk.account.put(id, row);
    Ok(match answer {
        Ok(answer) => Verdict::answered(Answer::Value(answer)),
        Err(Halt::Refused(refusal)) => Verdict::answered(Answer::Refused(refusal)),
        Err(other) => return Err(other),
    })
}

/// `subscription.change`: to a higher plan at once with the difference charged at once; to a lower one at the end of
/// the period.
pub(super) fn change_plan(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let offer = find_offer(desk, body)?;
    let standing = standing(desk)?;
    change(desk, &standing, &offer, None)
}

fn change(desk: &mut Desk<'_>, standing: &Standing, offer: &OnOffer, product: Option<String>) -> Ruled<Verdict> {
    let family = offer.price.family.clone().unwrap_or_else(|| offer.product.id.clone());
    let plan = standing.plans.get(&family);
    let (Some(plan), Some(subscription)) = (plan, plan.and_then(|plan| plan.subscription.clone())) else {
        return Err(Refusal::NoEntitlement(family).into());
    };
    let billing = desk.account.fetch::<BillingHistory>(&subscription)?.unwrap_or_default();
    let is_held = plan.price_id.as_ref() == Some(&offer.price.id);
    // What is still to come can be taken back: the plan stays what it is.
    let taken_back = billing
        .pending
        .as_ref()
        .is_some_and(|pending| pending.at > desk.now && Some(&pending.price) != plan.price_id.as_ref());
    if is_held && !taken_back {
        return Err(Refusal::AlreadyOwned(offer.product.id.clone()).into());
    }
    let Some((_, item)) = standing.plan_item(&family) else {
        return Err(internal(format!("{subscription} has no item of its plan")));
    };
    let (at, behavior) = match offer.price.rank()?.cmp(&plan.rank) {
        std::cmp::Ordering::Greater => ("now", "always_invoice"),
        std::cmp::Ordering::Equal if is_held => ("now", "none"),
        _ => ("period_end", "none"),
    };
    let pending = (at == "period_end").then(|| PendingChange { price: offer.price.id.clone(), at: item.period_end });
    if billing.pending != pending {
        desk.account.put(&subscription, BillingHistory { pending, ..billing });
    }
    let payload = json!({
        "subscription": subscription, "item": item.id, "price": offer.price.id, "at": at,
        "period_end_ms": item.period_end, "proration_behavior": behavior,
    });
    let key = EffectKey::Change { subscription: subscription.clone(), asked_by: desk.event_hash() };
    ask(desk, "stripe.subscription.update", &key, &payload, None)?;
    let over = over_after(desk, standing, offer)?;
    let mut reply = json!({
        "subscription": subscription, "plan_id": offer.product.id, "at": at,
        "effective_at": if at == "now" { desk.now } else { item.period_end }, "exceeds": over,
    });
    if let Some(product) = product {
        reply["product_id"] = json!(product);
    }
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// What is in use beyond what the other plan allows; a change down is allowed after this warning.
fn over_after(desk: &mut Desk<'_>, standing: &Standing, offer: &OnOffer) -> Ruled<Vec<Value>> {
    let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
    let mut out = Vec::new();
    for grant in &offer.price.grants {
        let used = summary.consumed.get(&grant.key).copied().unwrap_or(0);
        if grant.amount != UNLIMITED && used > grant.amount {
            let now = standing.allows(&grant.key);
            out.push(json!({"key": grant.key, "used": used, "allowed": grant.amount, "allowed_now": now}));
        }
    }
    Ok(out)
}

/// `subscription.cancel`: at the end of the period; at once only by an administrator.
pub(super) fn cancel(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let at_period_end = match body.get("at_period_end") {
        None | Some(Value::Null | Value::Bool(true)) => true,
        Some(Value::Bool(false)) => false,
        Some(_) => return Err(wrong_field("/at_period_end", FieldErrorCode::WrongType, "expected true or false")),
    };
    if !at_period_end && desk.actor.kind == ActorKind::User {
        return Err(Refusal::Forbidden("only an administrator cancels at once".to_owned()).into());
    }
    let named = text(body, "id")?;
    // Without a name it is the one that gives a plan; without a plan the first that lives.
    let meant = match &named {
        Some(id) => Some(id.clone()),
        None => standing(desk)?.plans.into_values().find_map(|plan| plan.subscription),
    };
    let mut living = desk.account.all::<SubscriptionRow>()?.into_iter().filter(|(_, row)| !row.is_final());
    let found = living.find(|(id, _)| meant.as_ref().is_none_or(|meant| id == meant));
    let (id, _) = found.ok_or_else(|| Refusal::NotFound(named.unwrap_or_else(|| "subscription".to_owned())))?;
    let payload = json!({"subscription": id, "at_period_end": at_period_end});
    let key = EffectKey::Cancel { subscription: id, asked_by: desk.event_hash() };
    ask(desk, "stripe.subscription.cancel", &key, &payload, None)?;
    Ok(Verdict::answered(Answer::Value(encode(&payload)?)))
}
