//! Stories that fill a store with rows of each view.

use end_to_end::world::{business_named, fixtures, root};
use host_business::tables::{Tables, Type, View, sqlite};
use host_replay::play::{PlayOptions, play};
use host_replay::rig::StoreKind;
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_store::Partition;
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The businesses with a story each.
pub const BUSINESSES: [&str; 5] = ["orchestra", "saas-plugins", "solobase", "tesslate", "twobot"];

/// A store in SQLite after the stories, and one of their businesses.
pub struct Filled {
    pub partition: Partition,
    pub connection: Connection,
    folder: TempDir,
}

impl Filled {
    /// Returns a copy of the store after the stories of all businesses, which are played once.
    pub fn of(business: &str) -> Filled {
        static PLAYED: OnceLock<Vec<u8>> = OnceLock::new();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let bytes = PLAYED.get_or_init(|| {
            BUSINESSES.iter().for_each(|business| play_story(business, &path));
            std::fs::read(&path).expect("a file")
        });
        std::fs::write(&path, bytes).expect("written");
        let connection = Connection::open(&path).expect("opened");
        Filled { partition: partition(business), connection, folder }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Returns the store with its views.
    pub fn with_views(business: &str) -> Filled {
        let mut filled = Filled::of(business);
        sqlite::apply(&mut filled.connection, tables(business), &filled.partition).expect("views");
        filled
    }

    /// Returns the rows of a view as JSON, sorted.
    pub fn rows(&self, view: &View) -> Vec<Value> {
        let name = sqlite::view_name(&self.partition, &view.name);
        let mut all = self.connection.prepare(&format!("SELECT * FROM \"{name}\"")).expect("the view");
        let names: Vec<String> = all.column_names().map(str::to_owned).collect();
        assert_eq!(names, view.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>());
        let rows = all.query_map([], |row| {
            let cells = view
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| Ok((column.name.clone(), cell(row.get(index)?, column.column_type))));
            cells.collect::<Result<Map<_, _>, rusqlite::Error>>().map(Value::Object)
        });
        sorted(rows.expect("rows").collect::<Result<_, _>>().expect("values"))
    }
}

/// Plays the story of a business, of which every expectation holds.
fn play_story(business: &str, path: &Path) {
    let file = root().join("tests/end-to-end/tests/all/tables").join(format!("{business}.yml"));
    let scenario = Scenario::read(&file).expect("a story");
    let cases = prepare(&scenario, &fixtures().shapes).expect("cases");
    let options =
        PlayOptions { store: StoreKind::Sqlite(path.to_owned()), ..PlayOptions::new(host_replay::native::runners()) };
    let report = play(&scenario, &cases[0], business_named(business), &options).expect("played");
    assert!(report.held(), "{business}: {:?}", report.failures);
    // The log goes into the file.
    Connection::open(path).expect("opened").pragma_update(None, "journal_mode", "DELETE").expect("one file");
}

fn cell(cell: Cell, column_type: Type) -> Value {
    match (cell, column_type) {
        (Cell::Null, _) => Value::Null,
        (Cell::Integer(number), Type::Boolean) => json!(number != 0),
        (Cell::Integer(number), _) => json!(number),
        (Cell::Text(text), Type::Json) => serde_json::from_str(&text).expect("JSON"),
        (Cell::Text(text), _) => json!(text),
        (other, _) => panic!("{other:?}"),
    }
}

/// Returns rows in an order that does not depend on the store.
pub fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(ToString::to_string);
    rows
}

/// The views of a business.
pub fn tables(business: &str) -> &'static Tables {
    &business_named(business).tables
}

/// A view of a business.
pub fn view(business: &str, name: &str) -> &'static View {
    tables(business).views.iter().find(|view| view.name == name).expect("a view")
}

/// The business in test mode.
pub fn partition(business: &str) -> Partition {
    Partition { business: business.to_owned(), livemode: false }
}
