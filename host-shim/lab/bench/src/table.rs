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

/// All measurements.
#[derive(Serialize)]
pub struct Table {
    machine: Facts,
    rows: Vec<Row>,
    left_out: [&'static str; 1],
}

impl Table {
    /// Creates an empty table.
    pub fn new(machine: Facts) -> Table {
        let left_out =
            ["signed webhooks over HTTP beside stripe-sync-engine and dj-stripe: their PostgreSQL is not ours yet"];
        Table { machine, rows: Vec::new(), left_out }
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

    /// The table for people.
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
            let reached = match row.reached {
                Some(true) => "ok",
                Some(false) => "SHORT",
                None => "",
            };
            let target = row.target.clone().unwrap_or_default();
            table.add_row([&row.what, &measured, &target, reached, &row.note]);
        }
        let Facts { cores, cpu, kernel, disk_sync_us, load } = &self.machine;
        let left_out: String = self.left_out.iter().map(|text| format!("left out: {text}\n")).collect();
        format!(
            "{cores} cores of {cpu}, Linux {kernel}, disk sync {disk_sync_us:.0} us, load {load:.2} at the start\n{table}\n{left_out}"
        )
    }

    /// The table as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}
