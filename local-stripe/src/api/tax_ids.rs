//! The endpoints for tax ids.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, opt, req};
use crate::state::State;
use crate::tax_ids::{self, TYPES};

const TYPE: Field = req("type", ParamKind::OneOf(TYPES));
const VALUE: Field = req("value", ParamKind::Text);
/// The parameter `tax_id_data` of a new customer.
pub const TAX_ID_DATA: ParamKind = ParamKind::List(&ParamKind::Map(&[TYPE, VALUE]));
/// The parameter `owner`. The local Stripe stores tax ids of customers and of its own account.
const OWNER: ParamKind =
    ParamKind::Map(&[req("type", ParamKind::OneOf(&["customer", "self"])), opt("customer", ParamKind::Text)]);

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/customers/{}/tax_ids", &[TYPE, VALUE], |st, ids, args| {
        let customer = st.load("customer", ids[0], "id")?;
        tax_ids::create(st, Some(&customer), args, "").map(|tax_id| tax_id.value())
    }),
    route("GET", "/v1/customers/{}/tax_ids", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        st.load("customer", ids[0], "id")?;
        let url = format!("/v1/customers/{}/tax_ids", ids[0]);
        listing::page(args, &url, listing::newest(st, args, "tax_id", Some(ids[0])))
    }),
    route("GET", "/v1/customers/{}/tax_ids/{}", &[], |st, ids, _| owned(st, ids).map(|tax_id| tax_id.value())),
    route("DELETE", "/v1/customers/{}/tax_ids/{}", &[], |st, ids, _| {
        let tax_id = owned(st, ids)?;
        Ok(delete(st, &tax_id))
    }),
    route("POST", "/v1/tax_ids", &[TYPE, VALUE, opt("owner", OWNER)], |st, _, args| {
        let customer = customer_of(st, args)?;
        tax_ids::create(st, customer.as_deref(), args, "").map(|tax_id| tax_id.value())
    }),
    route("GET", "/v1/tax_ids", &[LIMIT, AFTER, BEFORE, opt("owner", OWNER)], |st, _, args| {
        let customer = customer_of(st, args)?;
        let customer = customer.as_ref().map(|customer| customer.id());
        let fits = |tax_id: &Arc<Object>| tax_id.text_at("customer") == customer;
        listing::page(args, "/v1/tax_ids", listing::newest(st, args, "tax_id", customer).filter(fits))
    }),
    route("GET", "/v1/tax_ids/{}", &[], |st, ids, _| Ok(st.load("tax_id", ids[0], "id")?.value())),
    route("DELETE", "/v1/tax_ids/{}", &[], |st, ids, _| {
        let tax_id = st.load("tax_id", ids[0], "id")?;
        Ok(delete(st, &tax_id))
    }),
];

/// Returns the customer in the parameter `owner`; `None` for the own account.
fn customer_of(st: &State, args: &Args) -> Result<Option<Arc<Object>>, ApiError> {
    let owner = args.map("owner");
    match (owner.text("type"), owner.text("customer")) {
        (Some("customer"), Some(id)) => st.load("customer", id, "owner[customer]").map(Some),
        (Some("customer"), None) => Err(ApiError::missing("owner[customer]")),
        (_, Some(_)) => {
            let message = "A customer can only be given if the type of the owner is `customer`.";
            Err(ApiError::invalid(message).about("owner[customer]"))
        }
        (_, None) => Ok(None),
    }
}

fn owned(st: &State, ids: &[&str]) -> Result<Arc<Object>, ApiError> {
    st.load("customer", ids[0], "id")?;
    let tax_id = st.load("tax_id", ids[1], "id")?;
    if tax_id.text("customer") == ids[0] { Ok(tax_id) } else { Err(ApiError::no_such("tax id", ids[1], "id")) }
}

fn delete(st: &mut State, tax_id: &Object) -> Value {
    if !tax_id.get("customer").is_null() {
        st.emit("customer.tax_id.deleted", tax_id);
    }
    st.remove(tax_id.id());
    json!({ "id": tax_id.id(), "object": "tax_id", "deleted": true })
}
