//! Creates and expires checkout sessions, Stripe's payment pages.

use super::{currency, member};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::{Value, json};
use stripe_checkout::CheckoutSessionMode;
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionAutomaticTax, CreateCheckoutSessionCustomerCreation,
    CreateCheckoutSessionCustomerUpdate, CreateCheckoutSessionCustomerUpdateAddress,
    CreateCheckoutSessionCustomerUpdateName, CreateCheckoutSessionDiscounts, CreateCheckoutSessionLineItems,
    CreateCheckoutSessionPaymentIntentData, CreateCheckoutSessionPaymentIntentDataSetupFutureUsage,
    CreateCheckoutSessionPaymentMethodCollection, CreateCheckoutSessionSubscriptionData,
    CreateCheckoutSessionSubscriptionDataTrialSettings, CreateCheckoutSessionSubscriptionDataTrialSettingsEndBehavior,
    CreateCheckoutSessionSubscriptionDataTrialSettingsEndBehaviorMissingPaymentMethod,
    CreateCheckoutSessionTaxIdCollection, ExpireCheckoutSession,
};
use stripe_client_core::StripeRequest;

/// `stripe.checkout.create`: takes `mode` (`payment` or `subscription`), `price`, `quantity`, `client_reference_id`,
/// `customer`, `currency`, `success_url`, `cancel_url`, `metadata`, `trial_days`, `card` (`optional` for a trial without one), `codes`,
/// `promotion_code` (instead of `codes`), `tax`, `tax_ids`, `subscription_data.metadata`, `payment_intent_data.metadata`, `saves_card` (for later
/// payments without the customer); returns
/// `session_id`, `url`. The URLs may be paths of the site.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let mode = match payload.text("mode")? {
        "payment" => CheckoutSessionMode::Payment,
        "subscription" => CheckoutSessionMode::Subscription,
        _ => return Err(Failed::Payload { member: "mode", expected: "payment or subscription" }),
    };
    let mut item = CreateCheckoutSessionLineItems::new();
    item.price = Some(payload.text("price")?.to_owned());
    item.quantity = Some(payload.maybe_count("quantity")?.unwrap_or(1));
    let mut request =
        CreateCheckoutSession::new().mode(mode).line_items(vec![item]).metadata(marks.on(payload.metadata()?));
    let customer = payload.maybe_id("customer")?;
    if let Some(customer) = customer {
        request = request.customer(customer);
    }
    if let Some(code) = payload.maybe_text("currency")? {
        request = request.currency(currency(code)?);
    }
    if let Some(promotion_code) = payload.maybe_id("promotion_code")? {
        let mut discount = CreateCheckoutSessionDiscounts::new();
        discount.promotion_code = Some(promotion_code.to_owned());
        request = request.discounts(vec![discount]);
    }
    if payload.maybe_flag("codes")? == Some(true) {
        request = request.allow_promotion_codes(true);
    }
    let (has_tax, has_tax_ids) =
        (payload.maybe_flag("tax")? == Some(true), payload.maybe_flag("tax_ids")? == Some(true));
    if has_tax {
        request = request.automatic_tax(CreateCheckoutSessionAutomaticTax::new(true));
    }
    if has_tax_ids {
        request = request.tax_id_collection(CreateCheckoutSessionTaxIdCollection::new(true));
    }
    // A customer who exists gets the address and the name that the checkout asks for: taxes depend on the address, and tax ids
    // belong to the name.
    if customer.is_some() && (has_tax || has_tax_ids) {
        let mut update = CreateCheckoutSessionCustomerUpdate::new();
        update.address = Some(CreateCheckoutSessionCustomerUpdateAddress::Auto);
        update.name = Some(CreateCheckoutSessionCustomerUpdateName::Auto);
        request = request.customer_update(update);
    }
    if let Some(reference) = payload.maybe_text("client_reference_id")? {
        request = request.client_reference_id(reference);
    }
    let site = api.config.site.as_deref();
    if let Some(url) = payload.maybe_return_url("success_url", site)? {
        request = request.success_url(url);
    }
    if let Some(url) = payload.maybe_return_url("cancel_url", site)? {
        request = request.cancel_url(url);
    }
    let days = payload.maybe_count("trial_days")?.map(u32::try_from).transpose();
    let trial_days = days.map_err(|_| Failed::Payload { member: "trial_days", expected: "a number of days" })?;
    let metadata = payload.metadata_of("subscription_data")?;
    let card_is_optional = payload.maybe_text("card")? == Some("optional");
    if metadata.is_some() || trial_days.is_some() {
        let mut data = CreateCheckoutSessionSubscriptionData::new();
        data.metadata = metadata;
        data.trial_period_days = trial_days;
        if card_is_optional {
            let end = CreateCheckoutSessionSubscriptionDataTrialSettingsEndBehavior::new(
                CreateCheckoutSessionSubscriptionDataTrialSettingsEndBehaviorMissingPaymentMethod::Cancel,
            );
            data.trial_settings = Some(CreateCheckoutSessionSubscriptionDataTrialSettings::new(end));
        }
        request = request.subscription_data(data);
    }
    if card_is_optional {
        request = request.payment_method_collection(CreateCheckoutSessionPaymentMethodCollection::IfRequired);
    }
    if let Some(metadata) = payload.metadata_of("payment_intent_data")? {
        let mut data = CreateCheckoutSessionPaymentIntentData::new();
        data.metadata = Some(metadata);
        if payload.maybe_flag("saves_card")? == Some(true) {
            data.setup_future_usage = Some(CreateCheckoutSessionPaymentIntentDataSetupFutureUsage::OffSession);
            // A card is kept with a customer.
            if customer.is_none() {
                request = request.customer_creation(CreateCheckoutSessionCustomerCreation::Always);
            }
        }
        request = request.payment_intent_data(data);
    }
    let filter: Vec<_> = customer.map(|customer| ("customer", customer)).into_iter().collect();
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, &marks, "/checkout/sessions", &filter)?
    {
        return session(&made);
    }
    session(&api.post(request.build(), &marks, "checkout")?)
}

/// Returns the outputs. The URL of a paid or expired session is null.
fn session(object: &Value) -> Result<Value, Failed> {
    Ok(json!({"session_id": member(object, "id")?, "url": object.get("url")}))
}

/// `stripe.checkout.expire`: takes `session_id`; returns `session_id`, `status`. Succeeds for an expired session.
/// Refuses a paid session.
pub(crate) fn expire(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let id = Payload::of(call).id("session_id")?;
    let object = api.get(format!("/checkout/sessions/{id}"), &[])?.object;
    let object = match object.get("status").and_then(Value::as_str) {
        Some("expired") => object,
        Some("complete") => return Err(Failed::Inconsistent(format!("`{id}` is paid"))),
        _ => api.post(ExpireCheckoutSession::new(id).build(), &Marks::of(call), "expire")?,
    };
    Ok(json!({"session_id": id, "status": object.get("status")}))
}
