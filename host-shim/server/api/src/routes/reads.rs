//! Runs the queries of a route. Rows are filtered and sorted on the thread that reads them. If a list has pages, only the rows of the
//! requested page are kept in memory.

use crate::access;
use crate::ask::{ask, asked};
use crate::lists::{List, one_entry};
use crate::problem::Problem;
use crate::products::offer;
use crate::state::HostedSite;
use axum::http::StatusCode;
use extension_contract::{Account, Actor, Question, Timestamp};
use host_business::routes::{Absent, Form, NEXT, REQUESTS, ROW, Read, ReadFrom, Scope, Sort, ValueError};
use host_engine::processor::{Answerer, AskError, Questions};
use host_engine::show;
use host_engine::time;
use host_identity::Identity;
use host_identity::access::Caller;
use host_store::Partition;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// Runs the queries of one request.
pub(super) struct Reader<'r> {
    pub(super) hosted: &'r HostedSite,
    pub(super) account: Option<Account>,
    pub(super) caller: Option<Caller>,
    pub(super) page: (usize, Option<String>),
}

/// The reason why a query has no answer.
enum NoAnswer {
    Asked(AskError),
    Value(ValueError),
    Problem(Problem),
}

impl From<AskError> for NoAnswer {
    fn from(error: AskError) -> Self {
        NoAnswer::Asked(error)
    }
}

impl From<ValueError> for NoAnswer {
    fn from(error: ValueError) -> Self {
        NoAnswer::Value(error)
    }
}

impl From<NoAnswer> for Problem {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Asked(error) => error.into(),
            NoAnswer::Value(error) => Problem::of_value(&error),
            NoAnswer::Problem(problem) => problem,
        }
    }
}

impl Reader<'_> {
    /// Runs queries, and adds their answers to the names that expressions can use.
    pub(super) async fn read(&self, reads: &[Read], scope: Scope) -> Result<Scope, Problem> {
        if reads.is_empty() {
            return Ok(scope);
        }
        let account = match &self.account {
            Some(account) => account.clone(),
            None if reads.iter().all(|read| matches!(read.from, ReadFrom::Catalog | ReadFrom::Rows(_))) => {
                Account::Platform
            }
            None => return Err(access::unauthorized("expected `Authorization: Bearer KEY`")),
        };
        let actor = self.caller.as_ref().map_or_else(Actor::system, |caller| caller.actor_in(&account));
        let question = Question { account, actor, at: self.hosted.site.clock().now() };
        let mut scope = scope;
        for reads in reads.chunk_by(|a, b| !is_list(a) && !is_list(b)) {
            scope = match reads {
                [list] if is_list(list) => self.list(list, scope, question.clone()).await?,
                short => self.short(short, scope, question.clone()).await?,
            };
        }
        Ok(scope)
    }

    /// Runs queries whose answers are short, in one turn.
    async fn short(&self, reads: &[Read], scope: Scope, question: Question) -> Result<Scope, Problem> {
        let (reads, page) = (reads.to_vec(), self.page.clone());
        let partition = self.hosted.site.partition().clone();
        let users = self.hosted.users.as_ref().map(|users| users.identity().clone());
        let asked = ask(&self.hosted.site, move |answerer| {
            let of = Reading { partition: &partition, users: users.as_ref(), question: &question };
            reads.iter().try_fold(scope, |scope, read| one(answerer, of, read, scope, &page))
        });
        Ok(asked.await??)
    }

    /// Reads a list of the account.
    async fn list(&self, read: &Read, scope: Scope, question: Question) -> Result<Scope, Problem> {
        let mut list = list_of(read, &scope, question)?;
        let (only, within) = (read.only.clone(), scope.clone());
        let is_wanted = move |row: &Value| match &only {
            Some(only) => only.is_true(&within.with(ROW, row)).map_err(|error| Problem::of_value(&error)),
            None => Ok(true),
        };
        if !read.is_one && !read.is_paged {
            let mut rows = list.whole(self.hosted, is_wanted).await?;
            read.sort.iter().for_each(|sort| rows.sort_by(|a, b| in_order(sort, a, b)));
            return Ok(in_scope(read, rows, None, scope)?);
        }
        let (limit, after) = if read.is_one { (1, &None) } else { (self.page.0, &self.page.1) };
        let mut page = Page { sort: read.sort.clone(), after: None, most: limit.saturating_add(1), rows: Vec::new() };
        if let Some(after) = after {
            let (of, kind, id) = (list.question.clone(), list.kind, after.clone());
            let last = asked(&self.hosted.site, move |answerer| one_entry(answerer, &of, kind, &id)).await?;
            page.after = Some(last.ok_or_else(not_next)?);
            if page.sort.is_none() {
                list.after.clone_from(&self.page.1);
            }
        }
        let page = list.each(self.hosted, page, move |page, (_, row)| {
            Ok(if is_wanted(&row)? { page.take(row) } else { ControlFlow::Continue(()) })
        });
        let mut rows = page.await?.rows;
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| !is_last).map(|row| row["id"].clone());
        Ok(in_scope(read, rows, Some(next.unwrap_or_default()), scope)?)
    }
}

