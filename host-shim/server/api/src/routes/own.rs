//! The routes of a business, ready to be answered by a server.

use crate::problem::Problem;
use axum::response::Response;
use host_business::folder::BusinessFolder;
use host_business::routes::{ErrorMap, Matched, RouteFinder, RouteTable, Scope, Types};
use host_provider_api::Secrets;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The routes of a business, ready to be answered by a server.
pub struct BusinessRoutes {
    finder: Option<RouteFinder>,
    pub(super) types: Types,
    pub(super) errors: ErrorMap,
    /// The configuration, for expressions.
    pub(super) config: Scope,
    /// Keeps the secrets that come with requests.
    pub(super) secrets: Option<Arc<dyn Secrets>>,
    /// All routes as data, for the OpenAPI document.
    pub(crate) table: Arc<RouteTable>,
}

impl BusinessRoutes {
    /// Creates the routes of a business with the values of its configuration.
    pub fn new(
        business: &BusinessFolder,
        config: &BTreeMap<String, String>,
        secrets: Option<Arc<dyn Secrets>>,
    ) -> Self {
        let RouteTable { types, errors, routes } = &*business.routes;
        let finder = (!routes.is_empty()).then(|| business.routes.finder());
        let config = business.own.plain_values(config);
        BusinessRoutes {
            finder,
            types: types.clone(),
            errors: errors.clone(),
            config: Scope::new([("config".to_owned(), config)]),
            secrets,
            table: business.routes.clone(),
        }
    }

    /// Returns the answer of the business to a refused request, in place of the usual one.
    pub(crate) fn answer_to(&self, response: Response) -> Response {
        Problem::answered(response, &self.errors)
    }

    /// Finds the route of a request.
    pub(crate) fn find(&self, method: &str, path: &str) -> Matched<'_> {
        self.finder.as_ref().map_or(Matched::Nothing, |finder| finder.find(method, path))
    }
}
