//! Maps each path and method of the platform's API to a command or query.

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Query `catalog` or `list`: the products of a type, either those on sale or those of an account.
    List,
    /// Query `list`: the products of an account, or of the platform for an operator who names none.
    Own,
    /// Query `catalog` or `list`: one product.
    One,
    /// Query `catalog`.
    Catalog,
    /// Query `catalog`: one product.
    Offer,
    /// Query `list`: the health of an instance.
    Health,
    /// The product types.
    Types,
    /// Query `list`: purchases.
    Purchases,
    /// Query `list`: one purchase with its lines.
    PurchaseOne,
    /// Query `list`: the subscription in force.
    Subscription,
    /// Command `product.create`, or `instance.create` without a type.
    Create,
    /// Command `product.update`.
    Update,
    /// Command `instance.delete`; `product.update` with `active: false` for a product of the catalog.
    Delete,
    /// Command `purchase.create` of the plan in the path.
    Purchase,
    /// Command `purchase.create` of one item.
    Buy,
    /// Command `purchase.create` of a plan with an instance, or of a purchase that has begun.
    Checkout,
    /// Command `purchase.refund`.
    Refund,
    /// The extension has no such feature.
    NotServed(&'static str),
}

/// Who may use a route. The extension decides what an account's users may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody, even without a key.
    All,
    /// Callers with a key.
    Keys,
    /// Operators.
    Operators,
}

/// Some paths with the methods of an action.
#[derive(Debug)]
pub(super) struct Route {
    /// Methods.
    pub(super) methods: &'static [&'static str],
    /// Paths, with `{id}` for the variable part.
    pub(super) paths: &'static [&'static str],
    /// Who may use them.
    pub(super) who: Who,
    /// What they do.
    pub(super) action: Action,
}

impl Action {
    /// Returns what the action does, for the API documentation.
    pub(super) fn about(self) -> &'static str {
        match self {
            Action::List => "Products on sale, or products of an account.",
            Action::Own => "Products of an account.",
            Action::One => "A product.",
            Action::Catalog => "All offers.",
            Action::Offer => "An offer.",
            Action::Health => "The health of an instance.",
            Action::Types => "The product types.",
            Action::Purchases => "Purchases of an account.",
            Action::PurchaseOne => "A purchase with its lines.",
            Action::Subscription => "The subscription that counts.",
            Action::Create => "Makes a product.",
            Action::Update => "Changes a product.",
            Action::Delete => "Deletes a product.",
            Action::Purchase => "Buys the plan of the path.",
            Action::Buy => "Buys an item.",
            Action::Checkout => "Buys a plan with an instance, or goes on with a purchase.",
            Action::Refund => "Refunds a purchase.",
            Action::NotServed(why) => why,
        }
    }
}

impl Action {
    /// Returns the name of the client's method for a path that businesses call; empty for a second method of the same action.
    pub(super) fn name(self, method: &str) -> &'static str {
        match self {
            Action::List => "listProducts",
            Action::One => "getProduct",
            Action::Health => "getProductHealth",
            Action::Create => "createProduct",
            Action::Update if method == "PATCH" => "updateProduct",
            Action::Delete => "deleteProduct",
            Action::Purchase => "purchaseProduct",
            Action::Checkout => "checkOut",
            _ => "",
        }
    }

    /// Returns further notes for readers, or an empty string.
    pub(super) fn detail(self) -> &'static str {
        match self {
            Action::List => {
                "Query `catalog`; with `user_id`, or a type whose products belong to accounts, `list`, without deleted instances unless \
                 `deleted=true` or `status=terminated`; with `type` and `after`, a page of all products of a type. Filters: `type`, `status`, `health_status`."
            }
            Action::Own | Action::Purchases => "Query `list`.",
            Action::One => "On sale, or of the account.",
            Action::Health => "`status` and `health_status`.",
            Action::PurchaseOne | Action::Catalog | Action::Offer | Action::Types | Action::NotServed(_) => "",
            Action::Subscription => "Query `list`.",
            Action::Create => {
                "Command `product.create`; without a type `instance.create`. An operator who names no account creates in the catalog."
            }
            Action::Update => "Command `product.update`.",
            Action::Delete => {
                "Command `instance.delete` with `confirm`, the instance's name, in the query or the body; in the catalog \
                 `product.update` with `active: false`."
            }
            Action::Purchase => "Command `purchase.create`.",
            Action::Buy => "Command `purchase.create`: `{\"items\": [{\"product_id\": ID, \"quantity\": 1}]}`.",
            Action::Checkout => {
                "Command `purchase.create`: `plan_id` with `billing_cycle`, and the `metadata` of the instance to create; or `purchase_id`."
            }
            Action::Refund => "Command `purchase.refund`: `amount` in minor units, 0 or none for the rest; `reason`.",
        }
    }
}

const fn route(methods: &'static [&'static str], paths: &'static [&'static str], who: Who, action: Action) -> Route {
    Route { methods, paths, who, action }
}

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const CHANGE: &[&str] = &["PATCH", "PUT"];
const DELETE: &[&str] = &["DELETE"];
const EVERY: &[&str] = &["DELETE", "GET", "PATCH", "POST", "PUT"];

/// The products that an account owns, by id.
const OF_ACCOUNT: &[&str] = &["/b/products/products/{id}", "/ext/products/products/{id}"];
/// The products of the catalog, for operators.
const OF_CATALOG: &[&str] = &["/b/products/admin/products", "/ext/products/admin/products"];
const ONE_OF_CATALOG: &[&str] = &["/b/products/admin/products/{id}", "/ext/products/admin/products/{id}"];
const PURCHASES: &[&str] = &["/b/products/purchases", "/ext/products/purchases"];

