//! The endpoints for single steps of payments and refunds: larger authorizations, micro-deposits, and refunds that wait
//! for the customer.

use crate::api::{Route, route};
use crate::connect::division::{FEE_AMOUNT, TRANSFER_AMOUNT};
use crate::params::{Field, ParamKind, opt, req};
use crate::payments::{authorization, funding, refund, verification};

/// An amount of at least one minor unit.
const POSITIVE: ParamKind = ParamKind::Int(1, 999_999_999_999);
const VERIFY: &[Field] =
    &[opt("amounts", ParamKind::List(&ParamKind::Int(1, 99))), opt("descriptor_code", ParamKind::Text)];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/v1/payment_intents/{}/increment_authorization",
        &[
            req("amount", POSITIVE),
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("statement_descriptor", ParamKind::Text),
            FEE_AMOUNT,
            opt("transfer_data", TRANSFER_AMOUNT),
        ],
        |st, ids, args| authorization::increase(st, ids[0], args),
    ),
    route("POST", "/v1/payment_intents/{}/verify_microdeposits", VERIFY, |st, ids, args| {
        verification::verify(st, "payment_intent", ids[0], args)
    }),
    route("POST", "/v1/setup_intents/{}/verify_microdeposits", VERIFY, |st, ids, args| {
        verification::verify(st, "setup_intent", ids[0], args)
    }),
    route(
        "POST",
        "/v1/payment_intents/{}/apply_customer_balance",
        &[opt("amount", POSITIVE), opt("currency", ParamKind::Currency)],
        |st, ids, args| funding::apply_by_hand(st, ids[0], args),
    ),
    route("POST", "/v1/refunds/{}/cancel", &[], |st, ids, _| refund::cancel(st, ids[0])),
    route("POST", "/v1/test_helpers/refunds/{}/expire", &[], |st, ids, _| refund::expire(st, ids[0])),
];
