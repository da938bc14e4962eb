//! The account's single row: its settings and counters.

use std::path::Path;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::checksum::RowChecksum;
use crate::settings::{Dunning, Faults, Settings, Settlement};
use crate::version::Version;

const TABLE: &str = "account";

/// The counters of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// The time of the sandbox's own clock, in Unix seconds.
    pub clock_s: i64,
    /// The counter from which ids and object numbers are derived; its last used value.
    pub next_number: u64,
    /// The number of requests.
    pub requests: u64,
    /// The number of events, including those that a reset removed.
    pub events: u64,
    /// The position of the first event since the last reset.
    pub first_event: u64,
    /// The delivery progress: the number of leading events whose deliveries all succeeded or were given up.
    pub delivered: u64,
}

/// A setting that the user gave explicitly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// The seed. It must equal the stored seed of an existing account.
    Seed,
    /// The clock's start. It must equal the stored start of an existing account.
    Start,
    /// The default API version. It replaces the stored version.
    Version,
    /// The dunning schedule. It replaces the stored schedule.
    Dunning,
    /// The faults of webhook delivery. They replace the stored faults.
    Faults,
    /// The settlement of charges. It replaces the stored one.
    Settlement,
}

/// The stored settings. The base URL and the branding are not stored: each start sets them.
#[derive(Serialize, Deserialize)]
struct StoredSettings {
    seed: u64,
    start_s: i64,
    version: Version,
    dunning: Dunning,
    faults: Faults,
    settlement: Settlement,
}

fn text_of(settings: &Settings) -> String {
    let kept = StoredSettings {
        seed: settings.seed,
        start_s: settings.start_s,
        version: settings.version.clone(),
        dunning: settings.dunning.clone(),
        faults: settings.faults.clone(),
        settlement: settings.settlement,
    };
    // Numbers and strings always serialize.
    serde_json::to_string(&kept).unwrap_or_default()
}

fn columns(counters: &Counters) -> [i64; 6] {
    let Counters { clock_s, next_number, requests, events, first_event, delivered } = *counters;
    let [next_number, requests, events, first_event, delivered] =
        [next_number, requests, events, first_event, delivered].map(u64::cast_signed);
    [clock_s, next_number, requests, events, first_event, delivered]
}

fn sum(settings: &str, columns: &[i64; 6]) -> RowChecksum {
    columns.iter().fold(RowChecksum::of(TABLE).text(settings), |sum, column| sum.int(*column))
}

/// Writes the row of a new account.
pub(super) fn create(connection: &Connection, settings: &Settings) -> Result<(), StoreError> {
    connection.execute("INSERT INTO account VALUES (1, '', 0, 0, 0, 0, 0, 0, 0)", [])?;
    write(connection, settings, &Counters { clock_s: settings.start_s, ..Counters::default() })
}

/// Writes the settings and counters of the account.
pub(super) fn write(connection: &Connection, settings: &Settings, counters: &Counters) -> Result<(), StoreError> {
    let (text, columns) = (text_of(settings), columns(counters));
    let sum = sum(&text, &columns).finish();
    let [clock_s, next_number, requests, events, first_event, delivered] = columns;
    connection.prepare_cached("UPDATE account SET settings = ?, clock_s = ?, next_number = ?, requests = ?, events = ?, first_event = ?, delivered = ?, sum = ?")?.execute(params![
        text,
        clock_s,
        next_number,
        requests,
        events,
        first_event,
        delivered,
        sum
    ])?;
    Ok(())
}

/// Reads the settings and counters of the account. Settings that are not stored get their defaults.
pub(super) fn read(connection: &Connection) -> Result<(Settings, Counters), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT settings, clock_s, next_number, requests, events, first_event, delivered, sum FROM account WHERE number = 1",
    )?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or_else(|| StoreError::missing(TABLE, 1))?;
    let text: String = row.get(0)?;
    let columns: [i64; 6] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?];
    sum(&text, &columns).check(row.get(7)?, TABLE, 1)?;
    let kept: StoredSettings = serde_json::from_str(&text).map_err(|e| StoreError::unreadable(TABLE, 1, e))?;
    let StoredSettings { seed, start_s, version, dunning, faults, settlement } = kept;
    let [clock_s, next_number, requests, events, first_event, delivered] = columns;
    Ok((
        Settings { seed, start_s, version, dunning, faults, settlement, ..Settings::default() },
        Counters {
            clock_s,
            next_number: next_number.cast_unsigned(),
            requests: requests.cast_unsigned(),
            events: events.cast_unsigned(),
            first_event: first_event.cast_unsigned(),
            delivered: delivered.cast_unsigned(),
        },
    ))
}

/// Merges the stored settings of an account with the settings of this start. Fails if a given setting differs from the
/// stored one and can't change.
pub(super) fn merge(path: &Path, kept: Settings, started: Settings, given: &[Given]) -> Result<Settings, StoreError> {
    let refused = |option, given: &dyn ToString, kept: &dyn ToString| {
        Err(StoreError::Setting { path: path.to_owned(), option, given: given.to_string(), kept: kept.to_string() })
    };
    let mut merged = Settings { base_url: started.base_url, ..kept };
    for given in given {
        match given {
            Given::Seed if started.seed != merged.seed => return refused("seed", &started.seed, &merged.seed),
            Given::Start if started.start_s != merged.start_s => {
                return refused("clock", &started.start_s, &merged.start_s);
            }
            Given::Seed | Given::Start => {}
            Given::Version => merged.version = started.version.clone(),
            Given::Dunning => merged.dunning = started.dunning.clone(),
            Given::Faults => merged.faults = started.faults.clone(),
            Given::Settlement => merged.settlement = started.settlement,
        }
    }
    Ok(merged)
}
