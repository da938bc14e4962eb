//! Inputs played again and again through components whose stacks are looked at meanwhile.

use crate::difference::{Difference, difference};
use crate::measured::Measured;
use crate::meter::{Meter, Spent};
use host_replay::inputs::STDIN;
use host_replay::line::{Line, StreamLine, Summary};
use host_replay::play::CaseReport;
use host_replay::run::{Finished, ReplayOptions, Sink, replay};
use host_replay::runners::Runners;
use host_scenario::error::ReplayError;
use host_scenario::model::Scenario;
use host_wasm_runner::cache::ComponentCache;
use host_wasm_runner::names::has_function_names;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the inputs are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// So often.
    Times(u32),
    /// Again and again until so much time is over, at least once.
    For(Duration),
}

/// What is profiled, and by what.
#[derive(Clone, Debug)]
pub struct ProfileOptions {
    /// The component's file.
    pub component: PathBuf,
    /// Another component, an older one, that plays the same.
    pub against: Option<PathBuf>,
    /// Name or folder of the business; none is that of the input's folder.
    pub business: Option<String>,
    /// Folder of the fixtures; none looks above the inputs, the working folder and the program.
    pub fixtures: Option<PathBuf>,
    /// How often.
    pub rounds: Rounds,
    /// Event kinds whose functions are told; none is all but the host's start.
    pub only: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The component.
    pub component: Measured,
    /// The one that it is held against.
    pub against: Option<Measured>,
    /// Rounds that were played.
    pub rounds: u32,
    /// Inputs of a round.
    pub inputs: usize,
    /// Cases and streams that did not hold: what they used is counted all the same.
    pub not_held: Vec<String>,
    /// Event kinds whose functions are told.
    pub only: Vec<String>,
}

impl Profile {
    /// What each event kind of the component used in a round.
    pub fn kinds(&self) -> &BTreeMap<String, Spent> {
        &self.component.kinds
    }

    /// What the component uses more or less than the other one; none without another one.
    pub fn difference(&self) -> Option<Difference> {
        self.against.as_ref().map(|old| difference(old, &self.component, &self.only))
    }

    /// The program's exit code: 0 everything held, 1 something did not.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.not_held.is_empty())
    }
}

/// Plays everything that `paths` name and says where the component's fuel goes. `progress` is told the number of inputs at the
/// beginning of a round, then 0 after each of them.
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
    // In turn, so that what disturbs one disturbs the other.
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

/// Cases and streams that did not hold.
fn what_failed(finished: &Finished) -> impl Iterator<Item = String> {
    let cases = finished.cases.iter().filter(|case| case.failed());
    let cases = cases.map(|case| format!("{} ({})", case.file.display(), case.version));
    let raw = finished.raw.iter().filter(|raw| raw.failed > 0);
    cases.chain(raw.map(|raw| raw.source.clone()))
}

/// One component that is measured.
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
        // Without a place for compiled code it is compiled anew, which only takes longer.
        let cache = ComponentCache::default_folder().and_then(|folder| ComponentCache::open(&folder).ok());
        let (loaded, samples) = LoadedComponent::load_sampled(&bytes, CallLimits::default(), cache.as_ref())
            .map_err(|error| wrong(error.to_string()))?;
        let named = has_function_names(&bytes).map_err(|error| wrong(error.to_string()))?;
        let (hash, meter, name) = (loaded.hash().to_owned(), Meter::new(samples), file.display().to_string());
        let runners = Runners::new(name.clone(), {
            let meter = meter.clone();
            move || Ok(Box::new(meter.around(Box::new(loaded.runner(Mode::Reused)))))
        });
        Ok(Side { file: name, hash, named, runners, meter })
    }

    /// What did not hold, and with which component where there are two.
    fn blame(&self, what: &str, sides: usize) -> String {
        if sides > 1 { format!("{what} with {}", self.file) } else { what.to_owned() }
    }

    fn measured(self, rounds: u32) -> Measured {
        let (spent, seen) = self.meter.read();
        Measured::new((self.file, self.hash, self.named), rounds, spent, seen)
    }
}

/// Measures from the first event on, and tells how far a round is.
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