/// True for a query that reads a list of an account, which may be long.
fn is_list(read: &Read) -> bool {
    matches!(read.from, ReadFrom::List(_) | ReadFrom::Requests { .. })
}

/// Returns the list that a query reads.
fn list_of(read: &Read, scope: &Scope, question: Question) -> Result<List, NoAnswer> {
    match &read.from {
        ReadFrom::Requests { start, end } => {
            let [start, end] = [("start", start), ("end", end)].map(|(name, form)| moment(name, form, scope));
            let filter = Some(format!("{}/{}", start?, end?));
            Ok(List { filter, ..List::new(question, REQUESTS) })
        }
        ReadFrom::List(kind) => Ok(List::new(question, kind)),
        _ => Err(NoAnswer::Problem(Problem::internal())),
    }
}

/// The rows of a page, collected while a list is read.
struct Page {
    sort: Option<Sort>,
    /// The last row of the previous page.
    after: Option<Value>,
    /// Maximum number of rows to keep: one more than a page has.
    most: usize,
    /// The rows, in the order of the page.
    rows: Vec<Value>,
}

impl Page {
    /// Keeps a row if it belongs to the page. Breaks when no further row of the list can.
    fn take(&mut self, row: Value) -> ControlFlow<()> {
        let Some(sort) = &self.sort else {
            self.rows.push(row);
            return if self.rows.len() < self.most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        };
        if self.after.as_ref().is_none_or(|after| in_order(sort, after, &row).is_lt()) {
            let at = self.rows.partition_point(|kept| in_order(sort, kept, &row).is_lt());
            if at < self.most {
                self.rows.insert(at, row);
                self.rows.truncate(self.most);
            }
        }
        ControlFlow::Continue(())
    }
}

fn not_next() -> Problem {
    Problem::bad("query", "`after` is not `next` of a page")
}

/// Adds the rows of a query to the names that expressions can use: either the first row, or all of them with the cursor of the next
/// page.
fn in_scope(read: &Read, rows: Vec<Value>, next: Option<Value>, scope: Scope) -> Result<Scope, NoAnswer> {
    if read.is_one {
        let first = rows.into_iter().next();
        return match (&first, &read.none) {
            (None, Some(none)) => {
                let status = StatusCode::from_u16(none.status).unwrap_or(StatusCode::NOT_FOUND);
                let detail = none.detail.clone().unwrap_or_else(|| format!("no {}", read.name));
                Err(NoAnswer::Problem(Problem::new(status, none.code.clone(), detail)))
            }
            _ => Ok(scope.with(&read.name, first)),
        };
    }
    let scope = scope.with(&read.name, rows);
    Ok(match next {
        Some(next) => scope.with(NEXT, next),
        None => scope,
    })
}

/// Whose rows are read.
#[derive(Clone, Copy)]
struct Reading<'r> {
    partition: &'r Partition,
    users: Option<&'r Identity>,
    question: &'r Question,
}

