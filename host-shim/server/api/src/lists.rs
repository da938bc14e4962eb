//! Reads a list of an account, however long, in turns of a limited number of rows, so that other queries can run in between.

use crate::ask::ask;
use crate::problem::Problem;
use crate::state::HostedSite;
use extension_contract::{PAGE_ROWS_MAX, Page, Question};
use host_business::routes::limits::{ROWS_MAX, TURN_ROWS_MAX};
use host_engine::processor::{Answerer, AskError, Questions};
use host_engine::view::parsed;
use serde_json::Value;
use std::ops::ControlFlow;

/// Prefix of the ids of product types in the catalog's own list of products.
const TYPE_ROW: &str = "type:";

/// A list of an account.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) question: Question,
    pub(crate) kind: &'static str,
    pub(crate) filter: Option<String>,
    /// The row after which reading begins.
    pub(crate) after: Option<String>,
}

/// A row with its id.
pub(crate) type Row = (String, Value);

impl List {
    /// Returns a list, to be read from its first row.
    pub(crate) fn new(question: Question, kind: &'static str) -> List {
        List { question, kind, filter: None, after: None }
    }

    /// Passes each row to a function, in id order, until the function breaks or there are no more rows.
    pub(crate) async fn each<S, F>(mut self, hosted: &HostedSite, mut state: S, mut take: F) -> Result<S, Problem>
    where
        S: Send + 'static,
        F: FnMut(&mut S, Row) -> Result<ControlFlow<()>, Problem> + Send + 'static,
    {
        loop {
            let turn = ask(&hosted.site, move |answerer| {
                let ended = self.turn(answerer, &mut state, &mut take)?;
                Ok::<_, Problem>((self, state, take, ended))
            });
            let ended;
            (self, state, take, ended) = turn.await??;
            if ended.is_break() {
                return Ok(state);
            }
        }
    }

    fn turn<S>(
        &mut self,
        answerer: &mut Answerer,
        state: &mut S,
        take: &mut impl FnMut(&mut S, Row) -> Result<ControlFlow<()>, Problem>,
    ) -> Result<ControlFlow<()>, Problem> {
        let mut read = 0;
        while read < TURN_ROWS_MAX {
            let (rows, is_last) = self.page(answerer)?;
            read += PAGE_ROWS_MAX as usize;
            for row in rows {
                if take(state, row)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if is_last {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads the next page. Returns its rows, and whether it is the last one.
    pub(crate) fn page(&mut self, answerer: &mut Answerer) -> Result<(Vec<Row>, bool), AskError> {
        let page = Page { after: self.after.take(), limit: PAGE_ROWS_MAX };
        let rows = answerer.ask_list(&self.question, self.kind, self.filter.as_deref(), &page)?;
        let is_last = rows.len() < PAGE_ROWS_MAX as usize;
        self.after = rows.last().map(|row| row.id.clone());
        let own = rows.into_iter().filter(|row| !row.id.starts_with(TYPE_ROW));
        Ok((own.map(|row| (row.id, parsed(&row.value))).collect(), is_last))
    }

    /// Returns all wanted rows.
    ///
    /// # Errors
    /// Fails if there are too many of them for one answer.
    pub(crate) async fn whole(
        self,
        hosted: &HostedSite,
        mut is_wanted: impl FnMut(&Value) -> Result<bool, Problem> + Send + 'static,
    ) -> Result<Vec<Value>, Problem> {
        let kind = self.kind;
        self.each(hosted, Vec::new(), move |rows, (_, row)| {
            if is_wanted(&row)? {
                if rows.len() == ROWS_MAX {
                    return Err(too_many(kind));
                }
                rows.push(row);
            }
            Ok(ControlFlow::Continue(()))
        })
        .await
    }
}

/// Finds an entry by its id. Lists are in byte order of the ids, so the search starts just before the id.
pub(crate) fn one_entry(
    answerer: &mut Answerer,
    question: &Question,
    kind: &str,
    id: &str,
) -> Result<Option<Value>, AskError> {
    let last = id.char_indices().next_back().map_or(0, |(at, _)| at);
    let mut after = Some(id[..last].to_owned()).filter(|before| !before.is_empty());
    if id.is_empty() || id.starts_with(TYPE_ROW) {
        return Ok(None);
    }
    loop {
        let rows = answerer.ask_list(question, kind, None, &Page { after: after.take(), limit: PAGE_ROWS_MAX })?;
        if let Some(found) = rows.iter().find(|row| row.id == id) {
            return Ok(Some(parsed(&found.value)));
        }
        match rows.last() {
            Some(row) if rows.len() == PAGE_ROWS_MAX as usize && *row.id < *id => after = Some(row.id.clone()),
            _ => return Ok(None),
        }
    }
}

/// The answer if a list is needed as a whole and is too long.
fn too_many(kind: &str) -> Problem {
    let detail = format!("the account has more than {ROWS_MAX} {kind}: read them at /api/queries/list");
    Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "too-many", detail)
}
