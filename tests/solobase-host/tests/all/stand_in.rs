//! A stand-in platform with the block and a business, for tests.

use host_block::store::{Batches, Service, ServiceError, SolobaseStore};
use host_block::{BUNDLE, SERVICE_KEY, STRIPE_SECRET, key};
use host_business::Setup;
use host_business::bundle;
use host_business::folder::BusinessFolder;
use host_business::manifest::Manifest;
use host_engine::bundle::Bundle;
use host_store::implementation::json::to_json;
use solobase_host::database::{Database, Period};
use solobase_host::guest::Guest;
use solobase_host::services::Services;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The service key of the tests.
pub const SERVICE: &str = "a service key of the tests, long enough";
/// The webhook secret of the tests.
pub const SECRET: &str = "whsec_of_the_tests_of_the_block";

/// Returns the built block.
pub fn module() -> &'static [u8] {
    static MODULE: OnceLock<Vec<u8>> = OnceLock::new();
    MODULE.get_or_init(|| std::fs::read(component_builder::block().expect("built")).expect("read"))
}

/// Returns a folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    component_builder::workspace_root().join(path)
}

/// Prepares a business as `provisioner bundle` does.
pub fn bundle(folder: &Path, livemode: bool, config: &[(String, String)]) -> Bundle {
    let folder = BusinessFolder::load(folder).expect("a business");
    bundle::of(&Setup::new(folder, livemode, config, None))
}

/// A platform on which the block is prepared.
pub struct StandIn {
    pub services: Arc<Services>,
    pub guest: Arc<Guest>,
}

impl StandIn {
    /// Opens a store over the platform's tables, beside the block.
    pub fn store(&self) -> SolobaseStore {
        let batches = match self.services.database.period() {
            Period::BeforeRewrite => Batches::No,
            Period::SinceRewrite => Batches::Yes,
        };
        host_block::store::open(Arc::new(Beside(self.services.clone())), batches)
    }
}

/// The database service, called without the block.
struct Beside(Arc<Services>);

impl Service for Beside {
    fn call(&self, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let answer = self.0.database.call(kind, request);
        answer.map_err(|error| ServiceError { code: error.code.to_owned(), message: error.message })
    }
}

/// Returns what the extension's manifest says of the state.
pub fn manifest() -> Manifest {
    let file = repository("manifest.yml");
    Manifest::parse(&file, &std::fs::read_to_string(&file).expect("read")).expect("a manifest")
}

/// Returns the configuration of a block with a business.
fn configured(bundle: &Bundle) -> BTreeMap<String, String> {
    BTreeMap::from([
        (key(BUNDLE), to_json(bundle).expect("JSON")),
        (key(STRIPE_SECRET), SECRET.to_owned()),
        (key(SERVICE_KEY), SERVICE.to_owned()),
    ])
}

/// Returns the configuration of a block with the business `solobase`.
pub fn configuration() -> BTreeMap<String, String> {
    configured(&bundle(&repository("fixtures/businesses/solobase"), false, &[]))
}

/// Loads the block with a business on a platform of a period. Its `Init` runs at `now_ms`.
pub fn stand_in_of(bundle: &Bundle, now_ms: i64, period: Period) -> StandIn {
    let config = configured(bundle);
    let database = Database::open(None, period).expect("opened");
    let services = Arc::new(Services::new(database, config, now_ms));
    // wasmi translates the module once for all tests.
    static GUEST: OnceLock<Guest> = OnceLock::new();
    let load = || Guest::of(module(), host_block::NAME, services.clone(), None).expect("loaded");
    let guest = Arc::new(GUEST.get_or_init(load).on(services.clone()));
    let (result, _) = guest.lifecycle("Init").expect("run");
    assert_eq!(result, serde_json::json!({"Ok": null}), "{:?}", services.lines());
    StandIn { services, guest }
}
