//! Tests that each effect on data concerns exactly one orchestra: its key, ordering key and payload name no other
//! orchestra (ORC-48).

use end_to_end::world::{fixtures, orchestra, root};
use extension_contract::Account;
use host_replay::play::{CaseReport, PlayOptions, play};
use host_replay::rig::StoreKind;
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_store::{EffectRow, Partition, Read, SqliteStore};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Prefixes of the kinds of effects on data; all other effects are notices.
const OF_DATA: [&str; 2] = ["database.", "orchestra_config."];

/// An orchestra: its account and its names.
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
            assert!(other.is_none(), "{id} belongs to two accounts in {}", report.file.display());
        }
    }
    found
}

/// Adds all strings within a JSON value to `found`.
fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
        Value::Object(map) => map.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// True if a text contains a name as a whole word.
fn names(text: &str, name: &str) -> bool {
    let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric());
    text.match_indices(name)
        .any(|(at, _)| is_edge(text[..at].chars().next_back()) && is_edge(text[at + name.len()..].chars().next()))
}

/// Returns the id of the orchestra that an effect concerns. Panics if there is none, if it does not belong to the
/// requesting account, or if the effect also names another orchestra.
fn only_tenant<'t>(row: &EffectRow, tenants: &'t BTreeMap<String, Tenant>, file: &Path) -> &'t str {
    let effect = &row.effect;
    let effect_name = format!("{} `{}` in {}", effect.kind, effect.key, file.display());
    let own = effect.key.split('/').next().unwrap_or_default();
    let (own, tenant) = tenants.get_key_value(own).unwrap_or_else(|| panic!("{effect_name} concerns no orchestra"));
    assert_eq!(row.scope.account.to_string(), tenant.account, "account of {effect_name}");
    let ordered = effect.ordering_key.as_deref().unwrap_or_default();
    assert_eq!(ordered.split('/').next(), Some(own.as_str()), "ordering key `{ordered}` of {effect_name}");
    let payload: Value = serde_json::from_str(&effect.payload).expect("a payload is JSON");
    let mut parts = vec![effect.key.as_str(), ordered];
    texts(&payload, &mut parts);
    for (_, other) in tenants.iter().filter(|(id, _)| *id != own) {
        for name in other.names.difference(&tenant.names) {
            let by = parts.iter().find(|text| names(text, name));
            assert_eq!(by, None, "{effect_name} names `{name}` of another orchestra");
        }
    }
    for member in ["orchestra", "subdomain"] {
        if let Some(name) = payload[member].as_str() {
            assert!(tenant.names.contains(name), "`{member}` of {effect_name} is `{name}`");
        }
    }
    own
}

/// The scenarios of the business.
fn scenarios() -> Vec<PathBuf> {
    let folder = root().join("fixtures/businesses/orchestra/scenarios/requirements");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("scenarios").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

// covers: ORC-48
#[test]
fn every_data_command_concerns_exactly_one_orchestra() {
    let partition = Partition { business: orchestra().name.clone(), livemode: false };
    let (mut kinds, mut crowded, mut commands) = (BTreeMap::<String, usize>::new(), 0, 0);
    for file in scenarios() {
        let scenario = Scenario::read(&file).expect("a scenario");
        for case in prepare(&scenario, &fixtures().shapes).expect("its events") {
            let folder = tempfile::tempdir().expect("a folder");
            let store = StoreKind::Sqlite(folder.path().join("rows.db"));
            let options = PlayOptions { store, ..PlayOptions::new(host_replay::native::runners()) };
            let report = play(&scenario, &case, orchestra(), &options).expect("a played case");
            assert!(report.held(), "{}: {:?}", file.display(), report.failures);
            let store = SqliteStore::open(folder.path().join("rows.db")).expect("the rows");
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
    // The test is not vacuous: all kinds occur, and some hosts serve several orchestras.
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
