//! The API versions in which endpoints and parameters exist: the first version with them, and the first without them.
//!
//! Stripe treats new endpoints and new optional parameters as compatible: a request in an older version may use them and gets the response
//! in the shape of its own version. The sandbox does the same, so `since` is only documentation. An endpoint that Stripe has removed is
//! refused in that version and all later ones.

use super::Route;
use crate::error::ApiError;
use crate::form::Form;
use crate::shapes::changes::{ACACIA, BASIL, CHANGES, Edit, Y2022};
use crate::version::{OLDEST, Version};

/// Endpoints with a common path prefix, and the object they return.
#[derive(Debug)]
pub struct Resource {
    /// The path prefix, in whole segments; `{}` is an id.
    pub path: &'static str,
    /// The `object` member of the response.
    pub kind: &'static str,
    /// The first of the checked versions that has this kind of object.
    pub since: &'static str,
}

const fn resource(path: &'static str, kind: &'static str, since: &'static str) -> Resource {
    Resource { path, kind, since }
}

/// The resources of the endpoints. If several rows match a path, the row with the longest prefix applies.
pub const RESOURCES: &[Resource] = &[
    resource("/v1/account", "account", OLDEST),
    resource("/v1/account_sessions", "account_session", ACACIA),
    resource("/v1/accounts", "account", OLDEST),
    resource("/v1/accounts/{}/capabilities", "capability", OLDEST),
    resource("/v1/accounts/{}/external_accounts", "bank_account", OLDEST),
    resource("/v1/accounts/{}/login_links", "login_link", OLDEST),
    resource("/v1/accounts/{}/persons", "person", OLDEST),
    resource("/v1/apple_pay/domains", "apple_pay_domain", OLDEST),
    resource("/v1/application_fees", "application_fee", OLDEST),
    resource("/v1/application_fees/{}/refunds", "fee_refund", OLDEST),
    resource("/v1/balance_settings", "balance_settings", "2025-09-30.clover"),
    resource("/v1/balance_transactions", "balance_transaction", OLDEST),
    resource("/v1/billing/alerts", "billing.alert", ACACIA),
    resource("/v1/billing/credit_balance_summary", "billing.credit_balance_summary", ACACIA),
    resource("/v1/billing/credit_balance_transactions", "billing.credit_balance_transaction", ACACIA),
    resource("/v1/billing/credit_grants", "billing.credit_grant", ACACIA),
    resource("/v1/billing/meter_event_adjustments", "billing.meter_event_adjustment", ACACIA),
    resource("/v1/billing/meter_events", "billing.meter_event", ACACIA),
    resource("/v1/billing/meters", "billing.meter", ACACIA),
    resource("/v1/billing/meters/{}/event_summaries", "billing.meter_event_summary", ACACIA),
    resource("/v1/billing_portal/configurations", "billing_portal.configuration", OLDEST),
    resource("/v1/billing_portal/sessions", "billing_portal.session", OLDEST),
    resource("/v1/charges", "charge", OLDEST),
    resource("/v1/checkout/sessions", "checkout.session", OLDEST),
    resource("/v1/confirmation_tokens", "confirmation_token", ACACIA),
    resource("/v1/country_specs", "country_spec", OLDEST),
    resource("/v1/coupons", "coupon", OLDEST),
    resource("/v1/credit_notes", "credit_note", OLDEST),
    resource("/v1/customer_sessions", "customer_session", ACACIA),
    resource("/v1/customers", "customer", OLDEST),
    resource("/v1/customers/{}/balance_transactions", "customer_balance_transaction", OLDEST),
    resource("/v1/customers/{}/cash_balance", "cash_balance", Y2022),
    resource("/v1/customers/{}/cash_balance_transactions", "customer_cash_balance_transaction", Y2022),
    resource("/v1/customers/{}/funding_instructions", "funding_instructions", Y2022),
    resource("/v1/customers/{}/payment_methods", "payment_method", OLDEST),
    resource("/v1/customers/{}/sources", "card", OLDEST),
    resource("/v1/customers/{}/tax_ids", "tax_id", OLDEST),
    resource("/v1/disputes", "dispute", OLDEST),
    resource("/v1/entitlements/active_entitlements", "entitlements.active_entitlement", ACACIA),
    resource("/v1/entitlements/features", "entitlements.feature", ACACIA),
    resource("/v1/ephemeral_keys", "ephemeral_key", OLDEST),
    resource("/v1/file_links", "file_link", OLDEST),
    resource("/v1/files", "file", OLDEST),
    resource("/v1/identity/verification_reports", "identity.verification_report", OLDEST),
    resource("/v1/identity/verification_sessions", "identity.verification_session", OLDEST),
    resource("/v1/invoice_payments", "invoice_payment", BASIL),
    resource("/v1/invoice_rendering_templates", "invoice_rendering_template", ACACIA),
    resource("/v1/invoiceitems", "invoiceitem", OLDEST),
    resource("/v1/invoices", "invoice", OLDEST),
    // Stripe added this endpoint in April 2024, between two of the checked versions.
    resource("/v1/invoices/create_preview", "invoice", ACACIA),
    resource("/v1/mandates", "mandate", OLDEST),
    resource("/v1/payment_intents", "payment_intent", OLDEST),
    resource("/v1/payment_links", "payment_link", Y2022),
    resource("/v1/payment_method_configurations", "payment_method_configuration", ACACIA),
    resource("/v1/payment_method_domains", "payment_method_domain", ACACIA),
    resource("/v1/payment_methods", "payment_method", OLDEST),
    resource("/v1/payouts", "payout", OLDEST),
    resource("/v1/plans", "plan", OLDEST),
    resource("/v1/prices", "price", OLDEST),
    resource("/v1/products", "product", OLDEST),
    resource("/v1/products/{}/features", "product_feature", ACACIA),
    resource("/v1/products/{}/features", "product_feature", ACACIA),
    resource("/v1/promotion_codes", "promotion_code", OLDEST),
    resource("/v1/quotes", "quote", Y2022),
    resource("/v1/radar/early_fraud_warnings", "radar.early_fraud_warning", OLDEST),
    resource("/v1/radar/value_list_items", "radar.value_list_item", OLDEST),
    resource("/v1/radar/value_lists", "radar.value_list", OLDEST),
    resource("/v1/refunds", "refund", OLDEST),
    resource("/v1/reviews", "review", OLDEST),
    resource("/v1/setup_attempts", "setup_attempt", OLDEST),
    resource("/v1/setup_intents", "setup_intent", OLDEST),
    resource("/v1/shipping_rates", "shipping_rate", Y2022),
    resource("/v1/sources", "source", OLDEST),
    resource("/v1/subscription_items", "subscription_item", OLDEST),
    resource("/v1/subscription_schedules", "subscription_schedule", OLDEST),
    resource("/v1/subscriptions", "subscription", OLDEST),
    resource("/v1/tax_codes", "tax_code", Y2022),
    resource("/v1/tax_ids", "tax_id", OLDEST),
    resource("/v1/tax_rates", "tax_rate", OLDEST),
    resource("/v1/test_helpers/confirmation_tokens", "confirmation_token", ACACIA),
    resource("/v1/test_helpers/customers/{}/fund_cash_balance", "customer_cash_balance_transaction", Y2022),
    resource("/v1/test_helpers/refunds", "refund", OLDEST),
    resource("/v1/test_helpers/test_clocks", "test_helpers.test_clock", Y2022),
    resource("/v1/tokens", "token", OLDEST),
    resource("/v1/topups", "topup", OLDEST),
    resource("/v1/transfers", "transfer", OLDEST),
    resource("/v1/webhook_endpoints", "webhook_endpoint", OLDEST),
];

