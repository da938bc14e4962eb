//! What operators meet: a slow provider, an outage, a host that dies during its calls, a database that is restored alone, and more events at
//! Stripe than one list of them has. Each test takes minutes; `cargo xtask live operation` runs them.

use super::clients::{KEY, LocalStripe};
use super::{CLIENTS, Customers, Running, SECRET, args, environment, log_of, now_s, send, wait_until_quiet_within};
use crate::run::{copy_folder, in_business};
use counterparts::{EffectService, Postgres};
use host_intake::testing::sign;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time without any progress after which a test fails: longer than the takeover of a host that died.
const PATIENCE: Duration = Duration::from_secs(600);
/// Steps of an instance: its database, its bucket and its function.
const STEPS: usize = 3;

/// A folder with the business `solobase`, whose effects a service carries out, and the settings of its providers.
struct Place {
    folder: tempfile::TempDir,
    service: EffectService,
    stripe: LocalStripe,
}

impl Place {
    fn new() -> Place {
        let (folder, service, stripe) =
            (tempfile::tempdir().expect("a folder"), EffectService::start(), LocalStripe::start());
        let business = folder.path().join("solobase");
        copy_folder(&in_business("solobase"), &business);
        let catalog = business.join("catalog.yml");
        let text = std::fs::read_to_string(&catalog).expect("a catalog");
        // The service makes no function that answers, and no secret.
        let is_kept = |line: &&str| !line.contains("watch: {") && !line.contains("database_secret:");
        let kept: Vec<&str> = text.lines().filter(is_kept).collect();
        std::fs::write(&catalog, kept.join("\n")).expect("written");
        let settings = format!(
            "mail: {{from: Host <host@example.com>, admin: [operator@example.com]}}\n\
             stripe: {{url: \"http://{}\", test_key: secret:env/STRIPE_KEY}}\n\
             service: [{{url: \"{}\", secret: secret:env/EFFECTS_SECRET, effects: [database, bucket, function, mail]}}]\n",
            stripe.address,
            service.url()
        );
        std::fs::write(folder.path().join("providers.yml"), settings).expect("written");
        Place { folder, service, stripe }
    }

    /// Starts a server with the data folder of this name, and a database that is none of its files.
    fn start(&self, data: &str, database: Option<&str>) -> Running {
        let data = self.folder.path().join(data);
        let settings = self.folder.path().join("providers.yml").display().to_string();
        let business = self.folder.path().join("solobase");
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
        let own = ["--providers", "stripe,service,http", "--provider-settings", &settings, "--drift-every", "0s"];
        let own = [&own[..], &["--backups-every", "0s"]].concat();
        command.args(args(&business.display().to_string(), &data, &own)).envs(environment());
        command.env("EFFECTS_SECRET", EffectService::SECRET).env("STRIPE_KEY", KEY);
        if let Some(database) = database {
            command.arg("--postgres").env("DATABASE_URL", database);
        }
        Running::spawn(command, &log_of(&data), |_| data.clone())
    }
}

/// Lets so many customers buy a plan and order an instance.
fn order_instances(server: &Running, customers: usize) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= customers {
                        return;
                    }
                    let body = Customers::subscribed(number).to_string();
                    let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now_s(), body.as_bytes()));
                    let line = "POST /api/webhooks/stripe";
                    let (status, answer) = server.send(line, &signature, &body).expect("an answer");
                    assert_eq!(status, 200, "{answer}");
                    let line = format!("instance.create?account=user:u{number}");
                    let order = json!({"name": "App", "metadata": {"subdomain": format!("app{number}")}});
                    let (status, answer) = command(server, &line, &order);
                    assert_eq!(status, 200, "{answer}");
                }
            });
        }
    });
}

fn command(server: &Running, line: &str, body: &Value) -> (u16, String) {
    let authorization = format!("Authorization: Bearer {}\r\n", server.key);
    let body = body.to_string();
    send(&server.address, &format!("POST /api/commands/{line}"), &authorization, &body).expect("an answer")
}

/// Fails unless each of the customers has an instance that runs.
fn assert_all_run(server: &Running, customers: usize) {
    for number in 0..customers {
        let list = server.get(&format!("/api/queries/list?account=user:u{number}&kind=instances"));
        let text = list.to_string();
        assert!(text.contains("\"running\"") && !text.contains("\"error\""), "user u{number}: {text}");
    }
}

/// Returns the number of entitlements of a user.
fn entitlements(server: &Running, user: &str) -> usize {
    let told = server.get(&format!("/api/entitlements?account=user:{user}"));
    told["entitlements"].as_array().map_or(0, Vec::len)
}

