//! The names of the extension's queries and lists, which routes may use. Tests hold them against the extension.

/// Queries of an account or the catalog, and the accounts themselves.
pub const QUERIES: [&str; 5] = ["accounts", "balances", "catalog", "entitlements", "usage"];

/// Kinds of the query `list`.
pub const LISTS: [&str; 20] = [
    "access_log",
    "campaigns",
    "contacts",
    "earned",
    "earnings",
    "instances",
    "invoices",
    "ledger",
    "listings",
    "payments",
    "payouts",
    "products",
    "purchases",
    "sales",
    "subscriptions",
    "tasks",
    "tokens",
    "usage_days",
    "usage_requests",
    "usage_sync",
];
