//! Compares contracts and checks the reported changes, versions and advice.

use host_explore::wit_check::{Contract, Fit, advice, fit};
use std::path::{Path, PathBuf};

const OLD: &str = "package a:b@0.2.0;
interface types {
    record money { amount: s64, currency: string }
    variant outcome { applied, refused(string) }
    enum unit { day, week }
}
interface store {
    use types.{money};
    load: func(id: string) -> option<money>;
    more: func() -> list<money>;
}
interface events {
    use types.{outcome, unit};
    handle: func(unit: unit) -> outcome;
}
world extension { import store; export events; }
";

fn contract(text: &str) -> Contract {
    Contract::of_text("x.wit", text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Compares [`OLD`] with [`OLD`] after replacing `from` with `to`.
fn with(from: &str, to: &str) -> Fit {
    assert!(OLD.contains(from), "{from}");
    fit(&contract(OLD), &contract(&OLD.replace(from, to)))
}

fn change_lines(fit: &Fit) -> Vec<String> {
    fit.changes.iter().map(|change| format!("{}: {}", change.place, change.what)).collect()
}

fn needs(fit: &Fit) -> String {
    fit.needs().expect("a version").to_string()
}

#[test]
fn an_equal_contract_fits_and_needs_no_new_version() {
    let same = with("money", "money");
    assert_eq!((change_lines(&same), same.fits(), needs(&same).as_str()), (Vec::new(), true, "0.2.0"));
    assert_eq!(same.objection, None);
}

#[test]
fn a_pre_release_may_change_until_it_is_released() {
    let old = OLD.replace("@0.2.0;", "@0.2.0-dev;");
    let changed = |version: &str| {
        let new = old.replace("    more: func() -> list<money>;\n", "").replace("0.2.0-dev", version);
        fit(&contract(&old), &contract(&new))
    };
    let same = changed("0.2.0-dev");
    assert_eq!((same.fits(), needs(&same).as_str(), same.is_version_right()), (false, "0.2.0-dev", true));
    assert!(changed("0.2.0").is_version_right() && !changed("0.1.0").is_version_right());
}

#[test]
fn removing_an_import_breaks_and_adding_one_does_not() {
    let removed = with("    more: func() -> list<money>;\n", "");
    assert_eq!(change_lines(&removed), ["a:b/store.more: the function was removed"]);
    assert!(removed.changes[0].breaks && removed.objection.is_none());
    assert_eq!((removed.fits(), needs(&removed).as_str(), removed.is_version_right()), (false, "0.3.0", false));
    let added = with("    more: func", "    all: func() -> u32;\n    more: func");
    assert_eq!(change_lines(&added), ["a:b/store.all: the function was added"]);
    assert_eq!((added.fits(), needs(&added).as_str()), (true, "0.2.1"));
}

#[test]
fn adding_an_export_breaks_and_removing_one_does_not() {
    let added = with("    handle: func", "    also: func() -> u32;\n    handle: func");
    assert_eq!(change_lines(&added), ["a:b/events.also: the function was added"]);
    assert!(!added.fits());
    let two = OLD.replace("    handle: func", "    also: func() -> u32;\n    handle: func");
    let removed = fit(&contract(&two), &contract(OLD));
    assert_eq!(change_lines(&removed), ["a:b/events.also: the function was removed"]);
    assert!(removed.fits());
}

#[test]
fn changing_a_field_or_case_breaks() {
    for (from, to, what) in [
        ("amount: s64", "amount: u64", "field `amount` was of type `s64`, is of `u64`"),
        ("refused(string)", "refused", "case `refused` was of type `string`, is of `nothing`"),
        ("{ day, week }", "{ day, weeks }", "case `week` was renamed to `weeks`"),
        ("{ day, week }", "{ day, week, year }", "case `year` was added"),
        ("{ day, week }", "{ day }", "case `week` was removed"),
        ("{ day, week }", "{ week, day }", "the order of the cases changed: week, day"),
        ("amount: s64, currency: string", "amount: s64", "field `currency` was removed"),
    ] {
        let changed = with(from, to);
        let all = change_lines(&changed);
        assert!(all.iter().any(|line| line.ends_with(what)), "{what}: {all:?}");
        assert!(!changed.fits(), "{what}");
        assert_eq!(needs(&changed), "0.3.0");
    }
}

#[test]
fn changing_a_signature_breaks() {
    let changed = with("load: func(id: string)", "load: func(id: string, live: bool)");
    let what = "the function was `(id: string) -> option<money>`, is `(id: string, live: bool) -> option<money>`";
    assert_eq!(change_lines(&changed), [format!("a:b/store.load: {what}")]);
    assert!(!changed.fits());
}

#[test]
fn a_breaking_change_needs_a_higher_version() {
    let raised = OLD.replace("0.2.0", "0.3.0").replace("amount: s64", "amount: u64");
    let right = fit(&contract(OLD), &contract(&raised));
    assert!(!right.fits() && right.is_version_right());
    assert!(!with("amount: s64", "amount: u64").is_version_right());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn read(path: &str) -> Contract {
    Contract::read(&root().join(path)).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_component_fits_the_contract_that_it_is_built_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, component) =
        (folder.path().join("guest.wasm"), component_builder::build("hostile-guest").expect("a component"));
    std::fs::write(&file, &component).expect("written");
    let host = read("wit");
    for old in [read("wit"), read("wit/products.wit"), Contract::read(&file).unwrap_or_else(|e| panic!("{e}"))] {
        let fit = fit(&old, &host);
        let broken: Vec<_> = fit.changes.iter().filter(|change| change.breaks).collect();
        assert!(fit.fits(), "{broken:?} {:?}", fit.objection);
        assert_eq!(fit.old.map(|version| version.to_string()).as_deref(), Some("0.2.0-dev"));
    }
    assert_eq!(advice(&component), Ok(Vec::new()));
}

#[test]
fn an_unreadable_contract_is_reported_with_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.wit");
    std::fs::write(&file, "package a:b; interface {").expect("written");
    let message = Contract::read(&file).err().expect("no contract").to_string();
    assert!(message.contains("x.wit") && message.contains("expected a .wit file"), "{message}");
    let message = Contract::read(&folder.path().join("none.wit")).err().expect("no file").to_string();
    assert!(message.contains("none.wit"), "{message}");
}

/// Returns the advice for a component in the WebAssembly text format.
fn advice_for(component: &str) -> Vec<(String, String)> {
    let bytes = wat::parse_str(component).expect("a component");
    advice(&bytes).expect("a component").into_iter().map(|advice| (advice.problem, advice.remedy)).collect()
}

#[test]
fn each_problem_of_a_component_has_a_remedy() {
    let system = advice_for(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#);
    let (problem, remedy) = &system[0];
    assert_eq!(problem, "it imports `wasi:cli/environment`, which this host does not provide");
    assert!(remedy.contains("wasm32-unknown-unknown"), "{remedy}");
    let exports: Vec<&String> = system.iter().map(|(problem, _)| problem).filter(|it| it.contains("export")).collect();
    assert_eq!(exports.len(), 4, "{exports:?}");
    let older = advice_for(r#"(component (import "solobase:products/log@0.1.0" (instance)))"#);
    let version = "it uses version 0.1.0 of the contract, this host uses version 0.2.0-dev";
    assert!(older.iter().any(|(problem, _)| problem == version), "{older:?}");
}
