//! Collects the facts about the machine on which the figures depend.

use crate::setting::{median, scratch};
use anyhow::Result;
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Facts about the machine.
#[derive(Serialize)]
pub struct Facts {
    /// Number of cores that this process may use.
    pub cores: usize,
    /// Name of the processor; empty if the system does not report it.
    pub cpu: String,
    /// Kernel release.
    pub kernel: String,
    /// Median microseconds of a synchronous write of 4 KiB.
    pub disk_sync_us: f64,
    /// Load average of the last minute: number of running or waiting threads on the machine.
    pub load: f64,
}

impl Facts {
    /// Collects the facts about the machine and its disk.
    pub fn gather(disk: &Path) -> Result<Facts> {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = text("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let load = text("/proc/loadavg");
        Ok(Facts {
            cores: std::thread::available_parallelism()?.get(),
            cpu: cpu.trim_start_matches([' ', '\t', ':']).to_owned(),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk_sync_us: disk_sync_us(disk)?,
            load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        })
    }
}

fn disk_sync_us(disk: &Path) -> Result<f64> {
    Ok(median(&mut sync_times_us(disk)?))
}

/// Measures the duration of several synchronous writes of 4 KiB, in microseconds.
pub fn sync_times_us(disk: &Path) -> Result<Vec<f64>> {
    let folder = scratch(disk)?;
    let mut file = std::fs::File::create(folder.path().join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}
