//! The endpoints for customers' cash balances.

use crate::api::customers::CASH_SETTINGS;
use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::method_options::TRANSFER_TYPE;
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::model::cash::shown;
use crate::params::{Field, ParamKind, opt, req};
use crate::payments::{cash, funding};

/// An amount of at least one minor unit.
const POSITIVE: ParamKind = ParamKind::Int(1, 999_999_999_999);
const INSTRUCTIONS: &[Field] = &[
    req(
        "bank_transfer",
        ParamKind::Map(&[
            opt("eu_bank_transfer", ParamKind::Map(&[req("country", ParamKind::Text)])),
            req("type", TRANSFER_TYPE),
        ]),
    ),
    req("currency", ParamKind::Currency),
    req("funding_type", ParamKind::OneOf(&["bank_transfer"])),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/customers/{}/cash_balance", &[], |st, ids, _| Ok(shown(&cash::load(st, ids[0], "id")?).value())),
    route("POST", "/v1/customers/{}/cash_balance", &[opt("settings", CASH_SETTINGS)], |st, ids, args| {
        Ok(shown(&cash::set_mode(st, ids[0], &args.map("settings"))?).value())
    }),
    route("GET", "/v1/customers/{}/cash_balance_transactions", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        st.load("customer", ids[0], "id")?;
        listing::page(
            args,
            &format!("/v1/customers/{}/cash_balance_transactions", ids[0]),
            listing::newest(st, args, "customer_cash_balance_transaction", Some(ids[0])),
        )
    }),
    route("GET", "/v1/customers/{}/cash_balance_transactions/{}", &[], |st, ids, _| {
        let found = st.load("customer_cash_balance_transaction", ids[1], "id")?;
        match found.text("customer") == ids[0] {
            true => Ok(found.value()),
            false => Err(ApiError::no_such("customer_cash_balance_transaction", ids[1], "id")),
        }
    }),
    route("POST", "/v1/customers/{}/funding_instructions", INSTRUCTIONS, |st, ids, args| {
        cash::instructions(st, ids[0], args)
    }),
    route(
        "POST",
        "/v1/test_helpers/customers/{}/fund_cash_balance",
        &[req("amount", POSITIVE), req("currency", ParamKind::Currency), opt("reference", ParamKind::Text)],
        |st, ids, args| funding::fund(st, ids[0], args),
    ),
];
