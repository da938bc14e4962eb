//! Stores the results of mutants in `target/mutants/results.json`, so that a run continues where an earlier run ended.

use super::{Mutant, copy};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

/// The result of a mutant's run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The catcher that passed although it should have failed; none if the mutant was caught.
    pub passed: Option<String>,
    /// Duration of the run in seconds.
    pub seconds: f64,
}

/// The stored results.
pub struct Results {
    file: PathBuf,
    sources_hash: u64,
    by_key: BTreeMap<String, Outcome>,
}

impl Results {
    /// Reads the results. Starts without results if there is no readable file.
    ///
    /// # Errors
    ///
    /// Fails if the folder can't be created.
    pub fn open(sources_hash: u64) -> Result<Results> {
        let file = copy::folder().join("results.json");
        let by_key = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Ok(Results { file, sources_hash, by_key })
    }

    /// Returns the result of a mutant with the current sources.
    pub fn of(&self, mutant: &Mutant) -> Option<&Outcome> {
        self.by_key.get(&self.key(mutant))
    }

    /// Stores a result.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be written.
    pub fn add(&mut self, mutant: &Mutant, outcome: Outcome) -> Result<()> {
        // Results of other sources are no longer needed.
        let prefix = format!("{} ", mutant.id);
        self.by_key.retain(|key, _| !key.starts_with(&prefix));
        self.by_key.insert(self.key(mutant), outcome);
        let text = serde_json::to_vec_pretty(&self.by_key)?;
        fs::write(&self.file, text).with_context(|| format!("cannot write {}", self.file.display()))
    }

    /// Returns the key of a mutant's result, which changes with the mutant's text and with the sources.
    fn key(&self, mutant: &Mutant) -> String {
        let mut hasher = DefaultHasher::new();
        (self.sources_hash, format!("{mutant:?}")).hash(&mut hasher);
        format!("{} {:016x}", mutant.id, hasher.finish())
    }
}
