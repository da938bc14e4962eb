//! Deletes what the server itself stores about an account when the account is closed: its webhook endpoints, its user or its
//! organization with the members, and the links to it.

use crate::state::HostedSite;
use extension_contract::Account;

/// The command that closes an account.
pub(crate) const CLOSE: &str = "account.close";

/// Deletes what the server stores about a closed account. A failure is only logged; closing the account again retries the
/// deletion.
pub(crate) fn forget(hosted: &HostedSite, account: &Account) {
    if let Some(own) = &hosted.webhooks
        && let Err(error) = own.delete_endpoints_of(hosted.site.partition(), account)
    {
        tracing::error!(%error, %account, "the endpoints of a closed account were not deleted");
    }
    let (livemode, now) = (hosted.site.partition().livemode, hosted.site.clock().now());
    let users = hosted.users.as_ref().map(|users| users.identity().users());
    if let Some(Err(error)) = users.map(|users| users.close(livemode, account, now)) {
        tracing::error!(%error, %account, "the user of a closed account was not deleted");
    }
}
