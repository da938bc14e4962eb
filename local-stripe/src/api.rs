//! The endpoints of the API: tables of endpoints with their parameters, and the function that finds the endpoint of a
//! request.
//!
//! Routing, parameter checks and the tables in `README.md` are all based on these tables.

pub mod account_settings;
pub mod balance;
pub mod billing;
pub mod billing_credits;
pub mod cash;
pub mod catalog;
pub mod checkout;
pub mod confirmation_tokens;
pub mod connect;
pub mod credit_notes;
pub mod customers;
pub mod discounts;
pub mod empty;
pub mod entitlements;
pub mod expand;
pub mod files;
pub mod identity;
pub mod invoice_lines;
pub mod invoices;
pub mod legacy;
pub mod listing;
pub mod mandates;
pub mod meters;
pub mod method_options;
pub mod payment_links;
pub mod payment_settings;
pub mod payment_steps;
pub mod payments;
pub mod plans;
pub mod platform;
pub mod portal;
pub mod preview;
pub mod quotes;
pub mod radar;
pub mod sandbox;
pub mod schedules;
pub mod search;
pub mod sessions;
pub mod setup;
pub mod shipping_rates;
pub mod since;
pub mod sources;
pub mod tax;
pub mod tax_ids;
pub mod tax_rates;

use serde_json::Value;

use crate::error::ApiError;
use crate::form::Form;
use crate::params::{Args, Field};
use crate::state::State;

/// The handler of an endpoint: takes the ids in the path and the typed parameters, and returns an object of the model.
pub type Handler = fn(&mut State, &[&str], &Args) -> Result<Value, ApiError>;

/// An endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path, such as `/v1/customers/{}`; `{}` is an id.
    pub path: &'static str,
    /// The declared parameters.
    pub fields: &'static [Field],
    /// The handler.
    pub run: Handler,
    /// Whether the handler returns an object composed of several objects of the model, instead of a single one.
    pub is_page: bool,
}

pub(crate) const fn route(method: &'static str, path: &'static str, fields: &'static [Field], run: Handler) -> Route {
    Route { method, path, fields, run, is_page: false }
}

impl Route {
    /// Marks that the handler returns an object composed of several objects of the model.
    pub(crate) const fn as_page(self) -> Route {
        Route { is_page: true, ..self }
    }
}

/// Returns all endpoints, grouped by resource.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    let tables = [
        // This table comes before those with ids: `customers/search` must not match `customers/{}`.
        search::ROUTES,
        customers::ROUTES,
        cash::ROUTES,
        sources::ROUTES,
        catalog::ROUTES,
        discounts::ROUTES,
        plans::ROUTES,
        checkout::ROUTES,
        shipping_rates::ROUTES,
        billing::ROUTES,
        schedules::ROUTES,
        quotes::ROUTES,
        invoices::ROUTES,
        invoice_lines::ROUTES,
        meters::ROUTES,
        billing_credits::ROUTES,
        credit_notes::ROUTES,
        payment_links::ROUTES,
        payments::ROUTES,
        payment_steps::ROUTES,
        confirmation_tokens::ROUTES,
        payment_settings::ROUTES,
        sessions::ROUTES,
        identity::ROUTES,
        account_settings::ROUTES,
        radar::ROUTES,
        balance::ROUTES,
        setup::ROUTES,
        mandates::ROUTES,
        tax::ROUTES,
        tax_ids::ROUTES,
        tax_rates::ROUTES,
        entitlements::ROUTES,
        platform::ROUTES,
        connect::ROUTES,
        files::ROUTES,
        empty::ROUTES,
        portal::ROUTES,
        sandbox::ROUTES,
    ];
    tables.into_iter().flatten()
}

/// Finds the endpoint of a request and the ids in its path: the first match in the tables.
///
/// # Errors
/// No endpoint has this method and path (404).
pub fn find<'p>(method: &str, path: &'p str) -> Result<(&'static Route, Vec<&'p str>), ApiError> {
    let matching = routes().filter(|r| r.method == method).find_map(|r| matches(r.path, path).map(|ids| (r, ids)));
    matching.ok_or_else(|| {
        let shown: String = path.chars().take(200).collect();
        let message = format!(
            "Unrecognized request URL ({method}: {shown}). The local Stripe has no such endpoint; local-stripe/README.md lists those it has."
        );
        ApiError { status: 404, ..ApiError::invalid(message) }
    })
}

fn matches<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut ids = Vec::new();
    let (mut wanted, mut given) = (pattern.split('/'), path.trim_end_matches('/').split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(ids),
            (Some("{}"), Some(id)) if !id.is_empty() => ids.push(id),
            (Some(word), Some(segment)) if word == segment => {}
            _ => return None,
        }
    }
}

/// Removes `expand` from a form and returns its paths.
///
/// # Errors
/// `expand` is not a list of strings.
pub fn take_expand(form: &mut Form) -> Result<Vec<String>, ApiError> {
    const EXPANDS: Field =
        crate::params::opt("expand", crate::params::ParamKind::List(&crate::params::ParamKind::Text));
    let Some(node) = form.remove("expand") else {
        return Ok(Vec::new());
    };
    let args = Args::read(&[("expand".to_owned(), node)].into(), &[EXPANDS])?;
    Ok(args.list("expand").into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_segment_by_segment() {
        assert_eq!(matches("/v1/customers/{}", "/v1/customers/cus_1"), Some(vec!["cus_1"]));
        assert_eq!(matches("/v1/customers/{}", "/v1/customers/"), None);
        assert_eq!(matches("/v1/customers", "/v1/customers/"), Some(vec![]));
        assert_eq!(find("PUT", "/v1/customers").err().map(|e| e.status), Some(404));
    }

    #[test]
    fn no_endpoint_is_hidden_by_an_earlier_endpoint() {
        for route in routes() {
            let path = route.path.replace("{}", "an_id");
            let (found, ids) = find(route.method, &path).unwrap();
            assert_eq!(found.path, route.path);
            assert_eq!(ids.len(), route.path.matches("{}").count());
        }
    }

    #[test]
    fn no_two_endpoints_share_a_path_and_parameters_are_declared_once() {
        let mut seen = std::collections::BTreeSet::new();
        for route in routes() {
            assert!(seen.insert((route.method, route.path)), "{} {}", route.method, route.path);
            let mut names: Vec<_> = route.fields.iter().map(|f| f.name).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{} {}", route.method, route.path);
        }
    }
}
