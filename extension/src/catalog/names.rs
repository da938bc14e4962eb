//! Names that the catalog itself uses: ids of its rows and keys of its configuration.

/// Id and product type of the row with the policies.
pub(crate) const BUSINESS: &str = "business";

/// Product type of the rows that contain product types.
pub(crate) const PRODUCT_TYPE: &str = "product_type";

/// Configuration key of the switch for provisioning. If the value is false, nothing is provisioned.
pub(crate) const ENABLED: &str = "enabled";

/// Configuration key of the switch for looking up the payments of invoices.
pub(crate) const LOOK_UP_PAYMENTS: &str = "look_up_payments";

/// Configuration key of the switch for looking up the sessions of subscriptions.
pub(crate) const LOOK_UP_SESSIONS: &str = "look_up_sessions";

/// Filter of a catalog product that no catalog document names any more.
pub(crate) const WITHDRAWN: &str = "withdrawn";

/// Filter of a listed product that waits for an operator, who has had a mail about it.
pub(crate) const WAITS: &str = "waits";

/// Returns whether the catalog itself keeps something in the row with this id: its policies, or a product type.
pub(crate) fn is_own_row(id: &str) -> bool {
    id == BUSINESS || id.starts_with("type:")
}

/// Returns whether a product type is reserved for rows of the catalog itself, which only `catalog.load` writes.
pub(crate) fn is_reserved(product_type: &str) -> bool {
    matches!(product_type, BUSINESS | PRODUCT_TYPE)
}
