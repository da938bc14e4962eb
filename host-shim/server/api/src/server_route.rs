//! A route that every server has, with its description and its handler in one place. [`crate::table`] contains all of them.

use crate::description::{Access, Answer, Description, Given, NOTHING, Shape};
use crate::problem::Problem;
use crate::state::AppState;
use crate::trace::RoutePattern;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use std::collections::{BTreeMap, BTreeSet};

/// A route with its handler.
#[derive(Debug)]
pub(crate) struct ServerRoute {
    pub(crate) description: Description,
    handler: MethodRouter<AppState>,
    answers: Methods,
}

/// The methods that a handler answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Methods {
    /// The method in the description, and HEAD in addition to GET.
    Usual,
    /// Only the method in the description.
    WithoutHead,
    /// Every method: the handler refuses those that are wrong.
    Every,
}

impl ServerRoute {
    fn new(method: &'static str, path: &'static str, name: &'static str, handler: MethodRouter<AppState>) -> Self {
        let description = Description {
            method,
            path,
            name,
            about: "",
            detail: "",
            tag: "Server",
            access: Access::Keys,
            query: &[],
            body: Given::Nothing,
            status: "200",
            also: None,
            answer: Answer::Of(&NOTHING),
            is_command: false,
            may_pend: false,
            is_listed: true,
        };
        ServerRoute { description, handler, answers: Methods::Usual }
    }

    /// Creates a route with one method; `GET` also answers `HEAD`.
    pub(crate) fn of<T: 'static>(
        method: &'static str,
        path: &'static str,
        name: &'static str,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        let filter = match method {
            "DELETE" => MethodFilter::DELETE,
            "PATCH" => MethodFilter::PATCH,
            "POST" => MethodFilter::POST,
            "PUT" => MethodFilter::PUT,
            _ => MethodFilter::GET,
        };
        ServerRoute::new(method, path, name, on(filter, handler))
    }

    /// Creates a route that reads.
    pub(crate) fn get<T: 'static>(path: &'static str, name: &'static str, handler: impl Handler<T, AppState>) -> Self {
        ServerRoute::of("GET", path, name, handler)
    }

    /// Creates a route that changes something.
    pub(crate) fn post<T: 'static>(path: &'static str, name: &'static str, handler: impl Handler<T, AppState>) -> Self {
        ServerRoute::of("POST", path, name, handler)
    }

    /// Creates a route that deletes something.
    pub(crate) fn delete<T: 'static>(
        path: &'static str,
        name: &'static str,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        ServerRoute::of("DELETE", path, name, handler)
    }

    /// Creates a route whose handler answers every method, although only one is described.
    pub(crate) fn every<T: 'static>(
        method: &'static str,
        path: &'static str,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        ServerRoute { answers: Methods::Every, ..ServerRoute::new(method, path, "", any(handler)) }
    }

    fn described(mut self, change: impl FnOnce(&mut Description)) -> Self {
        change(&mut self.description);
        self
    }

    /// Describes the purpose of the route.
    pub(crate) fn about(self, about: &'static str) -> Self {
        self.described(|of| of.about = about)
    }

    /// Adds further notes for readers.
    pub(crate) fn detail(self, detail: &'static str) -> Self {
        self.described(|of| of.detail = detail)
    }

    /// Sets who may use the route.
    pub(crate) fn by(self, access: Access) -> Self {
        self.described(|of| of.access = access)
    }

    /// Sets the group of the route.
    pub(crate) fn tag(self, tag: &'static str) -> Self {
        self.described(|of| of.tag = tag)
    }

    /// Describes the parameters of the query.
    pub(crate) fn query(self, query: &'static [&'static str]) -> Self {
        self.described(|of| of.query = query)
    }

    /// Describes the members of the body.
    pub(crate) fn body(self, members: &'static [&'static str]) -> Self {
        self.described(|of| of.body = Given::Members(members))
    }

    /// Describes a different kind of body.
    pub(crate) fn given(self, body: Given) -> Self {
        self.described(|of| of.body = body)
    }

    /// Describes the answer.
    pub(crate) fn gives(self, shape: &'static Shape) -> Self {
        self.described(|of| of.answer = Answer::Of(shape))
    }

    /// Describes a different kind of answer.
    pub(crate) fn answers(self, answer: Answer) -> Self {
        self.described(|of| of.answer = answer)
    }

    /// Sets the success status if it is not 200.
    pub(crate) fn status(self, status: &'static str) -> Self {
        self.described(|of| of.status = status)
    }

    /// Sets another success status with the same kind of response.
    pub(crate) fn also(self, status: &'static str) -> Self {
        self.described(|of| of.also = Some(status))
    }

    /// Marks the route as a command.
    pub(crate) fn command(self) -> Self {
        self.described(|of| of.is_command = true)
    }

    /// Marks a route whose reply may come later.
    pub(crate) fn may_pend(self) -> Self {
        self.described(|of| of.may_pend = true)
    }

    /// Leaves the route out of the document and the client.
    pub(crate) fn unlisted(self) -> Self {
        self.described(|of| of.is_listed = false)
    }

    /// Refuses `HEAD`, for a route whose `GET` starts something or uses something up.
    pub(crate) fn without_head(self) -> Self {
        let handler = self.handler.head(|| async { Problem::method("GET") });
        ServerRoute { handler, answers: Methods::WithoutHead, ..self }
    }
}

/// Returns the router of all routes. A path answers methods that it does not have with 405 and a list of those that it has.
pub(crate) fn router(routes: Vec<ServerRoute>) -> Router<AppState> {
    let mut paths: BTreeMap<&str, (MethodRouter<AppState>, BTreeSet<&str>)> = BTreeMap::new();
    let mut router = Router::new();
    for ServerRoute { description, handler, answers } in routes {
        if answers == Methods::Every {
            router = router.route(description.path, handler);
            continue;
        }
        let (handlers, methods) = paths.remove(description.path).unwrap_or_default();
        let head = (answers == Methods::Usual && description.method == "GET").then_some("HEAD");
        let methods = methods.into_iter().chain([description.method]).chain(head).collect();
        paths.insert(description.path, (handlers.merge(handler), methods));
    }
    for (path, (handlers, methods)) in paths {
        let allow = methods.into_iter().collect::<Vec<_>>().join(", ");
        router = router.route(path, handlers.fallback(move || async move { Problem::method(&allow) }));
    }
    router.route_layer(from_fn(with_route))
}

/// Adds the pattern of the request's path to its answer, for the metrics.
async fn with_route(route: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(RoutePattern(route.as_str().to_owned()));
    response
}
