//! Answers for instances of the local provider that are not running, with the pages of the server.

use axum::http::request::Parts;
use host_api::Front;
use host_providers::{AwayAnswer, AwayPages};

/// The pages of a server, for the local provider.
pub(crate) struct FrontPages(pub(crate) Front);

impl AwayPages for FrontPages {
    fn answer(&self, scope: &str, instance: &str, request: Parts) -> AwayAnswer {
        let (front, scope, instance) = (self.0.clone(), scope.to_owned(), instance.to_owned());
        Box::pin(async move { front.away(&scope, &instance, request).await })
    }
}
