//! The queries of a route: what is read from the account or the catalog, which rows are kept, and in which order.

use crate::routes::errors::{self, ErrorAnswer};
use crate::routes::expression::Expression;
use crate::routes::form::{Form, read_expression};
use crate::routes::types::is_member_name;
use crate::yaml::bad_input::BadInput;
use crate::yaml::{Checked, Checker, Entry, Node};
use std::collections::BTreeSet;

/// Name of a row in `where`.
pub const ROW: &str = "row";
/// Name of the cursor of the next page.
pub const NEXT: &str = "next";
/// The list of single requests, which may be long and is therefore read between two times.
pub const REQUESTS: &str = "usage_requests";
/// Maximum number of rows on a page.
pub const PAGE_ROWS_MAX: i64 = 100;
/// Default number of rows on a page.
pub(crate) const PAGE_ROWS_USUAL: i64 = 20;

/// The extension's queries of an account or the catalog, and the accounts themselves.
pub const QUERIES: [&str; 5] = ["accounts", "balances", "catalog", "entitlements", "usage"];

/// Kinds of the extension's query `list`.
pub const LISTS: [&str; 23] = [
    "access_log",
    "campaigns",
    "contacts",
    "credits",
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
    "top_up",
    "trial",
    "usage_days",
    "usage_requests",
    "usage_sync",
];

/// The source of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadFrom {
    /// All accounts, for operators: rows with an `id` (`user:ada`), and `email` and `name` of the user.
    Accounts,
    /// The balances of the account's ledgers.
    Balances,
    /// The products on sale.
    Catalog,
    /// The account's entitlements, by key.
    Entitlements,
    /// The account's usage between two times.
    Usage {
        /// Start, as RFC 3339.
        start: Form,
        /// End, as RFC 3339.
        end: Form,
    },
    /// The log of the account's requests between two times.
    Requests {
        /// Start, as RFC 3339.
        start: Form,
        /// End, as RFC 3339.
        end: Form,
    },
    /// A list of the account.
    List(&'static str),
    /// `{purchases | chain(invoices)}`: rows of the previous queries.
    Rows(Expression),
}

/// The order of rows: by the value of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Path of the member, separated by dots.
    pub member: String,
    /// True if the greatest value comes first.
    pub is_descending: bool,
}

/// A query, with a name for expressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Name.
    pub name: String,
    /// Source.
    pub from: ReadFrom,
    /// Only rows for which this is true, with the row as `row`.
    pub only: Option<Expression>,
    /// The order; by default, the source's.
    pub sort: Option<Sort>,
    /// True for the first row instead of all; null if there is none.
    pub is_one: bool,
    /// The answer to the request if there is no row.
    pub none: Option<ErrorAnswer>,
    /// True if the request gets one page of the rows: `limit` and `after` in its query.
    pub is_paged: bool,
}

impl Read {
    /// Returns the names that the expressions of the query use.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.only.iter().flat_map(Expression::names).collect();
        match &self.from {
            ReadFrom::Usage { start, end } | ReadFrom::Requests { start, end } => {
                names.extend(start.names().into_iter().chain(end.names()))
            }
            ReadFrom::Rows(rows) => names.extend(rows.names()),
            _ => {}
        }
        names.retain(|name| name.split('.').next() != Some(ROW));
        names
    }
}

/// Reads a clause of queries, in the order of the file.
pub(crate) fn read_all(check: &Checker, what: &str, node: &Node) -> Checked<Vec<Read>> {
    check.each(check.map(what, node)?, |entry| read(check, entry))
}

