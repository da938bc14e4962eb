//! Copies a store on the platform into another store, and another store into the platform.

use crate::events;
use crate::query::Query;
use crate::record::Record;
use crate::rows::{ACCOUNT, Stamp, account_row, ord, read, references};
use crate::store::SolobaseStore;
use crate::tables::{FACTS, REPLIES, ROWS};
use extension_contract::Reply;
use host_store::copy::{Part, Source, Target, WholeRow};
use host_store::implementation::json::from_json;
use host_store::{RowWrite, Scope, Stored};

impl Source for SolobaseStore {
    fn whole_rows(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<WholeRow>> {
        // The key begins with the kind, and so does the order: by kind, then by id.
        let mut all: Vec<(String, Record)> = Vec::new();
        for row in self.group.select(&Query::of(&ROWS).eq("scope", scope.name()).sort("kind").sort("ord"))? {
            if row.text("kind")? != ACCOUNT {
                all.push((read(&row)?.row.key().to_string(), row));
            }
        }
        all.sort_by(|one, other| one.0.cmp(&other.0));
        let later = all.iter().filter(|(key, _)| key.as_str() > after);
        later.take(limit).map(|(_, row)| whole(row)).collect()
    }

    fn facts(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, String)>> {
        let later = Query::of(&FACTS).eq("scope", scope.name()).gt("ord", ord(after)).sort("ord").limit(limit);
        let rows = self.group.select(&later)?;
        rows.iter().map(|row| Ok((row.text("fact")?.to_owned(), row.text("event_id")?.to_owned()))).collect()
    }

    fn replies(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, Reply)>> {
        let later = Query::of(&REPLIES).eq("scope", scope.name()).gt("ord", ord(after)).sort("ord").limit(limit);
        let rows = self.group.select(&later)?;
        rows.iter().map(|row| Ok((row.text("caller")?.to_owned(), from_json(row.text("body")?)?))).collect()
    }

    fn waits(&self, seq: u64) -> Stored<Vec<String>> {
        let mut keys = self.group.event_row(seq)?.map_or(Ok(Vec::new()), |row| events::waits(&row))?;
        keys.sort();
        Ok(keys)
    }
}

fn whole(row: &Record) -> Stored<WholeRow> {
    let stored = read(row)?;
    let live = match row.maybe_int("wanted_live")? {
        Some(live) => live != 0,
        None => row.truth("live")?,
    };
    Ok(WholeRow {
        write: RowWrite {
            key: stored.row.key(),
            row: Some(stored.row),
            data_version: stored.data_version,
            live,
            references: references(row)?,
            fingerprint: row.maybe_text("fingerprint")?.map(str::to_owned),
        },
        written: row.number("written")?,
        created_at: row.maybe_int("made_at")?,
        updated_at: row.maybe_int("changed_at")?,
    })
}

impl Target for SolobaseStore {
    fn put_part(&mut self, part: &Part) -> Stored<()> {
        let group = &mut self.group;
        match part {
            Part::Scope { scope, revision, data_version } => {
                group.set(&ROWS, account_row(scope, *revision, *data_version)?)
            }
            Part::Row(scope, row) => {
                let stamp = Stamp { revision: row.written, made_at: row.created_at, changed_at: row.updated_at };
                group.put_row(scope, &row.write, stamp)
            }
            Part::Fact { scope, fact, event_id } => group.put_fact(scope, fact, event_id),
            Part::Reply { scope, caller, reply } => group.put_reply(scope, caller, reply),
            Part::Claim(key, row) => group.put_claim(key, Some(row)),
            Part::Event { row, runs, waits_for } => group.insert_whole(row, runs, waits_for),
            Part::Effect(row) => group.insert_effect(row.seq, row),
        }
    }

    fn end_parts(&mut self) -> Stored<()> {
        // Each part has raised the numbers of events and effects.
        Ok(())
    }
}
