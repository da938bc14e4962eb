//! The HTTP server of one or several sites.
//!
//! [`Front`] finds the site of a request and answers it: webhooks ([`webhook`]), commands ([`command`]), events of the
//! platform ([`event`]), streams of events ([`stream`]), queries ([`query`]), the platform's routes ([`products`]), routes of the business ([`routes`]), the
//! token endpoint of a registry for images ([`registry`]), users ([`identity`]), instances that do not run ([`away`]), operators
//! ([`operator`]), and whether the server works ([`health`]). [`serve`] accepts connections within their limits. Every answer to an accepted event is sent after its
//! commit. Errors are problems as in RFC 9457.

mod access;
mod at_once;
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
mod lists;
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
mod serve;
mod server_route;
pub mod site;
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

pub use access::Authenticator;
pub use changes::Changes;
pub use clock::LocalClock;
pub use cors::cors;
pub use endpoints::SiteWebhooks;
pub use front::{Front, FrontError, FrontLimits, FrontSetup, HostedSite, Quarantine};
pub use host_engine::show::entitlement;
pub use identity::{SiteUsers, member_roles};
pub use mail_rate::MailLimits;
pub use makers::{MakerError, Makers};
pub use metrics::Metrics;
pub use operator::mails::{MailKind, MailPreview, MailPreviews, ShownMail};
pub use operator::tools::{BackupEntry, BackupList, Differences, DriftCheck, DriftEntry, Tools};
pub use pages::SitePages;
pub use rate::Rate;
pub use routes::BusinessRoutes;
pub use serve::{ConnectionLimits, Serving, serve};
pub use table::{document, typescript};
