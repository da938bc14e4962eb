//! Stories that fill a store with rows of each view.

use end_to_end::world::{business_named, fixtures, root};
use host_replay::play::{PlayOptions, play};
use host_replay::rig::StoreKind;
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_store::Partition;
use rusqlite::Connection;
use tempfile::TempDir;

/// The businesses with a story each.
pub const BUSINESSES: [&str; 5] = ["orchestra", "saas-plugins", "solobase", "tesslate", "twobot"];

/// A store in SQLite after the story of a business.
pub struct Filled {
    pub partition: Partition,
    pub connection: Connection,
    folder: TempDir,
}

impl Filled {
    /// Plays the story of a business, of which every expectation holds.
    pub fn of(business: &str) -> Filled {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let file = root().join("tests/end-to-end/tests/all/tables").join(format!("{business}.yml"));
        let scenario = Scenario::read(&file).expect("a story");
        let cases = prepare(&scenario, &fixtures().shapes).expect("cases");
        let options = PlayOptions { store: StoreKind::Sqlite(path.clone()), ..PlayOptions::new(host_native::runners()) };
        let report = play(&scenario, &cases[0], business_named(business), &options).expect("played");
        assert!(report.held(), "{business}: {:?}", report.failures);
        let connection = Connection::open(&path).expect("opened");
        Filled { partition: partition(business), connection, folder }
    }
}

/// The business in test mode.
pub fn partition(business: &str) -> Partition {
    Partition { business: business.to_owned(), livemode: false }
}
