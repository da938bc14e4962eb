//! The endpoints for payment links.

use crate::api::billing::TRIAL_SETTINGS;
use crate::api::catalog::PRICE_DATA;
use crate::api::customers::METHOD_TYPE;
use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::payments::USAGE;
use crate::api::{Route, route};
use crate::billing::invoicing::invoice_settings;
use crate::checkout::{asked, bill, quantity};
use crate::connect::division::{FEE_AMOUNT, FEE_PERCENT, ON_BEHALF_OF, TRANSFER_DATA};
use crate::object::Object;
use crate::params::{ParamKind, QUANTITY, opt, req};
use crate::payment_link;
use crate::tax::automatic::AUTOMATIC_TAX;

const LINE: ParamKind = ParamKind::Map(&[
    opt("price", ParamKind::Text),
    opt("price_data", PRICE_DATA),
    req("quantity", QUANTITY),
    opt("adjustable_quantity", quantity::ADJUSTABLE),
]);
const AFTER_COMPLETION: ParamKind = ParamKind::Map(&[
    req("type", ParamKind::OneOf(&["hosted_confirmation", "redirect"])),
    opt("redirect", ParamKind::Map(&[req("url", ParamKind::Text)])),
    opt("hosted_confirmation", ParamKind::Map(&[opt("custom_message", ParamKind::Text)])),
]);

macro_rules! payment_fields {
    ($($more:expr),* $(,)?) => {
        ParamKind::Map(&[
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("setup_future_usage", USAGE),
            opt("statement_descriptor", ParamKind::Text),
            opt("statement_descriptor_suffix", ParamKind::Text),
            opt("transfer_group", ParamKind::Text),
            $($more),*
        ])
    };
}
macro_rules! subscription_fields {
    ($($more:expr),* $(,)?) => {
        ParamKind::Map(&[
            opt("invoice_settings", invoice_settings::OF_SUBSCRIPTION),
            opt("metadata", ParamKind::Metadata),
            opt("trial_period_days", ParamKind::Int(0, 730)),
            opt("trial_settings", TRIAL_SETTINGS),
            $($more),*
        ])
    };
}

const RESTRICTIONS: ParamKind =
    ParamKind::Map(&[req("completed_sessions", ParamKind::Map(&[req("limit", ParamKind::Int(1, 1_000_000_000))]))]);

macro_rules! link_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("after_completion", AFTER_COMPLETION),
            opt("allow_promotion_codes", ParamKind::Bool),
            opt("billing_address_collection", ParamKind::OneOf(&["auto", "required"])),
            opt("customer_creation", ParamKind::OneOf(&["always", "if_required"])),
            opt("inactive_message", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("submit_type", ParamKind::OneOf(&["auto", "book", "donate", "pay", "subscribe"])),
            AUTOMATIC_TAX,
            opt("custom_fields", ParamKind::List(&asked::CUSTOM_FIELD)),
            opt("custom_text", asked::CUSTOM_TEXT),
            opt("invoice_creation", bill::CREATION),
            opt("payment_method_collection", ParamKind::OneOf(&["always", "if_required"])),
            opt("payment_method_types", ParamKind::List(&METHOD_TYPE)),
            opt("phone_number_collection", asked::ENABLED),
            opt("restrictions", RESTRICTIONS),
            opt("shipping_address_collection", asked::SHIPPING_ADDRESS),
            opt("tax_id_collection", asked::TAX_ID_COLLECTION),
            $($more),*
        ]
    };
}

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/v1/payment_links",
        link_fields![
            req("line_items", ParamKind::List(&LINE)),
            opt("consent_collection", asked::CONSENT_COLLECTION),
            opt("shipping_options", ParamKind::List(&ParamKind::Map(&[opt("shipping_rate", ParamKind::Text)]))),
            opt(
                "payment_intent_data",
                payment_fields![opt("capture_method", ParamKind::OneOf(&["automatic", "automatic_async", "manual"]))]
            ),
            opt("subscription_data", subscription_fields![opt("description", ParamKind::Text)]),
            FEE_AMOUNT,
            FEE_PERCENT,
            ON_BEHALF_OF,
            opt("transfer_data", TRANSFER_DATA),
            opt("currency", ParamKind::Currency),
        ],
        |st, _, args| payment_link::create(st, args),
    ),
    route("GET", "/v1/payment_links", &[LIMIT, AFTER, BEFORE, opt("active", ParamKind::Bool)], |st, _, args| {
        listing::list(st, "payment_link", "/v1/payment_links", args, &["active"])
    }),
    route("GET", "/v1/payment_links/{}", &[], |st, ids, _| Ok(st.load("payment_link", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/payment_links/{}",
        link_fields![
            opt("active", ParamKind::Bool),
            opt("payment_intent_data", payment_fields![]),
            opt("subscription_data", subscription_fields![]),
        ],
        |st, ids, args| payment_link::update(st, ids[0], args),
    ),
    route("GET", "/v1/payment_links/{}/line_items", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let link = st.load("payment_link", ids[0], "id")?;
        let lines = link.as_payment_link().lines.iter().cloned().map(Object::of);
        listing::page_of(args, &format!("/v1/payment_links/{}/line_items", ids[0]), lines, |l| l.id(), Object::value)
    }),
    route("POST", "/_sandbox/payment_links/{}/open", &[], |st, ids, _| payment_link::open(st, ids[0])),
];
