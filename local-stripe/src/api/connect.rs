//! The endpoints for the sandbox's own account, connected accounts, account links and transfers.

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::connect::external::{self, EXTERNAL, Place};
use crate::connect::{self, capability, details, fee, person, transfer};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Field, ParamKind, merge_metadata, opt, req};
use crate::state::State;

const CAPABILITY_REQUEST: ParamKind = ParamKind::Map(&[req("requested", ParamKind::Bool)]);
const CAPABILITIES: ParamKind = ParamKind::Map(&{
    let mut fields = [opt("", CAPABILITY_REQUEST); capability::NAMES.len()];
    let mut n = 0;
    while n < fields.len() {
        fields[n] = opt(capability::NAMES[n], CAPABILITY_REQUEST);
        n += 1;
    }
    fields
});
/// The reasons for rejecting an account.
const REJECTIONS: &[&str] = &[
    "credit",
    "fraud_no_intent_to_fulfill",
    "fraud_other",
    "fraud_payment_method_casher",
    "fraud_payment_method_tester",
    "other",
    "terms_of_service",
];
const TOS: ParamKind = ParamKind::Map(&[
    opt("date", ParamKind::Time),
    opt("ip", ParamKind::Text),
    opt("service_agreement", ParamKind::OneOf(&["full", "recipient"])),
    opt("user_agent", ParamKind::Text),
]);
const PROFILE: ParamKind = ParamKind::Map(&[
    opt("mcc", ParamKind::Text),
    opt("name", ParamKind::Text),
    opt("product_description", ParamKind::Text),
    opt("support_email", ParamKind::Email),
    opt("support_phone", ParamKind::Text),
    opt("support_url", ParamKind::Url),
    opt("url", ParamKind::Url),
]);

macro_rules! account_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("business_profile", PROFILE),
            opt("business_type", ParamKind::OneOf(&["company", "government_entity", "individual", "non_profit"])),
            opt("capabilities", CAPABILITIES),
            opt("email", ParamKind::Email),
            opt("metadata", ParamKind::Metadata),
            opt("company", details::COMPANY),
            opt("external_account", EXTERNAL),
            opt("individual", person::INDIVIDUAL),
            opt("settings", details::SETTINGS),
            opt("tos_acceptance", TOS),
            $($more),*
        ]
    };
}

