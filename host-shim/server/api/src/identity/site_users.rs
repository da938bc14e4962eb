//! The users of a site.

use host_business::folder::BusinessFolder;
use host_identity::{Identity, LinkMaker, OWNER};
use serde_json::Value;
use std::collections::BTreeSet;

/// The fact that a user has registered.
pub(super) const REGISTERED: &str = "user.registered";

/// The roles of members if the business lists none.
const USUAL_ROLES: [&str; 3] = [OWNER, "member", "viewer"];

/// The users of a site.
pub struct SiteUsers {
    pub(super) links: LinkMaker,
    /// The members of the fact `user.registered` as the business declares it; none if it does not declare the fact.
    pub(super) told: Option<Vec<String>>,
    /// The entitlement of which each member of an organization uses one; none if members use nothing.
    pub(super) seats: Option<String>,
    /// The roles that members of organizations may have.
    pub(super) roles: Vec<String>,
}

/// Returns the roles that members of organizations may have in a business: owner, and those listed in `may`.
pub fn member_roles(business: &BusinessFolder) -> Vec<String> {
    let listed = business.catalog["may"].as_object().into_iter().flat_map(|may| may.values());
    let listed = listed.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let mut roles: Vec<String> = std::iter::once(OWNER).chain(listed).map(str::to_owned).collect();
    if roles.len() == 1 {
        roles = USUAL_ROLES.map(str::to_owned).to_vec();
    }
    let mut seen = BTreeSet::new();
    roles.retain(|role| seen.insert(role.clone()));
    roles
}

impl SiteUsers {
    /// Creates the users of a business, which is informed of each new user.
    pub fn new(links: LinkMaker, business: &BusinessFolder) -> SiteUsers {
        let fields = business.catalog["events"].get(REGISTERED).map(|fact| fact["fields"].as_array());
        let name = |field: &Value| field["name"].as_str().map(str::to_owned);
        let told = fields.map(|fields| fields.into_iter().flatten().filter_map(name).collect());
        let seats = business.catalog["policies"]["members"].as_str().map(str::to_owned);
        SiteUsers { links, told, seats, roles: member_roles(business) }
    }

    pub(crate) fn identity(&self) -> &Identity {
        self.links.identity()
    }
}
