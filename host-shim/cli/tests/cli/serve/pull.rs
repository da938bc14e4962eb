//! A customer pulls an image: `docker-registry` of Debian asks for a token, `skopeo` fetches it from the server with a download
//! token as its password, and pulls. The tests install both programs, or fail with the line that installs them.

use super::clients::is_left_out;
use super::{Running, SECRET, args, environment, now_s};
use crate::run::{run_with, subscription};
use counterparts::{DockerRegistry, TokenAuth, openssl, run, skopeo, succeeds};
use host_intake::testing::sign;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// Time limit of one command.
const LIMIT: Duration = Duration::from_secs(60);
/// Names in the settings of the registry and of the provider.
const SERVICE: &str = "registry.example";
const ISSUER: &str = "shop.example";
/// SHA-256 of the parts of an image: an empty tar archive of 1024 bytes, and the configuration below.
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}"#;
const EMPTY_TAR: &str = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// Writes a blob of an image, and returns its description.
fn blob(layout: &Path, media: &str, bytes: &[u8]) -> Value {
    let file = layout.join("blob");
    fs::write(&file, bytes).expect("written");
    let digest = succeeds(openssl().args(["dgst", "-sha256", "-r"]).arg(&file), LIMIT);
    let digest = digest.split(' ').next().expect("a digest");
    fs::rename(file, layout.join("blobs/sha256").join(digest)).expect("renamed");
    json!({"mediaType": format!("application/vnd.oci.image.{media}"), "digest": format!("sha256:{digest}"), "size": bytes.len()})
}

/// Writes an image with one empty layer, in the layout of the Open Container Initiative.
fn image(layout: &Path) {
    fs::create_dir_all(layout.join("blobs/sha256")).expect("a folder");
    let layer = blob(layout, "layer.v1.tar", &[0; 1024]);
    assert_eq!(layer["digest"], format!("sha256:{EMPTY_TAR}"));
    let config = blob(layout, "config.v1+json", CONFIG.as_bytes());
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string();
    let mut manifest = blob(layout, "manifest.v1+json", manifest.as_bytes());
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "1"});
    fs::write(layout.join("index.json"), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string())
        .expect("written");
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).expect("written");
}

/// Makes a key and its certificate.
fn key_and_certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (key, certificate) = (folder.join("secrets/registry_key"), folder.join("registry.crt"));
    let make = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"];
    succeeds(openssl().args(make).arg(&key), LIMIT);
    let sign = ["req", "-x509", "-days", "1", "-subj", "/CN=shop.example", "-key"];
    succeeds(openssl().args(sign).arg(&key).arg("-out").arg(&certificate), LIMIT);
    (key, certificate)
}

/// A shop, and a registry that takes its tokens and has the images `sample-editor:1` and `sample-monitor:1`.
struct Shop {
    server: Running,
    registry: DockerRegistry,
    /// API key of Ada.
    ada: String,
    folder: TempDir,
}