fn wait_for_entitlements(server: &Running, users: &[&str]) {
    let since = Instant::now();
    while users.iter().any(|user| entitlements(server, user) == 0) {
        let found: Vec<usize> = users.iter().map(|user| entitlements(server, user)).collect();
        assert!(since.elapsed() < PATIENCE, "{users:?} have {found:?} entitlements");
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
#[ignore = "takes minutes; `cargo xtask live operation` runs it"]
fn a_slow_provider_ends_no_instance_and_holds_up_no_checkout() {
    let (place, customers) = (Place::new(), 100);
    place.service.slow_down(Duration::from_secs(12));
    let server = place.start("data", None);
    let since = Instant::now();
    order_instances(&server, customers);
    println!("{customers} instances were ordered in {:.1} s", since.elapsed().as_secs_f64());
    let at_checkout = Instant::now();
    let (status, answer) = command(&server, "purchase.create?account=user:buyer", &json!({"plan": "starter"}));
    assert!(status == 200 && answer.contains("http://"), "{status} {answer}");
    println!("a checkout was opened in {:.2} s", at_checkout.elapsed().as_secs_f64());
    assert!(place.service.effects() < customers * STEPS, "it was opened before all instances were made");
    wait_until_quiet_within(&server, PATIENCE);
    println!("all instances run after {:.0} s", since.elapsed().as_secs_f64());
    assert_all_run(&server, customers);
    assert_eq!(place.service.repeated(), (vec![], vec![]), "each effect was called once");
    server.stop();
}

#[test]
#[ignore = "takes minutes; `cargo xtask live operation` runs it"]
fn an_outage_ends_no_instance_whether_one_customer_waits_or_many() {
    for customers in [1, 3, 60] {
        let place = Place::new();
        place.service.set_down(true);
        let server = place.start("data", None);
        order_instances(&server, customers);
        // Longer than all attempts of an effect whose request is at fault.
        thread::sleep(Duration::from_secs(150));
        let (refused, since) = (place.service.refused(), Instant::now());
        place.service.set_down(false);
        wait_until_quiet_within(&server, PATIENCE);
        println!("{customers} waited: {refused} calls in 150 s; all ran {:.0} s later", since.elapsed().as_secs_f64());
        assert_all_run(&server, customers);
        server.stop();
    }
}

#[test]
#[ignore = "takes minutes; `cargo xtask live operation` runs it"]
fn what_a_dead_host_was_doing_is_taken_over() {
    let (place, customers, postgres) = (Place::new(), 8, Postgres::start());
    let database = postgres.database("hosts");
    place.service.slow_down(Duration::from_secs(15));
    let first = place.start("first", Some(&database));
    order_instances(&first, customers);
    while place.service.effects() == 0 {
        thread::sleep(Duration::from_millis(100));
    }
    // Other calls are under way.
    let second = place.start("second", Some(&database));
    first.kill();
    let since = Instant::now();
    wait_until_quiet_within(&second, PATIENCE);
    println!("all instances run {:.0} s after the other host died", since.elapsed().as_secs_f64());
    assert_all_run(&second, customers);
    assert_eq!(place.service.repeated().1, Vec::<String>::new(), "no effect had two calls at the same time");
    second.stop();
}

/// Lets a user buy Hobby at Stripe, as a person does in Stripe's dashboard.
fn subscribe(stripe: &LocalStripe, user: &str) {
    let form = format!(
        "email={user}@example.com&metadata[user_id]={user}&payment_method=pm_card_visa\
         &invoice_settings[default_payment_method]=pm_card_visa"
    );
    let customer = stripe.call("POST /v1/customers", &form);
    let customer = customer["id"].as_str().expect("an id");
    let form = format!("customer={customer}&items[0][price]=price_xyz789&metadata[user_id]={user}");
    assert_eq!(stripe.call("POST /v1/subscriptions", &form)["status"], "active");
}

/// Makes the product of Hobby, and returns its id.
fn make_hobby(stripe: &LocalStripe) -> String {
    let product = stripe.call("POST /v1/products", "name=Hobby");
    let product = product["id"].as_str().expect("an id").to_owned();
    let form = format!("product={product}&currency=usd&unit_amount=500&recurring[interval]=month");
    stripe.call("POST /_sandbox/prices/price_xyz789", &form);
    product
}

#[test]
#[ignore = "takes minutes; `cargo xtask live operation` runs it"]
fn a_database_that_is_restored_alone_gets_its_events_again() {
    let place = Place::new();
    make_hobby(&place.stripe);
    let store = place.folder.path().join("data/store.db");
    let copy = place.folder.path().join("copy.db");
    let server = place.start("data", None);
    subscribe(&place.stripe, "ada");
    server.stop();
    let server = place.start("data", None);
    wait_for_entitlements(&server, &["ada"]);
    server.stop();
    std::fs::copy(&store, &copy).expect("copied");
    subscribe(&place.stripe, "bob");
    let server = place.start("data", None);
    wait_for_entitlements(&server, &["ada", "bob"]);
    server.stop();
    for data in ["data", "a-new-machine"] {
        let folder = place.folder.path().join(data);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(&copy, folder.join("store.db")).expect("restored");
        let server = place.start(data, None);
        wait_for_entitlements(&server, &["ada", "bob"]);
        server.stop();
    }
}

#[test]
#[ignore = "takes minutes; `cargo xtask live operation` runs it"]
fn an_outage_with_more_than_ten_thousand_events_loses_none() {
    let (place, flood) = (Place::new(), 10_400);
    let product = make_hobby(&place.stripe);
    place.start("data", None).stop();
    subscribe(&place.stripe, "first");
    let since = Instant::now();
    for number in 0..flood {
        place.stripe.call(&format!("POST /v1/products/{product}"), &format!("metadata[n]={number}"));
    }
    subscribe(&place.stripe, "last");
    println!("{flood} events were made in {:.0} s", since.elapsed().as_secs_f64());
    let since = Instant::now();
    let server = place.start("data", None);
    wait_for_entitlements(&server, &["first", "last"]);
    println!("the first and the last event were found after {:.0} s", since.elapsed().as_secs_f64());
    server.stop();
}