fn read(check: &Checker, entry: &Entry) -> Checked<Read> {
    if !is_member_name(&entry.key) {
        let problem = format!("`{}` cannot be a name in expressions", entry.key);
        return Err(check.bad(entry.place(), problem, "letters, digits and _"));
    }
    let name = entry.key.clone();
    if entry.value.entries().is_none() {
        let from = source(check, &entry.value)?;
        let wanted = format!("`{{from: {from}, start: …, end: …}}`");
        let problem = format!("`{from}` has no time");
        let from = simple(from).ok_or_else(|| check.bad(entry.value.place(), problem, wanted.as_str()))?;
        return Ok(Read { name, from, only: None, sort: None, is_one: false, none: None, is_paged: false });
    }
    let mut fields = check.fields(format!("`{name}`"), &entry.value)?;
    let from = fields.need("from").and_then(|node| match node.scalar().is_some_and(|text| text.starts_with('{')) {
        true => Ok(("", Some(read_expression(check, "from", node)?))),
        false => Ok((source(check, node)?, None)),
    });
    let only = fields.optional("where", |node| read_expression(check, "where", node));
    let sort = fields.optional("sort", |node| read_sort(check, node));
    let is_one = fields.optional("one", |node| check.truth("one", node));
    let none = fields.optional("none", |node| errors::read_answer(check, "none", node));
    let is_paged = fields.optional("paged", |node| check.truth("paged", node));
    let from = match from? {
        (_, Some(rows)) => ReadFrom::Rows(rows),
        (timed @ ("usage" | REQUESTS), _) => {
            let start = fields.need("start").and_then(|node| Form::read(check, node));
            let end = fields.need("end").and_then(|node| Form::read(check, node));
            let (start, end) = (start?, end?);
            match timed {
                REQUESTS => ReadFrom::Requests { start, end },
                _ => ReadFrom::Usage { start, end },
            }
        }
        (other, _) => simple(other).unwrap_or(ReadFrom::Catalog),
    };
    fields.finish()?;
    let (is_one, is_paged) = (is_one?.unwrap_or(false), is_paged?.unwrap_or(false));
    if is_one && is_paged {
        return Err(check.bad(entry.place(), format!("`{name}` has `one` and `paged`"), "one of them"));
    }
    let (only, sort, none) = (only?, sort?, none?);
    let has_rows_clause = only.is_some() || sort.is_some() || is_one || is_paged;
    if from == ReadFrom::Entitlements && has_rows_clause {
        let problem = format!("`{name}` is a mapping of entitlements by their keys");
        return Err(check.bad(entry.place(), problem, "no `where`, `sort`, `one` or `paged`"));
    }
    if none.is_some() && !is_one {
        return Err(check.bad(entry.place(), format!("`{name}` has `none` without `one`"), "`one: true`"));
    }
    Ok(Read { name, from, only, sort, is_one, none, is_paged })
}

/// Returns the name of a query or a list.
fn source(check: &Checker, node: &Node) -> Checked<&'static str> {
    let name = check.text("from", node)?;
    let mut known = QUERIES.iter().chain(&LISTS).copied();
    known.clone().find(|known| *known == name).ok_or_else(|| {
        let all: Vec<&str> = known.by_ref().collect();
        check.note(BadInput::unknown_name(node.place(), &name, "not a query", all))
    })
}

/// Returns the source with a name; none for those that need times.
fn simple(name: &str) -> Option<ReadFrom> {
    match name {
        "usage" | REQUESTS => None,
        "accounts" => Some(ReadFrom::Accounts),
        "balances" => Some(ReadFrom::Balances),
        "catalog" => Some(ReadFrom::Catalog),
        "entitlements" => Some(ReadFrom::Entitlements),
        other => LISTS.iter().find(|kind| **kind == other).map(|kind| ReadFrom::List(kind)),
    }
}

fn read_sort(check: &Checker, node: &Node) -> Checked<Sort> {
    let text = check.filled_text("sort", node)?;
    let (member, is_descending) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.as_str(), false),
    };
    match member.split('.').all(is_member_name) {
        true => Ok(Sort { member: member.to_owned(), is_descending }),
        false => Err(check.bad(
            node.place(),
            format!("`sort: {text}`"),
            "a member, such as `at`, or `-at` for the newest first",
        )),
    }
}
