//! Finds and reads the fixtures and businesses of a replay, each once, and checks its inputs.

use crate::inputs::{Input, RawInput, STDIN, collect, read_raw};
use crate::loaded::Loaded;
use crate::rig::{Rig, RigSetup, StoreKind};
use crate::runners::Runners;
use host_scenario::business::{BusinessFolder, CONFIG_FILE, Fixtures, business_above};
use host_scenario::error::{BadInput, Mistakes, Place, ReplayError};
use host_scenario::model::{Scenario, read_text};
use host_scenario::prepare::{Case, prepare};
use host_scenario::tree::Node;
use host_store::ConfigError;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The ways to specify the business of an input, for messages.
const WHICH_BUSINESS: &str =
    "catalog.yml in its folder or above, `business` in a scenario's `given`, or --business NAME or DIR";

/// The locations of the business and the fixtures, if they are not near the inputs.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name or folder of the business; none means the business of each input's folder.
    pub business: Option<String>,
    /// The fixtures folder. If None, it is searched for above the inputs, the working folder and the program; if there
    /// is none, the built-in shapes are used.
    pub fixtures: Option<PathBuf>,
}

/// A checked input.
#[derive(Debug)]
pub enum Ready {
    /// A scenario with its business.
    Scenario(Story),
    /// Raw events.
    Raw {
        /// The events.
        raw: Box<RawInput>,
        /// The business of the events.
        business: Arc<BusinessFolder>,
    },
}

/// A scenario with its business, and with its events in each API version.
#[derive(Clone, Debug)]
pub struct Story {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The scenario in each API version in which it runs.
    pub cases: Vec<Case>,
    /// The business.
    pub business: Arc<BusinessFolder>,
}

/// Reads the scenarios at or below `paths`; skips raw events.
///
/// # Errors
///
/// Fails if a scenario is invalid, or if there is no scenario at the paths.
pub fn stories(paths: &[PathBuf], sources: Sources, runners: &Runners) -> Result<Vec<Story>, ReplayError> {
    let mut library = Library::new(sources, runners.clone(), paths)?;
    let mut found = Vec::new();
    for input in collect(paths)?.iter().filter(|input| matches!(input, Input::Scenario(_))) {
        if let Ready::Scenario(story) = library.ready(input, &mut std::io::empty())? {
            found.push(story);
        }
    }
    match found.is_empty() {
        true => Err(ReplayError::Usage("no scenario (.yml) found; `export` makes one from raw events".to_owned())),
        false => Ok(found),
    }
}

/// A business's folder with the values that override its configuration.
type Configured = (PathBuf, Vec<(String, String)>);

/// Finds and reads fixtures and businesses.
#[derive(Debug)]
pub struct Library<'a> {
    sources: Sources,
    runners: Runners,
    paths: &'a [PathBuf],
    fixtures: Option<Fixtures>,
    /// The businesses by canonical folder. A failed read is kept as well.
    businesses: HashMap<PathBuf, Result<Arc<BusinessFolder>, Mistakes>>,
    /// The folders and configurations that were checked, each with its catalog; none if the catalog was refused.
    started: HashMap<Configured, Option<Loaded>>,
}

impl<'a> Library<'a> {
    /// Returns a library for inputs at these paths.
    ///
    /// # Errors
    ///
    /// Fails if the sources refer to fixtures that can't be read.
    pub fn new(sources: Sources, runners: Runners, paths: &'a [PathBuf]) -> Result<Self, ReplayError> {
        let must_be_there = sources.fixtures.is_some();
        let mut library =
            Library { sources, runners, paths, fixtures: None, businesses: HashMap::new(), started: HashMap::new() };
        if must_be_there {
            library.fixtures()?;
        }
        Ok(library)
    }

