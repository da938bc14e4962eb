//! The API of the sites: one router with the routes of every server, and those of the business where it has none. A page reads and acts
//! through it as a browser would.

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
    /// Of a site with the platform's own paths.
    with_platform_paths: Router,
}

impl SiteRouter {
    /// Makes the router. The fallback finds the site among the extensions of the request.
    pub(crate) fn new<T: 'static>(app: &AppState, fallback: impl Handler<T, AppState>) -> SiteRouter {
        let of = |has_platform_paths| {
            let router = server_route::router(table::all(has_platform_paths));
            router.fallback(fallback.clone()).with_state(app.clone())
        };
        SiteRouter { plain: of(false), with_platform_paths: of(true) }
    }

    /// Answers a request to a site. A refusal is answered in the words of the business.
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
    /// Makes the API of all sites.
    pub(crate) fn new(app: AppState) -> Api {
        Api { router: SiteRouter::new(&app, of_business), app }
    }

    /// Answers a request to a site.
    pub(crate) async fn answer(&self, hosted: &Arc<HostedSite>, request: Request<Body>) -> Response {
        self.router.answer(hosted, request).await
    }

    /// Takes the sites back, when nothing else has them any more; none otherwise.
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
