//! A stand-in platform with the block and a business, for tests.

use extension_block::{BUNDLE, SERVICE_KEY, STRIPE_SECRET, key};
use host::Setup;
use host::bundle::Bundle;
use host::business::BusinessFolder;
use host_store::implementation::json::to_json;
use solobase_host::database::Database;
use solobase_host::guest::Guest;
use solobase_host::services::Services;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The service key of the tests.
pub const SERVICE: &str = "a service key of the tests, long enough";
/// The webhook secret of the tests.
pub const SECRET: &str = "whsec_of_the_tests";

/// Returns the built block.
pub fn module() -> &'static [u8] {
    static MODULE: OnceLock<Vec<u8>> = OnceLock::new();
    MODULE.get_or_init(|| std::fs::read(component_builder::block().expect("built")).expect("read"))
}

/// Returns a folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    component_builder::workspace_root().join(path)
}

/// Prepares a business as `host-shim bundle` does.
pub fn bundle(folder: &Path, livemode: bool, config: &[(String, String)]) -> Bundle {
    let folder = BusinessFolder::load(folder).expect("a business");
    Bundle::of(&Setup::new(folder, livemode, config, None))
}

/// A platform on which the block is prepared.
pub struct StandIn {
    pub services: Arc<Services>,
    pub guest: Arc<Guest>,
}

/// Loads the block with a business. Its `Init` runs at `now_ms`.
pub fn stand_in(bundle: &Bundle, now_ms: i64, has_batch: bool) -> StandIn {
    let config = BTreeMap::from([
        (key(BUNDLE), to_json(bundle).expect("JSON")),
        (key(STRIPE_SECRET), SECRET.to_owned()),
        (key(SERVICE_KEY), SERVICE.to_owned()),
    ]);
    let database = Database::open(None, has_batch).expect("opened");
    let services = Arc::new(Services::new(database, config, now_ms));
    let name = extension_block::NAME.to_owned();
    let guest = Arc::new(Guest::of(module(), name, services.clone(), None).expect("loaded"));
    let (result, used) = guest.lifecycle("Init").expect("run");
    assert_eq!(result, serde_json::json!({"Ok": null}), "{:?}", services.lines());
    println!("init: {used:?}");
    StandIn { services, guest }
}
