//! All customers of a business, in shards that share nothing, each on a host of its own.

use crate::catalog::Catalog;
use crate::judge::Difference;
use crate::sandbox::SandboxError;
use crate::shard::Shard;
use extension_contract::Timestamp;
use host_replay::runners::Runners;
use host_scenario::business::BusinessFolder;
use host_scenario::error::ReplayError;
use serde_json::Value;
use std::ops::{AddAssign, Range};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Customers of one host. A year of them takes some hundred megabytes with all that was told, and shards are what threads
/// share; a customer is always in the same company, so that a seed tells the same days whatever `jobs` is.
pub const SHARD: usize = 50;
/// Differences after which a simulation ends.
pub const FOUND_MAX: usize = 20;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Options {
    /// The business.
    pub business: BusinessFolder,
    /// The extension.
    pub runners: Runners,
    /// Customers, at least 1.
    pub customers: usize,
    /// Only the customers of the host that has the one with this number, whose days are the same as among all.
    pub only: Option<usize>,
    /// Days, at least 1.
    pub days: u32,
    /// The seed: the same one tells the same days again.
    pub seed: u64,
    /// Threads, at least 1.
    pub jobs: usize,
    /// Time after which no further day begins.
    pub budget: Option<Duration>,
    /// Where the days of customers with a difference are written.
    pub write: Option<PathBuf>,
}

/// Why a simulation could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The business or the extension is wrong, or the host could not go on.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The local Stripe can't sell what the business sells.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The catalog has nothing that anybody could pay for.
    #[error("{business}: the catalog sells nothing that costs something; a simulation is of paying customers")]
    NothingOnSale {
        /// The business.
        business: String,
    },
    /// The catalog is in a currency that the customers of the simulation don't have.
    #[error("{business}: the catalog is in `{currency}`; expected `usd`, which the simulation's customers pay in")]
    Currency {
        /// The business.
        business: String,
        /// Its currency.
        currency: String,
    },
    /// A scenario could not be written.
    #[error("{path}: {cause}", path = path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
}

impl SimulateError {
    /// True where the caller gave something wrong: exit code 2.
    pub fn is_bad_input(&self) -> bool {
        match self {
            SimulateError::Replay(error) => error.is_bad_input(),
            _ => true,
        }
    }

    /// What it tells, each mistake by itself.
    pub fn messages(&self) -> Vec<String> {
        match self {
            SimulateError::Replay(error) => error.messages(),
            other => vec![other.to_string()],
        }
    }
}

/// What was simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Customers.
    pub customers: u64,
    /// Days of customers.
    pub days: u64,
    /// What customers did.
    pub moves: u64,
    /// What the host was told: events of Stripe, commands, facts, use; repeated ones too.
    pub events: u64,
    /// Events of Stripe that were told twice.
    pub repeated: u64,
    /// What the host decided: what it was told, results of effects, timers and messages.
    pub decisions: u64,
    /// Calls of providers that failed, were lost or came late.
    pub faults: u64,
    /// Crashes of hosts.
    pub crashes: u64,
    /// How often an account was held to the oracle.
    pub judged: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.customers += other.customers;
        self.days += other.days;
        self.moves += other.moves;
        self.events += other.events;
        self.repeated += other.repeated;
        self.decisions += other.decisions;
        self.faults += other.faults;
        self.crashes += other.crashes;
        self.judged += other.judged;
    }
}

/// A difference between what is and what should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The day, from 0.
    pub day: i64,
    /// The clock, milliseconds since the epoch.
    pub clock: Timestamp,
    /// Whose account, or `all accounts`.
    pub account: String,
    /// Number of the customer, if it is the account of one.
    pub customer: Option<usize>,
    /// What differs.
    pub difference: Difference,
}

/// What came of a simulation.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    /// What was simulated.
    pub counts: Counts,
    /// Differences, in order of time and account.
    pub found: Vec<Found>,
    /// Scenarios that were written.
    pub written: Vec<PathBuf>,
    /// The budget or the number of differences ended it before its last day.
    pub is_cut: bool,
}

