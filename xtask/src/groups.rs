//! Runs the named steps of a command, and summarizes the time of each step and the steps that were left out.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// How much of its work a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The step did all of its work.
    Whole,
    /// The step did part of its work. Contains what is missing and how to get it.
    InPart(String),
    /// The step did nothing. Contains what is missing and how to get it.
    Nothing(String),
}

/// Runs steps one after another and records their times.
#[derive(Default)]
pub struct Groups {
    done: Vec<(&'static str, Duration)>,
    left_out: Vec<String>,
}

impl Groups {
    /// Runs a step and returns its result.
    ///
    /// # Errors
    ///
    /// Fails if the step fails. The error contains the step's name.
    pub fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("== {name}");
        let start = Instant::now();
        let result = step();
        self.done.push((name, start.elapsed()));
        result.with_context(|| format!("group `{name}` failed"))
    }

    /// Runs a step for which something may be missing. The summary says what.
    ///
    /// # Errors
    ///
    /// Fails if the step fails. The error contains the step's name.
    pub fn run_or_tell(&mut self, name: &'static str, step: impl FnOnce() -> Result<Done>) -> Result<()> {
        match self.run(name, step)? {
            Done::Whole => {}
            Done::InPart(missing) => self.left_out.push(format!("IN PART  {name}: {missing}")),
            Done::Nothing(missing) => self.left_out.push(format!("NOT RUN  {name}: {missing}")),
        }
        Ok(())
    }

    /// Adds to the summary that steps did not run, and why.
    pub fn skipped(&mut self, names: &[&str], why: &str) {
        if !names.is_empty() {
            self.left_out.push(format!("NOT RUN  {}: {why}", names.join(", ")));
        }
    }

    /// Returns the time of each step, one line per step, and the total, then a line for each step that was left out.
    pub fn summary(&self) -> String {
        let width = self.done.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max("total".len());
        let total: Duration = self.done.iter().map(|(_, time)| *time).sum();
        let times = self.done.iter().copied().chain([("total", total)]);
        let times = times.map(|(name, time)| format!("{name:width$}  {:>8.1} s\n", time.as_secs_f64()));
        times.chain(self.left_out.iter().map(|line| format!("{line}\n"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Done, Groups};

    #[test]
    fn a_failure_names_its_group_and_the_time_is_kept() {
        let mut groups = Groups::default();
        assert_eq!(groups.run("first", || Ok(7)).ok(), Some(7));
        let error = groups.run("second", || -> anyhow::Result<()> { anyhow::bail!("broken") }).err();
        assert_eq!(error.map(|error| format!("{error:#}")).as_deref(), Some("group `second` failed: broken"));
        let lines: Vec<String> = groups.summary().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("second  ") && lines[2].starts_with("total   "), "{lines:?}");
    }

    #[test]
    fn the_summary_ends_with_the_steps_that_were_left_out() {
        let mut groups = Groups::default();
        for (name, done) in [
            ("all", Done::Whole),
            ("some", Done::InPart("no x; install x".into())),
            ("none", Done::Nothing("no y; install y".into())),
        ] {
            groups.run_or_tell(name, || Ok(done)).expect("no step fails");
        }
        groups.skipped(&["a", "b"], "not asked for");
        groups.skipped(&[], "nothing");
        let summary = groups.summary();
        let last: Vec<&str> = summary.lines().skip_while(|line| !line.starts_with("total")).skip(1).collect();
        assert_eq!(
            last,
            ["IN PART  some: no x; install x", "NOT RUN  none: no y; install y", "NOT RUN  a, b: not asked for"]
        );
    }
}
