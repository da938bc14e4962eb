//! Recognises browsers that have logged in before. Their failed logins are counted separately, so an attacker who guesses passwords
//! elsewhere cannot lock the user out. The mark is a signed cookie for one address; it is not a session.

use crate::command::Answered;
use crate::cookie::{self, BROWSER};
use crate::identity::site_users::SiteUsers;
use crate::state::HostedSite;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use extension_contract::address_hash;
use host_identity::{Address, User, random};

/// How long a browser stays known, in seconds: half a year.
const KNOWN_S: i64 = 180 * 86_400;

/// Returns the id of the browser if it has logged in with this address before.
pub(super) fn known(hosted: &HostedSite, users: &SiteUsers, headers: &HeaderMap, address: &Address) -> Option<String> {
    let mark = cookie::read(hosted, headers, BROWSER)?;
    let (whose, browser) = users.identity().marked_browser(mark, hosted.site.clock().now())?;
    (whose == address_hash(address.as_str())).then_some(browser)
}

/// Returns the answer to a login, with a mark if the client is a browser. Programs get none.
pub(super) fn remembered(
    hosted: &HostedSite,
    users: &SiteUsers,
    headers: &HeaderMap,
    user: &User,
    answered: Answered,
) -> Response {
    let mut response = answered.into_response();
    if !cookie::is_from_own_page(headers) {
        return response;
    }
    let now = hosted.site.clock().now();
    // Without a mark the browser merely stays unknown.
    let mark = random("brw_").ok().and_then(|browser| {
        users.identity().mark_browser(&address_hash(&user.email), &browser, now, now.saturating_add(KNOWN_S * 1_000))
    });
    let set = mark.and_then(|mark| cookie::set(hosted, BROWSER, &mark, KNOWN_S));
    if let Some(set) = set {
        response.headers_mut().append(header::SET_COOKIE, set);
    }
    response
}
