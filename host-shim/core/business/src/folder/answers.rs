//! Reads the clause `webhook_answers` of `business.yml`, which sets the text of a server's answers to the deliveries of
//! a webhook. It is meant for senders and tests that expect other texts than the server's own.

use super::webhooks::WebhookDecl;
use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::{Checked, Checker, Entry, Node, Tree};

/// Name of the clause.
pub(super) const CLAUSE: &str = "webhook_answers";
/// Name of the built-in webhook.
const STRIPE: &str = "stripe";
/// Members of an entry.
const MEMBERS: [&str; 2] = ["success", "failure"];
/// Maximum length of an answer in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// The answers to the deliveries of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// Name of the webhook.
    pub webhook: String,
    /// Text for a successful status.
    pub success: String,
    /// Text for a failure status.
    pub failure: String,
    at: Place,
}

/// Reads the clause; [`mistakes`] checks the names.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<Vec<WebhookAnswer>> {
    check.each(check.map(CLAUSE, clause)?, |entry| read_answer(check, entry))
}

fn read_answer(check: &Checker, entry: &Entry) -> Checked<WebhookAnswer> {
    check.only_known(&entry.key, check.map(&entry.key, &entry.value)?, &MEMBERS)?;
    let text = |name: &str| match entry.value.member(name) {
        None => Err(check.bad(entry.place(), format!("`{}` has no `{name}`", entry.key), "`success` and `failure`")),
        Some(node) => match &node.value {
            Tree::Text(text) if (1..=TEXT_BYTES_MAX).contains(&text.len()) => Ok(text.clone()),
            _ => Err(check.wrong(name, node, format!("a text of 1 to {TEXT_BYTES_MAX} bytes"))),
        },
    };
    let (success, failure) = (text("success")?, text("failure")?);
    Ok(WebhookAnswer { webhook: entry.key.clone(), success, failure, at: entry.place() })
}

/// Returns the mistakes: answers for webhooks that do not exist.
pub(super) fn mistakes(answers: &[WebhookAnswer], webhooks: &[WebhookDecl]) -> Vec<BadInput> {
    let names = || webhooks.iter().map(|own| own.webhook.name.as_str()).chain([STRIPE]);
    let unknown = answers.iter().filter(|answer| !names().any(|name| name == answer.webhook));
    unknown
        .map(|answer| {
            let problem = format!("`{}` is not a webhook of the business", answer.webhook);
            let expected = names().collect::<Vec<_>>().join(", ");
            BadInput::new(answer.at.clone(), problem, expected).guessing(&answer.webhook, names())
        })
        .collect()
}
