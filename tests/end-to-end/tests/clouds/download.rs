//! A customer fetches a file: a token is shown once, redeemed once, and gives an address at which S3 has the file.

use crate::server::{Server, ServerOptions, ServerSetup};
use counterparts::Moto;
use end_to_end::world::saas_plugins;
use extension_contract::{Account, Actor, ActorKind};
use host_api::FrontLimits;
use host_business::Setup;
use host_engine::clock::Clock;
use host_identity::access::{Keys, NewKey, Reach};
use host_provider_api::ProviderName;
use host_provider_api::scripted::Scripted;
use host_providers::{Options, Settings, open};
use host_store::{MemoryStore, Partition};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::Agent;

/// The file of the product `prod_sample_manual`, and what is in it.
const FILE: &str = "sample-files/manuals/sample%20manual.pdf";
const CONTENT: &str = "%PDF of the sample";
/// Time for which the address is valid, as the catalog has it.
const TTL: Duration = Duration::from_secs(900);

struct Shop {
    server: Server,
    client: Agent,
    ada: String,
}

impl Shop {
    /// Starts the shop with the provider `aws`, whose S3 is moto.
    fn start(moto: &Moto) -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("aws"), "test").expect("a secret");
        let text = format!(
            "secrets_folder: {}\naws: {{region: us-east-1, endpoint: '{}', access_key_id: test, secret_access_key: secret:file/aws, \
             shared_buckets: [sample-files]}}\n",
            folder.path().display(),
            moto.url()
        );
        let file = folder.path().join("providers.yml");
        std::fs::write(&file, text).expect("the settings");
        let settings = Settings::read(&file).expect("settings");
        let opened =
            open(&Options { names: vec![ProviderName::Aws], settings, ..Options::default() }).expect("the provider");
        let business = saas_plugins();
        let setup = ServerSetup {
            business: business.clone(),
            setup: Setup::new(business.clone(), false, &[], None),
            livemode: false,
            scripted: Scripted::new(),
        };
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let own = Account::User("ada".to_owned());
        let actor = Actor { kind: ActorKind::User, subject: "ada".to_owned(), roles: Vec::new() };
        let partition = Partition { business: business.name.clone(), livemode: false };
        let key = NewKey { name: String::new(), partition, actor, reach: Reach::Accounts(vec![own]) };
        let ada = keys.make(&key, 1).expect("a key").expose();
        let defaults = ServerOptions::default();
        let options = ServerOptions {
            front: FrontLimits { reply: Duration::from_secs(20), ..defaults.front },
            authenticator: Some(keys),
            vault: Some(opened.vault.clone()),
            providers: opened.registry.clone(),
            ..defaults
        };
        let server = Server::start_with(&setup, Box::new(MemoryStore::new()), Clock::manual(now_ms()), options);
        let client = Agent::config_builder().http_status_as_error(false).build().into();
        Shop { server, client, ada }
    }

    /// Ada pays for the manual: Stripe tells of her subscription.
    fn pays(&self) {
        let now_s = self.server.now() / 1_000;
        let item = json!({
            "id": "si_1", "object": "subscription_item", "quantity": 1, "price": {"id": "price_manual_m", "object": "price"},
            "current_period_start": now_s, "current_period_end": now_s + 31 * 86_400,
        });
        let object = json!({
            "id": "sub_1", "object": "subscription", "customer": "cus_ada", "status": "active", "metadata": {"user_id": "ada"},
            "items": {"object": "list", "has_more": false, "data": [item]},
        });
        let event = json!({
            "id": "evt_1", "object": "event", "type": "customer.subscription.created", "created": now_s, "livemode": false,
            "api_version": "2025-03-31.basil", "data": {"object": object},
        });
        let (status, answer) = self.server.stripe(event.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
        self.server.settle();
    }

    /// Asks for a token for the manual.
    fn ask(&self, idempotency_key: &str) -> (u16, Value) {
        let authorization = format!("Bearer {}", self.ada);
        let headers = [("authorization", authorization.as_str()), ("idempotency-key", idempotency_key)];
        let body = json!({"product_id": "prod_sample_manual"}).to_string();
        let (status, answer) = self.server.send("/api/files/token", &headers, body.as_bytes());
        (status, serde_json::from_str(&answer).expect("JSON"))
    }

    /// Redeems a token.
    fn redeem(&self, token: &str) -> (u16, Value) {
        let url = format!("http://{}/api/files/get/prod_sample_manual", self.server.address());
        let mut answer =
            self.client.get(url).header("authorization", format!("Bearer {token}")).call().expect("an answer");
        let body = answer.body_mut().read_to_string().expect("a text");
        (answer.status().as_u16(), serde_json::from_str(&body).expect("JSON"))
    }

    /// Sends a request without credentials.
    fn get(&self, url: &str) -> (u16, String) {
        let mut answer = self.client.get(url).call().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("a text"))
    }
}

/// Returns the machine's time: S3 compares the time of an address with its own.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_millis() as i64
}

/// Puts the file into the bucket of the platform.
fn put(moto: &Moto, client: &Agent) {
    for (path, body) in [("sample-files", ""), (FILE, CONTENT)] {
        let put = client.put(format!("{}/{path}", moto.url())).send(body).expect("an answer");
        assert_eq!(put.status().as_u16(), 200, "{path}");
    }
}

#[test]
fn a_token_is_shown_once_and_redeemed_once_for_an_address_that_has_the_file() {
    let moto = Moto::start();
    let shop = Shop::start(&moto);
    put(&moto, &shop.client);
    assert_eq!(shop.ask("early").0, 403, "Ada has not paid");
    shop.pays();

    let (status, issued) = shop.ask("k-1");
    assert_eq!((status, &issued["key"]), (200, &json!("manuals/sample manual.pdf")), "{issued}");
    let token = issued["token"].as_str().expect("a token");
    let (status, again) = shop.ask("k-1");
    assert_eq!((status, &again["code"]), (409, &json!("already_shown")), "it is shown once");

    let (status, granted) = shop.redeem(token);
    assert_eq!(status, 200, "{granted}");
    let url = granted["url"].as_str().expect("an address");
    assert!(url.starts_with(&moto.url()) && url.contains(&format!("X-Amz-Expires={}", TTL.as_secs())), "{url}");
    assert_eq!(shop.get(url), (200, CONTENT.to_owned()));

    let (status, again) = shop.redeem(token);
    assert_eq!((status, &again["code"]), (401, &json!("token_redeemed")), "it is redeemed once");
    let (status, other) = shop.redeem(&format!("{}.{}", token.split_once('.').expect("an id").0, "0".repeat(64)));
    assert_eq!((status, &other["code"]), (401, &json!("unauthorized")), "another secret");
    let next = shop.ask("k-2").1["token"].as_str().expect("a token").to_owned();
    assert_eq!(shop.redeem(&next).0, 200, "another token");
    shop.server.stop();
}