/// Endpoints that Stripe removed: method, path, the first version without it, and its replacement.
pub const REMOVED_ENDPOINTS: &[(&str, &str, &str, &str)] =
    &[("GET", "/v1/invoices/upcoming", BASIL, "POST /v1/invoices/create_preview")];

/// The parameters that Stripe removed: method, path and name, the first version that refuses the parameter, and the
/// parameter that replaces it.
///
/// The source is <https://docs.stripe.com/changelog/basil/2025-03-31/deprecate-singular-coupon-promotion-code>. Customers lost the same
/// parameters, but here they still accept them in every version, because no other parameter gives a customer a discount.
pub const REMOVED_PARAMETERS: &[(&str, &str, &str, &str, &str)] = &[
    ("POST", "/v1/subscriptions", "coupon", BASIL, "discounts"),
    ("POST", "/v1/subscriptions", "promotion_code", BASIL, "discounts"),
    ("POST", "/v1/subscriptions/{}", "coupon", BASIL, "discounts"),
    ("POST", "/v1/subscriptions/{}", "promotion_code", BASIL, "discounts"),
];

/// The versions that have an endpoint or a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VersionRange {
    /// The first version; `None` for the oldest version.
    pub since: Option<&'static str>,
    /// The first version without the endpoint or member, if Stripe removed it.
    pub until: Option<&'static str>,
}

/// Returns the resource of a path; `None` for the sandbox's own paths and for responses without an object.
pub fn resource_of(path: &str) -> Option<&'static Resource> {
    let begins = |r: &&Resource| path.strip_prefix(r.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    RESOURCES.iter().filter(begins).max_by_key(|r| r.path.len())
}

