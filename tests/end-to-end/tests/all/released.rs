//! Released components keep running: each folder of `tests/released` contains a version of the contract, a component
//! built against it, and a business that it runs.

use component_builder::PROVISIONER;
use end_to_end::world::root;
use host_compare::allow::Allowed;
use host_compare::report::human;
use host_compare::{Options, paths};
use host_replay::library::{Library, Sources};
use host_replay::report::failures;
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

/// Decisions that were changed on purpose since a released version: the version, the difference and the reason.
const CHANGED: [(&str, &str, &str); 9] = [
    ("0.2.0", "state:purchase.refund", "credits cannot be spent once their refund is requested"),
    ("0.2.0", "state:catalog.load", "the setting `plan_within` has a default"),
    ("0.2.0", "state:checkout.session.completed", "a sale keeps the reported time, and a purchase its own session"),
    ("0.2.0", "state:purchase.create", "a purchase keeps the terms of its sale"),
    ("0.2.0", "effects:purchase.create", "a checkout says what it sells"),
    ("0.2.0", "state:usage", "credits know the months whose use they paid"),
    ("0.2.0", "effects:usage.consume", "an alert is sent once for each limit"),
    ("0.2.0", "state:instance.create", "an instance has one state in place of a status and flags"),
    ("0.2.0", "state:customer.subscription.created", "the history of a subscription is packed"),
];

/// The released versions, oldest first.
pub fn versions() -> Vec<String> {
    let entries = fs::read_dir(root().join("tests/released")).expect("the released versions");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut versions: Vec<String> = names.collect();
    versions.sort();
    assert!(!versions.is_empty());
    versions
}

fn folder(version: &str) -> PathBuf {
    root().join("tests/released").join(version)
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the version in the package name of a contract.
fn version_of(wit: &str) -> &str {
    let package = wit.lines().find_map(|line| line.strip_prefix("package solobase:products@")?.strip_suffix(';'));
    package.expect("a package with a version")
}

/// The component of a released version, compiled once.
pub fn released(version: &str) -> Runners {
    static COMPILED: Mutex<BTreeMap<String, Runners>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().expect("no other test panicked while it compiled");
    let runners = compiled.entry(version.to_owned()).or_insert_with(|| {
        let bytes = fs::read(folder(version).join("instance-provisioner.wasm")).expect("its component");
        loaded("released", &bytes)
    });
    runners.clone()
}

fn loaded(name: &str, bytes: &[u8]) -> Runners {
    let component = end_to_end::hosts::compiled(bytes);
    Runners::loaded(name, component, false)
}

#[test]
fn the_contract_of_a_released_version_never_changes() {
    let now = text("wit/products.wit");
    for version in versions() {
        let released = text(&format!("wit/released/{version}/products.wit"));
        assert_eq!(version_of(&released), version);
        if version_of(&now) == version {
            assert!(
                now == released,
                "wit/products.wit has version {version}, which is released: a change needs a new version"
            );
        }
    }
}

#[test]
fn a_released_component_still_runs_its_business() {
    for version in versions() {
        let options = ReplayOptions::new(released(&version));
        let business = folder(&version).join("podcasts");
        let finished = replay(&[business], &mut io::empty(), &options, &mut Silent).expect("a valid business");
        let failed: Vec<String> = failures(&finished.cases)
            .iter()
            .map(|it| format!("{}: {}: {}", it.failure.file.display(), it.heading(), it.failure.title))
            .collect();
        assert_eq!(failed, [""; 0], "{version}");
        assert!(finished.cases.len() >= 10, "{version}: {} cases", finished.cases.len());
        let state = text(&format!("tests/released/{version}/state.txt"));
        assert_eq!(finished.summary.state, state.trim(), "{version}");
    }
}

/// Returns a folder with the business `podcasts` of a released version in the language of now, and its scenarios.
fn business_now(version: &str) -> tempfile::TempDir {
    let now = tempfile::tempdir().expect("a folder");
    let copy = |from: &str, to: &str| {
        fs::create_dir_all(now.path().join(to)).expect("a folder");
        for entry in fs::read_dir(folder(version).join(from)).expect("a folder of the version") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), now.path().join(to).join(entry.file_name())).expect("copied");
        }
    };
    copy("now/podcasts", "podcasts");
    copy("podcasts/scenarios", "podcasts/scenarios");
    now
}

#[test]
fn the_built_component_makes_the_same_decisions_as_the_released_component() {
    let built = loaded("built", &component_builder::build(PROVISIONER).expect("a built component"));
    for version in versions() {
        let mut options = Options::new(released(&version), built.clone());
        let changed = CHANGED.iter().filter(|(since, ..)| *since == version);
        options.allow.extend(changed.map(|(_, allowed, _)| allowed.parse::<Allowed>().expect("a difference")));
        // The released component reads the business in the language of its time.
        options.old_businesses = Some(folder(&version));
        let now = business_now(&version);
        let inputs = [now.path().join("podcasts")];
        let mut library = Library::new(Sources::default(), options.new.clone(), &inputs).expect("fixtures");
        let found = paths::compare(&mut library, &inputs, &options, &mut |_| {}).expect("a comparison");
        let mut text = Vec::new();
        human(&mut text, &found, &options, false).expect("written");
        assert!(!found.differs(&options), "{version}: {}", String::from_utf8_lossy(&text));
        assert!(found.cases >= 10 && found.fuel.total().runs > 20, "{version}: {:?}", found.fuel.total());
    }
}

#[test]
fn a_budget_limits_the_use_of_a_component() {
    for version in versions() {
        let business = tempfile::tempdir().expect("a folder");
        let of_released = folder(&version).join("podcasts");
        fs::copy(of_released.join("catalog.yml"), business.path().join("catalog.yml")).expect("copied");
        let file = business.path().join("plan.yml");
        let played = |budget: &str, bless: bool| {
            let text = fs::read_to_string(of_released.join("scenarios/plan.yml")).expect("a scenario");
            fs::write(&file, text.replace("\nevents:", &format!("\nbudget: {budget}\nevents:"))).expect("written");
            let options = ReplayOptions { bless, ..ReplayOptions::new(released(&version)) };
            replay(std::slice::from_ref(&file), &mut io::empty(), &options, &mut Silent).expect("a played scenario")
        };
        assert!(played("{fuel: 100_000_000, memory: 64MiB, host_calls: 1_000}", false).held());
        let small = played("{fuel: 1_000, memory: 64KiB, host_calls: 0}", false);
        let titles: Vec<&str> = small.cases[0].failures.iter().map(|failure| failure.title.as_str()).collect();
        for resource in ["fuel", "memory", "host_calls"] {
            let of = format!("evt_1.budget.{resource}: used ");
            assert!(titles.iter().any(|title| title.starts_with(&of)), "{resource}: {titles:?}");
        }
        let raised = played("{fuel: 1_000, memory: 64KiB, host_calls: 0}", true).raised;
        assert_eq!(raised.len(), 3, "{raised:?}");
        let text = fs::read_to_string(&file).expect("the scenario");
        let options = ReplayOptions::new(released(&version));
        let again = replay(std::slice::from_ref(&file), &mut io::empty(), &options, &mut Silent).expect("played");
        assert!(again.held(), "the raised budget holds: {text}");
    }
}
