//! A customer fetches a file: a token is shown once, redeemed once, and gives an address at which S3 has the file.

use crate::raw::Answer;
use crate::server::{NOTHING, TestServer};
use counterparts::Moto;
use host_engine::clock::Clock;
use host_provider_api::ProviderName;
use host_providers::{Options, Settings, open};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::Agent;

/// The file of the product `prod_sample_manual`, and what is in it.
const FILE: &str = "sample-files/manuals/sample%20manual.pdf";
const CONTENT: &str = "%PDF of the sample";
/// Time for which the address is valid, as the catalog has it.
const TTL: Duration = Duration::from_secs(900);

struct Shop {
    server: TestServer,
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
        let server = TestServer::of("saas-plugins").vault(&opened.vault).with(|it| {
            it.limits.reply = Duration::from_secs(20);
            it.providers = opened.registry.clone();
            it.clock = Clock::manual(now_ms());
        });
        let server = server.start();
        let ada = server.user("ada");
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
        let answer = self.server.deliver(event.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        self.server.settle();
    }

    /// Asks for a token for the manual.
    fn ask(&self, idempotency_key: &str) -> (u16, Value) {
        let headers = [("idempotency-key", idempotency_key)];
        let body = json!({"product_id": "prod_sample_manual"});
        let Answer { status, json, .. } = self.server.send_with("POST /api/files/token", &self.ada, &headers, &body);
        (status, json)
    }

    /// Redeems a token.
    fn redeem(&self, token: &str) -> (u16, Value) {
        let Answer { status, json, .. } = self.server.send("GET /api/files/get/prod_sample_manual", token, &NOTHING);
        (status, json)
    }

    /// Sends a request without credentials.
    fn visit(&self, url: &str) -> (u16, String) {
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
    assert_eq!(shop.visit(url), (200, CONTENT.to_owned()));

    let (status, again) = shop.redeem(token);
    assert_eq!((status, &again["code"]), (401, &json!("token_redeemed")), "it is redeemed once");
    let (status, other) = shop.redeem(&format!("{}.{}", token.split_once('.').expect("an id").0, "0".repeat(64)));
    assert_eq!((status, &other["code"]), (401, &json!("unauthorized")), "another secret");
    let next = shop.ask("k-2").1["token"].as_str().expect("a token").to_owned();
    assert_eq!(shop.redeem(&next).0, 200, "another token");
    shop.server.stop();
}
