//! The columns of effects, and the queries for effects that may begin.

use crate::decode::{get, json, maybe_account, number, scope, small};
use extension_contract::{Effect, RetryPolicy};
use host_store::implementation::json::effect_state;
use host_store::{EffectRow, Lease, Stored};
use tokio_postgres::Row;

/// Columns of an effect in the table `e`, with its scope `s` and partition `q`.
macro_rules! effect_columns {
    () => {
        "e.seq, q.business, q.livemode, s.account, e.kind, e.receiver, e.key, e.generation, e.payload, e.context, \
         e.reply_to, e.ordering_key, e.not_before, e.deadline, e.retry::text, e.state, e.attempts, e.due_at, \
         e.created_at, e.caused_by, e.lease_until, e.fence, e.token, e.lease_owner, e.erased"
    };
}
pub(crate) use effect_columns;

/// The `SELECT` of every query for effects, with its conditions.
macro_rules! select_effects {
    ($($conditions:expr),+) => {
        concat!(
            "SELECT ",
            $crate::effects::effect_columns!(),
            " FROM effects e JOIN scopes s ON s.id = e.scope JOIN partitions q ON q.id = e.partition WHERE ",
            $($conditions),+
        )
    };
}
pub(crate) use select_effects;

/// The number of the partition with the business `$1` and the mode `$2`.
macro_rules! partition {
    () => {
        "(SELECT p.id FROM partitions p WHERE p.business = $1 AND p.livemode = $2)"
    };
}
pub(crate) use partition;

/// Condition: no open effect of the same ordering key precedes the effect.
macro_rules! first_of_its_key {
    () => {
        "(e.ordering_key IS NULL OR NOT EXISTS (SELECT FROM effects b \
         WHERE b.scope = e.scope AND b.ordering_key = e.ordering_key AND b.state < 2 AND b.seq < e.seq))"
    };
}

/// Condition: the effect needs no call at the time `$3`, see [`EffectRow::needs_call`].
macro_rules! needs_no_call {
    () => {
        "(e.kind IN ('account.send', 'payment.event', 'account.erase') OR coalesce(e.deadline <= $3, false))"
    };
}

/// The due effects in the table `e` that are no timers. After the partition come the present, the largest number, whether timers
/// fire, and the kinds whose providers have no room.
macro_rules! due {
    () => {
        concat!(
            "effects e WHERE e.partition = ",
            partition!(),
            " AND e.state = 0 AND e.kind <> 'timer.at' AND e.due_at <= $3 AND ",
            "(e.kind <> ALL($6::text[]) OR ",
            needs_no_call!(),
            ") AND ",
            first_of_its_key!(),
            " ORDER BY e.due_at, e.seq"
        )
    };
}

/// The due timers in the table `e`.
macro_rules! due_timers {
    () => {
        concat!(
            "effects e WHERE $5 AND e.partition = ",
            partition!(),
            " AND e.state = 0 AND e.kind = 'timer.at' AND e.due_at <= $3 AND ",
            first_of_its_key!(),
            " ORDER BY e.due_at, e.seq LIMIT $4"
        )
    };
}

/// Returns due effects in order of time.
pub(crate) const DUE: &str = concat!(
    "SELECT ",
    effect_columns!(),
    " FROM ((SELECT * FROM ",
    due!(),
    " LIMIT $4) UNION ALL (SELECT * FROM ",
    due_timers!(),
    ")) e JOIN scopes s ON s.id = e.scope JOIN partitions q ON q.id = e.partition ORDER BY e.due_at, e.seq LIMIT $4"
);