impl Shop {
    /// Starts the shop and the registry. Ada pays for the editor.
    fn start() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["secrets", "images", "layout"] {
            fs::create_dir(path(name)).expect("a folder");
        }
        image(&path("layout"));
        let open = DockerRegistry::start(&path("images"), None);
        for name in ["sample-editor", "sample-monitor"] {
            let from = format!("oci:{}:1", path("layout").display());
            let to = format!("docker://{}/{name}:1", open.host());
            succeeds(skopeo().args(["copy", "--dest-tls-verify=false", &from, &to]), LIMIT);
        }
        drop(open);
        let (_, certificate) = key_and_certificate(folder.path());
        let settings = format!(
            "secrets_folder: {}\nregistry: {{issuer: {ISSUER}, service: {SERVICE}, key: secret:file/registry_key, certificate: {}}}\n",
            path("secrets").display(),
            certificate.display()
        );
        fs::write(path("providers.yml"), settings).expect("written");
        let data = path("data");
        let shown = data.display().to_string();
        let make = ["keys", "--data", &shown, "make", "saas-plugins", "--kind", "user", "--subject", "ada"];
        let made = run_with(&make, b"", &[]);
        assert_eq!(made.code, 0, "{made:?}");
        let settings = path("providers.yml").display().to_string();
        let more = ["--providers", "local,registry", "--provider-settings", &settings, "--simulate"];
        let server = Running::start_args(&args("saas-plugins", &data, &more), &environment(), &path("log"));
        let auth = TokenAuth {
            realm: format!("http://{}/api/registry/token", server.address),
            service: SERVICE.to_owned(),
            issuer: ISSUER.to_owned(),
            certificate,
        };
        let registry = DockerRegistry::start(&path("images"), Some(&auth));
        let shop = Shop { server, registry, ada: made.stdout.trim().to_owned(), folder };
        shop.pays();
        shop
    }

    /// Ada pays for the editor: Stripe tells of her subscription.
    fn pays(&self) {
        let mut event = subscription("evt_editor");
        let object = &mut event["data"]["object"];
        object["metadata"]["user_id"] = json!("ada");
        for member in ["price", "plan"] {
            object["items"]["data"][0][member]["id"] = json!("price_editor_m");
        }
        let event = event.to_string();
        let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now_s(), event.as_bytes()));
        let (status, answer) = self.server.send("POST /api/webhooks/stripe", &signature, &event).expect("an answer");
        assert_eq!(status, 200, "{answer}");
    }

    /// Returns a new token of Ada for one pull of the editor.
    fn token(&self) -> String {
        let authorization = format!("Authorization: Bearer {}\r\n", self.ada);
        let body = json!({"product_id": "prod_sample_editor"}).to_string();
        let (status, answer) =
            self.server.send("POST /api/docker/pull-token", &authorization, &body).expect("an answer");
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["image"], "registry.example/sample-editor");
        answer["token"].as_str().expect("a token").to_owned()
    }

    fn name(&self, image: &str) -> String {
        format!("docker://{}/{image}", self.registry.host())
    }

    /// Pulls an image into a folder.
    fn pull(&self, image: &str, credentials: &[&str], to: &str) -> Output {
        let to = format!("dir:{}", self.folder.path().join(to).display());
        let mut command = skopeo();
        command.args(["copy", "--src-tls-verify=false"]).args(credentials).args([&self.name(image), &to]);
        run(&mut command, LIMIT)
    }

    /// Pulls with a token as the password.
    fn pull_with(&self, image: &str, token: &str) -> Output {
        self.pull(image, &["--src-creds", &format!("any:{token}")], "refused")
    }

    /// Asks for a token of the registry as its clients do.
    fn ask(&self, method: &str, query: &str, token: &str) -> (u16, Value) {
        let basic =
            succeeds(Command::new("sh").args(["-c", "printf 'any:%s' \"$1\" | base64 -w 0", "sh", token]), LIMIT);
        let authorization = format!("Authorization: Basic {basic}\r\n");
        let line = format!("{method} /api/registry/token?{query}");
        let (status, body) = self.server.send(&line, &authorization, "").expect("an answer");
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// Stops the server. Its log has none of these secrets.
    fn stop(self, secrets: &[&str]) {
        self.server.stop();
        let log = fs::read_to_string(self.folder.path().join("log")).expect("the log");
        for secret in secrets {
            assert!(!log.contains(secret), "the log has a secret");
        }
    }
}

fn failed_with(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && words.iter().any(|word| text.contains(word)), "{text}");
}

#[test]
#[ignore = "installs a registry and a client of it; `cargo xtask test clients` runs it"]
fn a_token_is_redeemed_once_for_a_pull_of_its_image_from_a_real_registry() {
    if is_left_out("registry") {
        return;
    }
    let shop = Shop::start();
    failed_with(&shop.pull("sample-editor:1", &[], "anonymous"), &["unauthorized", "authentication required"]);

    let token = shop.token();
    let pulled = shop.pull("sample-editor:1", &["--src-creds", &format!("any:{token}")], "pulled");
    assert!(pulled.status.success(), "{}\n{}", String::from_utf8_lossy(&pulled.stderr), shop.registry.server().log());
    let manifest = fs::read_to_string(shop.folder.path().join("pulled/manifest.json")).expect("a manifest");
    let config = serde_json::from_str::<Value>(&manifest).expect("JSON")["config"]["digest"].clone();
    let config = config.as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest").to_owned();
    let config = fs::read_to_string(shop.folder.path().join("pulled").join(config)).expect("the configuration");
    assert_eq!(config, CONFIG, "the image that was pushed");
    let again = shop.pull_with("sample-editor:1", &token);
    failed_with(&again, &["unauthorized", "invalid username/password"]);

    let secret = token.split_once('.').expect("an id and a secret").1;
    shop.stop(&[secret]);
}

