//! The effects, and which of them may begin.

use crate::group::Group;
use crate::query::Query;
use crate::record::Record;
use crate::tables::EFFECTS;
use extension_contract::{Effect, Timestamp};
use host_store::implementation::json::{damaged, effect_state, from_json, state_number, to_json};
use host_store::{
    DueQuery, EffectChange, EffectRow, EffectState, Lease, LeaseRequest, Partition, Scope, StoreError, Stored, TIMER,
};

/// Maximum number of due effects among which the turns of accounts are found: the memory of a block is small.
const SEARCHED_MAX: usize = 1_000;

pub(crate) fn effect_id(scope: &Scope, key: &str, generation: u32) -> String {
    format!("{}|{key}|{generation}", scope.name())
}

/// Reads an effect.
pub(crate) fn read(row: &Record) -> Stored<EffectRow> {
    let effect: Effect = from_json(row.text("body")?)?;
    Ok(EffectRow {
        seq: row.number("seq")?,
        scope: Scope {
            business: row.text("business")?.to_owned(),
            livemode: row.truth("livemode")?,
            account: row.text("account")?.parse().map_err(damaged)?,
        },
        effect,
        state: effect_state(row.number("state")?)?,
        attempts: row.number("attempts")?,
        due_at: row.int("due_at")?,
        created_at: row.int("requested_at")?,
        caused_by: row.text("caused_by")?.to_owned(),
        lease: Lease {
            number: row.number("fence")?,
            until: row.maybe_int("lease_until")?,
            token: row.maybe_text("token")?.map(str::to_owned),
            owner: row.maybe_text("lease_owner")?.map(str::to_owned),
        },
        erased: row.truth("erased")?,
    })
}

/// Sets the changing columns.
fn with_progress(row: Record, state: EffectState, attempts: u32, due_at: Timestamp, lease: &Lease) -> Record {
    row.with("state", i64::from(state_number(state)))
        .with("open", state.is_open())
        .with("attempts", i64::from(attempts))
        .with("due_at", due_at)
        .with("fence", lease.number)
        .with("lease_until", lease.until)
        .with("token", lease.token.as_deref())
        .with("awaited", state == EffectState::Finished && lease.token.is_some())
        .with("lease_owner", lease.owner.as_deref())
}

fn new_row(seq: u64, row: &EffectRow) -> Stored<Record> {
    let (scope, effect) = (&row.scope, &row.effect);
    let record = Record::new(effect_id(scope, &effect.key, effect.generation))
        .with("seq", seq)
        .with("space", scope.partition().name())
        .with("scope", scope.name())
        .with("effect_key", effect.key.as_str())
        .with("generation", i64::from(effect.generation))
        .with("timer", effect.kind == TIMER)
        .with("ordering_key", effect.ordering_key.as_deref())
        .with("front", true)
        .with("erased", row.erased)
        .with("business", scope.business.as_str())
        .with("livemode", scope.livemode)
        .with("account", scope.account.to_string())
        .with("caused_by", row.caused_by.as_str())
        .with("requested_at", row.created_at)
        .with("body", to_json(effect)?);
    Ok(with_progress(record, row.state, row.attempts, row.due_at, &row.lease))
}

/// Selects the effects of a partition.
pub(crate) fn of(partition: &Partition) -> Query {
    Query::of(&EFFECTS).eq("space", partition.name())
}

/// Selects the queued effects of a partition that no effect of the same ordering key precedes.
fn queued(partition: &Partition, timers: bool) -> Query {
    let queued = of(partition).eq("state", i64::from(state_number(EffectState::Queued))).eq("front", true);
    if timers { queued } else { queued.eq("timer", false) }
}

impl Group {
    /// Writes a checked change.
    pub(crate) fn change_effect(&mut self, scope: &Scope, change: &EffectChange) -> Stored<()> {
        match change {
            EffectChange::Insert(row) => {
                self.head.effects += 1;
                let seq = self.head.effects.unsigned_abs();
                self.insert_effect(seq, row)
            }
            EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
                let id = effect_id(scope, key, *generation);
                let old = self
                    .find(&EFFECTS, &id)?
                    .ok_or_else(|| StoreError::Misuse(format!("no effect `{key}` of generation {generation}")))?;
                self.write_effect(with_progress(old, *state, *attempts, *due_at, lease))
            }
        }
    }

    /// Inserts an effect under a number.
    pub(crate) fn insert_effect(&mut self, seq: u64, row: &EffectRow) -> Stored<()> {
        self.head.effects = self.head.effects.max(i64::try_from(seq).map_err(damaged)?);
        self.write_effect(new_row(seq, row)?)
    }

    /// Writes an effect, and which one is the first of its ordering key.
    fn write_effect(&self, row: Record) -> Stored<()> {
        let ordering_key = row.maybe_text("ordering_key")?.map(str::to_owned);
        let scope = row.text("scope")?.to_owned();
        let Some(ordering_key) = ordering_key else { return self.set(&EFFECTS, row) };
        // It is not the first unless the lines below say so; of the others, only the first two can change places.
        self.set(&EFFECTS, row.with("front", false))?;
        let open = Query::of(&EFFECTS).eq("scope", scope).eq("ordering_key", ordering_key).eq("open", true);
        for (place, row) in self.select(&open.sort("seq").limit(2))?.into_iter().enumerate() {
            let front = place == 0;
            if row.truth("front")? != front {
                self.set(&EFFECTS, row.with("front", front))?;
            }
        }
        Ok(())
    }

    /// Returns the effects that may begin. The service has no condition for kinds that are busy, which no worker of the platform has,
    /// and none for turns, which are found among the first [`SEARCHED_MAX`].
    pub(crate) fn due(&self, question: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        let query = queued(question.partition, question.timers).lte("due_at", question.now).sort("due_at").sort("seq");
        let query = match (question.turns, question.busy.is_empty()) {
            (Some(_), _) => query.limit(SEARCHED_MAX),
            (None, true) => query.limit(question.limit),
            (None, false) => query,
        };
        let due: Vec<EffectRow> = self.select(&query)?.iter().map(read).collect::<Stored<_>>()?;
        Ok(question.in_order(due.into_iter().filter(|row| !question.passes_over(row))))
    }

    /// Returns the time at which the next effect becomes due.
    pub(crate) fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let next = self.first(queued(partition, true).gt("due_at", now).sort("due_at").sort("seq"))?;
        next.map(|row| row.int("due_at")).transpose()
    }

    /// Marks chosen effects as running under new leases.
    pub(crate) fn lease(&self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        let mut leased = Vec::new();
        for seq in request.chosen {
            let Some(old) = self.first(of(request.partition).eq("seq", *seq))? else { continue };
            let mut row = read(&old)?;
            if row.state != EffectState::Queued || row.due_at > request.now {
                continue;
            }
            let number = row.lease.number + 1;
            row.lease =
                Lease { number, until: Some(request.until), token: None, owner: Some(request.owner.to_owned()) };
            row.state = EffectState::Running;
            row.attempts += 1;
            self.write_effect(with_progress(old, row.state, row.attempts, row.due_at, &row.lease))?;
            leased.push(row);
        }
        Ok(leased)
    }

    /// Returns the generations of an effect, oldest first.
    pub(crate) fn generations(&self, scope: &Scope, key: &str) -> Stored<Vec<Record>> {
        self.select(&Query::of(&EFFECTS).eq("scope", scope.name()).eq("effect_key", key).sort("seq"))
    }
}
