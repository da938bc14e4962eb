//! The automatic taxes of a session, which follow the customer's address or the address that the buyer gives on the page.

use serde_json::Value;

use super::totals;
use crate::error::ApiError;
use crate::model::customer::whole_address;
use crate::object::Object;
use crate::params::Args;
use crate::state::State;
use crate::tax::automatic::{self, Buyer};
use crate::tax::{Place, no_place};
use crate::tax_ids;

/// Reads the parameter `automatic_tax` of a new session.
///
/// # Errors
/// The customer has no valid address and the buyer's address would not be stored, or the lines can't be taxed.
pub fn open(st: &mut State, session: &mut Object, args: &Args, customer: Option<&Object>) -> Result<(), ApiError> {
    automatic::apply(st, session, args)?;
    if session.at("automatic_tax.enabled") != true {
        return Ok(());
    }
    let place = customer.and_then(Place::of_customer);
    let keeps = |member: &str| args.map("customer_update").text(member) == Some("auto");
    if customer.is_some() && place.is_none() && !keeps("address") && !keeps("shipping") {
        let message = "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' to save the address entered in Checkout to the Customer.";
        return Err(ApiError::coded("customer_tax_location_invalid", message).about("automatic_tax[enabled]"));
    }
    locate(st, session, place)
}

/// Taxes the lines of a session for a buyer at a location.
fn locate(st: &mut State, session: &mut Object, place: Option<Place>) -> Result<(), ApiError> {
    let ids = match session.text_at("customer") {
        Some(customer) => tax_ids::shown(st, customer),
        None => session.list_at("customer_details.tax_ids").to_vec(),
    };
    let typed = session.as_session().tax_id.clone();
    let ids: Vec<Value> = ids.into_iter().chain((!typed.is_null()).then_some(typed)).collect();
    let buyer = place.map(|place| Buyer::new(place, &ids));
    let mut lines = session.as_session().lines.clone();
    automatic::set_rates(st, session, &mut lines, buyer.as_ref())?;
    session.as_session_mut().lines = lines;
    totals::set(session);
    Ok(())
}

/// Sets the address that the buyer gives before paying, and shows the taxes for it.
///
/// # Errors
/// The session is unknown or not open, has no automatic taxes, or the address is not specific enough.
pub fn address(st: &mut State, id: &str, address: &Value) -> Result<Value, ApiError> {
    let mut session = Object::clone(&*st.load("checkout.session", id, "id")?);
    if session.text("status") != "open" || session.at("automatic_tax.enabled") != true {
        return Err(ApiError::invalid("This Checkout Session takes no address.").about("country"));
    }
    let place = Place::of(address).ok_or_else(|| no_place("country"))?;
    let mut kept = whole_address(address);
    kept["country"] = place.country.clone().into();
    if !kept["state"].is_null() {
        kept["state"] = kept["state"].as_str().unwrap_or_default().to_uppercase().into();
    }
    locate(st, &mut session, Some(place))?;
    session.as_session_mut().address = kept;
    Ok(st.put(session).value())
}

/// Taxes a session that is being confirmed, by the first of these addresses: the buyer's shipping address, that of the payment, that on the
/// page, or the customer's.
///
/// # Errors
/// No address is specific enough, or the lines can't be taxed.
pub fn settle(st: &mut State, id: &str) -> Result<(), ApiError> {
    let mut session = Object::clone(&*st.find(id)?);
    if session.at("automatic_tax.enabled") != true {
        return Ok(());
    }
    let customer = session.text_at("customer").map(|customer| st.copy_if_any(customer)).unwrap_or_default();
    let given = [
        session.at("collected_information.shipping_details.address").clone(),
        session.at("customer_details.address").clone(),
        session.as_session().address.clone(),
    ];
    let found = given.into_iter().find_map(|address| Place::of(&address).map(|place| (place, address)));
    let of_customer = || Place::of_customer(&customer).map(|place| (place, Value::Null));
    let (place, address) = found.or_else(of_customer).ok_or_else(|| no_place("automatic_tax[enabled]"))?;
    locate(st, &mut session, Some(place))?;
    if !address.is_null() {
        session.set_at("customer_details.address", whole_address(&address));
    }
    st.put(session);
    Ok(())
}
