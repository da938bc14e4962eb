//! Lists the objects of the payment source. A host reads them to compare them with its records.

use serde_json::Value;

/// A kind of objects that can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// Subscriptions, including those that have ended.
    Subscription,
    /// Invoices, including drafts.
    Invoice,
    /// Payments: attempts to collect an amount, with their state.
    PaymentIntent,
    /// Charges: each is one attempt at a payment.
    Charge,
    /// Refunds.
    Refund,
    /// Transfers to connected accounts.
    Transfer,
}

impl ObjectKind {
    /// All kinds.
    pub const ALL: [ObjectKind; 6] = [
        ObjectKind::Subscription,
        ObjectKind::Invoice,
        ObjectKind::PaymentIntent,
        ObjectKind::Charge,
        ObjectKind::Refund,
        ObjectKind::Transfer,
    ];

    /// Returns the value of the objects' member `object`.
    pub fn name(self) -> &'static str {
        match self {
            ObjectKind::Subscription => "subscription",
            ObjectKind::Invoice => "invoice",
            ObjectKind::PaymentIntent => "payment_intent",
            ObjectKind::Charge => "charge",
            ObjectKind::Refund => "refund",
            ObjectKind::Transfer => "transfer",
        }
    }
}

/// The object to which the listed objects belong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ObjectsOf {
    /// All objects of the kind.
    #[default]
    All,
    /// Subscriptions, invoices, payments and charges of a customer, `cus_…`.
    Customer(String),
    /// Charges and refunds of a payment, `pi_…`.
    PaymentIntent(String),
    /// Refunds of a charge, `ch_…`.
    Charge(String),
    /// Transfers to a connected account, `acct_…`.
    Destination(String),
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectQuery {
    /// Live or test objects.
    pub livemode: bool,
    /// The kind.
    pub kind: ObjectKind,
    /// The object to which they belong.
    pub of: ObjectsOf,
    /// Only objects created since this time of the provider, in seconds since the epoch; 0 for all.
    pub since_s: i64,
    /// [`ObjectPage::next`] of the previous page; none for the first page.
    pub after: Option<String>,
    /// Maximum number of objects, 1 to [`OBJECTS_MAX`].
    pub limit: usize,
}

/// Maximum number of objects on a page.
pub const OBJECTS_MAX: usize = 100;

impl ObjectQuery {
    /// Returns the query for the first page of all objects of a kind that belong to something, with as many objects as
    /// possible.
    pub fn first(livemode: bool, kind: ObjectKind, of: ObjectsOf) -> ObjectQuery {
        ObjectQuery { livemode, kind, of, since_s: 0, after: None, limit: OBJECTS_MAX }
    }
}

/// Objects of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectPage {
    /// The objects as the provider sends them, newest first, without secrets.
    pub objects: Vec<Value>,
    /// The `after` of the next page; none on the last page.
    pub next: Option<String>,
}

/// The reason why objects were not listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectListError {
    /// Objects of this kind cannot be selected in this way.
    #[error("{}s cannot be listed by {by}: expected {expected}", .kind.name())]
    Selection {
        /// The kind.
        kind: ObjectKind,
        /// Name of the selection.
        by: &'static str,
        /// The selections that exist.
        expected: &'static str,
    },
    /// The size of the page is out of range.
    #[error("`limit` is {0}, expected 1 to {OBJECTS_MAX}")]
    Limit(usize),
    /// An id is malformed.
    #[error("`{member}`: expected an id of the provider")]
    Id {
        /// Where the id occurs.
        member: &'static str,
    },
    /// The provider did not answer, or refused. The message contains no secrets.
    #[error("{0}")]
    Provider(String),
}

/// A provider that lists its objects. A call may take as long as a request to the provider.
pub trait ObjectList: Send + Sync {
    /// Lists one page, newest first.
    ///
    /// # Errors
    /// Fails if the objects cannot be selected in this way, or if the provider does not answer.
    fn objects(&self, query: &ObjectQuery) -> Result<ObjectPage, ObjectListError>;

    /// Lists up to `max` objects, page by page. Also returns false if there are more.
    ///
    /// # Errors
    /// Fails like [`ObjectList::objects`].
    fn all_objects(&self, query: &ObjectQuery, max: usize) -> Result<(Vec<Value>, bool), ObjectListError> {
        let (mut found, mut query) = (Vec::new(), query.clone());
        loop {
            let page = self.objects(&query)?;
            let room = max.saturating_sub(found.len());
            let is_cut = page.objects.len() > room;
            found.extend(page.objects.into_iter().take(room));
            match page.next {
                _ if is_cut => return Ok((found, false)),
                None => return Ok((found, true)),
                Some(_) if found.len() >= max => return Ok((found, false)),
                after => query.after = after,
            }
        }
    }
}
