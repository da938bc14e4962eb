//! The HTTP server of one or several sites. [`Front`] finds the site of a request. One router ([`api`]) answers it with a route that
//! every server has ([`table`] lists them, and each is described next to its handler), then with one of the business ([`routes`]), then
//! with a page ([`pages`]). [`away`] answers for instances that are not running. [`serve`] accepts connections within their limits.
//! Every answer to an accepted event is sent after its commit. Errors are problems as in RFC 9457.

mod accept;
mod access;
mod api;
mod ask;
mod at_once;
mod authenticator;
mod away;
mod body;
mod changes;
mod clock;
mod closing;
mod command;
mod compact;
mod cookie;
mod cors;
mod description;
mod endpoints;
mod event;
mod extract;
mod front;
mod health;
mod identity;
pub mod ids;
mod limits;
mod lists;
mod local_clock;
mod mail_rate;
mod makers;
mod metrics;
mod openapi;
mod operator;
mod pages;
mod polled;
mod problem;
mod products;
mod proof;
mod query;
mod rate;
mod redirect;
mod registry;
mod routes;
mod sent_webhooks;
mod serve;
mod server_route;
mod shares;
pub mod site;
mod state;
mod stream;
mod streams;
mod table;
mod trace;
mod tries;
mod turn;
mod unread;
mod wakes;
mod webhook;
pub mod webhooks;

pub use authenticator::Authenticator;
pub use changes::Changes;
pub use cors::cors;
pub use front::{Front, FrontError, FrontSetup};
pub use host_engine::show::entitlement;
pub use identity::site_users::{SiteUsers, member_roles};
pub use limits::{FrontLimits, MailLimits, Rate};
pub use local_clock::LocalClock;
pub use makers::{MakerError, Makers};
pub use metrics::Metrics;
pub use operator::tools::{
    BackupEntry, BackupList, Differences, DriftCheck, DriftEntry, MailKind, MailPreview, MailPreviews, ShownMail, Tools,
};
pub use pages::site::SitePages;
pub use routes::own::BusinessRoutes;
pub use sent_webhooks::SiteWebhooks;
pub use serve::{ConnectionLimits, Serving, serve};
pub use state::{HostedSite, Quarantine};
pub use table::{document, typescript};
