//! The query of the products routes: which entries, and which page of them.

use crate::problem::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

/// Default number of entries on a page, as on the platform.
const PAGE_SIZE: usize = 20;
/// Maximum number of entries on a page, as on the platform.
const PAGE_SIZE_MAX: usize = 100;

/// The members of a query.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(rename = "type", alias = "product_type")]
    pub(super) product_type: Option<String>,
    pub(super) status: Option<String>,
    pub(super) health_status: Option<String>,
    /// True to include deleted instances.
    #[serde(default)]
    pub(super) deleted: bool,
    /// The account as `user:ID`, `organization:ID` or `platform`, or the id of a user.
    account: Option<String>,
    user_id: Option<String>,
    /// The name of an instance to be deleted.
    pub(super) confirm: Option<String>,
    /// The last id of the previous page, for the catalog; empty for the first page.
    pub(super) after: Option<String>,
    page: Option<usize>,
    page_size: Option<usize>,
    limit: Option<usize>,
    offset: Option<usize>,
}

/// A page of entries.
pub(super) struct Paged {
    pub(super) entries: Vec<Value>,
    pub(super) total: usize,
    pub(super) page: usize,
    pub(super) page_size: usize,
    /// The first entry, for lists with `limit` and `offset`.
    pub(super) offset: usize,
}

impl Filter {
    /// Returns the account that the query names.
    pub(super) fn account(&self) -> Result<Option<String>, Problem> {
        match (&self.account, &self.user_id) {
            (None, None) => Ok(None),
            (Some(account), None) => Ok(Some(account.clone())),
            (None, Some(user)) => Ok(Some(format!("user:{user}"))),
            (Some(account), Some(user)) if *account == format!("user:{user}") => Ok(Some(account.clone())),
            (Some(_), Some(_)) => Err(Problem::bad("query", "`account` and `user_id` differ: expected one of them")),
        }
    }

    pub(super) fn names_account(&self) -> bool {
        self.account.is_some() || self.user_id.is_some()
    }

    /// Returns the entries that the query requests, by `page` and `page_size` or by `offset` and `limit`.
    pub(super) fn window(&self) -> Result<Window, Problem> {
        let size = match (self.page_size, self.limit) {
            (None, None) => PAGE_SIZE,
            (Some(size), None) => within("page_size", size)?,
            (None, Some(size)) => within("limit", size)?,
            (Some(_), Some(_)) => {
                return Err(Problem::bad("query", "expected `page` with `page_size`, or `offset` with `limit`"));
            }
        };
        let (page, offset) = match (self.page, self.offset) {
            (Some(_), Some(_)) => {
                return Err(Problem::bad("query", "expected `page` with `page_size`, or `offset` with `limit`"));
            }
            (Some(0), None) => return Err(Problem::bad("query", "`page` is 0, expected 1 or more")),
            (page, None) => {
                let page = page.unwrap_or(1);
                (page, (page - 1).saturating_mul(size))
            }
            (None, Some(offset)) => (offset / size + 1, offset),
        };
        Ok(Window { page, size, offset })
    }

    /// Returns the page that the query requests.
    pub(super) fn page_of(&self, entries: Vec<Value>) -> Result<Paged, Problem> {
        let (window, total) = (self.window()?, entries.len());
        let entries = entries.into_iter().skip(window.offset).take(window.size).collect();
        Ok(window.of(entries, total))
    }
}

/// The entries on a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    page: usize,
    pub(super) size: usize,
    pub(super) offset: usize,
}

impl Window {
    /// Returns the page with its entries.
    pub(super) fn of(self, entries: Vec<Value>, total: usize) -> Paged {
        Paged { entries, total, page: self.page, page_size: self.size, offset: self.offset }
    }
}

fn within(name: &str, size: usize) -> Result<usize, Problem> {
    match (1..=PAGE_SIZE_MAX).contains(&size) {
        true => Ok(size),
        false => Err(Problem::bad("query", format!("`{name}` is {size}, expected 1 to {PAGE_SIZE_MAX}"))),
    }
}

impl Paged {
    /// Returns the page as a list under a name.
    pub(super) fn named(self, name: &str) -> Value {
        let Paged { entries, total, page, page_size, .. } = self;
        json!({name: entries, "total_count": total, "page": page, "page_size": page_size})
    }

    /// Returns the page as records with `id` and `data`.
    pub(super) fn records(self) -> Value {
        let Paged { entries, total, page, page_size, .. } = self;
        let records: Vec<Value> = entries.into_iter().map(super::show::record).collect();
        json!({"records": records, "total_count": total, "page": page, "page_size": page_size})
    }

    /// Returns the page as a list under a name, with `limit` and `offset`.
    pub(super) fn by_offset(self, name: &str) -> Value {
        let Paged { entries, total, page_size, offset, .. } = self;
        json!({name: entries, "total": total, "limit": page_size, "offset": offset})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(filter: Filter) -> (Vec<Value>, usize, usize) {
        let entries = (0..45).map(Value::from).collect();
        let paged = filter.page_of(entries).expect("a page");
        assert_eq!(paged.total, 45);
        (paged.entries, paged.page, paged.page_size)
    }

    #[test]
    fn pages_have_twenty_entries_unless_the_query_says_otherwise() {
        let numbers = |from: i32, to: i32| (from..to).map(Value::from).collect::<Vec<_>>();
        assert_eq!(page(Filter::default()), (numbers(0, 20), 1, 20));
        assert_eq!(page(Filter { page: Some(3), ..Filter::default() }), (numbers(40, 45), 3, 20));
        assert_eq!(page(Filter { page: Some(9), ..Filter::default() }), (Vec::new(), 9, 20));
        let by_offset = Filter { offset: Some(30), limit: Some(10), ..Filter::default() };
        assert_eq!(page(by_offset), (numbers(30, 40), 4, 10));
        let last = Filter { page: Some(usize::MAX), page_size: Some(100), ..Filter::default() };
        assert_eq!(page(last).0, Vec::<Value>::new());
        for wrong in [
            Filter { page: Some(0), ..Filter::default() },
            Filter { page_size: Some(0), ..Filter::default() },
            Filter { page_size: Some(101), ..Filter::default() },
            Filter { limit: Some(101), ..Filter::default() },
            Filter { page: Some(1), offset: Some(1), ..Filter::default() },
            Filter { page_size: Some(1), limit: Some(1), ..Filter::default() },
        ] {
            assert!(wrong.page_of(Vec::new()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_user_id_names_the_account_of_the_user() {
        let filter = |account: Option<&str>, user: Option<&str>| Filter {
            account: account.map(str::to_owned),
            user_id: user.map(str::to_owned),
            ..Filter::default()
        };
        let named = |filter: Filter| filter.account().expect("one account");
        assert_eq!(named(filter(None, Some("ada"))).as_deref(), Some("user:ada"));
        assert_eq!(named(filter(Some("user:ada"), Some("ada"))).as_deref(), Some("user:ada"));
        assert_eq!(named(filter(None, None)), None);
        assert!(filter(Some("user:bob"), Some("ada")).account().is_err());
    }
}
