//! The queries for effects that may begin.

use crate::decode::partition;
use host_store::EffectRow;
use host_store::implementation::backend::View;
use host_store::implementation::sql::{Dialect, first_of_its_key, select_from};
use std::sync::LazyLock;

/// Condition: the effect needs no call at the time `$3`, see [`EffectRow::needs_call`].
const NEEDS_NO_CALL: &str =
    "(t.kind IN ('account.send', 'payment.event', 'account.erase') OR coalesce(t.deadline <= $3, false))";

/// Returns the beginning of a query for effects.
fn of(from: &str) -> String {
    select_from(EffectRow::TABLE, EffectRow::COLUMNS, from)
}

/// Returns the due effects in the table `t` that are not timers. The parameters after the partition are the current time, the largest
/// number, whether timers fire, and the kinds whose providers have no capacity.
fn due() -> String {
    let (partition, first) = (partition!(), first_of_its_key(Dialect::Postgres));
    format!(
        "effects t WHERE t.partition = {partition} AND t.state = 0 AND t.kind <> 'timer.at' AND t.due_at <= $3 AND \
         (t.kind <> ALL($6::text[]) OR {NEEDS_NO_CALL}) AND {first} ORDER BY t.due_at, t.seq"
    )
}

/// Returns the due timers in the table `t`.
fn due_timers() -> String {
    let (partition, first) = (partition!(), first_of_its_key(Dialect::Postgres));
    format!(
        "effects t WHERE $5 AND t.partition = {partition} AND t.state = 0 AND t.kind = 'timer.at' AND t.due_at <= $3 AND \
         {first} ORDER BY t.due_at, t.seq LIMIT $4"
    )
}

/// Returns due effects in time order.
pub(crate) static DUE: LazyLock<String> = LazyLock::new(|| {
    let from = format!("((SELECT * FROM {} LIMIT $4) UNION ALL (SELECT * FROM {}))", due(), due_timers());
    of(&from) + " ORDER BY t.due_at, t.seq LIMIT $4"
});

/// Returns due effects with accounts taking turns, see [`DueQuery::turns`](host_store::DueQuery::turns). Two more parameters are the
/// number of effects examined, and the maximum per account and kind.
pub(crate) static DUE_IN_TURN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH due AS (SELECT t.seq, t.due_at, t.scope, t.kind, {NEEDS_NO_CALL} AS own FROM {} LIMIT $7), \
         counted AS (SELECT seq, due_at, CASE WHEN own THEN 0 ELSE \
         row_number() OVER (PARTITION BY scope, kind, own ORDER BY due_at, seq) END AS turn FROM due), \
         chosen AS ((SELECT seq, turn, due_at FROM counted WHERE turn <= $8 ORDER BY turn, due_at, seq LIMIT $4) \
         UNION ALL (SELECT t.seq, 0, t.due_at FROM {}) ORDER BY turn, due_at, seq LIMIT $4) \
         {} ORDER BY t.turn, t.due_at, t.seq",
        due(),
        due_timers(),
        of("(SELECT e.*, c.turn FROM chosen c JOIN effects e ON e.seq = c.seq)")
    )
});

/// Marks and leases the chosen effects; returns them in the chosen order. Omits those that another host is changing at the moment. The
/// parameters after the partition are the current time, the numbers, the end of the leases, and the owner.
pub(crate) static LEASE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH free AS (SELECT f.seq FROM effects f WHERE f.seq = ANY($4::bigint[]) AND f.partition = {} \
         AND f.state = 0 AND f.due_at <= $3 FOR UPDATE SKIP LOCKED), \
         taken AS (UPDATE effects SET state = 1, attempts = attempts + 1, lease_until = $5, fence = fence + 1, \
         token = NULL, lease_owner = $6 WHERE seq IN (SELECT seq FROM free) AND state = 0 RETURNING *) \
         {} ORDER BY array_position($4::bigint[], t.seq)",
        partition!(),
        of("taken")
    )
});

/// Returns the effects that have not ended, after a number.
pub(crate) static OPEN_AFTER: LazyLock<String> = LazyLock::new(|| {
    let partition = partition!();
    of("effects")
        + &format!(" WHERE t.partition = {partition} AND t.state IN (0, 1) AND t.seq > $3 ORDER BY t.seq LIMIT $4")
});

/// Returns the time at which the next effect becomes due.
pub(crate) static NEXT_DUE: LazyLock<String> = LazyLock::new(|| {
    let next = |kind: &str| {
        let (partition, first) = (partition!(), first_of_its_key(Dialect::Postgres));
        format!(
            "(SELECT t.due_at FROM effects t WHERE t.partition = {partition} AND t.state = 0 AND t.kind {kind} 'timer.at' \
             AND t.due_at > $3 AND {first} ORDER BY t.due_at LIMIT 1)"
        )
    };
    format!("SELECT least({}, {})", next("<>"), next("="))
});
