//! Each command to a database, and to whatever else keeps an orchestra's data, is for one orchestra of one account: its key, its
//! order and all that it says name that one and no other (requirements 4.3).

use end_to_end::world::{fixtures, orchestra, root};
use extension_contract::Account;
use host_replay::play::{CaseReport, PlayOptions, play};
use host_replay::rig::StoreKind;
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_store::{EffectRow, Partition, SqliteStore, Store};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What data effects are of, by the first part of their kind; all others tell somebody something.
const OF_DATA: [&str; 2] = ["database.", "orchestra_config."];

/// An orchestra: whose it is, and the names that it goes by.
struct Tenant {
    account: String,
    names: BTreeSet<String>,
}

/// The orchestras at the end of a case, by id.
fn tenants(report: &CaseReport) -> BTreeMap<String, Tenant> {
    let mut found = BTreeMap::new();
    for (account, sections) in report.snapshot.as_object().expect("accounts") {
        for (id, row) in sections["products"].as_object().into_iter().flatten() {
            let metadata = &row["metadata"];
            let resources = metadata["resources"].as_object().into_iter().flatten().map(|(_, value)| value);
            let names = resources.chain([&metadata["subdomain"]]).filter_map(Value::as_str).map(str::to_owned);
            let names = names.chain([id.clone()]).collect();
            let other = found.insert(id.clone(), Tenant { account: account.clone(), names });
            assert!(other.is_none(), "{id} is of two accounts in {}", report.file.display());
        }
    }
    found
}

/// The texts within a value.
fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
        Value::Object(map) => map.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// Whether a text has a name as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric());
    text.match_indices(name)
        .any(|(at, _)| is_edge(text[..at].chars().next_back()) && is_edge(text[at + name.len()..].chars().next()))
}

/// The orchestra that an effect is for; fails unless it is exactly one, of the account that asked.
fn only_tenant<'t>(row: &EffectRow, tenants: &'t BTreeMap<String, Tenant>, file: &Path) -> &'t str {
    let effect = &row.effect;
    let told = format!("{} `{}` in {}", effect.kind, effect.key, file.display());
    let own = effect.key.split('/').next().unwrap_or_default();
    let (own, tenant) = tenants.get_key_value(own).unwrap_or_else(|| panic!("{told} is for no orchestra"));
    assert_eq!(row.scope.account.to_string(), tenant.account, "who asked: {told}");
    let ordered = effect.ordering_key.as_deref().unwrap_or_default();
    assert_eq!(ordered.split('/').next(), Some(own.as_str()), "order `{ordered}` of {told}");
    let payload: Value = serde_json::from_str(&effect.payload).expect("a payload is JSON");
    let mut said = vec![effect.key.as_str(), ordered];
    texts(&payload, &mut said);
    for (_, other) in tenants.iter().filter(|(id, _)| *id != own) {
        for name in other.names.difference(&tenant.names) {
            let by = said.iter().find(|text| names(text, name));
            assert_eq!(by, None, "{told} names `{name}` of another orchestra");
        }
    }
    for member in ["orchestra", "subdomain"] {
        if let Some(name) = payload[member].as_str() {
            assert!(tenant.names.contains(name), "`{member}` of {told} is `{name}`");
        }
    }
    own
}

/// The scenarios of the business.
fn scenarios() -> Vec<PathBuf> {
    let folder = root().join("fixtures/orchestra/scenarios/requirements");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("scenarios").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

// covers: ORC-48
#[test]
fn every_data_command_is_for_exactly_one_orchestra() {
    let partition = Partition { business: orchestra().name.clone(), livemode: false };
    let (mut kinds, mut crowded, mut commands) = (BTreeMap::<String, usize>::new(), 0, 0);
    for file in scenarios() {
        let scenario = Scenario::read(&file).expect("a scenario");
        for case in prepare(&scenario, &fixtures().shapes).expect("its events") {
            let folder = tempfile::tempdir().expect("a folder");
            let store = StoreKind::Sqlite(folder.path().join("rows.db"));
            let options = PlayOptions { store, ..PlayOptions::new(host_native::runners()) };
            let report = play(&scenario, &case, orchestra(), &options).expect("it plays");
            assert!(report.held(), "{}: {:?}", file.display(), report.failures);
            let store = SqliteStore::open(folder.path().join("rows.db")).expect("the rows are there");
            let (tenants, mut served) = (tenants(&report), BTreeSet::new());
            for asked in &report.effects {
                let (account, key) = asked.split_once(' ').expect("account and key");
                let account: Account = account.parse().expect("an account");
                for row in store.effect(&partition.scope(account), key).expect("a row") {
                    if OF_DATA.iter().any(|of| row.effect.kind.starts_with(of)) {
                        served.insert(only_tenant(&row, &tenants, &file).to_owned());
                        *kinds.entry(row.effect.kind).or_default() += 1;
                        commands += 1;
                    }
                }
            }
            crowded += usize::from(served.len() > 1);
        }
    }
    // It would hold of nothing as well: all verbs are there, and hosts that serve several orchestras at once.
    let verbs: Vec<&str> = kinds.keys().map(String::as_str).collect();
    let all = [
        "database.backup",
        "database.change",
        "database.destroy",
        "database.ensure",
        "database.migrate",
        "database.observe",
        "database.restore",
        "database.seed",
        "orchestra_config.store",
    ];
    assert_eq!(verbs, all);
    assert!(commands > 200 && crowded >= 4, "{commands} commands, {crowded} hosts with several orchestras");
}
