//! Reads the events that hosts have stored or changed since a position in the log.

use crate::decode::{column, get, maybe_account, number};
use crate::store::PostgresStore;
use host_store::{News, NewsPlace, Partition, Stored};

/// How many event numbers, and transaction numbers, a crash of the server may have lost, so that they are assigned again: more than the
/// server assigns in the 0.6 s within which it has written the log of every transaction.
const GIVEN_AGAIN_MAX: u64 = 10_000;

/// Returns a position for a reader that has lost its connection, perhaps because the server crashed. Some events may be reported twice.
pub(crate) fn before_a_crash(place: NewsPlace) -> NewsPlace {
    NewsPlace {
        accepted: place.accepted.saturating_sub(GIVEN_AGAIN_MAX),
        changed: place.changed.saturating_sub(GIVEN_AGAIN_MAX),
    }
}

/// Returns the new events in the open snapshot, whose log ends at a given number.
pub(crate) fn after(
    store: &PostgresStore,
    partition: &Partition,
    place: Option<NewsPlace>,
    log_end: i64,
    limit: i64,
) -> Stored<(Vec<News>, NewsPlace)> {
    // Each lower transaction has ended, so the snapshot contains all of its changes.
    let oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    let oldest: i64 = store.query_one(oldest, &[])?.map_or(Ok(0), |row| get(&row, 0))?;
    let end = NewsPlace {
        accepted: u64::try_from(log_end).unwrap_or_default(),
        changed: u64::try_from(oldest).unwrap_or_default(),
    };
    let Some(place) = place else { return Ok((Vec::new(), end)) };
    let sql = "WITH p AS (SELECT id FROM partitions WHERE business = $1 AND livemode = $2) \
               SELECT * FROM ((SELECT e.seq, e.account, true FROM events e, p WHERE e.partition = p.id AND e.seq > $3 AND e.seq <= $4 \
               ORDER BY e.seq LIMIT $5) UNION ALL \
               (SELECT max(e.seq), e.account, false FROM events e, p WHERE e.partition = p.id AND e.changed >= $6 AND e.changed < $7 \
               GROUP BY e.account)) AS news ORDER BY 3 DESC, 1";
    let rows = store.query(
        sql,
        &[
            &partition.business,
            &partition.livemode,
            &column(place.accepted),
            &log_end,
            &limit,
            &column(place.changed),
            &oldest,
        ],
    )?;
    let news = rows
        .iter()
        .map(|row| Ok(News { seq: number(row, 0)?, account: maybe_account(row, 1)?, is_new: get(row, 2)? }))
        .collect::<Stored<Vec<News>>>()?;
    let new: Vec<u64> = news.iter().filter(|it| it.is_new).map(|it| it.seq).collect();
    let is_all = i64::try_from(new.len()).is_ok_and(|found| found < limit);
    let accepted = if is_all { end.accepted } else { new.last().copied().unwrap_or(end.accepted) };
    Ok((news, NewsPlace { accepted: accepted.max(place.accepted), ..end }))
}
