//! The account that a page is about, and for which its forms act: the one in the page's address, or else the one to
//! which the user has switched. The calls of the page name it, and so do the addresses to which its forms lead.

use crate::cookie;
use crate::problem::Problem;
use crate::state::HostedSite;
use axum::http::{HeaderMap, HeaderValue};
use extension_contract::Account;
use host_business::pages::{Page, PageSet};
use host_business::routes::{Matched, Who};
use host_identity::access::Caller;
use serde_json::{Value, json};
use url::form_urlencoded;

/// The query parameter with the account.
pub(super) const ACCOUNT: &str = "account";
/// The member of `page` with the query by which a link keeps the account: `?account=…`, or an empty text.
pub(super) const FOR_ACCOUNT: &str = "for_account";
/// The paths of the server whose requests are about an account. The others are about the user, or the server.
const ABOUT_ACCOUNTS: [&str; 4] = ["/api/commands/", "/api/endpoints", "/api/entitlements", "/api/queries/"];
/// The query parameter with which a link switches to the account of its page.
pub(super) const SWITCH: &str = "switch";
/// How long a browser remembers the account to which its user has switched, in seconds: 30 days.
const REMEMBERED_S: i64 = 30 * 86_400;

/// Returns the account in the query of a page. A page may use a parameter of this name for another purpose.
pub(super) fn named_in(page: Option<&Page>, query: &[(String, String)]) -> Option<String> {
    if page.is_some_and(|page| page.head.query.iter().any(|field| field.name == ACCOUNT)) {
        return None;
    }
    query.iter().find(|(name, text)| name == ACCOUNT && !text.is_empty()).map(|(_, account)| account.clone())
}

/// Returns the account to which the user has switched, unless it is the user's own, or one that the user does not reach
/// any longer.
pub(super) fn remembered(hosted: &HostedSite, headers: &HeaderMap, caller: &Caller) -> Option<String> {
    let text = cookie::read(hosted, headers, cookie::ACCOUNT)?;
    let account: Account = text.parse().ok()?;
    (caller.own_account()? != &account && caller.reaches(&account)).then(|| text.to_owned())
}

/// Returns whether a link of this server switches to the account of its page. A link on another site must not change the account for
/// which the user acts.
pub(super) fn is_switched(headers: &HeaderMap, query: &[(String, String)]) -> bool {
    query.iter().any(|(name, _)| name == SWITCH) && cookie::is_from_own_page(headers)
}

/// Returns the header by which the browser remembers the account of a page to which a link has switched.
pub(super) fn remember(hosted: &HostedSite, caller: Option<&Caller>, named: Option<&str>) -> Option<HeaderValue> {
    let (caller, account) = (caller?, named?.parse::<Account>().ok()?);
    match caller.own_account()? == &account {
        true => cookie::set(hosted, cookie::ACCOUNT, "", 0),
        false if caller.reaches(&account) => cookie::set(hosted, cookie::ACCOUNT, named?, REMEMBERED_S),
        false => None,
    }
}

/// Returns the organizations of a user, as the switch between accounts shows them.
pub(super) fn organizations(hosted: &HostedSite, caller: &Caller) -> Result<Vec<Value>, Problem> {
    let Some(users) = hosted.users.as_ref().filter(|_| caller.own_account().is_some()) else { return Ok(Vec::new()) };
    let all = users.identity().users().organizations_of(&caller.actor.subject)?;
    let reached = all.into_iter().map(|(organization, _)| (Account::Organization(organization.id), organization.name));
    let reached = reached.filter(|(account, _)| caller.reaches(account));
    Ok(reached.map(|(account, name)| json!({"account": account.to_string(), "name": name})).collect())
}

/// Adds the account to the address of a call, if the call is about an account and names none.
pub(super) fn called_for(hosted: &HostedSite, method: &str, address: String, account: Option<&str>) -> String {
    let Some(account) = account else { return address };
    let path = address.split('?').next().unwrap_or(&address);
    let is_about_account = ABOUT_ACCOUNTS.iter().any(|prefix| path.starts_with(prefix))
        || matches!(hosted.routes.find(method, path), Matched::Route(route, _) if route.who == Who::User);
    if is_about_account { with_account(&address, account) } else { address }
}

/// Adds the account to an own address to which a form leads.
pub(super) fn led_to(set: &PageSet, address: String, account: Option<&str>) -> String {
    let Some(account) = account else { return address };
    let path = address.split(['?', '#']).next().unwrap_or(&address);
    let takes_account = set.find(path).is_some_and(|(page, _)| named_in(Some(page), &[pair(account)]).is_some());
    if takes_account { with_account(&address, account) } else { address }
}

fn pair(account: &str) -> (String, String) {
    (ACCOUNT.to_owned(), account.to_owned())
}

/// Adds the account to an address that names none.
pub(super) fn with_account(address: &str, account: &str) -> String {
    let (rest, fragment) = address.split_once('#').map_or((address, None), |(rest, fragment)| (rest, Some(fragment)));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if pairs.iter().all(|(name, _)| name != ACCOUNT) {
        pairs.push(pair(account));
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{path}?{query}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    #[test]
    fn only_a_link_of_this_server_switches() {
        let query = |name: &str| [(name.to_owned(), "1".to_owned())];
        for (site, name, expected) in [
            ("same-origin", SWITCH, true),
            ("none", SWITCH, true),
            ("cross-site", SWITCH, false),
            ("same-site", SWITCH, false),
            ("same-origin", ACCOUNT, false),
        ] {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site))]);
            assert_eq!(is_switched(&headers, &query(name)), expected, "{site} {name}");
        }
        assert!(!is_switched(&HeaderMap::new(), &query(SWITCH)));
    }

    #[test]
    fn an_account_is_added_once_and_before_the_fragment() {
        for (address, expected) in [
            ("/billing", "/billing?account=organization%3Aorg_1"),
            ("/billing?changed=now#plan", "/billing?changed=now&account=organization%3Aorg_1#plan"),
            ("", "?account=organization%3Aorg_1"),
            ("/billing?account=user%3Aann", "/billing?account=user%3Aann"),
        ] {
            assert_eq!(with_account(address, "organization:org_1"), expected);
        }
    }
}
