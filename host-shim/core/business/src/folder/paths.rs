//! Reads the clause `webhook_paths` of `business.yml`, which maps further paths to the names of webhooks, for senders
//! that use a path other than `/api/webhooks/NAME`. The clause `platform_paths` adds those of the platform's products
//! extensions.

use super::webhooks::WebhookDecl;
use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::{Checked, Checker, Entry, Node};

/// Name of the clause.
pub(super) const CLAUSE: &str = "webhook_paths";
/// Name of the clause with which a business also serves the paths of the platform's products extensions.
pub(super) const PLATFORM: &str = "platform_paths";
/// Name of the built-in webhook.
const STRIPE: &str = "stripe";
/// Maximum number of paths.
const PATHS_MAX: usize = 20;
/// Maximum length of a path in bytes.
const PATH_BYTES_MAX: usize = 200;
/// Prefix of the paths that need no declaration.
const OWN: &str = "/api/webhooks/";

/// A further path of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookPath {
    /// The path, without a trailing slash.
    pub path: String,
    /// Name of the webhook.
    pub webhook: String,
    at: Place,
}

/// Reads the clause; [`mistakes`] checks the names.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<Vec<WebhookPath>> {
    let entries = check.map(CLAUSE, clause)?;
    check.at_most(CLAUSE, clause.place(), entries.len(), PATHS_MAX)?;
    check.each(entries, |entry| read_path(check, entry))
}

fn read_path(check: &Checker, entry: &Entry) -> Checked<WebhookPath> {
    let path = entry.key.as_str();
    let is_part = |part: &str| {
        let is_letter = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_letter)
    };
    let is_path = path.strip_prefix('/').is_some_and(|parts| parts.split('/').all(is_part));
    if !is_path || path.len() > PATH_BYTES_MAX || path.starts_with(OWN) {
        let expected = format!("a path such as /api/billing/webhook, that does not begin with {OWN}");
        return Err(check.bad(entry.place(), format!("`{path}` cannot be a path of a webhook"), expected));
    }
    let webhook = entry.value.scalar().ok_or_else(|| check.wrong(path, &entry.value, "the name of a webhook"))?;
    Ok(WebhookPath { path: path.to_owned(), webhook, at: entry.value.place() })
}

/// Returns the mistakes: paths for webhooks that do not exist.
pub(super) fn mistakes(paths: &[WebhookPath], webhooks: &[WebhookDecl]) -> Vec<BadInput> {
    let names = || webhooks.iter().map(|own| own.webhook.name.as_str()).chain([STRIPE]);
    let unknown = paths.iter().filter(|path| !names().any(|name| name == path.webhook));
    unknown
        .map(|path| {
            let problem = format!("`{}` is not a webhook of the business", path.webhook);
            let expected = names().collect::<Vec<_>>().join(", ");
            BadInput::new(path.at.clone(), problem, expected).guessing(&path.webhook, names())
        })
        .collect()
}
