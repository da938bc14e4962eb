//! `serve --config FILE` and `check --config FILE`: several businesses on one server, faults, and secrets of `.env`.

use crate::run::{Ran, SECRETS_KEY, fixtures, run_with, subscription};
use crate::serve::{Running, send, until};
use host_intake::testing::sign;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Two businesses with a signing secret each.
const TWO: &str = "data: data
server: {port: 0}
log: {level: debug, format: json}
providers: [local]
simulate: true
businesses:
  - folder: BUSINESSES/solobase
    extensions:
      products: {stripe_webhook_secret: \"${SIGNING_SOLOBASE}\"}
      instance_provisioner: {enabled: false}
  - folder: BUSINESSES/twobot
    hosts: [bot.example]
    extensions:
      products: {stripe_webhook_secret: \"${SIGNING_TWOBOT}\", webhooks: {endpoint: /hooks/stripe}}
";
const SIGNING_SOLOBASE: &str = "whsec_canary_of_solobase_7f3a";
const SIGNING_TWOBOT: &str = "whsec_canary_of_twobot_7f3a";

/// A folder with a configuration file and a file of variables.
struct Configured(TempDir);

impl Configured {
    fn new(config: &str, dot_env: &str) -> Configured {
        let folder = Configured(tempfile::tempdir().expect("a folder"));
        let businesses = fixtures().join("businesses");
        folder.write("solobase.config.yml", &config.replace("BUSINESSES", &businesses.display().to_string()));
        folder.write(".env", dot_env);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn file(&self) -> String {
        self.path("solobase.config.yml").display().to_string()
    }

    fn check(&self, more: &[&str]) -> Ran {
        run_with(&[&["check", "--native", "--config", &self.file()], more].concat(), b"", &[])
    }
}

fn variables() -> String {
    let (name, key) = SECRETS_KEY;
    format!("SIGNING_SOLOBASE={SIGNING_SOLOBASE}\nSIGNING_TWOBOT='{SIGNING_TWOBOT}'\n{name}={key}\n")
}

fn signature(secret: &str, body: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_secs();
    format!("Stripe-Signature: {}\r\n", sign(secret, now as i64, body.as_bytes()))
}

// covers: S04
#[cfg(unix)]
#[test]
fn a_server_reads_its_secrets_again_when_it_gets_a_signal() {
    let folder = Configured::new(TWO, &variables());
    let log = folder.path("log");
    let server = Running::start_args(&["serve", "--native", "--config", &folder.file()], &[], &log);
    let mut number = 0;
    let mut status = |secret: &str| {
        number += 1;
        let body = subscription(&format!("evt_{number}")).to_string();
        let line = "POST /solobase/api/webhooks/stripe";
        send(&server.address, line, &signature(secret, &body), &body).expect("an answer").0
    };
    let told = |text: &str| fs::read_to_string(&log).expect("a log").matches(text).count();
    let read_again = |secrets: &str, text: &str| {
        let before = told(text);
        folder.write(".env", &variables().replace(SIGNING_SOLOBASE, secrets));
        server.hang_up();
        until(text, || told(text) > before);
    };
    let (old, new, done) = (SIGNING_SOLOBASE, "whsec_canary_of_tomorrow_7f3a", "were read again");
    assert_eq!((status(old), status(new)), (200, 400));
    // Two secrets in one value are valid during a rotation.
    read_again(&format!("{old},{new}"), done);
    assert_eq!((status(old), status(new)), (200, 200));
    read_again("", "the secrets stay as they are");
    assert_eq!((status(old), status(new)), (200, 200), "a mistake in the file changes nothing");
    read_again(new, done);
    assert_eq!((status(old), status(new)), (400, 200));
    server.stop();
    assert_eq!(told("canary"), 0, "no secret is in the log");
}

// covers: SOL-45, SOL-46, S04, D-100, D-101, Q-83
#[test]
fn two_businesses_of_one_file_share_a_server_and_nothing_else() {
    let folder = Configured::new(TWO, &variables());
    let data = folder.path("data");
    let log = folder.path("log");
    let server = Running::start_args(&["serve", "--native", "--config", &folder.file()], &[], &log);
    let keys = ["solobase", "twobot"].map(|name| crate::serve::operator_key(&data, name, None));
    let call = |line: &str, headers: &str, body: &str| send(&server.address, line, headers, body).expect("an answer");
    let events = |business: usize| {
        let line = format!("GET /{}/api/operator/events", ["solobase", "twobot"][business]);
        let (status, body) = call(&line, &format!("Authorization: Bearer {}\r\n", keys[business]), "");
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let events = answer["events"].as_array().expect("a list").iter();
        events.filter(|event| event["source"] == "stripe").count()
    };
    let body = subscription("evt_1").to_string();
    let hook = "POST /solobase/api/webhooks/stripe";
    assert_eq!(call(hook, &signature(SIGNING_TWOBOT, &body), &body).0, 400, "signed with the other's secret");
    assert_eq!(call(hook, &signature(SIGNING_SOLOBASE, &body), &body).0, 200);
    assert_eq!((events(0), events(1)), (1, 0), "it reaches only the business of its path");
    for (line, host) in [
        ("POST /twobot/api/webhooks/stripe", "x"),
        ("POST /twobot/hooks/stripe", "x"),
        ("POST /twobot/api/billing/webhook", "x"),
        ("POST /api/webhooks/stripe", "bot.example"),
    ] {
        let headers = format!("Host: {host}\r\n{}", signature(SIGNING_TWOBOT, &body));
        let (status, answer) = crate::serve::send_with_host(&server.address, line, &headers, &body).expect("an answer");
        assert_eq!(status, 200, "{line} at {host}: {answer}");
    }
    assert_eq!((events(0), events(1)), (1, 1), "the same event, four times");
    for line in ["POST /nobody/api/webhooks/stripe", "POST /api/webhooks/stripe", "POST /solobase/hooks/stripe"] {
        assert_eq!(call(line, &signature(SIGNING_SOLOBASE, &body), &body).0, 404, "{line}");
    }
    // A key of one business is none of the other.
    let with_key = |business: &str, key: usize| {
        let authorization = format!("Authorization: Bearer {}\r\n", keys[key]);
        call(&format!("GET /{business}/api/operator/accounts"), &authorization, "").0
    };
    assert_eq!((with_key("solobase", 0), with_key("twobot", 1)), (200, 200));
    assert!([401, 403].contains(&with_key("solobase", 1)) && [401, 403].contains(&with_key("twobot", 0)));
    // SOL-45: without the provisioner an instance waits, and nothing is asked of a provider.
    let authorization = format!("Authorization: Bearer {}\r\n", keys[0]);
    let order = json!({"name": "App", "metadata": {"subdomain": "ada"}}).to_string();
    let (status, answer) = call("POST /solobase/api/commands/instance.create?account=user:u1", &authorization, &order);
    assert_eq!(status, 200, "{answer}");
    let (_, list) = call("GET /solobase/api/queries/list?account=user:u1&kind=instances", &authorization, "");
    assert!(list.contains("\"status\":\"provisioning\""), "{list}");
    let (_, effects) = call("GET /solobase/api/operator/effects?account=user:u1", &authorization, "");
    assert!(!effects.contains("database.ensure") && !effects.contains("bucket.ensure"), "{effects}");
    // An operator reads the metrics of the own business; a key of the server those of all, and nothing else.
    let read = |path: &str, key: &str| call(&format!("GET {path}"), &format!("Authorization: Bearer {key}\r\n"), "");
    let shown = |text: &str| ["solobase", "twobot"].map(|name| text.contains(&format!("business=\"{name}\"")));
    for (number, path) in ["/solobase/metrics", "/twobot/metrics"].iter().enumerate() {
        let (status, text) = read(path, &keys[number]);
        assert_eq!((status, shown(&text)), (200, [number == 0, number == 1]), "{text}");
        assert!(text.ends_with("# EOF\n") && !text.contains("provisioner_requests_total{"), "{text}");
        assert_eq!(read(path, &keys[1 - number]).0, 401);
    }
    let folder_of_keys = data.display().to_string();
    let made = ["keys", "make", "--server", "--subject", "prometheus", "--data", &folder_of_keys];
    let made = run_with(&made, b"", &[]);
    assert_eq!(made.code, 0, "{made:?}");
    let of_server = made.stdout.trim();
    let (status, metrics) = read("/metrics", of_server);
    assert_eq!((status, shown(&metrics)), (200, [true, true]), "{metrics}");
    assert!(metrics.contains("provisioner_requests_total{"), "{metrics}");
    for path in ["/solobase/api/operator/accounts", "/twobot/api/events", "/solobase/api/entitlements"] {
        assert_eq!(read(path, of_server).0, 401, "{path}");
    }
    server.stop();
    for name in ["solobase", "twobot"] {
        assert!(data.join(name).join("store.db").is_file(), "each has a store of its own");
    }
    let log = fs::read_to_string(log).expect("a log");
    assert!(log.contains("answered"), "{log}");
    for canary in [SIGNING_SOLOBASE, SIGNING_TWOBOT, SECRETS_KEY.1, &keys[0], &keys[1]] {
        assert!(!log.contains(canary) && !metrics.contains(canary), "{canary} is in {log} or {metrics}");
    }
}

// covers: SOL-40, SOL-42, SOL-46
#[test]
fn a_configuration_is_checked_without_a_start() {
    let folder = Configured::new(TWO, &variables());
    let ran = folder.check(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "no mistake in 2 businesses\n"), "{ran:?}");
    assert!(!folder.path("data").exists(), "nothing is started");
    folder.write(".env", "SIGNING_TWOBOT=x\n");
    let ran = folder.check(&[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("solobase.config.yml:9") && ran.stdout.contains("`SIGNING_SOLOBASE`"), "{ran:?}");
    let started = run_with(&["serve", "--native", "--config", &folder.file()], b"", &[]);
    assert!(started.code == 2 && started.stderr.contains("`SIGNING_SOLOBASE`"), "the start says the same: {started:?}");
    // A value that the catalog does not allow.
    let text = "businesses: [{folder: BUSINESSES/tesslate}]\ndatabase: {type: postgresql, url: \"${URL}\"}\n\
                storage: {type: s3, bucket: b, region: eu-central-1}\n";
    let folder = Configured::new(
        text,
        "CREATOR_REVENUE_SHARE=1.20\nURL=postgres://canary-7f3a\nREDIS=1\nSTRIPE_PUBLISHABLE_KEY=pk\n",
    );
    let ran = folder.check(&["--format", "json"]);
    let mistakes: Vec<String> = ran.lines().iter().map(|line| line["mistake"]["problem"].to_string()).collect();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(mistakes[0].contains("cannot serve it yet") && ran.stdout.contains("share_bp"), "{ran:?}");
    for lacking in ["`tesslate` has no providers", "`PROVISIONER_SECRETS_KEY` is missing"] {
        assert!(mistakes.iter().any(|mistake| mistake.contains(lacking)), "{mistakes:?}");
    }
    let human = folder.check(&[]);
    assert!(!human.stdout.contains("STRIPE_PUBLISHABLE_KEY"), "a route names its key: {human:?}");
    let other =
        Configured::new("businesses: [{folder: BUSINESSES/twobot}]\n", "STRIPE_PUBLISHABLE_KEY=pk\n").check(&[]);
    assert!(other.stdout.contains("`STRIPE_PUBLISHABLE_KEY` is not used: only pages"), "{other:?}");
    for ran in [&ran, &human] {
        assert!(!ran.stdout.contains("canary-7f3a") && !ran.stderr.contains("canary-7f3a"), "{ran:?}");
    }
}

// covers: SOL-46
#[test]
fn no_secret_of_a_faulty_configuration_comes_into_an_error() {
    // Each canary is at another place where a secret may be by mistake.
    let canary = |number: usize| format!("canary{number}x7f3a9c2e");
    let mut dot_env: String = (0..10).map(|number| format!("C{number}={}\n", canary(number))).collect();
    let config = format!(
        "server: {{port: \"${{C0}}\", host: \"${{C1}}\"}}
mode: ${{C2}}
providers: [\"${{C3}}\"]
# sk_live_{}
database: {{type: postgresql, url: \"postgres://u:{}@h\"}}
extensions:
  products:
    stripe_secret_key: sk_live_{}
    stripe_webhook_secret: whsec_{}
    product_types: [\"${{C4}}\"]
    webhooks: {{endpoint: \"${{C5}}\"}}
  instance_provisioner: {{aws_region: \"${{C6}}\", enabled: \"${{C7}}\", b2_app_key: {}}}
businesses: [{{folder: BUSINESSES/solobase}}]
",
        canary(10),
        canary(11),
        canary(12),
        canary(13),
        canary(14)
    );
    let told = |folder: &Configured| {
        let check = folder.check(&[]);
        let serve = run_with(&["serve", "--native", "--config", &folder.file()], b"", &[]);
        assert!(check.code == 1 && serve.code == 2, "{check:?} {serve:?}");
        [check.stdout, check.stderr, serve.stdout, serve.stderr].concat()
    };
    let of_file = told(&Configured::new(&config, &dot_env));
    // The values of the business are read after the file.
    let values = "extensions: {products: {stripe_secret_key: \"${C8}\", product_types: [\"${C4}\"]}, instance_provisioner: \
                  {enabled: \"${C7}\", b2_app_key: \"x${C9}\"}}\nbusinesses: [{folder: BUSINESSES/solobase}]\n";
    let of_business = told(&Configured::new(values, &dot_env));
    let settings = Configured::new(
        "providers: [smtp]\nprovider_settings: providers.yml\nbusinesses: [{folder: BUSINESSES/solobase}]\n",
        &dot_env,
    );
    settings.write("providers.yml", "smtp: {host: \"${C0}\", port: \"${C1}\"}\nb2: {key: \"${C2}\"}\n");
    let of_settings = told(&settings);
    // Paths and names of other things.
    let names = "businesses: [{folder: \"${C0}\"}, {folder: BUSINESSES/solobase, hosts: [\"${C1}\"]}, {folder: BUSINESSES/twobot, hosts: \
                 [\"${C1}\"]}]\nextensions: {products: {webhooks: {events: [\"${C2}\"]}}}\n";
    let of_names = told(&Configured::new(names, &dot_env));
    let folder = told(&Configured::new("businesses: [{folder: \"${C0}\"}]\n", &dot_env));
    dot_env.push_str(&format!("{} = x\nX='{}\n", canary(15), canary(16)));
    let of_dot_env = told(&Configured::new(&config, &dot_env));
    let all = [of_file, of_business, of_settings, of_dot_env, of_names, folder].concat();
    for number in 0..17 {
        assert!(!all.contains(&canary(number)), "canary {number} is in {all}");
    }
}