/// Simulates a business. `progress` is told days of customers as they pass.
///
/// # Errors
/// The business can't be simulated, or the host could not go on. Differences are no errors.
pub fn simulate(options: &Options, progress: &(dyn Fn(u64) + Sync)) -> Result<Simulated, SimulateError> {
    let business = &options.business;
    let named = || business.name.clone();
    let runner = options.runners.make()?;
    let manifest = host_scenario::manifest::of(&runner.declarations().name).map_err(ReplayError::from)?;
    let setup = host::Setup::new(business.clone(), false, &[], manifest);
    drop(runner);
    if let Some(currency) = business.catalog["business"]["currency"].as_str().filter(|currency| *currency != "usd") {
        return Err(SimulateError::Currency { business: named(), currency: currency.to_owned() });
    }
    // A catalog that a host has taken is one that can be read.
    let provider = crate::provider::Moody::new(options.seed, None);
    crate::house::House::start(setup.clone(), options.runners.clone(), provider, crate::sandbox::START_MS)?;
    let catalog = Catalog::read(&business.name, &business.catalog);
    if catalog.wares.is_empty() {
        return Err(SimulateError::NothingOnSale { business: named() });
    }
    let run = Run {
        options,
        setup,
        catalog,
        next: AtomicUsize::new(options.only.map_or(0, |number| number / SHARD)),
        found: AtomicUsize::new(0),
        began: Instant::now(),
        progress,
        together: Mutex::new(Ok(Simulated::default())),
    };
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| run.work());
        }
    });
    let mut simulated = run.together.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    simulated.found.sort_by(|a, b| (a.day, &a.account).cmp(&(b.day, &b.account)));
    Ok(simulated)
}

struct Run<'o> {
    options: &'o Options,
    setup: host::Setup,
    catalog: Catalog,
    /// The shard that nobody has taken yet.
    next: AtomicUsize,
    found: AtomicUsize,
    began: Instant,
    progress: &'o (dyn Fn(u64) + Sync),
    together: Mutex<Result<Simulated, SimulateError>>,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        let is_late = self.options.budget.is_some_and(|budget| self.began.elapsed() >= budget);
        is_late || self.found.load(Ordering::Relaxed) >= FOUND_MAX
    }

    /// One thread: a shard after the other, until none is left.
    fn work(&self) {
        loop {
            let begin = self.next.fetch_add(1, Ordering::Relaxed) * SHARD;
            let is_another = self.options.only.is_some_and(|number| number / SHARD != begin / SHARD);
            if begin >= self.options.customers || is_another {
                return;
            }
            let of_shard = self.shard(begin..(begin + SHARD).min(self.options.customers));
            let mut together = self.together.lock().unwrap_or_else(PoisonError::into_inner);
            match (&mut *together, of_shard) {
                (Ok(all), Ok(of_shard)) => {
                    all.counts += of_shard.counts;
                    all.found.extend(of_shard.found);
                    all.written.extend(of_shard.written);
                    all.is_cut |= of_shard.is_cut;
                }
                (_, Err(error)) => {
                    *together = Err(error);
                    self.next.store(self.options.customers, Ordering::Relaxed);
                    return;
                }
                (Err(_), _) => return,
            }
        }
    }

    fn shard(&self, numbers: Range<usize>) -> Result<Simulated, SimulateError> {
        if self.is_over() {
            return Ok(Simulated { is_cut: true, ..Simulated::default() });
        }
        let mut shard = Shard::new(&self.catalog, self.options, &self.setup, numbers.clone(), None)?;
        let mut is_cut = false;
        for _ in 0..self.options.days {
            if self.is_over() {
                is_cut = true;
                break;
            }
            shard.day()?;
            (self.progress)(numbers.len() as u64);
        }
        if !is_cut {
            shard.last()?;
        }
        let (counts, found) = shard.end_of_all();
        self.found.fetch_add(found.len(), Ordering::Relaxed);
        let written = match &self.options.write {
            Some(folder) => self.write(folder, &numbers, &found)?,
            None => Vec::new(),
        };
        Ok(Simulated { counts, found, written, is_cut })
    }

    /// Lets the days of each customer with a difference pass again and writes them down.
    fn write(
        &self,
        folder: &std::path::Path,
        numbers: &Range<usize>,
        found: &[Found],
    ) -> Result<Vec<PathBuf>, SimulateError> {
        let business = &self.options.business.folder;
        let business = business.canonicalize().unwrap_or_else(|_| business.clone());
        let mut written = Vec::new();
        for one in found {
            let Some(customer) = one.customer else { continue };
            let mut shard = Shard::new(&self.catalog, self.options, &self.setup, numbers.clone(), Some(customer))?;
            for _ in 0..self.options.days {
                if shard.has_found(customer) {
                    break;
                }
                shard.day()?;
            }
            if !shard.has_found(customer) {
                shard.last()?;
            }
            let Some(scenario) = shard.scenario(one, &business.to_string_lossy()) else { continue };
            let file = format!("{}-{}-{}.yml", self.catalog.name, self.options.seed, one.account.replace(':', "-"));
            let path = folder.join(file);
            save(folder, &path, &scenario).map_err(|cause| SimulateError::Write { path: path.clone(), cause })?;
            written.push(path);
        }
        Ok(written)
    }
}

fn save(folder: &std::path::Path, path: &std::path::Path, scenario: &Value) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(path, format!("{scenario:#}\n"))
}