const CREATE: &[Field] = account_fields![
    opt("country", ParamKind::Text),
    opt("default_currency", ParamKind::Currency),
    opt("type", ParamKind::OneOf(&["custom", "express", "standard"])),
    opt("controller", details::CONTROLLER),
];
const UPDATE: &[Field] = account_fields![];
const LINK: &[Field] = &[
    req("account", ParamKind::Text),
    req("type", ParamKind::OneOf(&["account_onboarding", "account_update"])),
    opt("refresh_url", ParamKind::Url),
    opt("return_url", ParamKind::Url),
    opt("collect", details::DUE),
    opt("collection_options", details::COLLECTION),
];
/// An amount of at least one minor unit.
const POSITIVE: ParamKind = ParamKind::Int(1, 999_999_999_999);
const TRANSFER: &[Field] = &[
    req("amount", POSITIVE),
    req("currency", ParamKind::Currency),
    req("destination", ParamKind::Text),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("source_transaction", ParamKind::Text),
    opt("source_type", ParamKind::OneOf(&["card"])),
    opt("transfer_group", ParamKind::Text),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/account", &[], |st, _, _| Ok(connect::current(st).value())),
    route("POST", "/v1/accounts", CREATE, |st, _, args| connect::create(st, args).map(|a| a.value())),
    route("GET", "/v1/accounts", &[LIMIT, AFTER, BEFORE, CREATED], |st, _, args| {
        listing::list(st, "account", "/v1/accounts", args, &[])
    }),
    route("GET", "/v1/accounts/{}", &[], |st, ids, _| {
        let current = connect::current(st);
        if ids[0] == current.id() {
            return Ok(current.value());
        }
        of_platform(st, ids[0]).map(|found| found.value())
    }),
    route("POST", "/v1/accounts/{}", UPDATE, |st, ids, args| {
        of_platform(st, ids[0])?;
        connect::update(st, ids[0], args).map(|a| a.value())
    }),
    route("DELETE", "/v1/accounts/{}", &[], |st, ids, _| {
        of_platform(st, ids[0])?;
        connect::delete(st, ids[0]);
        Ok(json!({ "id": ids[0], "object": "account", "deleted": true }))
    }),
    route("POST", "/v1/accounts/{}/reject", &[req("reason", ParamKind::OneOf(REJECTIONS))], |st, ids, args| {
        connect::reject(st, ids[0], args.text("reason").unwrap_or_default()).map(|a| a.value())
    }),
    route("POST", "/v1/accounts/{}/unreject", &[], |st, ids, _| connect::unreject(st, ids[0]).map(|a| a.value())),
    route("POST", "/v1/accounts/{}/login_links", &[], |st, ids, _| connect::login_link(st, ids[0])),
    route(
        "POST",
        "/v1/accounts/{}/external_accounts",
        &[
            req("external_account", EXTERNAL),
            opt("default_for_currency", ParamKind::Bool),
            opt("metadata", ParamKind::Metadata),
        ],
        |st, ids, args| {
            let place = Place::Added(args.flag("default_for_currency") == Some(true));
            external::add(st, ids[0], args, place)
        },
    ),
    route(
        "GET",
        "/v1/accounts/{}/external_accounts",
        &[LIMIT, AFTER, BEFORE, opt("object", ParamKind::OneOf(&["bank_account", "card"]))],
        |st, ids, args| {
            // The sandbox's own account has none.
            let owner =
                if ids[0] == connect::current(st).id() { connect::current(st) } else { external::account(st, ids[0])? };
            let all = owner.list_at("external_accounts").iter().cloned().map(Object::of);
            let all = all.filter(|one| args.given("object").is_none_or(|kind| one.get("object") == kind));
            listing::page_of(
                args,
                &format!("/v1/accounts/{}/external_accounts", ids[0]),
                all,
                |one| one.id(),
                Object::value,
            )
        },
    ),
    route("GET", "/v1/accounts/{}/external_accounts/{}", &[], |st, ids, _| {
        external::load(st, ids[0], ids[1]).map(|one| one.value())
    }),
    route("POST", "/v1/accounts/{}/external_accounts/{}", external::UPDATE, |st, ids, args| {
        external::update(st, ids[0], ids[1], args)
    }),
    route("DELETE", "/v1/accounts/{}/external_accounts/{}", &[], |st, ids, _| external::delete(st, ids[0], ids[1])),
    route("GET", "/v1/accounts/{}/capabilities", &[], |st, ids, args| {
        let all = capability::list(st, ids[0])?.into_iter();
        listing::page_of(args, &format!("/v1/accounts/{}/capabilities", ids[0]), all, |one| one.id(), Object::value)
    }),
    route("GET", "/v1/accounts/{}/capabilities/{}", &[], |st, ids, _| capability::load(st, ids[0], ids[1])),
    route("POST", "/v1/accounts/{}/capabilities/{}", &[opt("requested", ParamKind::Bool)], |st, ids, args| {
        capability::update(st, ids[0], ids[1], args.flag("requested"))
    }),
    route("POST", "/v1/accounts/{}/persons", person::FIELDS, |st, ids, args| {
        person::create(st, ids[0], args).map(|person| person.value())
    }),
    route("GET", "/v1/accounts/{}/persons", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let all = person::list(st, ids[0])?.into_iter();
        listing::page_of(args, &format!("/v1/accounts/{}/persons", ids[0]), all, |one| one.id(), Object::value)
    }),
    route("GET", "/v1/accounts/{}/persons/{}", &[], |st, ids, _| person::load(st, ids[0], ids[1]).map(|p| p.value())),
    route("POST", "/v1/accounts/{}/persons/{}", person::FIELDS, |st, ids, args| {
        person::update(st, ids[0], ids[1], args).map(|person| person.value())
    }),
    route("DELETE", "/v1/accounts/{}/persons/{}", &[], |st, ids, _| person::delete(st, ids[0], ids[1])),
    route("POST", "/_sandbox/accounts/{}/onboard", &[], |st, ids, _| connect::onboard(st, ids[0]).map(|a| a.value())),
    route("POST", "/v1/account_links", LINK, |st, _, args| connect::link(st, args)),
    route("POST", "/v1/transfers", TRANSFER, |st, _, args| transfer::create(st, args).map(|t| t.value())),
    route(
        "GET",
        "/v1/transfers",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("destination", ParamKind::Text), opt("transfer_group", ParamKind::Text)],
        |st, _, args| listing::list(st, "transfer", "/v1/transfers", args, &["destination", "transfer_group"]),
    ),
    route("GET", "/v1/transfers/{}", &[], |st, ids, _| Ok(st.load("transfer", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/transfers/{}",
        &[opt("description", ParamKind::Text), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| {
            let transfer = st.load("transfer", ids[0], "id")?;
            let metadata = merge_metadata(transfer.get("metadata"), args)?;
            let changed = st.change_and_emit(ids[0], "transfer.updated", |t| {
                t.set("metadata", metadata);
                if args.has("description") {
                    t.set("description", args.value("description"));
                }
            });
            Ok(changed.value())
        },
    ),
    route(
        "POST",
        "/v1/transfers/{}/reversals",
        &[
            opt("amount", POSITIVE),
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("refund_application_fee", ParamKind::Bool),
        ],
        |st, ids, args| transfer::reverse(st, ids[0], args).map(|r| r.value()),
    ),
    route("GET", "/v1/transfers/{}/reversals", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let transfer = st.load("transfer", ids[0], "id")?;
        let all = transfer.list_at("reversals").iter().cloned().map(Object::of);
        listing::page_of(args, &format!("/v1/transfers/{}/reversals", ids[0]), all, |r| r.id(), Object::value)
    }),
    route("GET", "/v1/transfers/{}/reversals/{}", &[], |st, ids, _| {
        let reversal = st.load("transfer_reversal", ids[1], "id")?;
        match reversal.text("transfer") == ids[0] {
            true => Ok(reversal.value()),
            false => Err(ApiError::no_such("transfer reversal", ids[1], "id")),
        }
    }),
    route("POST", "/v1/transfers/{}/reversals/{}", &[opt("metadata", ParamKind::Metadata)], |st, ids, args| {
        let reversal = st.load("transfer_reversal", ids[1], "id")?;
        if reversal.text("transfer") != ids[0] {
            return Err(ApiError::no_such("transfer reversal", ids[1], "id"));
        }
        let metadata = merge_metadata(reversal.get("metadata"), args)?;
        let changed = st.change(ids[1], |r| r.set("metadata", metadata)).value();
        replace(st, ids[0], "reversals", &changed);
        Ok(changed)
    }),
    route(
        "GET",
        "/v1/application_fees",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("charge", ParamKind::Text)],
        |st, _, args| listing::list(st, "application_fee", "/v1/application_fees", args, &["charge"]),
    ),
    route("GET", "/v1/application_fees/{}", &[], |st, ids, _| Ok(st.load("application_fee", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/application_fees/{}/refunds",
        &[opt("amount", POSITIVE), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| {
            let metadata = merge_metadata(&json!({}), args)?;
            fee::refund_at_request(st, ids[0], args.int("amount"), metadata).map(|r| r.value())
        },
    ),
    route("GET", "/v1/application_fees/{}/refunds", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let fee = st.load("application_fee", ids[0], "id")?;
        let all = fee.list_at("refunds").iter().cloned().map(Object::of);
        listing::page_of(args, &format!("/v1/application_fees/{}/refunds", ids[0]), all, |r| r.id(), Object::value)
    }),
    route("GET", "/v1/application_fees/{}/refunds/{}", &[], |st, ids, _| Ok(fee_refund(st, ids)?.value())),
    route("POST", "/v1/application_fees/{}/refunds/{}", &[opt("metadata", ParamKind::Metadata)], |st, ids, args| {
        let before = fee_refund(st, ids)?;
        let metadata = merge_metadata(before.get("metadata"), args)?;
        let event = "application_fee.refund.updated";
        let changed = st.change_and_emit(ids[1], event, |r| r.set("metadata", metadata)).value();
        replace(st, ids[0], "refunds", &changed);
        Ok(changed)
    }),
];

/// Loads a refund of an application fee.
fn fee_refund(st: &State, ids: &[&str]) -> Result<Object, ApiError> {
    let refund = st.load("fee_refund", ids[1], "id")?;
    match refund.text("fee") == ids[0] {
        true => Ok(Object::clone(&refund)),
        false => Err(ApiError::no_such("fee_refund", ids[1], "id")),
    }
}

/// Replaces a changed object in the list that its owner embeds.
fn replace(st: &mut State, owner: &str, list: &str, changed: &Value) {
    st.change(owner, |owner| {
        let mut all = owner.list_at(list).to_vec();
        all.iter_mut().filter(|one| one["id"] == changed["id"]).for_each(|one| *one = changed.clone());
        owner.set_at(&format!("{list}.data"), all);
    });
}

/// Loads a connected account.
fn of_platform(st: &State, id: &str) -> Result<Object, ApiError> {
    st.load("account", id, "id").map(|account| Object::clone(&account)).map_err(|_| connect::no_access(id))
}
