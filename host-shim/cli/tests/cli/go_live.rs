//! The way from the laptop to live money, followed to the letter: its files go into a folder with a business, and its commands run
//! there, with a local Stripe in place of Stripe. It knows test mode only, so `--live` is left out.

use crate::run::{Ran, SECRETS_KEY, copy_folder, in_business};
use crate::serve::{Running, pay, send, send_with_host, until};
use local_stripe::server::{ClockMode, Options, Server};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The key of the test account, as `.env` has it.
const STRIPE_KEY: (&str, &str) = ("STRIPE_SECRET_KEY", "sk_test_1");

/// The boxes of the page: the words after the fence, and the text.
fn boxes() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/start/go-live.md");
    let page = fs::read_to_string(path).expect("the page");
    let parts = page.split("```").skip(1).step_by(2);
    let split = |part: &str| part.split_once('\n').map(|(words, text)| (words.to_owned(), text.to_owned()));
    parts.map(|part| split(part).expect("a line of words")).collect()
}

/// The folder in which somebody follows the page.
struct Desk {
    folder: tempfile::TempDir,
    stripe: String,
    /// What the shell has read from `.env`.
    variables: Vec<(&'static str, &'static str)>,
}

impl Desk {
    /// Runs a command of the page to its end.
    fn run(&self, line: &str) -> Ran {
        let (line, input) = line.split_once(" < ").unwrap_or((line, ""));
        let words: Vec<&str> = line.split_whitespace().skip(1).filter(|word| *word != "--live").collect();
        let mut command = self.command(&words);
        let input = match input {
            "" => Stdio::null(),
            file => fs::File::open(self.folder.path().join(file)).expect("the file").into(),
        };
        Ran::of(command.stdin(input).output().expect("the program starts"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
        command.args(words).current_dir(self.folder.path()).envs([SECRETS_KEY]).envs(self.variables.iter().copied());
        let has_extension = ["check", "replay", "serve", "verify"].contains(&words[0]);
        command.args(has_extension.then_some("--native"));
        command
    }

    /// Writes a file of the page. The local Stripe is at another address, this machine is the cloud, and no other program has the port.
    fn write(&self, file: &str, text: &str) {
        let text = text.replace("providers: [aws,", "providers: [local,");
        let text = text.replace("stripe: {", &format!("stripe: {{url: \"{}\", ", self.stripe));
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("aws:")).collect();
        if file == "solobase.config.yml" {
            lines.push("server: {port: 0}");
        }
        fs::write(self.folder.path().join(file), lines.join("\n") + "\n").expect("written");
    }

    fn write_secrets(&self, of_webhooks: &str) {
        let (name, key) = STRIPE_KEY;
        let variables = format!("{name}={key}\nSTRIPE_WEBHOOK_SECRET={of_webhooks}\nSMTP_PASSWORD=smtp\n");
        fs::write(self.folder.path().join("my-business/.env"), variables).expect("written");
    }

    /// Calls the local Stripe.
    fn stripe(&self, path: &str, form: &str) -> Value {
        let headers = "Authorization: Bearer sk_test_1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let address = self.stripe.trim_start_matches("http://");
        let (status, body) = send(address, &format!("POST {path}"), headers, form).expect("an answer");
        assert!(status < 400, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_default()
    }
}

/// Returns a catalog without the ids of prices, so that the server makes the prices at Stripe.
fn without_ids_of_prices(catalog: &str) -> String {
    let mut parts = catalog.split(", id: price_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + &part[part.find('}').expect("the end of a price")..])
}

#[test]
fn the_page_leads_from_a_folder_to_a_payment_that_is_compared_with_stripe() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = Options { clock: ClockMode::Wall, ..Options::default() };
    let stripe = runtime.block_on(Server::start(options)).expect("a local Stripe");
    let mut desk = Desk { folder, stripe: stripe.url(), variables: Vec::new() };
    let root = desk.folder.path().to_owned();
    let at = |name: &str| root.join(name);
    copy_folder(&in_business("podcasts"), &at("my-business"));
    fs::write(at("password"), "a long enough password\n").expect("written");
    desk.write_secrets("whsec_of_nobody_7f3a9c");

    let mut lines: Vec<String> = Vec::new();
    for (words, text) in boxes() {
        match words.split_once(' ') {
            Some((_, file)) => desk.write(file, &text),
            None => lines.extend(text.lines().map(str::to_owned)),
        }
    }
    let is_local = |line: &String| line.contains(" --local");
    let reads_variables = |line: &String| line.starts_with("set -a; . my-business/.env");
    let until_start = lines.iter().position(reads_variables).expect("the page compares");
    for line in lines[..until_start].iter().filter(|line| !is_local(line)) {
        let ran = desk.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }

    let catalog = at("my-business/catalog.yml");
    fs::write(&catalog, without_ids_of_prices(&fs::read_to_string(&catalog).expect("a catalog"))).expect("written");
    let log = at("log");
    let server = Running::spawn_without_key(desk.command(&["serve", "--config", "solobase.config.yml"]), &log);
    let endpoint = format!("url=http://{}/api/webhooks/stripe&enabled_events[]=*", server.address);
    let secret = desk.stripe("/v1/webhook_endpoints", &endpoint)["secret"].as_str().expect("a secret").to_owned();
    desk.write_secrets(&secret);
    server.hang_up();
    let told = |text: &str| fs::read_to_string(&log).expect("a log").contains(text);
    until("the secrets are read again", || told("were read again"));

    let made = desk.run("provisioner keys make my-business --kind admin --subject ada");
    assert_eq!(made.code, 0, "{made:?}");
    let headers = format!("Host: shop.example.com\r\nAuthorization: Bearer {}\r\n", made.stdout.trim());
    let call = |line: &str, body: &Value| {
        let (status, body) = send_with_host(&server.address, line, &headers, &body.to_string()).expect("an answer");
        (status, serde_json::from_str::<Value>(&body).unwrap_or_default())
    };
    let mut order = Value::Null;
    until("a checkout", || {
        let (status, answer) = call("POST /api/commands/purchase.create?account=user:ada", &json!({"plan": "studio"}));
        order = answer;
        status == 200
    });
    pay(order["checkout_url"].as_str().expect("an address"));
    until("the plan", || {
        let (_, answer) = call("GET /api/entitlements/check?account=user:ada&key=shows", &Value::Null);
        answer["limit"] == 3
    });
    desk.variables.push(STRIPE_KEY);
    for line in &lines[until_start + 1..] {
        let ran = desk.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    server.stop();
    drop((stripe, runtime));
}
