//! Rows of an account and of the catalog: their keys, selections of rows, and changes.

use crate::products::{Price, Product, ProductValues};
use crate::purchases::{Purchase, PurchaseValues};
use crate::records::{ConfigValue, RecordKey, StoredRecord};
use crate::subscriptions::{Subscription, SubscriptionValues};
use crate::types::{Account, Json, RowVersion, Timestamp};

/// Key of a row of an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// A product, by its id.
    Product(String),
    /// A price of the catalog, by the payment source's id; only in the account `platform`.
    Price(String),
    /// A purchase, by its id.
    Purchase(String),
    /// A subscription, by its id.
    Subscription(String),
    /// A record, by its collection and id.
    Record(RecordKey),
}

impl RowKey {
    /// Returns the id of the row, unique among rows of its kind.
    pub fn id(&self) -> &str {
        match self {
            RowKey::Product(id) | RowKey::Price(id) | RowKey::Purchase(id) | RowKey::Subscription(id) => id,
            RowKey::Record(key) => &key.id,
        }
    }

    /// Returns the kind of the row.
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

/// Formats the key as `kind:id`, for a record as `record:collection:id`, as in reports and stored references.
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

/// Kind of a row.
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
    /// A product, possibly soft-deleted.
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
    /// Returns the id of the row, unique among rows of its kind.
    pub fn id(&self) -> &str {
        match self {
            Row::Product(row) => &row.id,
            Row::Price(row) => &row.id,
            Row::Purchase(row) => &row.id,
            Row::Subscription(row) => &row.id,
            Row::Record(row) => &row.id,
        }
    }

    /// Returns the key of the row.
    pub fn key(&self) -> RowKey {
        match self {
            Row::Product(row) => RowKey::Product(row.id.clone()),
            Row::Price(row) => RowKey::Price(row.id.clone()),
            Row::Purchase(row) => RowKey::Purchase(row.id.clone()),
            Row::Subscription(row) => RowKey::Subscription(row.id.clone()),
            Row::Record(row) => RowKey::Record(RecordKey { collection: row.collection.clone(), id: row.id.clone() }),
        }
    }

    /// Returns the version that a change must expect; 0 for a price, because prices have no version.
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

/// A stored row, with the version of its data format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// `data-version` of the component that wrote the row.
    pub data_version: u32,
    /// The row.
    pub row: Row,
}

/// Key of a part of the catalog or of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CatalogKey {
    /// A product of the catalog; product types and policies are products, too.
    Product(String),
    /// A price, by the payment source's id.
    Price(String),
    /// A configuration value, by its declared key.
    Setting(String),
}

impl CatalogKey {
    /// Returns the key of the row in the catalog; none for a setting, which is not a row.
    pub fn row_key(&self) -> Option<RowKey> {
        match self {
            CatalogKey::Product(id) => Some(RowKey::Product(id.clone())),
            CatalogKey::Price(id) => Some(RowKey::Price(id.clone())),
            CatalogKey::Setting(_) => None,
        }
    }
}

/// Formats the key as `kind:id`, as in stored references.
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

impl CatalogRow {
    /// Returns a row of the account `platform` as a part of the catalog; none for a row that is not part of it.
    pub fn of(row: Row) -> Option<CatalogRow> {
        match row {
            Row::Product(row) => Some(CatalogRow::Product(row)),
            Row::Price(row) => Some(CatalogRow::Price(row)),
            Row::Purchase(_) | Row::Subscription(_) | Row::Record(_) => None,
        }
    }
}

/// Search condition for the catalog's products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogQuery {
    /// All products.
    All,
    /// Products of a product type.
    ProductType(String),
    /// Products whose row has this name among its references: a slug or a granted key.
    Name(String),
}

/// A reference of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// Another row of the account.
    Row(RowKey),
    /// A part of the catalog.
    Catalog(CatalogKey),
    /// A name to search by, only for products of the catalog.
    Name(String),
}

/// Formats the reference as `row:…`, `catalog:…` or `name:…`, as in a store.
impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reference::Row(key) => write!(f, "row:{key}"),
            Reference::Catalog(key) => write!(f, "catalog:{key}"),
            Reference::Name(name) => write!(f, "name:{name}"),
        }
    }
}

/// The result of `account.open` for an event of an account in this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// The account.
    pub account: Account,
    /// The account's live rows, the rows that the placement names, and rows that references reach: from the named rows
    /// in both directions, from the live rows along their own references. At most
    /// [`REFERENCES_MAX`](crate::REFERENCES_MAX) rows are not live. In byte order of their keys.
    pub rows: Vec<StoredRow>,
    /// Parts of the catalog that these rows and the placement refer to.
    pub catalog: Vec<CatalogRow>,
    /// Whether each requested fact is already recorded, in the order of the request.
    pub facts: Vec<bool>,
}

/// The result of `account.open`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The event belongs to an account of this store, and `open` has read its rows.
    Here(Box<Here>),
    /// The host itself parks, ignores or rejects the event, and discards the extension's decision.
    Elsewhere,
}

/// Selection of rows of one kind, by a prefix of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Kind of the rows.
    pub kind: RowKind,
    /// Prefix of the ids.
    pub prefix: String,
    /// Whether the greatest id comes first.
    pub descending: bool,
    /// Id of the last row before the selection; `None` to start at the beginning.
    pub after: Option<String>,
}

/// Selection of rows for `account.more`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Rows of a kind in the order of their ids, without soft-deleted products.
    Listed(Listing),
    /// Rows of a kind whose fingerprint differs from the given fingerprint, least recently written first.
    Outdated(RowKind, String),
}

/// The new content of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The values of a product.
    Product(ProductValues),
    /// A price. Prices have no version, so the host does not compare `expected`.
    Price(Price),
    /// The values of a purchase.
    Purchase(PurchaseValues),
    /// The values of a subscription.
    Subscription(SubscriptionValues),
    /// The value of a record, a JSON object.
    Record(Json),
    /// Removes the row: a product is soft-deleted, a record is deleted. Other kinds of rows cannot be removed.
    Remove,
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Key of the row.
    pub key: RowKey,
    /// Version that was read; 0 for a new row.
    pub expected: RowVersion,
    /// New content.
    pub write: Write,
    /// Whether `account.open` returns the row for all later events of the account. Other rows are returned only by key
    /// or reference.
    pub live: bool,
    /// References of the row, at most [`REFERENCES_MAX`](crate::REFERENCES_MAX).
    pub references: Vec<Reference>,
    /// Fingerprint of the desired state with which the row was reconciled last. [`Selection::Outdated`] compares it.
    pub fingerprint: Option<String>,
}

/// A change of a claim. Its short key lacks the business and the connected account, for example
/// `stripe-customer:cus_1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// Takes a claim, until a time or permanently. If the account already holds the claim, the end can only move later.
    Take {
        /// Short key.
        key: String,
        /// End of the claim; `None` for a permanent claim.
        until: Option<Timestamp>,
    },
    /// Releases a claim and blocks it until a time. Does nothing if the account does not hold the claim.
    Release {
        /// Short key.
        key: String,
        /// Time before which no account may take the claim.
        blocked_until: Option<Timestamp>,
    },
}
