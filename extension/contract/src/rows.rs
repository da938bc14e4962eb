//! Rows of an account and of the catalog: how they are named, read and changed.

use crate::products::{Price, Product, ProductValues};
use crate::purchases::{Purchase, PurchaseValues};
use crate::records::{ConfigValue, RecordKey, StoredRecord};
use crate::subscriptions::{Subscription, SubscriptionValues};
use crate::types::{Account, Json, RowVersion, Timestamp};

/// Which row of an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// A product, by its id.
    Product(String),
    /// A price of the catalog, by the provider's id; only in the account `platform`.
    Price(String),
    /// A purchase, by its id.
    Purchase(String),
    /// A subscription, by its id.
    Subscription(String),
    /// A record, by its collection and id.
    Record(RecordKey),
}

impl RowKey {
    /// Id within the kind.
    pub fn id(&self) -> &str {
        match self {
            RowKey::Product(id) | RowKey::Price(id) | RowKey::Purchase(id) | RowKey::Subscription(id) => id,
            RowKey::Record(key) => &key.id,
        }
    }

    /// What kind of row it names.
    pub fn kind(&self) -> RowKind {
        match self {
            RowKey::Product(_) => RowKind::Product,
            RowKey::Price(_) => RowKind::Price,
            RowKey::Purchase(_) => RowKind::Purchase,
            RowKey::Subscription(_) => RowKind::Subscription,
            RowKey::Record(key) => RowKind::Record(key.collection.clone()),
        }
    }
}

/// `kind:id`, a record's with its collection: the form of reports and of stored references.
impl std::fmt::Display for RowKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RowKey::Product(id) => write!(f, "product:{id}"),
            RowKey::Price(id) => write!(f, "price:{id}"),
            RowKey::Purchase(id) => write!(f, "purchase:{id}"),
            RowKey::Subscription(id) => write!(f, "subscription:{id}"),
            RowKey::Record(key) => write!(f, "record:{}:{}", key.collection, key.id),
        }
    }
}

/// What kind of row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// Products of the account.
    Product,
    /// Prices; only in the account `platform`.
    Price,
    /// Purchases.
    Purchase,
    /// Subscriptions.
    Subscription,
    /// Records of one collection.
    Record(String),
}

/// A stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A product, a soft-deleted one too.
    Product(Product),
    /// A price.
    Price(Price),
    /// A purchase.
    Purchase(Purchase),
    /// A subscription.
    Subscription(Subscription),
    /// A record.
    Record(StoredRecord),
}

impl Row {
    /// Id within the kind.
    pub fn id(&self) -> &str {
        match self {
            Row::Product(row) => &row.id,
            Row::Price(row) => &row.id,
            Row::Purchase(row) => &row.id,
            Row::Subscription(row) => &row.id,
            Row::Record(row) => &row.id,
        }
    }

    /// What names it.
    pub fn key(&self) -> RowKey {
        match self {
            Row::Product(row) => RowKey::Product(row.id.clone()),
            Row::Price(row) => RowKey::Price(row.id.clone()),
            Row::Purchase(row) => RowKey::Purchase(row.id.clone()),
            Row::Subscription(row) => RowKey::Subscription(row.id.clone()),
            Row::Record(row) => RowKey::Record(RecordKey { collection: row.collection.clone(), id: row.id.clone() }),
        }
    }

    /// Version that a change must name; a price has none.
    pub fn version(&self) -> RowVersion {
        match self {
            Row::Product(row) => row.version,
            Row::Purchase(row) => row.version,
            Row::Subscription(row) => row.version,
            Row::Record(row) => row.version,
            Row::Price(_) => 0,
        }
    }
}

/// A stored row with the version of the data format that it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// `data-version` of the component that wrote it.
    pub data_version: u32,
    /// The row.
    pub row: Row,
}

/// Which part of the catalog or of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CatalogKey {
    /// A product of the catalog, a product type and the policies among them.
    Product(String),
    /// A price, by the provider's id.
    Price(String),
    /// A configuration value, by its declared key.
    Setting(String),
}

