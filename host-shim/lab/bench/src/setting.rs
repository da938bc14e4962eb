//! The state that all measurements share: the loaded component, the business, and hosts on empty stores.

use anyhow::{Context, Result, ensure};
use host_engine::clock::Clock;
use host_engine::processor::Report;
use host_provider_api::Registry;
use host_provider_api::scripted::Scripted;
use host_replay::live::LiveProviders;
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_replay::runners::Runners;
use host_scenario::business::{BusinessFolder, Fixtures};
use host_scenario::error::ReplayError;
use host_store::Store;
use host_wasm_runner::cache::ComponentCache;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode, Samples};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Events in one group commit.
pub const BATCH: usize = 64;
/// Name of the business in the fixtures.
pub const BUSINESS: &str = "solobase";
/// Start of all clocks: 2026-01-01, milliseconds since the epoch.
pub const START_MS: i64 = 1_767_225_600_000;

/// The shared state of all measurements.
pub struct Setting {
    /// Path of the component.
    pub component: PathBuf,
    /// Folder of fixtures.
    pub fixtures: PathBuf,
    /// Folder on the measured disk.
    pub disk: PathBuf,
    /// True for fewer rounds and events.
    pub quick: bool,
    /// The business.
    pub business: BusinessFolder,
    loaded: LoadedComponent,
}

/// How the extension runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// The extension as a native library.
    Native,
    /// The component, with one instance for all events.
    Reused,
    /// The component, with a new instance for each event.
    Fresh,
}

impl Setting {
    /// Loads the component and the business.
    pub fn load(component: &Path, fixtures: &Path, disk: &Path, quick: bool) -> Result<Setting> {
        let (bytes, cache) = (read(component)?, cache()?);
        Ok(Setting {
            component: component.to_owned(),
            fixtures: fixtures.to_owned(),
            disk: disk.to_owned(),
            quick,
            loaded: LoadedComponent::load(&bytes, CallLimits::default(), cache.as_ref())?,
            business: BusinessFolder::load(&Fixtures::load(fixtures)?.business(BUSINESS)?)?,
        })
    }

    /// Returns a copy of the setting whose component has its stack sampled, and the samples.
    pub fn sampled(&self) -> Result<(Setting, Arc<Samples>)> {
        let (bytes, cache) = (read(&self.component)?, cache()?);
        let (loaded, samples) = LoadedComponent::load_sampled(&bytes, CallLimits::default(), cache.as_ref())?;
        let (component, fixtures, disk) = (self.component.clone(), self.fixtures.clone(), self.disk.clone());
        let business = self.business.clone();
        Ok((Setting { component, fixtures, disk, quick: self.quick, loaded, business }, samples))
    }

    /// Returns `full` in a full run, `quick` in a quick run.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Number of rounds of a repeated measurement.
    pub fn rounds(&self) -> usize {
        self.pick(9, 3)
    }

    /// Runners of an extension.
    pub fn runners(&self, extension: Extension) -> Runners {
        let mode = match extension {
            Extension::Native => return host_replay::native::runners(),
            Extension::Reused => Mode::Reused,
            Extension::Fresh => Mode::Fresh,
        };
        let loaded = self.loaded.clone();
        Runners::new("component", move || Ok(Box::new(loaded.runner(mode))))
    }

    /// Starts a host on `store`, with the catalog loaded and synced.
    pub fn host(&self, runners: Runners, store: Box<dyn Store>) -> Result<Rig> {
        self.host_in(None, runners, store)
    }

    /// Starts a host on `store` as a server does, ready for a writer. Effects are simulated.
    pub fn server_host(&self, runners: &Runners, store: Box<dyn Store>) -> Result<host_engine::Host> {
        let runner = runners.make()?;
        let manifest = runners.manifest(runner.declarations()).map_err(ReplayError::from)?;
        let setup = host_business::Setup::new(self.business.clone(), false, &[], manifest);
        let registry = Registry::with_default(Arc::new(Scripted::new()));
        Ok(setup.start(store, runner, registry, Clock::manual(START_MS))?.0)
    }

    /// Starts a host on `store`. The providers in `live` replace the scripted provider for their effect kinds.
    pub fn host_in(&self, live: Option<LiveProviders>, runners: Runners, store: Box<dyn Store>) -> Result<Rig> {
        let setup = RigSetup {
            business: self.business.clone(),
            livemode: false,
            config: Vec::new(),
            runners,
            store: StoreKind::Memory,
            clock: START_MS,
            live,
        };
        let mut host = Rig::start_with(setup, store)?;
        host.set_fire_timers(false);
        host.settle()?;
        Ok(host)
    }
}

fn read(component: &Path) -> Result<Vec<u8>> {
    std::fs::read(component).with_context(|| format!("cannot read {}", component.display()))
}

fn cache() -> Result<Option<ComponentCache>> {
    Ok(ComponentCache::default_folder().map(|folder| ComponentCache::open(&folder)).transpose()?)
}

/// Fails unless all events were applied: refused events are fast and would distort the figures.
pub fn all_applied<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Result<()> {
    for report in reports {
        ensure!(
            report.result.name() == "applied",
            "{} {} was {}: {}",
            report.kind,
            report.event_id,
            report.result.name(),
            report.result.reason().unwrap_or_default()
        );
    }
    Ok(())
}

/// The median, or 0 without values.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// Microseconds per event.
pub fn micros_each(time: Duration, events: usize) -> f64 {
    time.as_secs_f64() * 1e6 / events as f64
}

/// A temporary folder on the measured disk.
pub fn scratch(disk: &Path) -> Result<tempfile::TempDir> {
    let made = tempfile::Builder::new().prefix("bench-").tempdir_in(disk);
    made.with_context(|| format!("cannot make a folder in {}", disk.display()))
}
