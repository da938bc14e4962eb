//! Creates connected accounts and links to their onboarding.

use super::{member, only_id};
use crate::stripe::api::Api;
use crate::stripe::config::AccountType;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::{Value, json};
use stripe_client_core::StripeRequest;
use stripe_connect::account::{
    CreateAccount, CreateAccountCapabilities, CreateAccountCapabilitiesTransfers, CreateAccountType,
};
use stripe_connect::account_link::{CreateAccountLink, CreateAccountLinkType};

/// `stripe.account.create`: takes `metadata`; returns `id`. Requests the capability `transfers`, so that the account
/// can receive transfers.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let mut transfers = CreateAccountCapabilitiesTransfers::new();
    transfers.requested = Some(true);
    let mut capabilities = CreateAccountCapabilities::new();
    capabilities.transfers = Some(transfers);
    let kind = match api.config.account_type {
        AccountType::Express => CreateAccountType::Express,
        AccountType::Standard => CreateAccountType::Standard,
    };
    let metadata = marks.on(payload.metadata()?);
    let mut request = CreateAccount::new().type_(kind).capabilities(capabilities).metadata(metadata);
    if let Some(country) = &api.config.account_country {
        request = request.country(country.clone());
    }
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, &marks, "/accounts", &[])?
    {
        return only_id(&made);
    }
    only_id(&api.post(request.build(), &marks, "account")?)
}

/// `stripe.account.link`: takes `account`, `return_url`, `refresh_url`; returns `url`. A link expires within minutes,
/// so an earlier link is not reused. The URLs may be paths of the site.
pub(crate) fn link(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, site) = (Payload::of(call), api.config.site.as_deref());
    let request = CreateAccountLink::new(payload.id("account")?, CreateAccountLinkType::AccountOnboarding)
        .return_url(payload.return_url("return_url", site)?)
        .refresh_url(payload.return_url("refresh_url", site)?);
    let made = api.post(request.build(), &Marks::of(call), "link")?;
    Ok(json!({"url": member(&made, "url")?}))
}