    /// Reads an input and its business, and checks the catalog with the extension.
    ///
    /// # Errors
    ///
    /// Fails if the input or the business is invalid.
    pub fn ready(&mut self, input: &Input, stdin: &mut dyn Read) -> Result<Ready, ReplayError> {
        match input {
            Input::Scenario(file) => {
                let scenario = Scenario::read(file)?;
                let cases = prepare(&scenario, &self.fixtures()?.shapes)?;
                let business = self.business(scenario.given.business.as_deref(), Some(file))?;
                self.try_start(&business, &scenario.given.config, Some(file))?;
                Ok(Ready::Scenario(Story { scenario: Arc::new(scenario), cases, business }))
            }
            Input::Raw(_) | Input::Stdin => {
                let file = match input {
                    Input::Raw(file) => Some(file.as_path()),
                    _ => None,
                };
                let business = self.business(None, file)?;
                let raw = read_raw(input, stdin, &business.name)?;
                self.try_start(&business, &[], None)?;
                Ok(Ready::Raw { raw: Box::new(raw), business })
            }
        }
    }

    /// Reads the business of a folder and checks its catalog with the extension. The error lists all mistakes that can
    /// be found.
    pub(crate) fn ready_business(&mut self, folder: &Path) -> Result<(), ReplayError> {
        let business = self.business_in(folder)?;
        let mut mistakes = business.mistakes(self.runners.make()?.declarations());
        if mistakes.is_empty() {
            return self.try_start(&business, &[], None);
        }
        self.started.insert((business.folder.clone(), Vec::new()), None);
        // The host does not start if its own clauses contain a mistake, so the extension checks the catalog without
        // them.
        if let Err(ReplayError::Input(of_catalog)) = self.start(business.of_extension(), &[]).map(drop) {
            mistakes.extend(of_catalog);
        }
        Err(ReplayError::Input(mistakes))
    }

    /// Returns the catalog of a checked business with this configuration; none if the catalog was refused.
    pub(crate) fn loaded(&self, business: &BusinessFolder, config: &[(String, String)]) -> Option<Loaded> {
        let key = (business.folder.clone(), config.to_vec());
        self.started.get(&key).cloned().flatten()
    }

    /// Prepares a scenario in each API version in which it runs.
    ///
    /// # Errors
    ///
    /// Fails if an event can't be built.
    pub fn cases(&mut self, scenario: &Scenario) -> Result<Vec<Case>, ReplayError> {
        Ok(prepare(scenario, &self.fixtures()?.shapes)?)
    }

    /// Returns the business of this name, or the one in the sources, if they specify one.
    ///
    /// # Errors
    ///
    /// Fails if there is no such business.
    pub fn business_named(&mut self, name: &str) -> Result<Arc<BusinessFolder>, ReplayError> {
        self.business(Some(name), None)
    }

    fn fixtures(&mut self) -> Result<&Fixtures, ReplayError> {
        let fixtures = match self.fixtures.take() {
            Some(fixtures) => fixtures,
            None => {
                let mut near = self.paths.to_vec();
                near.extend(self.sources.business.as_ref().map(PathBuf::from));
                match find_fixtures(self.sources.fixtures.as_deref(), &near) {
                    Some(folder) => Fixtures::load(&folder)?,
                    None => Fixtures::built_in()?,
                }
            }
        };
        Ok(self.fixtures.insert(fixtures))
    }

    /// Checks a business by starting a host in memory, once for each configuration. `scenario` is the file that
    /// contains `config`.
    fn try_start(
        &mut self,
        business: &BusinessFolder,
        config: &[(String, String)],
        scenario: Option<&Path>,
    ) -> Result<(), ReplayError> {
        let key = (business.folder.clone(), config.to_vec());
        if self.started.contains_key(&key) {
            return Ok(());
        }
        self.started.insert(key.clone(), None);
        match self.start(business.clone(), config) {
            Ok(host) => {
                self.started.insert(key, Some(Loaded::of(&host)?));
                Ok(())
            }
            Err(ReplayError::Config { error, .. }) => Err(bad_config(business, config, scenario, &error).into()),
            Err(error) => Err(error),
        }
    }