const GROUPS: &str = "products have no groups: a product type and its fields say what belongs together";
const TEMPLATES: &str = "prices and product types are in the catalog: there are no templates, variables and formulas";

/// The routes.
pub(super) const ROUTES: &[Route] = &[
    route(GET, &["/api/products"], Who::All, Action::List),
    route(GET, &["/api/products/{id}"], Who::All, Action::One),
    route(POST, &["/api/products", "/b/products/products", "/ext/products/products"], Who::Keys, Action::Create),
    route(CHANGE, &["/api/products/{id}"], Who::Keys, Action::Update),
    route(DELETE, &["/api/products/{id}"], Who::Keys, Action::Delete),
    route(GET, &["/api/products/{id}/health"], Who::Keys, Action::Health),
    route(POST, &["/api/products/{id}/purchase"], Who::Keys, Action::Purchase),
    route(POST, &["/api/products/checkout", "/b/products/checkout"], Who::Keys, Action::Checkout),
    route(GET, &["/b/products/catalog"], Who::All, Action::Catalog),
    route(GET, &["/b/products/catalog/{id}"], Who::All, Action::Offer),
    route(GET, &["/b/products/products", "/ext/products/products"], Who::Keys, Action::Own),
    route(GET, OF_ACCOUNT, Who::Keys, Action::One),
    route(CHANGE, OF_ACCOUNT, Who::Keys, Action::Update),
    route(DELETE, OF_ACCOUNT, Who::Keys, Action::Delete),
    route(GET, PURCHASES, Who::Keys, Action::Purchases),
    route(POST, &["/b/products/purchases", "/ext/products/purchase"], Who::Keys, Action::Buy),
    route(GET, &["/b/products/purchases/{id}", "/ext/products/purchases/{id}"], Who::Keys, Action::PurchaseOne),
    route(GET, &["/b/products/subscription"], Who::Keys, Action::Subscription),
    route(GET, &["/b/products/types", "/ext/products/product-types"], Who::Keys, Action::Types),
    route(GET, OF_CATALOG, Who::Operators, Action::Own),
    route(POST, OF_CATALOG, Who::Operators, Action::Create),
    route(GET, ONE_OF_CATALOG, Who::Operators, Action::One),
    route(CHANGE, ONE_OF_CATALOG, Who::Operators, Action::Update),
    route(DELETE, ONE_OF_CATALOG, Who::Operators, Action::Delete),
    route(GET, &["/b/products/admin/types", "/ext/products/admin/product-types"], Who::Operators, Action::Types),
    route(GET, &["/b/products/admin/purchases", "/ext/products/admin/purchases"], Who::Operators, Action::Purchases),
    route(
        GET,
        &["/b/products/admin/purchases/{id}", "/ext/products/admin/purchases/{id}"],
        Who::Operators,
        Action::PurchaseOne,
    ),
    route(
        &["PATCH", "POST"],
        &["/b/products/admin/purchases/{id}/refund", "/ext/products/admin/purchases/{id}/refund"],
        Who::Operators,
        Action::Refund,
    ),
    route(
        EVERY,
        &["/api/products/bulk"],
        Who::Keys,
        Action::NotServed("no command creates several products in one decision: send one request for each"),
    ),
    route(
        EVERY,
        &[
            "/b/products/groups",
            "/b/products/groups/{*rest}",
            "/b/products/group-templates",
            "/b/products/admin/groups",
            "/b/products/admin/groups/{*rest}",
            "/ext/products/groups",
            "/ext/products/groups/{*rest}",
            "/ext/products/group-types",
            "/ext/products/admin/groups",
            "/ext/products/admin/group-types",
            "/ext/products/admin/group-types/{*rest}",
        ],
        Who::Keys,
        Action::NotServed(GROUPS),
    ),
    route(
        EVERY,
        &[
            "/b/products/calculate-price",
            "/b/products/admin/pricing",
            "/b/products/admin/pricing/{*rest}",
            "/b/products/admin/types/{*rest}",
            "/b/products/admin/variables",
            "/b/products/admin/variables/{*rest}",
            "/ext/products/calculate-price",
            "/ext/products/variables",
            "/ext/products/admin/pricing-templates",
            "/ext/products/admin/pricing-templates/{*rest}",
            "/ext/products/admin/product-types/{*rest}",
            "/ext/products/admin/variables",
            "/ext/products/admin/variables/{*rest}",
        ],
        Who::Keys,
        Action::NotServed(TEMPLATES),
    ),
    route(
        EVERY,
        &["/b/products/admin/stats", "/ext/products/admin/stats", "/ext/products/purchases/stats"],
        Who::Keys,
        Action::NotServed("no query counts over accounts: /metrics has the server's numbers"),
    ),
    route(
        EVERY,
        &["/b/products/addons", "/b/products/addons/{*rest}"],
        Who::Keys,
        Action::NotServed("add-ons are products of the catalog: buy them like plans"),
    ),
    route(
        EVERY,
        &["/ext/products/purchases/{id}/cancel", "/ext/products/admin/purchases/{id}/approve"],
        Who::Keys,
        Action::NotServed("no command cancels or approves a purchase: an unpaid checkout expires by itself"),
    ),
    route(
        EVERY,
        &["/ext/products/admin/provider/status"],
        Who::Keys,
        Action::NotServed("/health says whether the server works; its log says at the start which providers it has"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_operators_reach_paths_of_operators() {
        for route in ROUTES.iter().filter(|route| !matches!(route.action, Action::NotServed(_))) {
            let of_operators = route.paths.iter().filter(|path| path.contains("/admin/")).count();
            assert!([0, route.paths.len()].contains(&of_operators), "{:?}", route.paths);
            assert_eq!(of_operators > 0, route.who == Who::Operators, "{:?}", route.paths);
        }
    }
}