/// `kind:id`, the form of stored references.
impl std::fmt::Display for CatalogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CatalogKey::Product(id) => write!(f, "catalog-product:{id}"),
            CatalogKey::Price(id) => write!(f, "catalog-price:{id}"),
            CatalogKey::Setting(key) => write!(f, "setting:{key}"),
        }
    }
}

/// A part of the catalog or of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogRow {
    /// A product of the catalog.
    Product(Product),
    /// A price.
    Price(Price),
    /// A configuration value.
    Setting(ConfigValue),
}

/// What products of the catalog are looked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogQuery {
    /// All of them.
    All,
    /// Those of a product type.
    ProductType(String),
    /// Those whose row lists this name among its references: a slug, a granted key.
    Name(String),
}

/// What a row refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// Another row of the account.
    Row(RowKey),
    /// A part of the catalog.
    Catalog(CatalogKey),
    /// A name that it is found by, only for products of the catalog.
    Name(String),
}

/// `row:…`, `catalog:…` or `name:…`: the form in which a store keeps references.
impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reference::Row(key) => write!(f, "row:{key}"),
            Reference::Catalog(key) => write!(f, "catalog:{key}"),
            Reference::Name(name) => write!(f, "name:{name}"),
        }
    }
}

/// What `account.open` gives for an event that belongs to an account of this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// The account.
    pub account: Account,
    /// Its live rows, those that the placement names, and what these refer to and are referred to by: in byte order of
    /// their keys.
    pub rows: Vec<StoredRow>,
    /// What of the catalog these rows and the placement refer to.
    pub catalog: Vec<CatalogRow>,
    /// Whether each fact that was asked for is noted already, in the order of the question.
    pub facts: Vec<bool>,
}

/// The answer of `account.open`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The event's account, for this decision.
    Here(Box<Here>),
    /// The host keeps or leaves the event by itself; the decision is `elsewhere`'s and counts for nothing.
    Elsewhere,
}

/// Rows of a kind, by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which kind.
    pub kind: RowKind,
    /// Only ids that begin with this.
    pub prefix: String,
    /// Greatest id first.
    pub descending: bool,
    /// Start beyond this id.
    pub after: Option<String>,
}

/// Rows that `account.more` gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Rows of a kind in byte order of their ids, without soft-deleted products.
    Listed(Listing),
    /// Rows of a kind that bear another fingerprint than this one, least recently written first.
    Outdated(RowKind, String),
}

/// What a change writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The values of a product.
    Product(ProductValues),
    /// A price; it has no version of its own, so that `expected` is not looked at.
    Price(Price),
    /// The values of a purchase.
    Purchase(PurchaseValues),
    /// The values of a subscription.
    Subscription(SubscriptionValues),
    /// The value of a record, a JSON object.
    Record(Json),
    /// Nothing is left: a product is deleted softly, a record is gone. Other rows stay for ever.
    Remove,
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which row.
    pub key: RowKey,
    /// Version at which it was read, 0 for a row that is new.
    pub expected: RowVersion,
    /// Its new values.
    pub write: Write,
    /// Whether later events of the account need it; what is settled is read by name only.
    pub live: bool,
    /// What it refers to, at most [`REFERENCES_MAX`](crate::REFERENCES_MAX).
    pub references: Vec<Reference>,
    /// What it was brought to, so that rows that were brought to something else are found.
    pub fingerprint: Option<String>,
}

/// A change of a claim, by its short key: `stripe-customer:cus_1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// Hold it, until a time or for good. A claim that is held already is at most prolonged.
    Take {
        /// Short key.
        key: String,
        /// Until when; none is for good.
        until: Option<Timestamp>,
    },
    /// Give it back, and let nobody take it before a time. What the account doesn't hold is left alone.
    Release {
        /// Short key.
        key: String,
        /// Nobody may take it before.
        blocked_until: Option<Timestamp>,
    },
}
