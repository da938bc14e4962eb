//! Tests of the catalog at a start: the folder's catalog is compared with the catalog in force (H2).

use super::events::{T0, lines};
use super::toy::ToyRunner;
use host_business::folder::{BUSINESS_FILE, BusinessFolder, CATALOG_FILE};
use host_business::{Setup, StartError};
use host_engine::Host;
use host_engine::clock::Clock;
use host_engine::outbox::OutboxError;
use host_engine::processor::Report;
use host_provider_api::Registry;
use host_store::MemoryStore;
use host_store::testing::Faults;
use std::path::PathBuf;

/// A folder with a changing catalog, and a store for consecutive hosts.
struct Shop {
    _dir: tempfile::TempDir,
    folder: PathBuf,
    faults: Faults,
}

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("toys");
        std::fs::create_dir(&folder).unwrap();
        Shop { _dir: dir, folder, faults: Faults::new(Box::new(MemoryStore::new())) }
    }

    fn start_with(
        &self,
        catalog: &str,
        config: &[(&str, &str)],
        runner: ToyRunner,
    ) -> Result<(Host, Vec<Report>), StartError> {
        std::fs::write(self.folder.join(CATALOG_FILE), catalog).unwrap();
        let config: Vec<_> = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let setup = Setup::new(BusinessFolder::load(&self.folder).unwrap(), false, &config, None);
        setup.start(self.faults.open(), Box::new(runner), Registry::new(), Clock::manual(T0))
    }

    /// Starts with this catalog; returns the lines of the load's reports.
    fn start(&self, catalog: &str) -> Vec<String> {
        lines(&self.start_with(catalog, &[], ToyRunner::new(1)).unwrap().1)
    }
}

const A: &str = "sell: [price_a]\n";
const B: &str = "sell: [price_b]\n";

#[test]
fn a_catalog_is_loaded_only_if_another_catalog_is_in_force() {
    let shop = Shop::new();
    assert_eq!(shop.start(A), ["catalog:toys:1: applied"]);
    assert_eq!(shop.start(A), [""; 0], "the catalog is in force");
    assert_eq!(shop.start(B), ["catalog:toys:2: applied"]);
    assert_eq!(shop.start(A), ["catalog:toys:3: applied"], "B was in force, although A was before");
    assert_eq!(shop.start("# written otherwise\nsell:\n  - price_a\n"), [""; 0]);
}

#[test]
fn only_the_last_of_many_loads_counts() {
    let shop = Shop::new();
    for number in 1..=21 {
        let catalog = format!("sell: [price_{}]\n", number % 2);
        assert_eq!(shop.start(&catalog), [format!("catalog:toys:{number}: applied")]);
        assert_eq!(shop.start(&catalog), [""; 0], "load {number} is in force");
    }
}

#[test]
fn another_component_loads_the_same_catalog_again() {
    let shop = Shop::new();
    shop.start(A);
    let (_, reports) = shop.start_with(A, &[], ToyRunner::new(1).hashed("another")).unwrap();
    assert_eq!(lines(&reports), ["catalog:toys:2: applied"]);
}

#[test]
fn a_refused_catalog_is_reported_with_its_line_and_is_not_in_force() {
    let refused = "sell:\n  - price_a\n  - price_b\noutcome:\n  rejected: {invalid: [{path: /sell/1, code: taken, \
                   found: '`price_b` is sold', expected: ['`another`'], suggestion: null}, {path: /outcom, code: \
                   unknown-field, found: 'unknown field `outcom`', expected: [outcome], suggestion: outcome}]}\n";
    let shop = Shop::new();
    shop.start(A);
    for number in [2, 3] {
        let error = shop.start_with(refused, &[], ToyRunner::new(1)).err().unwrap();
        let StartError::Catalog(mistakes) = error else { panic!("{error}") };
        let texts: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        let file = shop.folder.join(CATALOG_FILE);
        let expected = [
            format!("{}:1: /outcom: unknown field `outcom`; expected outcome; did you mean `outcome`?", file.display()),
            format!("{}:3: /sell/1: `price_b` is sold; expected `another`", file.display()),
        ];
        assert_eq!(texts, expected, "start {number}");
    }
    assert_eq!(shop.start(A), ["catalog:toys:4: applied"]);
}

#[test]
fn a_catalog_that_the_extension_ignores_stops_the_start() {
    let error = Shop::new().start_with("outcome: {ignored: unhandled-kind}\n", &[], ToyRunner::new(1)).err().unwrap();
    assert!(matches!(error, StartError::Catalog(_)), "{error}");
    assert_eq!(Shop::new().start("outcome: {ignored: no-change}\n"), ["catalog:toys:1: ignored(no-change)"]);
}

#[test]
fn a_failure_of_the_extension_is_not_reported_as_a_mistake_of_the_catalog() {
    let error = Shop::new().start_with("fail: 1\n", &[], ToyRunner::new(1)).err().unwrap();
    let StartError::Extension { business, reason } = error else { panic!("{error}") };
    assert_eq!((business.as_str(), reason.as_str()), ("toys", "internal: told to fail"));
}

#[test]
fn an_undeclared_configuration_key_stops_the_start_before_any_write() {
    let shop = Shop::new();
    let error = shop.start_with(A, &[("colour", "red")], ToyRunner::new(1)).err().unwrap();
    assert_eq!(error.to_string(), "configuration of toys: configuration key `colour` is not declared");
    assert_eq!(shop.start(A), ["catalog:toys:1: applied"]);
}

// covers: SOL-46
#[test]
fn a_missing_required_secret_stops_the_start_before_any_write() {
    let shop = Shop::new();
    let (file, key) = (shop.folder.join(BUSINESS_FILE), "stripe_secret_key");
    let own = format!("config: {{{key}: {{type: secret, required: true, env: STRIPE_SECRET_KEY}}}}\n");
    std::fs::write(&file, &own).unwrap();
    let error = shop.start_with(A, &[], ToyRunner::new(1)).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!("configuration of toys: configuration key `{key}` is required and has no value")
    );
    // With the secret, the start continues until the toy refuses this clause.
    let error = Shop { folder: shop.folder.clone(), ..Shop::new() }
        .start_with(A, &[(key, "secret:env/STRIPE_SECRET_KEY")], ToyRunner::new(1))
        .err()
        .unwrap();
    assert!(matches!(error, StartError::Catalog(_)), "{error}");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(shop.start(A), ["catalog:toys:1: applied"], "the first stored load");
}

#[test]
fn a_store_failure_stops_the_start() {
    let shop = Shop::new();
    shop.faults.fail_reads(true);
    let error = shop.start_with(A, &[], ToyRunner::new(1)).err().unwrap();
    assert!(matches!(error, StartError::Outbox(OutboxError::Store(_))), "{error}");
}
