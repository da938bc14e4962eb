//! Copies another store into PostgreSQL.

use crate::decode::{self, column, scope};
use crate::others::EffectJson;
use crate::store::PostgresStore;
use host_store::copy::{Part, Target, WholeRow};
use host_store::implementation::json::{Content, Envelope, RowParts, RunJson, payload_columns, state_columns, to_json};
use host_store::{EffectRow, InboxRow, Run, Scope, StoreError, Stored};

impl Target for PostgresStore {
    fn put_part(&mut self, part: &Part) -> Stored<()> {
        self.catalog_is_written.set(true);
        match part {
            Part::Scope { scope, revision, data_version } => {
                let version = data_version.map(i64::from);
                let sql = "INSERT INTO scopes (partition, account, revision, data_version) \
                           VALUES (ensure_partition($1, $2), $3, $4, $5::bigint::integer)";
                let (account, revision) = (scope.account.to_string(), column(*revision));
                self.query(sql, &[&scope.business, &scope.livemode, &account, &revision, &version])?;
            }
            Part::Row(scope, row) => self.put_row(scope, row)?,
            Part::Fact { scope, fact, event_id } => {
                let sql = concat!("INSERT INTO facts SELECT ", scope!(), ", $4, $5");
                let account = scope.account.to_string();
                self.query(sql, &[&scope.business, &scope.livemode, &account, fact, event_id])?;
            }
            Part::Reply { scope, caller, reply } => {
                let sql = concat!("INSERT INTO replies SELECT ", scope!(), ", $4, $5::text::json");
                let (account, reply) = (scope.account.to_string(), to_json(reply)?);
                self.query(sql, &[&scope.business, &scope.livemode, &account, caller, &reply])?;
            }
            Part::Claim(key, row) => {
                let holder = row.holder.as_ref().map(ToString::to_string);
                let sql = "INSERT INTO claims VALUES ($1, $2, $3, $4)";
                self.query(sql, &[key, &holder, &row.until, &row.blocked_until])?;
            }
            Part::Event { row, runs, waits_for } => self.put_event(row, runs, waits_for)?,
            Part::Effect(row) => self.put_effect(row)?,
        }
        Ok(())
    }

    fn end_parts(&mut self) -> Stored<()> {
        self.query("SELECT setval('event_numbers', max(seq)) FROM events HAVING max(seq) > 0", &[])?;
        self.query("SELECT setval('effect_numbers', max(seq)) FROM effects HAVING max(seq) > 0", &[])?;
        Ok(())
    }
}

impl PostgresStore {
    fn put_row(&self, scope: &Scope, row: &WholeRow) -> Stored<()> {
        let WholeRow { write, written, created_at, updated_at } = row;
        let content = write.row.as_ref().ok_or_else(|| decode::damaged(&write.key))?;
        let Content { body, value } = Content::of(content)?;
        let RowParts { shown, targets, product_type, session_id, payment_intent_id } = RowParts::of(write);
        let (account, key, written) = (scope.account.to_string(), write.key.to_string(), column(*written));
        let (version, targets) = (i64::from(write.data_version), Vec::from_iter(targets));
        let refs: Vec<String> = write.references.iter().map(ToString::to_string).collect();
        let sql = concat!(
            "INSERT INTO rows SELECT ",
            scope!(),
            ", $4, $5::text::json, $6::text::json, $7::bigint::integer, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18"
        );
        let (business, livemode) = (&scope.business, &scope.livemode);
        self.query(
            sql,
            &[
                business,
                livemode,
                &account,
                &key,
                &body,
                &value,
                &version,
                &write.live,
                &shown,
                &write.fingerprint,
                &written,
                &refs,
                &targets,
                &product_type,
                &session_id,
                &payment_intent_id,
                created_at,
                updated_at,
            ],
        )?;
        let sql = concat!("INSERT INTO refs SELECT ", scope!(), ", t, $4 FROM unnest($5::text[]) t");
        self.query(sql, &[business, livemode, &account, &key, &targets])?;
        Ok(())
    }

    fn put_event(&self, row: &InboxRow, runs: &[Run], waits_for: &[String]) -> Stored<()> {
        let (kind, payload) = payload_columns(&row.event.payload)?;
        let raw = Some(row.raw.as_slice()).filter(|raw| *raw != &*payload);
        let (state, at, waits_since) = state_columns(&row.state);
        let (seq, failures) = (column(row.seq), i64::from(row.failures));
        let envelope = to_json(&Envelope::of(&row.event))?;
        let account = row.event.account.as_ref().map(ToString::to_string);
        let outcome = row.outcome.as_ref().map(to_json).transpose()?;
        let count = i32::try_from(runs.len()).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let last = runs.last().map(|run| to_json(&RunJson::of(run))).transpose()?;
        let event = &row.event;
        let sql = "INSERT INTO events VALUES ($1, ensure_partition($2, $3), $4, $5, $6, $7, $8::text::json, $9, $10, $11, $12, \
                   $13, $14, $15, $16::bigint::integer, $17, $18::text::json, $19, $20::text::json, $21)";
        self.query(
            sql,
            &[
                &seq,
                &event.business,
                &row.livemode,
                &event.source,
                &event.id,
                &event.kind,
                &event.received_at,
                &envelope,
                &kind,
                &&*payload,
                &raw,
                &account,
                &state,
                &at,
                &waits_since,
                &failures,
                &row.error,
                &outcome,
                &count,
                &last,
                &row.erased,
            ],
        )?;
        for (n, run) in (1_i32..).zip(runs.iter().take(runs.len().saturating_sub(1))) {
            let run = to_json(&RunJson::of(run))?;
            self.query("INSERT INTO runs VALUES ($1, $2, $3::text::json)", &[&seq, &n, &run])?;
        }
        if !waits_for.is_empty() {
            self.query("INSERT INTO waits SELECT k, $1 FROM unnest($2::text[]) k", &[&seq, &waits_for])?;
        }
        Ok(())
    }

    fn put_effect(&self, row: &EffectRow) -> Stored<()> {
        let sql = concat!(
            "INSERT INTO effects SELECT $4, ensure_partition($1, $2), ",
            scope!(),
            ", x.*, $5 FROM json_to_record($6::text::json) AS x(key text, generation int, kind text, receiver text, ",
            "payload text, context text, reply_to text, ordering_key text, not_before bigint, deadline bigint, retry json, ",
            "state smallint, attempts int, due_at bigint, created_at bigint, caused_by text, lease_until bigint, ",
            "fence bigint, token text, lease_owner text)"
        );
        let (scope, account, json) = (&row.scope, row.scope.account.to_string(), to_json(&EffectJson::of(row))?);
        self.query(sql, &[&scope.business, &scope.livemode, &account, &column(row.seq), &row.erased, &json])?;
        Ok(())
    }
}
