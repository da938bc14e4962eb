//! Runs the inputs repeatedly through components while their stacks are sampled.

use crate::profile::difference::{Difference, difference};
use crate::profile::measured::Measured;
use crate::profile::meter::{Meter, Spent};
use host_replay::inputs::STDIN;
use host_replay::line::{Line, StreamLine, Summary};
use host_replay::play::CaseReport;
use host_replay::run::{Finished, ReplayOptions, Sink, replay};
use host_replay::runners::{Runners, manifest_of};
use host_scenario::error::ReplayError;
use host_scenario::model::Scenario;
use host_wasm_runner::cache::ComponentCache;
use host_wasm_runner::inspect::has_function_names;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The number of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// A fixed number.
    Times(u32),
    /// As many rounds as can begin within a time, at least one.
    For(Duration),
}

/// The options of [`profile`].
#[derive(Clone, Debug)]
pub struct ProfileOptions {
    /// Path of the component.
    pub component: PathBuf,
    /// Path of an older component to compare with.
    pub against: Option<PathBuf>,
    /// Name or folder of the business; None for the business of the input's folder.
    pub business: Option<String>,
    /// Folder of the fixtures. If None, it is searched for above the inputs, the working folder and the program.
    pub fixtures: Option<PathBuf>,
    /// Number of rounds.
    pub rounds: Rounds,
    /// Event kinds whose functions are reported; empty for all except [`START`](crate::profile::START).
    pub only: Vec<String>,
}

/// The result of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Measurements of the component.
    pub component: Measured,
    /// Measurements of the older component; None without an older component.
    pub against: Option<Measured>,
    /// Number of completed rounds.
    pub rounds: u32,
    /// Number of inputs per round.
    pub inputs: usize,
    /// Names of the cases and streams that did not pass. Their fuel is counted too.
    pub not_held: Vec<String>,
    /// Event kinds whose functions are reported.
    pub only: Vec<String>,
}

impl Profile {
    /// Fuel and calls of the component by event kind, per round.
    pub fn kinds(&self) -> &BTreeMap<String, Spent> {
        &self.component.kinds
    }

    /// The differences from the older component; None without an older component.
    pub fn difference(&self) -> Option<Difference> {
        self.against.as_ref().map(|old| difference(old, &self.component, &self.only))
    }

    /// The exit code: 0 if all inputs passed, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.not_held.is_empty())
    }
}

/// Runs all inputs in `paths` and measures the fuel of the component. `progress` receives the number of inputs at the
/// start of each round, then 0 after each input.
///
/// # Errors
///
/// Fails if a component or an input can't be read, or a kind in `options.only` never ran.
pub fn profile(
    paths: &[PathBuf],
    stdin: &mut dyn Read,
    options: &ProfileOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<Profile, ReplayError> {
    let stdin = match paths.iter().any(|path| path.as_os_str() == STDIN) {
        true => read_all(stdin)?,
        false => Vec::new(),
    };
    let mut sides = vec![Side::load(&options.component)?];
    if let Some(old) = &options.against {
        sides.push(Side::load(old)?);
    }
    let (began, mut rounds, mut inputs) = (Instant::now(), 0, 0);
    let mut not_held = Vec::new();
    // The components take turns, so that a disturbance affects both.
    loop {
        for side in &sides {
            let mut sink = Counting { meter: &side.meter, progress, inputs: 0 };
            let of_side = ReplayOptions {
                business: options.business.clone(),
                fixtures: options.fixtures.clone(),
                ..ReplayOptions::new(side.runners.clone())
            };
            let finished = replay(paths, &mut stdin.as_slice(), &of_side, &mut sink);
            inputs = sink.inputs;
            side.meter.measure(false);
            let finished = finished?;
            if let Some(bad) = finished.bad() {
                return Err(bad.clone().into());
            }
            if rounds == 0 {
                not_held.extend(what_failed(&finished).map(|what| side.blame(&what, sides.len())));
            }
        }
        rounds += 1;
        let is_over = match options.rounds {
            Rounds::Times(times) => rounds >= times,
            Rounds::For(time) => began.elapsed() >= time,
        };
        if is_over {
            break;
        }
    }
    let mut measured = sides.into_iter().map(|side| side.measured(rounds));
    let component = measured.next().ok_or_else(|| ReplayError::Usage("no component".to_owned()))?;
    component.check(&options.only)?;
    let (against, only) = (measured.next(), options.only.clone());
    Ok(Profile { component, against, rounds, inputs, not_held, only })
}

fn read_all(stdin: &mut dyn Read) -> Result<Vec<u8>, ReplayError> {
    let mut bytes = Vec::new();
    let read = stdin.read_to_end(&mut bytes);
    read.map_err(|cause| ReplayError::File { path: PathBuf::from(STDIN), cause })?;
    Ok(bytes)
}

/// Cases and streams that did not pass.
fn what_failed(finished: &Finished) -> impl Iterator<Item = String> {
    let cases = finished.cases.iter().filter(|case| case.failed());
    let cases = cases.map(|case| format!("{} ({})", case.file.display(), case.version));
    let raw = finished.raw.iter().filter(|raw| raw.failed > 0);
    cases.chain(raw.map(|raw| raw.source.clone()))
}

/// A component with its meter.
struct Side {
    file: String,
    hash: String,
    named: bool,
    runners: Runners,
    meter: Meter,
}

impl Side {
    fn load(file: &Path) -> Result<Side, ReplayError> {
        let bytes = std::fs::read(file).map_err(|cause| ReplayError::File { path: file.to_owned(), cause })?;
        let wrong = |error: String| ReplayError::Usage(format!("{}: {error}", file.display()));
        let (loaded, samples) =
            LoadedComponent::load_sampled(&bytes, CallLimits::default(), ComponentCache::of_user().as_ref())
                .map_err(|error| wrong(error.to_string()))?;
        let named = has_function_names(&bytes).map_err(|error| wrong(error.to_string()))?;
        let (hash, meter, name) = (loaded.hash().to_owned(), Meter::new(samples), file.display().to_string());
        let manifest = manifest_of(file, &loaded)?;
        let runners = Runners::new(name.clone(), {
            let meter = meter.clone();
            move || Ok(Box::new(meter.around(Box::new(loaded.runner(Mode::Reused)))))
        });
        let runners = runners.with_manifest(manifest);
        Ok(Side { file: name, hash, named, runners, meter })
    }

    /// Describes an input that did not pass, and gives the component if there are two.
    fn blame(&self, what: &str, sides: usize) -> String {
        if sides > 1 { format!("{what} with {}", self.file) } else { what.to_owned() }
    }

    fn measured(self, rounds: u32) -> Measured {
        let (spent, seen) = self.meter.read();
        Measured::new((self.file, self.hash, self.named), rounds, spent, seen)
    }
}

/// Starts the meter at the first event of a round, and reports progress.
struct Counting<'a> {
    meter: &'a Meter,
    progress: &'a mut dyn FnMut(usize),
    inputs: usize,
}

impl Sink for Counting<'_> {
    fn begin(&mut self, inputs: usize) {
        self.inputs = inputs;
        self.meter.measure(true);
        (self.progress)(inputs);
    }

    fn line(&mut self, _: &Line) -> std::io::Result<()> {
        Ok(())
    }

    fn cases(&mut self, _: &Scenario, _: &[CaseReport]) -> std::io::Result<()> {
        (self.progress)(0);
        Ok(())
    }

    fn stream(&mut self, _: &StreamLine, _: &Summary) -> std::io::Result<()> {
        (self.progress)(0);
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }
}