/// Returns the versions that have an endpoint.
pub fn of_route(route: &Route) -> VersionRange {
    let since = resource_of(route.path).map(|r| r.since).filter(|since| *since != OLDEST);
    VersionRange { since, until: gone(route).map(|(_, _, version, _)| *version) }
}

/// Returns the versions whose responses have a member with the name of the parameter, according to the
/// [changes](CHANGES).
pub fn of_parameter(route: &Route, name: &str) -> VersionRange {
    let kind = resource_of(route.path).map(|r| r.kind).unwrap_or_default();
    let (mut came, mut went) = (None, None);
    for change in CHANGES.iter().filter(|change| change.kind == kind) {
        match change.edit {
            Edit::Added(paths) if paths.contains(&name) => came = Some(change.version),
            Edit::Removed(members) if members.iter().any(|(path, _)| *path == name) => went = Some(change.version),
            _ => {}
        }
    }
    went = went.or_else(|| removed(route, name).map(|(_, _, _, version, _)| *version));
    match (came, went) {
        // Stripe removed the member and added it again: both the oldest and the newest version have it.
        (Some(came), Some(went)) if went <= came => VersionRange::default(),
        (since, until) => VersionRange { since, until },
    }
}

/// Checks that a version still has an endpoint.
///
/// # Errors
/// Stripe removed the endpoint in this version or an earlier one (404).
pub fn check(route: &Route, version: &Version) -> Result<(), ApiError> {
    match gone(route).filter(|(_, _, since, _)| !version.is_before(since)) {
        None => Ok(()),
        Some((method, path, since, instead)) => {
            let message =
                format!("Unrecognized request URL ({method}: {path}). It is gone since {since}: use {instead}.");
            Err(ApiError { status: 404, ..ApiError::invalid(message) })
        }
    }
}

/// Checks that a version still has the parameters of a request.
///
/// # Errors
/// Stripe removed a parameter in this version or an earlier one.
pub fn check_parameters(route: &Route, version: &Version, form: &Form) -> Result<(), ApiError> {
    let mut gone = form.keys().filter_map(|name| removed(route, name));
    match gone.find(|(_, _, _, since, _)| !version.is_before(since)) {
        None => Ok(()),
        Some((_, _, name, since, instead)) => {
            let message = format!("Received unknown parameter: {name}. It is gone since {since}: use {instead}.");
            Err(ApiError { message, ..ApiError::unknown_param(name) })
        }
    }
}

fn removed(
    route: &Route,
    name: &str,
) -> Option<&'static (&'static str, &'static str, &'static str, &'static str, &'static str)> {
    let is_it = |row: &&(&str, &str, &str, &str, &str)| row.0 == route.method && row.1 == route.path && row.2 == name;
    REMOVED_PARAMETERS.iter().find(is_it)
}

fn gone(route: &Route) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    REMOVED_ENDPOINTS.iter().find(|(method, path, ..)| *method == route.method && *path == route.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{find, routes};

    #[test]
    fn every_resource_has_an_endpoint() {
        for row in RESOURCES {
            let is_about = |r: &Route| resource_of(r.path).is_some_and(|found| found.path == row.path);
            assert!(routes().any(is_about), "{}", row.path);
        }
        for (method, path, ..) in REMOVED_ENDPOINTS {
            assert!(routes().any(|r| r.method == *method && r.path == *path), "{method} {path}");
        }
    }

    #[test]
    fn the_longest_prefix_counts_and_changes_give_the_versions_of_parameters() {
        let span = |method: &str, path: &str| of_route(find(method, path).unwrap().0);
        assert_eq!(span("GET", "/v1/invoices/in_1"), VersionRange::default());
        assert_eq!(span("GET", "/v1/invoices/upcoming").until, Some(BASIL));
        assert_eq!(span("POST", "/v1/invoices/create_preview").since, Some(ACACIA));
        assert_eq!(span("GET", "/v1/invoice_payments/inpay_1").since, Some(BASIL));
        let codes = find("POST", "/v1/promotion_codes").unwrap().0;
        assert_eq!(of_parameter(codes, "promotion").since, Some("2025-09-30.clover"));
        assert_eq!(of_parameter(codes, "coupon").until, Some("2025-09-30.clover"));
        assert_eq!(of_parameter(codes, "code"), VersionRange::default());
        let subscriptions = find("POST", "/v1/subscriptions").unwrap().0;
        assert_eq!(of_parameter(subscriptions, "billing_thresholds"), VersionRange::default());
    }
}
