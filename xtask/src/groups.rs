//! Steps of a chore with names, and how long each took.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Runs steps one after the other and remembers their times.
#[derive(Default)]
pub struct Groups {
    done: Vec<(&'static str, Duration)>,
}

impl Groups {
    /// Run one; its error bears its name.
    pub fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("== {name}");
        let start = Instant::now();
        let result = step();
        self.done.push((name, start.elapsed()));
        result.with_context(|| format!("group `{name}` failed"))
    }

    /// The times, one line a step, and their sum.
    pub fn summary(&self) -> String {
        let width = self.done.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max("total".len());
        let total: Duration = self.done.iter().map(|(_, time)| *time).sum();
        let lines = self.done.iter().copied().chain([("total", total)]);
        lines.map(|(name, time)| format!("{name:width$}  {:>8.1} s\n", time.as_secs_f64())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;

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
}