#[test]
#[ignore = "installs a registry and a client of it; `cargo xtask test clients` runs it"]
fn a_token_gives_neither_another_image_nor_a_push() {
    if is_left_out("registry") {
        return;
    }
    let shop = Shop::start();
    let denied = ["denied", "unauthorized", "authentication required"];
    failed_with(&shop.pull_with("sample-monitor:1", &shop.token()), &denied);
    let (id, secret) = (shop.token(), "0".repeat(64));
    let wrong = format!("{}.{secret}", id.split_once('.').expect("an id").0);
    failed_with(&shop.pull_with("sample-editor:1", &wrong), &["unauthorized", "invalid username/password"]);

    let from = format!("oci:{}:1", shop.folder.path().join("layout").display());
    let mut push = skopeo();
    let credentials = format!("any:{}", shop.token());
    push.args(["copy", "--dest-tls-verify=false", "--dest-creds", &credentials, &from, &shop.name("sample-editor:2")]);
    failed_with(&run(&mut push, LIMIT), &denied);
    shop.stop(&[]);
}

#[test]
#[ignore = "installs a registry and a client of it; `cargo xtask test clients` runs it"]
fn who_logs_in_keeps_the_token_for_the_pull() {
    if is_left_out("registry") {
        return;
    }
    let shop = Shop::start();
    let token = shop.token();
    let file = shop.folder.path().join("auth.json").display().to_string();
    let host = shop.registry.host();
    let mut login = skopeo();
    login.args(["login", "--tls-verify=false", "--authfile", &file, "--username", "any", "--password", &token, &host]);
    succeeds(&mut login, LIMIT);
    let pulled = shop.pull("sample-editor:1", &["--src-authfile", &file], "pulled");
    assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
    let mut again = skopeo();
    again.args(["login", "--tls-verify=false", "--username", "any", "--password", &token, &host]);
    failed_with(&run(&mut again, LIMIT), &["unauthorized", "invalid username/password"]);
    shop.stop(&[]);
}

#[test]
#[ignore = "installs `openssl` if it is missing; `cargo xtask test clients` runs it"]
fn the_answer_has_the_form_of_the_protocol_and_only_a_pull_uses_a_token_up() {
    let shop = Shop::start();
    let token = shop.token();
    let pull = format!("service={SERVICE}&scope=repository:sample-editor:pull&account=any");
    for (method, query, expected) in [
        ("GET", format!("service=other.example&{}", pull.split_once('&').expect("a query").1), 400),
        ("HEAD", pull.clone(), 405),
        ("POST", pull.clone(), 405),
        ("GET", format!("service={SERVICE}"), 200),
        ("GET", format!("service={SERVICE}&scope=repository:sample-editor:push"), 200),
        ("GET", pull.clone(), 200),
        ("GET", pull.clone(), 401),
        ("GET", format!("service={SERVICE}"), 401),
    ] {
        let (status, body) = shop.ask(method, &query, &token);
        assert_eq!(status, expected, "{method} {query}: {body}");
        if status == 200 {
            assert!(body["token"].is_string() && body["token"] == body["access_token"], "{body}");
            assert!(body["expires_in"].as_i64() >= Some(60) && body["issued_at"].is_string(), "{body}");
        }
    }
    let (status, body) = shop.ask("GET", &pull, &token);
    assert_eq!((status, &body["code"]), (401, &json!("token_redeemed")));
    let headers = "Host: x\r\n";
    let (head, _) = super::exchange(&shop.server.address, &format!("GET /api/registry/token?{pull}"), headers, "")
        .expect("an answer");
    assert!(head.starts_with("http/1.1 401") && head.contains("www-authenticate: basic realm="), "{head}");
    shop.stop(&[]);
}