    fn start(&self, business: BusinessFolder, config: &[(String, String)]) -> Result<Rig, ReplayError> {
        let (config, runners) = (config.to_vec(), self.runners.clone());
        Rig::start(RigSetup {
            business,
            livemode: false,
            config,
            runners,
            store: StoreKind::Memory,
            clock: 0,
            live: None,
        })
    }

    fn business(&mut self, named: Option<&str>, file: Option<&Path>) -> Result<Arc<BusinessFolder>, ReplayError> {
        let folder = match (self.sources.business.clone(), named, file.and_then(business_above)) {
            (Some(name), ..) => self.fixtures()?.business(&name)?,
            (None, Some(name), _) => {
                let fixtures = self.fixtures()?;
                let found = file.map_or_else(|| fixtures.business(name), |file| fixtures.business_of(file, name));
                found.map_err(|error| named_by(file, error))?
            }
            (None, None, Some(folder)) => folder,
            (None, None, None) => self.fixtures()?.business_default()?.ok_or_else(|| {
                let file = file.unwrap_or(Path::new(STDIN));
                BadInput::new(Place::file(file), "no business is named", WHICH_BUSINESS)
            })?,
        };
        self.business_in(&folder)
    }

    pub(crate) fn business_in(&mut self, folder: &Path) -> Result<Arc<BusinessFolder>, ReplayError> {
        let key = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let known = self.businesses.entry(key).or_insert_with(|| BusinessFolder::load(folder).map(Arc::new));
        Ok(known.clone()?)
    }
}

/// Finds the fixtures folder for these inputs.
fn find_fixtures(given: Option<&Path>, paths: &[PathBuf]) -> Option<PathBuf> {
    if let Some(folder) = given {
        return Some(folder.to_owned());
    }
    let mut starts: Vec<PathBuf> = paths.iter().filter(|path| path.exists()).cloned().collect();
    starts.extend(std::env::current_dir());
    starts.extend(std::env::current_exe());
    Fixtures::find(&starts)
}

/// Adds the place where a scenario refers to a business that is unknown or shares its name with another.
fn named_by(scenario: Option<&Path>, error: ReplayError) -> ReplayError {
    match (scenario, error) {
        (Some(file), ReplayError::NoBusiness { name, known }) => {
            let place = Place::line(file, line_of(file, "/given/business", &name));
            let expected = host_scenario::error::expected_business(&known);
            let bad = BadInput::new(place, format!("no business `{name}`"), expected);
            bad.guessing(&name, known.iter().map(String::as_str)).into()
        }
        (Some(file), ReplayError::SameName { name, folders }) => {
            let place = Place::line(file, line_of(file, "/given/business", &name));
            let error = ReplayError::SameName { name, folders };
            BadInput::new(place, error.to_string(), "one business of the name, or the path of its folder").into()
        }
        (_, error) => error,
    }
}

/// Returns a configuration error with its place in the scenario or the business's folder.
fn bad_config(
    business: &BusinessFolder,
    config: &[(String, String)],
    scenario: Option<&Path>,
    error: &ConfigError,
) -> BadInput {
    let (ConfigError::Undeclared { key } | ConfigError::Missing { key } | ConfigError::WrongType { key, .. }) = error;
    let of_scenario = scenario.filter(|_| config.iter().any(|(name, _)| name == key));
    let place = match of_scenario {
        Some(file) => Place::line(file, line_of(file, "/given/config", key)),
        None => {
            let file = business.folder.join(CONFIG_FILE);
            Place::line(&file, line_of(&file, "", key))
        }
    };
    let bad = BadInput::new(place, error.to_string(), "a declaration of the extension or business.yml");
    match error {
        ConfigError::Undeclared { key } => {
            bad.guessing(key, business.own.config.iter().map(|known| known.key.as_str()))
        }
        _ => bad,
    }
}

/// Returns the first line at or below a pointer in a file that contains this text; 0 if there is none.
fn line_of(file: &Path, pointer: &str, text: &str) -> usize {
    let node = read_text(file).and_then(|content| Node::parse(file, &content));
    node.ok().and_then(|node| node.nearest(pointer).places_of(text).first().map(|place| place.line)).unwrap_or_default()
}
