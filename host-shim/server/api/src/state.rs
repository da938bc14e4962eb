//! The state of a server, shared by all handlers: its sites, and what requests have in common.

use crate::authenticator::Authenticator;
use crate::changes::Changes;
use crate::health::probes::{CatalogProbes, Writes};
use crate::identity::site_users::SiteUsers;
use crate::ids::Ids;
use crate::limits::FrontLimits;
use crate::local_clock::LocalClock;
use crate::metrics::Metrics;
use crate::operator::found::Waiting;
use crate::operator::tools::Tools;
use crate::pages::site::SitePages;
use crate::problem::Problem;
use crate::rate::Rates;
use crate::routes::own::BusinessRoutes;
use crate::sent_webhooks::SiteWebhooks;
use crate::shares::Peer;
use crate::site::Site;
use crate::streams::Streams;
use crate::trace::Requests;
use crate::turn::{self, InProgress, OpenRequest};
use axum::http::{HeaderMap, HeaderName};
use extension_contract::ActorKind;
use host_business::folder::{ResourceCost, WebhookAnswer};
use host_engine::turns::Turn;
use host_identity::access::{Caller, Reach};
use host_identity::issuers::Issuer;
use host_intake::body::Quarantined;
use host_provider_api::RegistryTokens;
use host_store::Partition;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tower_http::cors::CorsLayer;

/// A site with its names on the server.
pub struct HostedSite {
    /// The site.
    pub site: Site,
    /// Host names, in lower case and without a port.
    pub names: Vec<String>,
    /// Further webhook paths, each with the name of its webhook: `/api/billing/webhook` → `stripe`.
    pub aliases: BTreeMap<String, String>,
    /// True for a site that also serves the paths of the platform's products extensions.
    pub has_platform_paths: bool,
    /// The answers to deliveries, by webhook, in place of the server's own.
    pub webhook_answers: BTreeMap<String, WebhookAnswer>,
    /// Lets operators advance the clock, in local mode only.
    pub local_clock: Option<Arc<dyn LocalClock>>,
    /// What resources cost at their provider.
    pub costs: Vec<ResourceCost>,
    /// The routes of the business.
    pub routes: BusinessRoutes,
    /// The users of the business; none if it has no users.
    pub users: Option<SiteUsers>,
    /// Address of the site for browsers, without a trailing slash: `https://manage.example.com`.
    pub url: String,
    /// The issuers that the business trusts.
    pub issuers: Vec<Arc<Issuer>>,
    /// What operators' requests need.
    pub tools: Tools,
    /// The pages for browsers.
    pub pages: SitePages,
    /// The webhooks that the business sends; none if it sends none.
    pub webhooks: Option<SiteWebhooks>,
    /// Signs the tokens of an image registry; none if the server has no such registry.
    pub registry: Option<Arc<dyn RegistryTokens>>,
    /// Lets pages of the origins that the business lists call the API, see [`crate::cors`].
    pub cors: CorsLayer,
}

/// Keeps authentic bytes that are not events, for operators.
pub trait Quarantine: Send + Sync {
    /// Keeps the bytes of a delivery.
    fn keep(&self, quarantined: &Quarantined);
}

/// Keeps nothing.
impl Quarantine for () {
    fn keep(&self, _: &Quarantined) {}
}

/// The state of the server, for all handlers.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) sites: Arc<Vec<Arc<HostedSite>>>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) limits: FrontLimits,
    pub(crate) rates: Arc<Rates>,
    /// The header in which a proxy says the visitor's country.
    pub(crate) country_header: Option<HeaderName>,
    /// The requests in progress.
    pub(crate) in_progress: Arc<InProgress>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) quarantine: Arc<dyn Quarantine>,
    /// The open streams.
    pub(crate) streams: Arc<Streams>,
    /// The last write tests of the stores.
    pub(crate) writes: Arc<Writes>,
    /// True once the server is stopping; streams then end.
    pub(crate) stopping: Arc<watch::Sender<bool>>,
    /// The accounts in which something waits for an operator, by site.
    pub(crate) waiting: Arc<BTreeMap<Partition, tokio::sync::Mutex<Waiting>>>,
    /// Whether the catalogs respond.
    pub(crate) catalogs: Arc<CatalogProbes>,
    /// The OpenAPI documents.
    pub(crate) documents: Arc<BTreeMap<Partition, String>>,
    /// Held while the clock is advanced.
    pub(crate) advancing: Arc<tokio::sync::Mutex<()>>,
}

impl AppState {
    /// Counts a refused delivery.
    pub(crate) fn refused(&self, hosted: &HostedSite, reason: &str) {
        self.metrics.refused(hosted.site.partition(), reason);
    }

    /// Begins a request.
    ///
    /// # Errors
    /// Fails if too many requests of its address are in progress.
    pub(crate) fn begin(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<Arc<OpenRequest>, Problem> {
        OpenRequest::of(&self.in_progress, self.rates.client(peer, headers), self.limits.address_at_once)
    }

    /// Counts a request of an identified caller, and passes the turn on to the caller.
    ///
    /// # Errors
    /// Fails if the caller sends too many requests, or if too many are in progress.
    pub(crate) fn called(&self, caller: &Caller) -> Result<(), Problem> {
        self.rates.key(&caller.key)?;
        let is_program = matches!(caller.reach, Reach::All) && caller.is_service();
        let most = if is_program { self.limits.program_at_once } else { self.limits.user_at_once };
        let turn = |name: &str| match caller.actor.kind {
            ActorKind::Admin => Turn::Operator,
            _ => Turn::of_caller(name),
        };
        turn::pass_on(&self.in_progress, turn::name_of(caller), most, turn, is_program)
    }

    /// Counts a request of a user with a session, like [`AppState::called`].
    pub(crate) fn of_user(&self, partition: &str, user: &host_identity::User) -> Result<(), Problem> {
        self.rates.key(&format!("user:{}", user.id))?;
        let most = if user.is_operator { self.limits.program_at_once } else { self.limits.user_at_once };
        let turn = |name: &str| if user.is_operator { Turn::Operator } else { Turn::of_caller(name) };
        turn::pass_on(&self.in_progress, format!("{partition} user:{}", user.id), most, turn, user.is_operator)
    }
}
