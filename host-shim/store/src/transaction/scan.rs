//! A page of a store as a transaction sees it: with its own writes in place.

use products_contract::Stored;

/// Merge the transaction's rows with the store's.
///
/// `own` holds the transaction's rows of the window in scan order, each with its id and none where the row is removed
/// or does not fit; `fetch(after, limit)` reads the store, `id` tells a row's id.
pub(super) fn merge<'a, T: Clone + 'a>(
    own: Vec<(&'a str, Option<&'a T>)>,
    descending: bool,
    after: Option<&str>,
    limit: usize,
    fetch: impl Fn(Option<&str>, usize) -> Stored<Vec<T>>,
    id: impl Fn(&T) -> &str,
) -> Stored<Vec<T>> {
    if own.is_empty() {
        return fetch(after, limit);
    }
    let mut rows: Vec<T> = Vec::new();
    let mut own = own.into_iter().peekable();
    let mut cursor: Option<String> = after.map(str::to_owned);
    loop {
        let batch = fetch(cursor.as_deref(), limit)?;
        let last = batch.len() < limit;
        cursor = batch.last().map(|row| id(row).to_owned()).or(cursor);
        for stored in batch {
            let before = |own: &str| if descending { own > id(&stored) } else { own < id(&stored) };
            while let Some((_, row)) = own.next_if(|(own, _)| before(own)) {
                rows.extend(row.cloned());
            }
            match own.next_if(|(own, _)| *own == id(&stored)) {
                Some((_, row)) => rows.extend(row.cloned()),
                None => rows.push(stored),
            }
            if rows.len() >= limit {
                rows.truncate(limit);
                return Ok(rows);
            }
        }
        if last {
            rows.extend(own.filter_map(|(_, row)| row.cloned()).take(limit - rows.len()));
            return Ok(rows);
        }
    }
}
