//! Runs all customers of a business, in independent shards with a host each, on several threads.

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

/// Number of customers in a shard, which has one host. A year of a shard takes a few hundred megabytes of memory. Each
/// thread takes the next shard. A customer is always in the same shard, so a seed gives the same days for any `jobs`.
pub const SHARD: usize = 50;
/// Number of differences that ends a simulation.
pub const FOUND_MAX: usize = 20;

/// The options of a simulation.
#[derive(Clone, Debug)]
pub struct Options {
    /// The business.
    pub business: BusinessFolder,
    /// The extension.
    pub runners: Runners,
    /// Number of customers, at least 1.
    pub customers: usize,
    /// Simulates only the shard of the customer with this number. The days of the shard are the same as in a full run.
    pub only: Option<usize>,
    /// Number of days, at least 1.
    pub days: u32,
    /// The seed: the same seed gives the same days.
    pub seed: u64,
    /// Number of threads, at least 1.
    pub jobs: usize,
    /// Time after which no new day begins.
    pub budget: Option<Duration>,
    /// Folder for scenarios of customers with a difference.
    pub write: Option<PathBuf>,
}

/// An error of a simulation.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The business or the extension is invalid, or the host failed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The local Stripe refuses the offers of the business.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The catalog has no price above zero.
    #[error("{business}: the catalog has no price above zero; a simulation needs paying customers")]
    NothingOnSale {
        /// The business.
        business: String,
    },
    /// The catalog has a currency that the simulation does not support.
    #[error("{business}: the currency of the catalog is `{currency}`; expected `usd`, `eur`, `jpy` or `kwd`")]
    Currency {
        /// The business.
        business: String,
        /// Its currency.
        currency: String,
    },
    /// A scenario could not be written.
    #[error("{path}: {cause}", path = path.display())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        cause: std::io::Error,
    },
}

impl SimulateError {
    /// True for an error of the caller: exit code 2.
    pub fn is_bad_input(&self) -> bool {
        match self {
            SimulateError::Replay(error) => error.is_bad_input(),
            _ => true,
        }
    }

    /// The messages of the error, one per mistake.
    pub fn messages(&self) -> Vec<String> {
        match self {
            SimulateError::Replay(error) => error.messages(),
            other => vec![other.to_string()],
        }
    }
}

/// Counts of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of customers.
    pub customers: u64,
    /// Number of customer days.
    pub days: u64,
    /// Number of moves.
    pub moves: u64,
    /// Number of bodies delivered to the host: events of Stripe, commands, facts, usage; repeated ones too.
    pub events: u64,
    /// Number of repeated events of Stripe.
    pub repeated: u64,
    /// Number of decisions: delivered bodies, results of effects, timers and messages.
    pub decisions: u64,
    /// Number of provider calls that failed, were lost or late.
    pub faults: u64,
    /// Number of requests that move money and were made again since their result was unknown.
    pub unknown: u64,
    /// Number of refunds at the local Stripes.
    pub refunds: u64,
    /// Number of transfers to creators.
    pub transfers: u64,
    /// Number of crashes.
    pub crashes: u64,
    /// Number of checks of an account against the oracle.
    pub judged: u64,
    /// Number of checks across all accounts of a host.
    pub across: u64,
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
        self.unknown += other.unknown;
        self.refunds += other.refunds;
        self.transfers += other.transfers;
        self.judged += other.judged;
        self.across += other.across;
    }
}

/// A difference with its account and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The day, from 0.
    pub day: i64,
    /// The clock, in milliseconds since the epoch.
    pub clock: Timestamp,
    /// The account, or `all accounts`.
    pub account: String,
    /// Number of the customer; None for a difference across accounts.
    pub customer: Option<usize>,
    /// The difference.
    pub difference: Difference,
}

/// The result of a simulation.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    /// The counts.
    pub counts: Counts,
    /// Differences, in order of time and account.
    pub found: Vec<Found>,
    /// Paths of written scenarios.
    pub written: Vec<PathBuf>,
    /// True if the budget or the number of differences ended the simulation early.
    pub is_cut: bool,
}

/// Simulates a business. `progress` receives the number of passed customer days.
///
/// # Errors
///
/// Fails if the business can't be simulated, the host fails, or a scenario can't be written. Differences are not
/// errors.
pub fn simulate(options: &Options, progress: &(dyn Fn(u64) + Sync)) -> Result<Simulated, SimulateError> {
    let options = &Options { business: priced_for(&options.business, options.seed), ..options.clone() };
    let business = &options.business;
    let named = || business.name.clone();
    let runner = options.runners.make()?;
    let manifest = options.runners.manifest(runner.declarations()).map_err(ReplayError::from)?;
    let setup = host_business::Setup::new(business.clone(), false, &[], manifest);
    drop(runner);
    let mut currencies = crate::catalog::currencies(&business.catalog).into_iter();
    if let Some(currency) = currencies.find(|currency| !CURRENCIES.contains(&currency.as_str())) {
        return Err(SimulateError::Currency { business: named(), currency });
    }
    // `Catalog::read` needs a catalog that a host has accepted.
    let provider = crate::provider::FlakyProvider::new(options.seed, None);
    crate::house::CrashingHost::start(setup.clone(), options.runners.clone(), provider, crate::sandbox::START_MS)?;
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

/// The currencies of a simulation: with cents, without minor units, and with thousandths.
const CURRENCIES: [&str; 4] = ["usd", "eur", "jpy", "kwd"];
/// One of so many seeds is for each other currency than that of the catalog.
const SEEDS_OF_CURRENCY: u64 = 16;

/// The currency of a simulation in place of the catalog's; None for most seeds.
fn currency_of(seed: u64) -> Option<&'static str> {
    match seed % SEEDS_OF_CURRENCY {
        13 => Some("eur"),
        14 => Some("jpy"),
        15 => Some("kwd"),
        _ => None,
    }
}

/// The business with the prices of a seed: some seeds change the currency of a catalog in usd. Amounts stay as they
/// are, except that those in thousandths get a further 0.
fn priced_for(business: &BusinessFolder, seed: u64) -> BusinessFolder {
    let is_usd = crate::catalog::currencies(&business.catalog) == ["usd"];
    let Some(currency) = currency_of(seed).filter(|_| is_usd) else { return business.clone() };
    // Without its placeholders, a host takes the catalog as it is.
    let mut business = BusinessFolder { unfilled: None, ..business.filled(&[]) };
    let step = crate::sandbox::step_minor(currency);
    business.catalog["policies"]["currency"] = serde_json::json!(currency);
    for product in business.catalog["products"].as_array_mut().into_iter().flatten() {
        let prices = product["prices"].as_object_mut().into_iter().flat_map(|prices| prices.values_mut());
        let amounts = prices.map(|price| &mut price["amount"]);
        for amount in amounts {
            *amount = serde_json::json!(amount.as_i64().unwrap_or(0) * step);
        }
        if let Some(credits) = product.get_mut("metadata").and_then(|metadata| metadata.get_mut("credits")) {
            *credits = serde_json::json!(credits.as_i64().unwrap_or(0) * step);
        }
    }
    business
}

struct Run<'o> {
    options: &'o Options,
    setup: host_business::Setup,
    catalog: Catalog,
    /// Number of the next shard.
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

    /// Runs shards on one thread until none is left.
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
            // The folder of the business has other prices.
            Some(folder) if currency_of(self.options.seed).is_none() => self.write(folder, &numbers, &found)?,
            _ => Vec::new(),
        };
        Ok(Simulated { counts, found, written, is_cut })
    }

    /// Simulates each customer with a difference again, and writes a scenario of the customer to `folder`.
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
