//! Tests of the component of the instance provisioner: its size, its imports, calls of its exports, and the cache.

#![allow(clippy::unwrap_used)]

use extension_contract::{
    Account, Actor, CatalogKey, CatalogQuery, CatalogRow, ClaimState, ConfigDecl, ConfigType, ConfigValue, Event, Here,
    Imported, Imports, LogLevel, Opened, Page, Payload, Placement, Product, RowKey, Selection, StoredRow,
};
use host_wasm_runner::cache::{ComponentCache, Origin};
use host_wasm_runner::inspect::{self, InspectError};
use host_wasm_runner::runner::{RunError, Runner, SharedImports};
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use std::fs;
use std::sync::{Arc, LazyLock, Mutex};

static COMPONENT: LazyLock<Vec<u8>> =
    LazyLock::new(|| component_builder::build(component_builder::PROVISIONER).unwrap());

/// Loads the component. The first caller compiles it; later callers load the machine code from the cache of `provisioner`.
fn load(limits: CallLimits) -> LoadedComponent {
    LoadedComponent::load_quickly(&COMPONENT, limits, ComponentCache::of_user().as_ref()).unwrap()
}

#[test]
fn the_component_imports_only_its_world() {
    let inspection = inspect::inspect(&COMPONENT, ComponentCache::of_user().as_ref()).unwrap();
    let foreign: Vec<_> =
        inspection.imports.iter().filter(|import| !import.starts_with("solobase:products/")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(!inspection.imports.is_empty());
    let exports =
        ["manifest", "schemas", "events", "queries"].map(|name| format!("solobase:products/{name}@0.2.0-dev"));
    assert_eq!(inspection.exports, exports);
    assert_eq!(inspection.wit_version, ["0.2.0-dev"]);
    assert_eq!(inspection.loadable.map(|declarations| declarations.name), Ok("instance-provisioner".to_owned()));
}

/// Returns the text of a JSON object that contains `depth` nested arrays.
fn nested(depth: usize) -> String {
    format!("{{\"name\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
}

/// Imports of an account without rows in a business without a catalog, with a value for each setting.
struct Nothing(Vec<ConfigDecl>);

impl Nothing {
    fn value(&self, key: &str) -> Option<CatalogRow> {
        let decl = self.0.iter().find(|decl| decl.key == key)?;
        Some(CatalogRow::Setting(match decl.value_type {
            ConfigType::Text => ConfigValue::Text("x".to_owned()),
            ConfigType::Integer => ConfigValue::Integer(1),
            ConfigType::Boolean => ConfigValue::Boolean(false),
            ConfigType::Secret => ConfigValue::Secret(format!("secret:config/{key}")),
        }))
    }
}

impl Imports for Nothing {
    fn open(&mut self, _: &Placement, facts: &[String]) -> Imported<Opened> {
        let facts = vec![false; facts.len()];
        let account = Account::User("u1".to_owned());
        Ok(Opened::Here(Box::new(Here { account, rows: Vec::new(), catalog: Vec::new(), facts })))
    }
    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        Ok(vec![None; keys.len()])
    }
    fn more(&mut self, _: &Selection, _: u32) -> Imported<Vec<StoredRow>> {
        Ok(Vec::new())
    }
    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>> {
        Ok(vec![false; facts.len()])
    }
    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>> {
        Ok(vec![false; effects.len()])
    }
    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        Ok(vec![ClaimState::Free; keys.len()])
    }
    fn claims_mine(&mut self, _: &str) -> Imported<Vec<String>> {
        Ok(Vec::new())
    }
    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        let read = |key: &CatalogKey| match key {
            CatalogKey::Setting(key) => self.value(key),
            CatalogKey::Product(_) | CatalogKey::Price(_) => None,
        };
        Ok(keys.iter().map(read).collect())
    }
    fn catalog_find(&mut self, _: &CatalogQuery, _: &Page) -> Imported<Vec<Product>> {
        Ok(Vec::new())
    }
    fn log_write(&mut self, _: LogLevel, _: &str, _: &[(String, String)]) {}
}

