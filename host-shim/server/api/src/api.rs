//! The API of the sites: one router with the routes that every server has. Anything else goes to the routes of the business. A page
//! reads and acts through the API as a browser would.

use crate::state::{AppState, HostedSite};
use crate::{routes, server_route, table};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use std::sync::Arc;
use tower::ServiceExt;

/// The routes of every server, with a fallback for all other paths.
#[derive(Clone)]
pub(crate) struct SiteRouter {
    plain: Router,
    /// For sites with the platform's own paths.
    with_platform_paths: Router,
}

impl SiteRouter {
    /// Creates the router. The fallback finds the site in the extensions of the request.
    pub(crate) fn new<T: 'static>(app: &AppState, fallback: impl Handler<T, AppState>) -> SiteRouter {
        let of = |has_platform_paths| {
            let router = server_route::router(table::all(has_platform_paths));
            router.fallback(fallback.clone()).with_state(app.clone())
        };
        SiteRouter { plain: of(false), with_platform_paths: of(true) }
    }

    /// Answers a request to a site. The business may provide the answer to a refusal.
    pub(crate) async fn answer(&self, hosted: &Arc<HostedSite>, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(hosted.clone());
        let router = if hosted.has_platform_paths { &self.with_platform_paths } else { &self.plain };
        // The router never fails.
        let answer = router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        hosted.routes.answer_to(answer)
    }
}

/// The API, which pages call.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) app: AppState,
    router: SiteRouter,
}

impl Api {
    /// Creates the API of all sites.
    pub(crate) fn new(app: AppState) -> Api {
        Api { router: SiteRouter::new(&app, of_business), app }
    }

    /// Answers a request to a site.
    pub(crate) async fn answer(&self, hosted: &Arc<HostedSite>, request: Request<Body>) -> Response {
        self.router.answer(hosted, request).await
    }

    /// Returns the sites if nothing else uses them any longer, otherwise none.
    pub(crate) fn into_sites(self) -> Option<Vec<HostedSite>> {
        drop(self.router);
        let sites = Arc::into_inner(self.app.sites)?;
        sites.into_iter().map(Arc::into_inner).collect()
    }
}

async fn of_business(
    State(app): State<AppState>,
    Extension(hosted): Extension<Arc<HostedSite>>,
    request: Request,
) -> Response {
    routes::answer(&app, &hosted, request).await.unwrap_or_else(|(_, problem)| problem.into_response())
}
