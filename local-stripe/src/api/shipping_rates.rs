//! The endpoints for shipping rates.

use std::sync::Arc;

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::checkout::shipping::{self, NEW_RATE};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{ParamKind, merge_metadata, opt};
use crate::pricing::TAX_BEHAVIOR;

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/shipping_rates", NEW_RATE, |st, _, args| {
        shipping::create_rate(st, args, "").map(|rate| rate.value())
    }),
    route(
        "GET",
        "/v1/shipping_rates",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("active", ParamKind::Bool), opt("currency", ParamKind::Currency)],
        |st, _, args| {
            let fits = |rate: &Arc<Object>| {
                listing::in_created(args, rate.int("created"))
                    && args.given("active").is_none_or(|active| rate.get("active") == active)
                    && args.given("currency").is_none_or(|currency| rate.at("fixed_amount.currency") == currency)
            };
            listing::page(args, "/v1/shipping_rates", listing::newest(st, args, "shipping_rate", None).filter(fits))
        },
    ),
    route("GET", "/v1/shipping_rates/{}", &[], |st, ids, _| Ok(st.load("shipping_rate", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/shipping_rates/{}",
        &[opt("active", ParamKind::Bool), opt("metadata", ParamKind::Metadata), opt("tax_behavior", TAX_BEHAVIOR)],
        |st, ids, args| {
            let rate = st.load("shipping_rate", ids[0], "id")?;
            let before = rate.text("tax_behavior");
            if before != "unspecified" && args.text("tax_behavior").is_some_and(|wanted| wanted != before) {
                let message = format!("The tax behavior of this shipping rate is `{before}`, which cannot be changed.");
                return Err(ApiError::invalid(message).about("tax_behavior"));
            }
            let metadata = merge_metadata(rate.get("metadata"), args)?;
            let changed = st.change(ids[0], |rate| {
                for member in ["active", "tax_behavior"] {
                    if let Some(given) = args.given(member) {
                        rate.set(member, given.clone());
                    }
                }
                rate.set("metadata", metadata);
            });
            Ok(changed.value())
        },
    ),
];
