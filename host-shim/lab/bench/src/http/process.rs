//! Runs a server in its own process, and reads the processor time of processes from `/proc`.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Processor time of one tick in `/proc/PID/stat`.
const TICK: Duration = Duration::from_millis(10);
/// Position of the parent's process id among the fields of `/proc/PID/stat` after the program's name.
const PARENT: usize = 1;
/// Position of the first of the four times: the process's own in user mode and in the kernel, then those of its ended
/// children.
const TIMES: usize = 11;

/// A server in its own process, which is killed on drop.
pub struct Process {
    child: Child,
    /// Its address, as `IP:PORT`.
    pub address: String,
}

impl Process {
    /// Starts a program and waits until it prints its address after `sign`.
    pub fn start(command: &mut Command, sign: &str) -> Result<Process> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("the server")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.strip_prefix(sign)?.trim().to_owned()));
        let address = address.context("the server did not start")?;
        // The server prints more lines, and its output must stay open.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Process { child, address })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The parsed content of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    id: u32,
    parent: u32,
    /// Processor time of the process and of its ended children.
    time: Duration,
}

impl Stat {
    fn parse(id: u32, text: &str) -> Option<Stat> {
        // The name of the program may contain spaces and parentheses.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = fields.get(TIMES..TIMES + 4)?.iter().map(|field| field.parse::<u32>()).sum::<Result<u32, _>>();
        Some(Stat { id, parent: fields.get(PARENT)?.parse().ok()?, time: TICK * ticks.ok()? })
    }
}

/// Returns the processor time of a process and its descendants, including those that have ended, in whole ticks.
pub fn processor_time(root: u32) -> Result<Duration> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // If a process ends in the meantime, its time is added to its parent's.
        if let Ok(text) = std::fs::read_to_string(format!("/proc/{id}/stat")) {
            all.extend(Stat::parse(id, &text));
        }
    }
    all.iter().any(|stat| stat.id == root).then(|| time_of_tree(root, &all)).context("the process has ended")
}

fn time_of_tree(root: u32, all: &[Stat]) -> Duration {
    let (mut ids, mut time) = (vec![root], Duration::ZERO);
    while let Some(id) = ids.pop() {
        time += all.iter().filter(|stat| stat.id == id).map(|stat| stat.time).sum();
        ids.extend(all.iter().filter(|stat| stat.parent == id && stat.id != id).map(|stat| stat.id));
    }
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_the_time_of_its_descendants() {
        let line = |parent: u32, times: &str| format!("1 (a (b) c) S {parent} 1 1 0 -1 0 0 0 0 0 {times} 20 0 1");
        let all = [(7, 1, "1 2 3 4"), (8, 7, "10 0 0 0"), (9, 8, "0 0 0 100"), (10, 1, "1000 0 0 0")];
        let all = all.map(|(id, parent, times)| Stat::parse(id, &line(parent, times)).expect("a value"));
        assert_eq!(time_of_tree(7, &all), TICK * 120);
        assert_eq!(time_of_tree(9, &all), TICK * 100);
    }

    #[test]
    fn this_process_is_found_and_one_that_does_not_exist_is_not() {
        assert!(processor_time(std::process::id()).is_ok());
        assert!(processor_time(u32::MAX).is_err());
    }
}
