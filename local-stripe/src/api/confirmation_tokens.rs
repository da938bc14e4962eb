//! The endpoints for confirmation tokens.

use crate::api::customers::{BILLING_DETAILS, SEPA_DEBIT, US_BANK_ACCOUNT};
use crate::api::payments::USAGE;
use crate::api::{Route, route};
use crate::checkout::keep::REDISPLAY;
use crate::params::{ADDRESS, Field, ParamKind, opt, req};
use crate::payments::confirmation;

/// The details of a new payment method. As at Stripe, a card is given by the token of a payment method, such as
/// `pm_card_visa`.
const METHOD_DATA: ParamKind = ParamKind::Map(&[
    req("type", ParamKind::OneOf(&["customer_balance", "sepa_debit", "us_bank_account"])),
    opt("sepa_debit", SEPA_DEBIT),
    opt("us_bank_account", US_BANK_ACCOUNT),
    opt("customer_balance", ParamKind::Map(&[])),
    opt("billing_details", BILLING_DETAILS),
    opt("metadata", ParamKind::Metadata),
    opt("allow_redisplay", REDISPLAY),
]);
const SHIPPING: ParamKind =
    ParamKind::Map(&[req("address", ADDRESS), req("name", ParamKind::Text), opt("phone", ParamKind::Text)]);
const CREATE: &[Field] = &[
    opt("payment_method", ParamKind::Text),
    opt("payment_method_data", METHOD_DATA),
    opt("return_url", ParamKind::Url),
    opt("setup_future_usage", USAGE),
    opt("shipping", SHIPPING),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/confirmation_tokens/{}", &[], |st, ids, _| {
        Ok(st.load("confirmation_token", ids[0], "id")?.value())
    }),
    route("POST", "/v1/test_helpers/confirmation_tokens", CREATE, |st, _, args| confirmation::create(st, args)),
];
