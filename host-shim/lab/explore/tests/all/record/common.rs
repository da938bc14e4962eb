//! Plays scenarios on a store on disk, and exports accounts from the store.

use extension_contract::Account;
use host_explore::record::{Export, Options, export};
use host_replay::play::{CaseReport, PlayOptions, play};
use host_replay::rig::{StoreKind, open};
use host_replay::runners::Runners;
use host_scenario::business::{BusinessFolder, Fixtures};
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_store::Scope;
use std::path::{Path, PathBuf};
use test_support::in_business;

/// Salt of the exports without personal data.
pub const SALT: [u8; 32] = [7; 32];

pub fn business(name: &str) -> BusinessFolder {
    BusinessFolder::load(&in_business(name)).expect("a business")
}

/// A played scenario with its store.
pub struct Played {
    pub folder: tempfile::TempDir,
    pub business: BusinessFolder,
    pub config: Vec<(String, String)>,
    pub runners: Runners,
    pub report: CaseReport,
}

/// Plays a scenario in its newest API version and keeps the store.
pub fn played(scenario: &Scenario, business: BusinessFolder, runners: Runners) -> Played {
    let folder = tempfile::tempdir().expect("a folder");
    let shapes = Fixtures::built_in().expect("shapes").shapes;
    let cases = prepare(scenario, &shapes).unwrap_or_else(|e| panic!("{}: {e}", scenario.file.display()));
    let options =
        PlayOptions { store: StoreKind::Sqlite(folder.path().join("store.db")), ..PlayOptions::new(runners.clone()) };
    let case = cases.last().expect("a version");
    let report =
        play(scenario, case, &business, &options).unwrap_or_else(|e| panic!("{}: {e}", scenario.file.display()));
    Played { folder, business, config: scenario.given.config.clone(), runners, report }
}

/// Plays a scenario's text with the native extension, and asserts that it holds. `name` is the business.
pub fn played_text(text: &str, name: &str) -> Played {
    let scenario = Scenario::parse(Path::new("story.yml"), text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let played = played(&scenario, business(name), host_replay::native::runners());
    let failures: Vec<&String> = played.report.failures.iter().map(|failure| &failure.title).collect();
    assert!(failures.is_empty(), "{failures:?}");
    played
}

impl Played {
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Returns the scopes of all accounts except the platform.
    pub fn scopes(&self) -> Vec<Scope> {
        let store = open(&StoreKind::Sqlite(self.file())).expect("the store");
        let mut scopes = store.scopes(None).expect("scopes");
        scopes.retain(|scope| scope.account != Account::Platform);
        scopes
    }

    pub fn export(&self, scope: &Scope, salt: Option<[u8; 32]>) -> Export {
        let store = open(&StoreKind::Sqlite(self.file())).expect("the store");
        let options = Options {
            business: self.business.clone(),
            config: self.config.clone(),
            named: Some(self.business.name.clone()),
            runners: self.runners.clone(),
            salt,
        };
        export(store, scope, &options).unwrap_or_else(|e| panic!("{}: {e}", scope.account))
    }
}
