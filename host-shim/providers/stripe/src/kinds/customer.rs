//! Customers, the page that they manage themselves on, and credit on their balance.

use super::{currency, member, only_id};
use crate::api::Api;
use crate::failure::Failed;
use crate::look;
use crate::marks::Marks;
use crate::payload::Payload;
use host_provider_api::Call;
use serde_json::{Value, json};
use stripe_billing::billing_portal_session::CreateBillingPortalSession;
use stripe_client_core::StripeRequest;
use stripe_core::customer::CreateCustomer;
use stripe_core::customer_balance_transaction::CreateCustomerCustomerBalanceTransaction;

/// `stripe.customer.create`: `metadata`, `email`, `name`; gives `id`.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let mut request = CreateCustomer::new().metadata(marks.on(payload.metadata()?));
    if let Some(email) = payload.maybe_text("email")? {
        request = request.email(email);
    }
    if let Some(name) = payload.maybe_text("name")? {
        request = request.name(name);
    }
    if look::may_be_done(call)
        && let Some(made) = look::by_search(api, &marks, "/customers")?
    {
        return only_id(&made);
    }
    only_id(&api.post(request.build(), &marks, "customer")?)
}

/// `stripe.portal.create`: `customer`, `return_url`; gives `id`, `url`. A page lives for minutes, so none is looked for.
pub(crate) fn portal(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let payload = Payload::of(call);
    let request = CreateBillingPortalSession::new().customer(payload.id("customer")?);
    let mut request = request.return_url(payload.text("return_url")?);
    if let Some(configuration) = &api.config.portal_configuration {
        request = request.configuration(configuration.clone());
    }
    let made = api.post(request.build(), &Marks::of(call), "portal")?;
    Ok(json!({"id": member(&made, "id")?, "url": member(&made, "url")?}))
}

/// `stripe.credit.create`: `customer`, `amount_minor`, `currency`, `reason`, `instance`; gives `id`. The customer owes that
/// much less on the next invoice.
pub(crate) fn credit(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let (customer, amount) = (payload.id("customer")?, payload.amount("amount_minor")?);
    let mut metadata = payload.metadata()?;
    if let Some(instance) = payload.maybe_text("instance")? {
        metadata.insert("instance".to_owned(), instance.to_owned());
    }
    // What the customer is owed is a balance below zero.
    let request =
        CreateCustomerCustomerBalanceTransaction::new(customer, -amount, currency(payload.text("currency")?)?);
    let mut request = request.metadata(marks.on(metadata));
    if let Some(reason) = payload.maybe_text("reason")? {
        request = request.description(reason);
    }
    let path = format!("/customers/{customer}/balance_transactions");
    if look::may_be_done(call)
        && let Some(made) = look::in_list(api, &marks, &path, &[])?
    {
        return only_id(&made);
    }
    only_id(&api.post(request.build(), &marks, "credit")?)
}
