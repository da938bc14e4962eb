//! Makes components with changed decisions, and compares them.

use extension_contract::{Decision, Event, RowKey, Write};
use host_explore::compare::allow::Allowed;
use host_explore::compare::causes::Cause;
use host_explore::compare::{Comparison, Options, log, paths};
use host_replay::library::{Library, Sources};
use host_replay::play::{PlayOptions, play};
use host_replay::rig::{StoreKind, open};
use host_replay::runners::Runners;
use host_scenario::business::{BusinessFolder, Fixtures};
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_store::Store;
use host_wasm_runner::around::Around;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use test_support::{fixtures, in_business};

/// Path of a scenario of the business `full-podcasts`.
pub fn podcasts(name: &str) -> PathBuf {
    in_business("full-podcasts/scenarios").join(name)
}

/// Our extension with its decisions changed by `change`.
pub fn changed(change: impl Fn(&Event, &mut Decision) + Send + Sync + 'static) -> Runners {
    changed_of(host_replay::native::runners(), change)
}

/// An extension with its decisions changed by `change`.
pub fn changed_of(runners: Runners, change: impl Fn(&Event, &mut Decision) + Send + Sync + 'static) -> Runners {
    let change = Arc::new(change);
    Runners::new("changed", move || {
        let change = change.clone();
        Ok(Box::new(Around::new(runners.make()?, move |inner, imports, event| {
            let (mut decision, used) = inner.handle(imports, event)?;
            change(event, &mut decision);
            Ok((decision, used))
        })))
    })
}

/// Our extension, which reports `fuel` for each event.
pub fn with_fuel(name: &str, fuel: u64) -> Runners {
    Runners::new(name, move || {
        Ok(Box::new(Around::new(host_replay::native::runners().make()?, move |inner, imports, event| {
            let (decision, used) = inner.handle(imports, event)?;
            Ok((decision, host_wasm_runner::runner::Used { fuel, ..used }))
        })))
    })
}

/// Rewrites the records of a collection that a decision writes.
pub fn rewrite(decision: &mut Decision, collection: &str, change: impl Fn(&mut Value)) {
    for row in &mut decision.changes {
        if let (RowKey::Record(key), Write::Record(text)) = (&row.key, &mut row.write)
            && key.collection == collection
        {
            let mut value: Value = serde_json::from_str(text).expect("a record is JSON");
            change(&mut value);
            *text = value.to_string();
        }
    }
}

pub fn sources() -> Sources {
    Sources { business: None, fixtures: Some(fixtures()) }
}

pub fn options(new: Runners, allow: &[&str]) -> Options {
    let allow = allow.iter().map(|text| text.parse::<Allowed>().expect(text)).collect();
    Options { allow, ..Options::new(host_replay::native::runners(), new) }
}

pub fn by_paths(paths: &[PathBuf], options: &Options) -> Comparison {
    let mut library = Library::new(sources(), options.old.clone(), paths).expect("the fixtures");
    paths::compare(&mut library, paths, options, &mut |_| {}).expect("a comparison")
}

/// The log that a host writes to `folder` for a story of a business.
pub fn log_of(story: &str, business: &Path, runners: Runners, folder: &Path) -> Box<dyn Store> {
    let scenario = Scenario::parse(&business.join("x.yml"), story).expect("a scenario");
    let shapes = Fixtures::load(&fixtures()).expect("fixtures").shapes;
    let cases = prepare(&scenario, &shapes).expect("cases");
    let business = BusinessFolder::load(business).expect("the business");
    let store = StoreKind::Sqlite(folder.join("log.db"));
    let play_options = PlayOptions { store: store.clone(), ..PlayOptions::new(runners) };
    let report = play(&scenario, &cases[0], &business, &play_options).expect("played");
    assert!(report.held(), "{:?}", report.failures);
    open(&store).expect("the store")
}

/// Compares two components on the log in `store`; `sources` has the business of the log.
pub fn by_log(store: &dyn Store, sources: Sources, options: &Options) -> Comparison {
    let mut library = Library::new(sources, options.old.clone(), &[]).expect("the fixtures");
    log::compare(&mut library, store, options, &mut |_| {}).expect("a comparison")
}

/// Each cause as `field of kind: form`.
pub fn cause_lines(comparison: &Comparison) -> Vec<String> {
    let text = |cause: &Cause| format!("{} of {}: {}", cause.key.field, cause.key.kind, cause.key.form);
    comparison.causes.iter().map(text).collect()
}
