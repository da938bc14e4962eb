//! The kinds of rows that views can show, the members that the rows of each kind have, and their types.

/// The kind of a view's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Accounts that have rows.
    Account,
    /// Claims of a kind that accounts hold, such as `stripe-customer`. Only in lookups.
    Claim(String),
    /// Prices of the catalog.
    CatalogPrice,
    /// Products of the catalog.
    CatalogProduct,
    /// Requests to providers.
    Effect,
    /// Events: webhooks, commands and others.
    Event,
    /// Measurements of usage that were counted, each once.
    Measurement,
    /// Products of accounts: instances.
    Product,
    /// Purchases.
    Purchase,
    /// Records of a collection.
    Record(String),
    /// Subscriptions.
    Subscription,
}

/// Word before the kind of claims.
pub(crate) const CLAIM: &str = "claim";
/// Word before the collection of records.
pub(crate) const RECORD: &str = "record";

/// Kinds except claims and records, by their names in files.
pub(crate) const NAMES: [(&str, Kind); 9] = [
    ("account", Kind::Account),
    ("catalog_price", Kind::CatalogPrice),
    ("catalog_product", Kind::CatalogProduct),
    ("effect", Kind::Effect),
    ("event", Kind::Event),
    ("measurement", Kind::Measurement),
    ("product", Kind::Product),
    ("purchase", Kind::Purchase),
    ("subscription", Kind::Subscription),
];

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// 64-bit integer.
    Integer,
    /// Boolean; 0 or 1 in SQLite.
    Boolean,
    /// JSON; its text in SQLite.
    Json,
    /// Time, from milliseconds since the epoch; RFC 3339 text in SQLite.
    Timestamp,
}

impl Type {
    /// Names in files.
    pub(crate) const NAMES: [(Type, &'static str); 5] = [
        (Type::Boolean, "boolean"),
        (Type::Integer, "integer"),
        (Type::Json, "json"),
        (Type::Text, "text"),
        (Type::Timestamp, "timestamp"),
    ];
}

/// A member of rows of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
}

/// The form of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A value.
    Plain(Type),
    /// A string of two parts around the first colon, which have these names.
    Parts(&'static str, &'static str),
    /// A small structure: names of members, and types.
    Struct(&'static [(&'static str, Type)]),
    /// JSON; a path may lead into it.
    Json,
    /// A list of pairs, each of a name and a string.
    Pairs,
}

const fn plain(name: &'static str, column_type: Type) -> Member {
    Member { name, form: Form::Plain(column_type) }
}

const fn money(name: &'static str) -> Member {
    Member { name, form: Form::Struct(&[("amount_minor", Type::Integer), ("currency", Type::Text)]) }
}

const fn json(name: &'static str) -> Member {
    Member { name, form: Form::Json }
}

const INTERVAL: Member =
    Member { name: "interval", form: Form::Struct(&[("unit", Type::Text), ("count", Type::Integer)]) };
const AMOUNT: Member = money("amount");

/// The members of products after the common ones.
const PRODUCT: &[Member] = &[
    plain("product_type", Type::Text),
    plain("name", Type::Text),
    plain("description", Type::Text),
    plain("active", Type::Boolean),
    money("price"),
    INTERVAL,
    Member { name: "filters", form: Form::Pairs },
    json("metadata"),
];
const PRICE: &[Member] = &[
    plain("product_id", Type::Text),
    plain("product_type", Type::Text),
    plain("family", Type::Text),
    AMOUNT,
    INTERVAL,
    plain("active", Type::Boolean),
    json("terms"),
];
const PURCHASE: &[Member] = &[
    plain("provider", Type::Text),
    plain("session_id", Type::Text),
    plain("payment_intent_id", Type::Text),
    plain("subscription_id", Type::Text),
    plain("status", Type::Text),
    json("items"),
    AMOUNT,
    money("tax"),
    money("total"),
    money("refunded"),
    json("metadata"),
];
const SUBSCRIPTION: &[Member] = &[
    plain("customer_id", Type::Text),
    plain("status", Type::Text),
    json("items"),
    plain("cancel_at_period_end", Type::Boolean),
    plain("cancel_at", Type::Timestamp),
    plain("trial_end", Type::Timestamp),
    plain("grace_end", Type::Timestamp),
    json("metadata"),
];
const EVENT: &[Member] = &[
    plain("source", Type::Text),
    plain("kind", Type::Text),
    plain("status", Type::Text),
    plain("attempts", Type::Integer),
    plain("error", Type::Text),
    plain("received_at", Type::Timestamp),
    plain("processed_at", Type::Timestamp),
];
const EFFECT: &[Member] =
    &[plain("kind", Type::Text), plain("status", Type::Text), plain("attempts", Type::Integer), json("payload")];
const MEASUREMENT: &[Member] = &[
    plain("meter", Type::Text),
    plain("quantity", Type::Integer),
    plain("at", Type::Timestamp),
    Member { name: "attributes", form: Form::Pairs },
    plain("cost_micros", Type::Integer),
    plain("seller_micros", Type::Integer),
    plain("invoice", Type::Text),
    plain("event", Type::Text),
];

const ACCOUNT: Member = Member { name: "account", form: Form::Parts("kind", "id") };
const ID: Member = Member { name: "id", form: Form::Parts("kind", "name") };
const KEY: Member = plain("key", Type::Text);
const CREATED: Member = plain("created_at", Type::Timestamp);
const UPDATED: Member = plain("updated_at", Type::Timestamp);

impl Kind {
    /// Returns the members.
    pub(crate) fn members(&self) -> impl Iterator<Item = &'static Member> {
        let common: &[Member] = match self {
            Kind::Account => &const { [ACCOUNT, CREATED, UPDATED] },
            Kind::Claim(_) => &const { [ID] },
            Kind::Effect | Kind::Measurement => &const { [ID, ACCOUNT, KEY, CREATED] },
            _ => &const { [ID, ACCOUNT, KEY, CREATED, UPDATED] },
        };
        let own: &[Member] = match self {
            Kind::Account | Kind::Claim(_) => &[],
            Kind::CatalogProduct | Kind::Product => PRODUCT,
            Kind::CatalogPrice => PRICE,
            Kind::Purchase => PURCHASE,
            Kind::Subscription => SUBSCRIPTION,
            Kind::Record(_) => &const { [json("value")] },
            Kind::Event => EVENT,
            Kind::Effect => EFFECT,
            Kind::Measurement => MEASUREMENT,
        };
        common.iter().chain(own)
    }

    /// Returns true if the rows are rows of accounts or of the catalog.
    pub(crate) fn is_row(&self) -> bool {
        !matches!(self, Kind::Account | Kind::Claim(_) | Kind::Effect | Kind::Event | Kind::Measurement)
    }

    /// Returns true if a lookup may have the kind.
    pub(crate) fn is_looked_up(&self) -> bool {
        self.is_row() || matches!(self, Kind::Claim(_))
    }

    /// Returns true for the rows of the catalog, which everybody may read while they are active.
    pub(crate) fn is_catalog(&self) -> bool {
        matches!(self, Kind::CatalogPrice | Kind::CatalogProduct)
    }
}