fn nothing(loaded: &LoadedComponent) -> SharedImports {
    Arc::new(Mutex::new(Nothing(loaded.declarations().config.clone())))
}

fn event(id: &str, payload: Payload) -> Event {
    Event {
        id: id.to_owned(),
        source: "api".to_owned(),
        kind: "product.create".to_owned(),
        business: "acme".to_owned(),
        account: Some(Account::User("u1".to_owned())),
        livemode: Some(false),
        received_at: 1_700_000_000_000,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        payment: None,
        payload,
    }
}

#[test]
fn the_stack_is_deep_enough_for_the_deepest_json() {
    let loaded = load(CallLimits::default());
    let mut runner = loaded.runner(Mode::Reused);
    // The reader accepts at most 128 levels. Deeper JSON must also lead to a decision, not to a trap.
    for depth in [1, 100, 126, 127, 128, 10_000] {
        for payload in [Payload::Command(nested(depth)), Payload::Payment(nested(depth).into_bytes())] {
            let answer = runner.handle(&nothing(&loaded), &event(&format!("evt-{depth}"), payload));
            assert!(answer.is_ok(), "{depth} levels: {answer:?}");
        }
    }
}

#[test]
fn fresh_and_reused_instances_use_the_same_fuel_and_release_the_imports() {
    let loaded = load(CallLimits::default());
    let imports = nothing(&loaded);
    let used = |mode| {
        let mut runner = loaded.runner(mode);
        [(); 3].map(|()| {
            let (_, used) = runner.handle(&imports, &event("evt-1", Payload::Command(nested(3)))).unwrap();
            assert_eq!(Arc::strong_count(&imports), 1);
            assert!(runner.host_calls() > 0);
            used.fuel
        })
    };
    let (fresh, reused) = (used(Mode::Fresh), used(Mode::Reused));
    assert_eq!((fresh, reused), ([fresh[0]; 3], [fresh[0]; 3]));
}

#[test]
fn a_stopped_call_releases_the_imports() {
    let limits = CallLimits { host_calls: 0, ..CallLimits::default() };
    let stopped = load(limits);
    let imports = nothing(&stopped);
    let event = event("evt-1", Payload::Command(nested(3)));
    let mut runner = stopped.runner(Mode::Reused);
    for _ in 0..2 {
        assert_eq!(runner.handle(&imports, &event).unwrap_err(), RunError::TooManyHostCalls { limit: 0 });
        assert_eq!(Arc::strong_count(&imports), 1);
    }
}

/// A small component, for the test of the cache: its compilation takes little time.
static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| component_builder::build("hostile-guest").unwrap());

fn load_small(cache: &ComponentCache) -> LoadedComponent {
    LoadedComponent::load(&SMALL, CallLimits::default(), Some(cache)).unwrap()
}

#[test]
fn a_compiled_component_is_loaded_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cache = ComponentCache::open(&folder.path().join("cache")).unwrap();
    let compiled = load_small(&cache);
    assert_eq!(*compiled.origin(), Origin::Stored);
    let found = load_small(&cache);
    assert_eq!(*found.origin(), Origin::Cached);
    assert_eq!(found.hash(), compiled.hash());
    assert_eq!(found.declarations(), compiled.declarations());
    assert_eq!(found.runner(Mode::Fresh).mode(), Mode::Fresh);
}

#[test]
fn unreadable_files_and_unloadable_components_are_distinguished() {
    let folder = tempfile::tempdir().unwrap();
    let missing = inspect::inspect_file(&folder.path().join("missing.wasm"), None).unwrap_err();
    assert!(matches!(missing, InspectError::Unreadable { .. }), "{missing}");
    let text = folder.path().join("text.wasm");
    fs::write(&text, b"not wasm").unwrap();
    let malformed = inspect::inspect_file(&text, None).unwrap_err();
    assert!(matches!(malformed, InspectError::Malformed(_)), "{malformed}");
    let empty = folder.path().join("empty.wasm");
    fs::write(&empty, wat::parse_str("(component)").unwrap()).unwrap();
    assert!(inspect::inspect_file(&empty, None).unwrap().loadable.is_err());
}