/// Runs one query.
fn one(
    answerer: &mut Answerer,
    of: Reading<'_>,
    read: &Read,
    scope: Scope,
    page: &(usize, Option<String>),
) -> Result<Scope, NoAnswer> {
    let question = of.question;
    let rows = match &read.from {
        ReadFrom::Entitlements => {
            let rows = answerer.ask_entitlements(question)?;
            let by_key: Map<String, Value> = rows.iter().map(|row| (row.key.clone(), show::entitlement(row))).collect();
            return Ok(scope.with(&read.name, by_key));
        }
        ReadFrom::Accounts => accounts(answerer, of).map_err(NoAnswer::Problem)?,
        ReadFrom::Balances => answerer.ask_balances(question)?.iter().map(show::balance).collect(),
        ReadFrom::Catalog => {
            // Everybody may read the catalog, which shows what the account can still get: its currency, and no second trial.
            let question = Question { actor: Actor::system(), ..question.clone() };
            answerer.ask_catalog(&question)?.iter().map(offer).collect()
        }
        ReadFrom::Usage { start, end } => {
            let [start, end] = [("start", start), ("end", end)].map(|(name, form)| moment(name, form, &scope));
            answerer.ask_usage(question, start?, end?)?.iter().map(show::usage).collect()
        }
        ReadFrom::Rows(rows) => match rows.value(&scope)? {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        },
        ReadFrom::Requests { .. } | ReadFrom::List(_) => return Err(NoAnswer::Problem(Problem::internal())),
    };
    let mut rows = wanted(read, rows, &scope)?;
    if let Some(sort) = &read.sort {
        rows.sort_by(|a, b| in_order(sort, a, b));
    }
    if !read.is_paged {
        return in_scope(read, rows, None, scope);
    }
    let (limit, after) = page;
    let (rows, next) = paged(rows, *limit, after.as_deref()).map_err(NoAnswer::Problem)?;
    in_scope(read, rows, Some(next), scope)
}

/// Returns the accounts of a business, each with its user's address and name if the server knows the user.
fn accounts(answerer: &mut Answerer, of: Reading<'_>) -> Result<Vec<Value>, Problem> {
    let scopes = answerer.read(|store| store.scopes(Some(of.partition)))?;
    let known = of.users.map(|users| users.users().all(of.partition.livemode)).transpose()?.unwrap_or_default();
    let row = |account: &Account| {
        let user = match account {
            Account::User(id) => known.binary_search_by(|user| user.id.as_str().cmp(id)).ok().map(|at| &known[at]),
            _ => None,
        };
        let (email, name) = (user.map(|user| &user.email), user.and_then(|user| user.name.as_ref()));
        json!({"id": account.to_string(), "email": email, "name": name})
    };
    Ok(scopes.iter().map(|scope| row(&scope.account)).collect())
}

fn wanted(read: &Read, rows: Vec<Value>, scope: &Scope) -> Result<Vec<Value>, ValueError> {
    let Some(only) = &read.only else { return Ok(rows) };
    let mut wanted = Vec::new();
    for row in rows {
        if only.is_true(&scope.with(ROW, &row))? {
            wanted.push(row);
        }
    }
    Ok(wanted)
}

/// Returns a time from a query, in milliseconds.
fn moment(name: &str, form: &Form, scope: &Scope) -> Result<Timestamp, NoAnswer> {
    let value = form.value(scope, Absent::LeftOut)?;
    let moment = value.as_ref().and_then(Value::as_str).and_then(time::parse);
    let problem = || Problem::bad("query", format!("`{name}` is not a time"));
    moment.ok_or_else(|| NoAnswer::Problem(problem()))
}

/// Compares two rows by a member; equal rows are ordered by id.
fn in_order(sort: &Sort, a: &Value, b: &Value) -> Ordering {
    fn of<'r>(row: &'r Value, member: &str) -> &'r Value {
        member.split('.').fold(row, |value, name| &value[name])
    }
    let by_member = compared(of(a, &sort.member), of(b, &sort.member));
    let by_member = if sort.is_descending { by_member.reverse() } else { by_member };
    by_member.then_with(|| compared(&a["id"], &b["id"]))
}

