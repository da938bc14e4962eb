//! The endpoints for the account's balance, payouts and top-ups.

use serde_json::{Value, json};

use crate::api::account_settings;
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT, NUMBERS, TIMES};
use crate::api::{Route, route};
use crate::connect;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, merge_metadata, opt, req};
use crate::payments::balance;
use crate::state::State;

/// An amount of at least one minor unit.
const POSITIVE: ParamKind = ParamKind::Int(1, 999_999_999_999);
const PAYOUT: &[Field] = &[
    req("amount", POSITIVE),
    req("currency", ParamKind::Currency),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("method", ParamKind::OneOf(&["instant", "standard"])),
    opt("statement_descriptor", ParamKind::Text),
    opt("destination", ParamKind::Text),
    // All money in the balance comes from cards and debits.
    opt("source_type", ParamKind::OneOf(&["card"])),
];
const TOPUP: &[Field] = &[
    req("amount", POSITIVE),
    req("currency", ParamKind::Currency),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("statement_descriptor", ParamKind::Text),
    opt("transfer_group", ParamKind::Text),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/balance", &[], |st, _, _| Ok(balance::balance(st).value())),
    route(
        "GET",
        "/v1/balance_transactions",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("source", ParamKind::Text),
            opt("type", ParamKind::Text),
            opt("currency", ParamKind::Currency),
        ],
        |st, _, args| {
            listing::list(st, "balance_transaction", "/v1/balance_transactions", args, &["source", "type", "currency"])
        },
    ),
    route("GET", "/v1/balance_transactions/{}", &[], |st, ids, _| {
        Ok(st.load("balance_transaction", ids[0], "id")?.value())
    }),
    route("POST", "/v1/payouts", PAYOUT, create_payout),
    route(
        "GET",
        "/v1/payouts",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("status", ParamKind::Text),
            opt("arrival_date", TIMES),
            opt("destination", ParamKind::Text),
        ],
        |st, _, args| {
            let fits = |p: &Object| listing::in_times(args, "arrival_date", p.int("arrival_date"));
            listing::list_that(st, "payout", "/v1/payouts", args, &["destination", "status"], fits)
        },
    ),
    route("GET", "/v1/payouts/{}", &[], |st, ids, _| Ok(st.load("payout", ids[0], "id")?.value())),
    route("POST", "/v1/payouts/{}", &[opt("metadata", ParamKind::Metadata)], |st, ids, args| {
        let payout = st.load("payout", ids[0], "id")?;
        let metadata = merge_metadata(payout.get("metadata"), args)?;
        Ok(st.change_and_emit(ids[0], "payout.updated", |p| p.set("metadata", metadata)).value())
    }),
    route("POST", "/v1/payouts/{}/cancel", &[], |st, ids, _| Ok(balance::cancel(st, ids[0])?.value())),
    route("POST", "/v1/payouts/{}/reverse", &[opt("metadata", ParamKind::Metadata)], |st, ids, args| {
        let metadata = merge_metadata(&json!({}), args)?;
        Ok(balance::reverse(st, ids[0], metadata)?.value())
    }),
    route("POST", "/v1/topups", TOPUP, create_topup),
    route(
        "GET",
        "/v1/topups",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("status", ParamKind::Text), opt("amount", NUMBERS)],
        |st, _, args| {
            let fits = |t: &Object| listing::in_times(args, "amount", t.int("amount"));
            listing::list_that(st, "topup", "/v1/topups", args, &["status"], fits)
        },
    ),
    route("GET", "/v1/topups/{}", &[], |st, ids, _| Ok(st.load("topup", ids[0], "id")?.value())),
    // A top-up succeeds immediately, so none is ever pending.
    route("POST", "/v1/topups/{}/cancel", &[], |st, ids, _| {
        let topup = st.load("topup", ids[0], "id")?;
        let message = format!("Only pending top-ups can be canceled. This top-up is {}.", topup.text("status"));
        Err(ApiError::invalid(message))
    }),
    route(
        "POST",
        "/v1/topups/{}",
        &[opt("description", ParamKind::Text), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| {
            let topup = st.load("topup", ids[0], "id")?;
            let metadata = merge_metadata(topup.get("metadata"), args)?;
            let changed = st.change(ids[0], |t| {
                if args.has("description") {
                    t.set("description", args.value("description"));
                }
                t.set("metadata", metadata);
            });
            Ok(changed.value())
        },
    ),
];

fn create_payout(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let (amount, currency) = (args.int("amount").unwrap_or_default(), args.text("currency").unwrap_or_default());
    let mut payout = model::balance::payout(st.new_id("po"), st.clock_s(), amount, currency);
    for member in ["description", "method", "statement_descriptor"] {
        if let Some(given) = args.given(member) {
            payout.set(member, given.clone());
        }
    }
    if payout.get("statement_descriptor").is_null() {
        let default = account_settings::balance_settings(st).at("payments.payouts.statement_descriptor").clone();
        payout.set("statement_descriptor", default);
    }
    payout.set("metadata", merge_metadata(&json!({}), args)?);
    if let Some(destination) = destination_of(st, args, currency)? {
        payout.set("destination", destination["id"].clone());
        payout.set("type", destination["object"].clone());
    }
    Ok(balance::pay_out(st, payout)?.value())
}

/// Returns the external account of a payout: the one in the request, or the account's default for the currency. The sandbox's own account
/// has no external accounts, so its payouts have no destination.
fn destination_of(st: &State, args: &Args, currency: &str) -> Result<Option<Value>, ApiError> {
    let owner = connect::current(st);
    let all = owner.list_at("external_accounts");
    let Some(id) = args.text("destination") else {
        let is_default = |one: &&Value| one["currency"] == currency && one["default_for_currency"] == true;
        return Ok(all.iter().find(is_default).cloned());
    };
    let found = all.iter().find(|one| one["id"] == id);
    let found = found.ok_or_else(|| ApiError::no_such("external account", id, "destination"))?;
    if found["currency"] != currency {
        let message = format!("The external account {id} takes no payouts in {currency}.");
        return Err(ApiError::invalid(message).about("destination"));
    }
    Ok(Some(found.clone()))
}

fn create_topup(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let (amount, currency) = (args.int("amount").unwrap_or_default(), args.text("currency").unwrap_or_default());
    let id = st.new_id("tu");
    let mut topup = model::balance::topup(id, st.clock_s(), amount, currency, args.value("description"));
    for member in ["statement_descriptor", "transfer_group"] {
        topup.set(member, args.value(member));
    }
    topup.set("metadata", merge_metadata(&json!({}), args)?);
    Ok(balance::top_up(st, topup).value())
}
