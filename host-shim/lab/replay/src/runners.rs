//! Creates the runners that call an extension component. [`native`](crate::native) creates runners that call the linked library.

use extension_contract::Declarations;
use host_business::manifest::Manifest;
use host_scenario::error::{Mistakes, ReplayError};
use host_scenario::manifest;
use host_wasm_runner::cache::ComponentCache;
use host_wasm_runner::runner::Runner;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

type Make = dyn Fn() -> Result<Box<dyn Runner>, ReplayError> + Send + Sync;

/// The number of events that a component is expected to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// The few thousand events of scenarios. The component compiles in two thirds of the time, but to slower machine code.
    Scenarios,
    /// Possibly millions of events. The component compiles to fast machine code.
    ManyEvents,
}

/// A factory of runners. A host needs a new runner whenever it starts: at the beginning of a case and after a restart.
#[derive(Clone)]
pub struct Runners {
    name: String,
    make: Arc<Make>,
    /// Creates runners with a new instance of the component for every event; none if the runners have no instances.
    make_fresh: Option<Arc<Make>>,
    /// The manifest in the component's folder; none if there is none.
    manifest: Option<Arc<Manifest>>,
}

impl Runners {
    /// Returns a factory that creates runners with `make`; `name` is for reports.
    pub fn new(
        name: impl Into<String>,
        make: impl Fn() -> Result<Box<dyn Runner>, ReplayError> + Send + Sync + 'static,
    ) -> Self {
        Runners { name: name.into(), make: Arc::new(make), make_fresh: None, manifest: None }
    }

    /// Loads a component and compiles it once. With `fresh`, each event has a new instance.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read or is not a component that the host can load, or if its manifest is malformed or does not
    /// permit it.
    pub fn component(file: &Path, fresh: bool, workload: Workload) -> Result<Self, ReplayError> {
        let bytes = std::fs::read(file).map_err(|cause| ReplayError::File { path: file.to_owned(), cause })?;
        let load = match workload {
            Workload::Scenarios => LoadedComponent::load_quickly,
            Workload::ManyEvents => LoadedComponent::load,
        };
        let loaded = load(&bytes, CallLimits::default(), ComponentCache::of_user().as_ref())
            .map_err(|error| ReplayError::Usage(format!("{}: {error}", file.display())))?;
        let manifest = manifest_of(file, &loaded)?;
        Ok(Runners { manifest: manifest.map(Arc::new), ..Runners::loaded(file.display().to_string(), loaded, fresh) })
    }

    /// Returns a factory of runners of a loaded component; `name` is for reports.
    pub fn loaded(name: impl Into<String>, loaded: LoadedComponent, fresh: bool) -> Self {
        let making =
            |loaded: LoadedComponent, mode| -> Arc<Make> { Arc::new(move || Ok(Box::new(loaded.runner(mode)))) };
        let make_fresh = making(loaded.clone(), Mode::Fresh);
        let make = if fresh { make_fresh.clone() } else { making(loaded, Mode::Reused) };
        Runners { name: name.into(), make, make_fresh: Some(make_fresh), manifest: None }
    }

    /// Returns a factory with the same name and manifest that creates runners with `make`.
    #[must_use]
    pub fn with_make(
        &self,
        make: impl Fn() -> Result<Box<dyn Runner>, ReplayError> + Send + Sync + 'static,
    ) -> Runners {
        Runners { make: Arc::new(make), make_fresh: None, ..self.clone() }
    }

    /// Returns the factory with the manifest in the component's folder.
    #[must_use]
    pub fn with_manifest(self, manifest: Option<Manifest>) -> Runners {
        Runners { manifest: manifest.map(Arc::new), ..self }
    }

    /// Returns the manifest in the component's folder, or the shipped one if the declarations are those of the shipped extension.
    ///
    /// # Errors
    ///
    /// Fails if the shipped manifest is malformed.
    pub fn manifest(&self, declared: &Declarations) -> Result<Option<Manifest>, Mistakes> {
        match &self.manifest {
            Some(manifest) => Ok(Some((**manifest).clone())),
            None => manifest::of(declared),
        }
    }

    /// Returns a factory whose runners use a new instance for every event. Runners without instances stay the same.
    #[must_use]
    pub fn fresh(&self) -> Runners {
        let make = self.make_fresh.as_ref().unwrap_or(&self.make).clone();
        Runners { make, ..self.clone() }
    }

    /// Returns the name for reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates a runner without any state from earlier events.
    ///
    /// # Errors
    ///
    /// Fails if the runner can't be created.
    pub fn make(&self) -> Result<Box<dyn Runner>, ReplayError> {
        (self.make)()
    }
}

/// Returns the manifest of a loaded component.
///
/// # Errors
///
/// Fails if the manifest is malformed or does not permit the component.
pub fn manifest_of(file: &Path, loaded: &LoadedComponent) -> Result<Option<Manifest>, ReplayError> {
    let Some(found) = manifest::of_component(file, loaded.declarations())? else { return Ok(None) };
    found.manifest.check(loaded.declarations(), loaded.imports()).map_err(|error| {
        let place = found.file.as_deref().unwrap_or(file);
        ReplayError::NotPermitted(
            error.lines().into_iter().map(|line| format!("{}: {line}", place.display())).collect(),
        )
    })?;
    Ok(Some(found.manifest))
}

impl fmt::Debug for Runners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runners").field(&self.name).finish()
    }
}
