//! Measures servers under load.

use super::load::Load;
use super::process::processor_time;
use super::{Stream, percentile};
use crate::setting::{median, micros_each};
use anyhow::Result;
use std::time::Duration;

/// The cost of one stream of events on the servers.
pub struct Served {
    /// Events per second: the median of the rounds.
    pub rate: f64,
    /// 99th percentile of the time from a request to its answer over all rounds, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of the servers' processes per event, in microseconds: the median of the rounds.
    pub server_us: f64,
    /// The same for the database's processes; 0 without a database.
    pub database_us: f64,
    /// Number of measured events.
    pub events: usize,
}

impl Served {
    /// Starts the subscriptions of all customers in round 0, which is not measured, then measures these rounds. Calls `before` with the
    /// number of each round before it begins, and once more with 0 after a tenth of round 0, when the database has rows of all kinds.
    pub fn measure(
        load: &Load,
        stream: Stream,
        path: &str,
        rounds: usize,
        servers: &[u32],
        database: Option<u32>,
        before: impl Fn(usize),
    ) -> Result<Served> {
        let (mut rates, mut own, mut of_database, mut micros) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let time = |processes: &[u32]| processes.iter().map(|id| processor_time(*id)).sum::<Result<Duration>>();
        let database: Vec<u32> = database.into_iter().collect();
        for round in 0..=rounds {
            before(round);
            let mut requests = stream.requests(path, round)?;
            if round == 0 {
                let others = requests.split_off(stream.customers / 10);
                load.send(requests)?;
                before(0);
                requests = others;
            }
            let begun = (time(servers)?, time(&database)?);
            let sent = load.send(requests)?;
            if round > 0 {
                rates.push(stream.customers as f64 / sent.took.as_secs_f64());
                own.push(micros_each(time(servers)?.saturating_sub(begun.0), stream.customers));
                of_database.push(micros_each(time(&database)?.saturating_sub(begun.1), stream.customers));
                micros.extend(sent.micros);
            }
        }
        Ok(Served {
            rate: median(&mut rates),
            p99_ms: percentile(&mut micros, 99) / 1000.0,
            server_us: median(&mut own),
            database_us: median(&mut of_database),
            events: micros.len(),
        })
    }
}
