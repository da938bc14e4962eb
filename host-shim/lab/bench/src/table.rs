//! The table of measurements and targets.

use crate::facts::Facts;
use comfy_table::{ContentArrangement, presets};
use serde::Serialize;

/// A measurement.
#[derive(Serialize)]
struct Row {
    what: String,
    measured: f64,
    unit: String,
    /// The target, such as `<= 30`.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
    note: String,
}

/// Speed-up, as a factor in events per second.
#[derive(Clone, Copy, Serialize)]
pub struct Ratio {
    /// The ratio.
    pub measured: f64,
    /// The lower limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
}

impl Ratio {
    fn human(self) -> String {
        let Ratio { measured, target } = self;
        match target {
            Some(target) => format!("{measured:.2} (>= {target}: {})", reached(Some(measured >= target))),
            None => format!("{measured:.2}"),
        }
    }
}

/// A server under a load of signed webhooks, and how much faster ours is.
#[derive(Serialize)]
pub struct Compared {
    /// The server.
    pub who: String,
    /// Number of measured events.
    pub events: usize,
    /// Events per second.
    pub rate: f64,
    /// Ours on PostgreSQL with one host ÷ this server.
    pub postgres_to_it: Ratio,
    /// Ours on SQLite ÷ this server.
    pub sqlite_to_it: Ratio,
    /// 99th percentile of the response time, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of the server per event, in microseconds.
    pub server_us: f64,
    /// Processor time of the database per event, in microseconds.
    pub database_us: f64,
    /// What the server does with an event.
    pub compared: String,
}

/// All measurements.
#[derive(Serialize)]
pub struct Table {
    machine: Facts,
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compared: Vec<Compared>,
}

impl Table {
    /// Creates an empty table.
    pub fn new(machine: Facts) -> Table {
        Table { machine, rows: Vec::new(), compared: Vec::new() }
    }

    /// Adds a figure with an upper limit.
    pub fn at_most(&mut self, what: &str, measured: f64, limit: f64, unit: &str, note: &str) {
        self.add(what, measured, unit, Some(format!("<= {limit}")), Some(measured <= limit), note);
    }

    /// Adds a figure with a lower limit.
    pub fn at_least(&mut self, what: &str, measured: f64, limit: f64, unit: &str, note: &str) {
        self.add(what, measured, unit, Some(format!(">= {limit}")), Some(measured >= limit), note);
    }

    /// Adds a figure without a target.
    pub fn plain(&mut self, what: &str, measured: f64, unit: &str, note: &str) {
        self.add(what, measured, unit, None, None, note);
    }

    /// Adds a server that is compared with ours.
    pub fn compare(&mut self, compared: Compared) {
        self.compared.push(compared);
    }

    fn add(
        &mut self,
        what: &str,
        measured: f64,
        unit: &str,
        target: Option<String>,
        reached: Option<bool>,
        note: &str,
    ) {
        let (what, unit, note) = (what.to_owned(), unit.to_owned(), note.to_owned());
        self.rows.push(Row { what, measured, unit, target, reached, note });
    }

    /// The table for terminal output.
    pub fn human(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["what", "measured", "to reach", "", "of that"]);
        for row in &self.rows {
            let measured = match row.measured {
                value if value >= 1000.0 => format!("{value:.0} {}", row.unit),
                value if value >= 100.0 => format!("{value:.0} {}", row.unit),
                value => format!("{value:.2} {}", row.unit),
            };
            let target = row.target.clone().unwrap_or_default();
            table.add_row([&row.what, &measured, &target, reached(row.reached), &row.note]);
        }
        let Facts { cores, cpu, kernel, disk_sync_us, load } = &self.machine;
        format!(
            "{cores} cores of {cpu}, Linux {kernel}, disk sync {disk_sync_us:.0} us, load {load:.2} at the start\n{table}\n{}",
            self.comparison()
        )
    }

    /// The comparison of servers, or nothing if none were compared.
    fn comparison(&self) -> String {
        if self.compared.is_empty() {
            return String::new();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header([
            "the same signed webhooks",
            "events/s",
            "ours on PostgreSQL / it",
            "ours on SQLite / it",
            "p99 ms",
            "processor us: server + PostgreSQL",
            "events",
            "what it does with an event",
        ]);
        for row in &self.compared {
            table.add_row([
                row.who.clone(),
                format!("{:.0}", row.rate),
                row.postgres_to_it.human(),
                row.sqlite_to_it.human(),
                format!("{:.1}", row.p99_ms),
                format!("{:.0} + {:.0}", row.server_us, row.database_us),
                row.events.to_string(),
                row.compared.clone(),
            ]);
        }
        format!("{table}\n")
    }

    /// The table as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

fn reached(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "ok",
        Some(false) => "SHORT",
        None => "",
    }
}
