//! Reads the parts of a store one page at a time. Nothing is kept in memory between pages.

use super::{Part, Source};
use crate::error::{StoreError, Stored};
use crate::rows::AccountRow;
use crate::scope::Scope;
use serde::{Deserialize, Serialize};

/// Where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cursor {
    /// An account, by its index among all accounts.
    Scope(usize),
    /// The rows of an account after a key.
    Rows(usize, String),
    /// The facts of an account after a fact.
    Facts(usize, String),
    /// The replies of an account after a caller.
    Replies(usize, String),
    /// The effects of an account after a number.
    Effects(usize, u64),
    /// The claims after a key.
    Claims(Option<String>),
    /// The events after a number.
    Events(u64),
    /// There are no more parts.
    End,
}

impl Cursor {
    /// The start.
    pub const START: Cursor = Cursor::Scope(0);
}

/// Reads about `limit` parts, beginning at the cursor, and returns the cursor of the next page. The parts come in the
/// order that [`Target::put_part`](super::Target::put_part) expects.
///
/// # Errors
/// Fails if the store fails, or if the cursor refers to an account that does not exist.
pub fn page(from: &dyn Source, cursor: Cursor, limit: usize) -> Stored<(Vec<Part>, Cursor)> {
    let scopes = match cursor {
        Cursor::Claims(_) | Cursor::Events(_) | Cursor::End => Vec::new(),
        _ => from.scopes(None)?,
    };
    page_of(from, &scopes, cursor, limit)
}

/// Like [`page`], but takes the list of the store's accounts instead of reading it.
pub(super) fn page_of(
    from: &dyn Source,
    scopes: &[Scope],
    cursor: Cursor,
    limit: usize,
) -> Stored<(Vec<Part>, Cursor)> {
    let (mut parts, mut cursor) = (Vec::new(), cursor);
    let scope = |at: usize| {
        let missing = || StoreError::Misuse(format!("the cursor names account {at}, there are {}", scopes.len()));
        scopes.get(at).ok_or_else(missing)
    };
    while parts.len() < limit {
        let room = limit - parts.len();
        cursor = match cursor {
            Cursor::Scope(at) if at >= scopes.len() => Cursor::Claims(None),
            Cursor::Scope(at) => {
                let scope = scope(at)?;
                let AccountRow { revision, data_version } = from.account(scope)?;
                parts.push(Part::Scope { scope: scope.clone(), revision, data_version });
                Cursor::Rows(at, String::new())
            }
            Cursor::Rows(at, after) => {
                let scope = scope(at)?;
                let rows = from.whole_rows(scope, &after, room)?;
                let next = rows.last().map(|row| row.write.key.to_string());
                parts.extend(rows.into_iter().map(|row| Part::Row(scope.clone(), row)));
                next.map_or(Cursor::Facts(at, String::new()), |next| Cursor::Rows(at, next))
            }
            Cursor::Facts(at, after) => {
                let scope = scope(at)?;
                let facts = from.facts(scope, &after, room)?;
                let next = facts.last().map(|(fact, _)| fact.clone());
                let part = |(fact, event_id)| Part::Fact { scope: scope.clone(), fact, event_id };
                parts.extend(facts.into_iter().map(part));
                next.map_or(Cursor::Replies(at, String::new()), |next| Cursor::Facts(at, next))
            }
            Cursor::Replies(at, after) => {
                let scope = scope(at)?;
                let replies = from.replies(scope, &after, room)?;
                let next = replies.last().map(|(caller, _)| caller.clone());
                let part = |(caller, reply)| Part::Reply { scope: scope.clone(), caller, reply };
                parts.extend(replies.into_iter().map(part));
                next.map_or(Cursor::Effects(at, 0), |next| Cursor::Replies(at, next))
            }
            Cursor::Effects(at, after) => {
                let effects = from.effects_of(scope(at)?, after, room)?;
                let next = effects.last().map(|row| row.seq);
                parts.extend(effects.into_iter().map(Part::Effect));
                next.map_or(Cursor::Scope(at + 1), |next| Cursor::Effects(at, next))
            }
            Cursor::Claims(after) => {
                let claims = from.claims_after("", after.as_deref(), room)?;
                let next = claims.last().map(|(key, _)| key.clone());
                parts.extend(claims.into_iter().map(|(key, row)| Part::Claim(key, row)));
                next.map_or(Cursor::Events(0), |next| Cursor::Claims(Some(next)))
            }
            Cursor::Events(after) => {
                let rows = from.inbox_after(None, after, room)?;
                let next = rows.last().map(|row| row.seq);
                for row in rows {
                    let (runs, waits_for) = (from.runs(row.seq)?, from.waits(row.seq)?);
                    parts.push(Part::Event { row, runs, waits_for });
                }
                next.map_or(Cursor::End, Cursor::Events)
            }
            Cursor::End => return Ok((parts, Cursor::End)),
        };
    }
    Ok((parts, cursor))
}