fn compared(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a.as_i64().cmp(&b.as_i64()),
    }
}

/// Returns the rows of a page, and the id that leads to the next page.
fn paged(rows: Vec<Value>, limit: usize, after: Option<&str>) -> Result<(Vec<Value>, Value), Problem> {
    let begin = match after {
        None => 0,
        Some(after) => {
            let last = rows.iter().position(|row| row["id"] == after);
            last.ok_or_else(not_next)? + 1
        }
    };
    let all = rows.len();
    let page: Vec<Value> = rows.into_iter().skip(begin).take(limit).collect();
    let next = match page.last() {
        Some(last) if begin + page.len() < all => last["id"].clone(),
        _ => Value::Null,
    };
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(rows: &[Value]) -> Vec<&str> {
        rows.iter().map(|row| row["id"].as_str().expect("an id")).collect()
    }

    #[test]
    fn pages_follow_each_other_and_have_an_end() {
        let rows: Vec<Value> = ["a", "b", "c", "d", "e"].map(|id| json!({"id": id})).to_vec();
        let (first, next) = paged(rows.clone(), 2, None).expect("a page");
        assert_eq!((ids(&first), &next), (vec!["a", "b"], &json!("b")));
        let (second, next) = paged(rows.clone(), 2, next.as_str()).expect("a page");
        assert_eq!((ids(&second), &next), (vec!["c", "d"], &json!("d")));
        let (last, next) = paged(rows.clone(), 2, next.as_str()).expect("a page");
        assert_eq!((ids(&last), &next), (vec!["e"], &Value::Null));
        assert_eq!(paged(rows.clone(), 5, None).expect("a page").1, Value::Null, "the page has all rows");
        assert!(paged(rows, 2, Some("x")).is_err());
    }

    #[test]
    fn rows_are_in_the_order_of_a_member() {
        let mut rows = [("b", 2), ("a", 3), ("d", 2), ("c", 1)].map(|(id, at)| json!({"id": id, "in": {"at": at}}));
        let sort = |is_descending| Sort { member: "in.at".into(), is_descending };
        rows.sort_by(|a, b| in_order(&sort(true), a, b));
        assert_eq!(ids(&rows), ["a", "b", "d", "c"]);
        rows.sort_by(|a, b| in_order(&sort(false), a, b));
        assert_eq!(ids(&rows), ["c", "b", "d", "a"]);
    }

    /// The pages of a list, read one after another, contain each row once and in order, and keep only their own rows.
    #[test]
    fn the_pages_of_a_long_list_have_each_row_once() {
        let all: Vec<Value> = (0..2_000).map(|at| json!({"id": format!("{at:05}"), "at": at * 7 % 50})).collect();
        for sort in [None, Some(Sort { member: "at".into(), is_descending: true })] {
            let (mut seen, mut after): (Vec<Value>, Option<Value>) = (Vec::new(), None);
            loop {
                let mut page = Page { sort: sort.clone(), after: after.clone(), most: 101, rows: Vec::new() };
                let last = after.as_ref().map(|row| row["id"].clone());
                // Without a declared order, reading continues after the last row of the previous page.
                let begin = all.iter().position(|row| sort.is_none() && Some(&row["id"]) == last.as_ref());
                for row in &all[begin.map_or(0, |at| at + 1)..] {
                    if page.take(row.clone()).is_break() {
                        break;
                    }
                    assert!(page.rows.len() <= 101);
                }
                let is_last = page.rows.len() <= 100;
                page.rows.truncate(100);
                after = page.rows.last().cloned();
                seen.extend(page.rows);
                if is_last {
                    break;
                }
            }
            let mut expected = all.clone();
            sort.iter().for_each(|sort| expected.sort_by(|a, b| in_order(sort, a, b)));
            assert_eq!(seen, expected);
        }
    }
}
