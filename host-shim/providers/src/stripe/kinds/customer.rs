//! Creates customers and changes their addresses; creates portal sessions and credits on customer balances.

use super::{currency, member, only_id};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::{Value, json};
use stripe_billing::billing_portal_session::CreateBillingPortalSession;
use stripe_client_core::StripeRequest;
use stripe_core::customer::{CreateCustomer, UpdateCustomer};
use stripe_core::customer_balance_transaction::CreateCustomerCustomerBalanceTransaction;

/// `stripe.customer.create`: takes `metadata`, `email`, `name`; returns `id`.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let mut request = CreateCustomer::new().metadata(marks.on(payload.metadata()?));
    if let Some(email) = payload.maybe_text("email")? {
        request = request.email(email);
    }
    if let Some(name) = payload.maybe_text("name")? {
        request = request.name(name);
    }
    if recovery::may_be_done(call)
        && let Some(made) = recovery::by_search(api, &marks, "/customers")?
    {
        return only_id(&made);
    }
    only_id(&api.post(request.build(), &marks, "customer")?)
}

/// `stripe.customer.update`: takes `customer`, `email`; returns `id`. A repeated call changes nothing.
pub(crate) fn update(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let payload = Payload::of(call);
    let request = UpdateCustomer::new(payload.id("customer")?).email(payload.text("email")?);
    only_id(&api.post(request.build(), &Marks::of(call), "customer-address")?)
}

/// `stripe.portal.create`: takes `customer`, `return_url`; returns `id`, `url`. A session expires within minutes, so an
/// earlier session is not reused. The URL may be a path of the site.
pub(crate) fn portal(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let payload = Payload::of(call);
    let request = CreateBillingPortalSession::new().customer(payload.id("customer")?);
    let mut request = request.return_url(payload.return_url("return_url", api.config.site.as_deref())?);
    if let Some(configuration) = &api.config.portal_configuration {
        request = request.configuration(configuration.clone());
    }
    let made = api.post(request.build(), &Marks::of(call), "portal")?;
    Ok(json!({"id": member(&made, "id")?, "url": member(&made, "url")?}))
}

/// `stripe.credit.create`: takes `customer`, `amount_minor`, `currency`, `reason`, `instance`; returns `id`. The credit
/// reduces the customer's next invoice.
pub(crate) fn credit(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let (customer, amount) = (payload.id("customer")?, payload.amount("amount_minor")?);
    let mut metadata = payload.metadata()?;
    if let Some(instance) = payload.maybe_text("instance")? {
        metadata.insert("instance".to_owned(), instance.to_owned());
    }
    // In Stripe, a negative customer balance is a credit.
    let request =
        CreateCustomerCustomerBalanceTransaction::new(customer, -amount, currency(payload.text("currency")?)?);
    let mut request = request.metadata(marks.on(metadata));
    if let Some(reason) = payload.maybe_text("reason")? {
        request = request.description(reason);
    }
    let path = format!("/customers/{customer}/balance_transactions");
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, &marks, &path, &[])?
    {
        return only_id(&made);
    }
    only_id(&api.post(request.build(), &marks, "credit")?)
}