/// Returns due effects in turn by account, see [`DueQuery::turns`](host_store::DueQuery::turns). Two more parameters are the number of
/// effects that are looked at, and the most of an account and kind.
pub(crate) const DUE_IN_TURN: &str = concat!(
    "WITH due AS (SELECT e.seq, e.due_at, e.scope, e.kind, ",
    needs_no_call!(),
    " AS own FROM ",
    due!(),
    " LIMIT $7), counted AS (SELECT seq, due_at, CASE WHEN own THEN 0 ELSE ",
    "row_number() OVER (PARTITION BY scope, kind, own ORDER BY due_at, seq) END AS turn FROM due), ",
    "chosen AS ((SELECT seq, turn, due_at FROM counted WHERE turn <= $8 ORDER BY turn, due_at, seq LIMIT $4) ",
    "UNION ALL (SELECT e.seq, 0, e.due_at FROM ",
    due_timers!(),
    ") ORDER BY turn, due_at, seq LIMIT $4) ",
    "SELECT ",
    effect_columns!(),
    " FROM chosen c JOIN effects e ON e.seq = c.seq JOIN scopes s ON s.id = e.scope ",
    "JOIN partitions q ON q.id = e.partition ORDER BY c.turn, e.due_at, e.seq"
);

/// Marks and leases chosen effects; returns them in the chosen order. Leaves out what another host is changing just now.
/// After the partition come the present, the numbers, the end of the leases, and the owner.
pub(crate) const LEASE: &str = concat!(
    "WITH free AS (SELECT f.seq FROM effects f WHERE f.seq = ANY($4::bigint[]) AND f.partition = ",
    partition!(),
    " AND f.state = 0 AND f.due_at <= $3 FOR UPDATE SKIP LOCKED), ",
    "taken AS (UPDATE effects SET state = 1, attempts = attempts + 1, lease_until = $5, fence = fence + 1, ",
    "token = NULL, lease_owner = $6 WHERE seq IN (SELECT seq FROM free) AND state = 0 RETURNING *) ",
    "SELECT ",
    effect_columns!(),
    " FROM taken e JOIN scopes s ON s.id = e.scope JOIN partitions q ON q.id = e.partition ",
    "ORDER BY array_position($4::bigint[], e.seq)"
);

/// Returns the time at which the next effect becomes due.
pub(crate) const NEXT_DUE: &str = concat!(
    "SELECT least(",
    "(SELECT e.due_at FROM effects e WHERE e.partition = ",
    partition!(),
    " AND e.state = 0 AND e.kind <> 'timer.at' AND e.due_at > $3 AND ",
    first_of_its_key!(),
    " ORDER BY e.due_at LIMIT 1), ",
    "(SELECT e.due_at FROM effects e WHERE e.partition = ",
    partition!(),
    " AND e.state = 0 AND e.kind = 'timer.at' AND e.due_at > $3 AND ",
    first_of_its_key!(),
    " ORDER BY e.due_at LIMIT 1))"
);

/// Reads an effect.
pub(crate) fn read(row: &Row) -> Stored<EffectRow> {
    let delays_ms: Option<Vec<u32>> = get::<Option<&str>>(row, 14)?.map(json).transpose()?;
    Ok(EffectRow {
        seq: number(row, 0)?,
        scope: scope(row, 1)?,
        effect: Effect {
            kind: get(row, 4)?,
            to: maybe_account(row, 5)?,
            key: get(row, 6)?,
            generation: small(row, 7)?,
            payload: get(row, 8)?,
            context: get(row, 9)?,
            reply_to: get(row, 10)?,
            ordering_key: get(row, 11)?,
            not_before: get(row, 12)?,
            deadline: get(row, 13)?,
            retry: delays_ms.map(|delays_ms| RetryPolicy { delays_ms }),
        },
        state: effect_state(get(row, 15)?)?,
        attempts: small(row, 16)?,
        due_at: get(row, 17)?,
        created_at: get(row, 18)?,
        caused_by: get(row, 19)?,
        lease: Lease { until: get(row, 20)?, number: number(row, 21)?, token: get(row, 22)?, owner: get(row, 23)? },
        erased: get(row, 24)?,
    })
}
