//! The pages of a server in local mode, used in a browser: Chromium, with axe-core. `SHOTS=FOLDER` photographs each state at two widths in
//! two colour schemes.

use super::{Running, args, environment, log_of};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The last version for Node 18 and 20, and the checks of accessibility.
const PACKAGES: [&str; 2] = ["puppeteer-core@24.8.2", "axe-core@4.10.3"];
/// Time limit of a story.
const STORY: Duration = Duration::from_secs(300);

/// Plays a story at a new server. Returns what the story has seen.
fn play(business: &str, script: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut program = Command::new(env!("CARGO_BIN_EXE_host-shim"));
    program.args(args(business, &data, &["--local"])).envs(environment());
    let (mut server, lines) = Running::spawn_and_read(program, &log_of(&data));
    let operator = lines.iter().find_map(|line| line.strip_prefix("operator  ")).unwrap_or_default();
    server.key = std::fs::read_to_string(data.join("operator.key")).expect("the operator's key").trim().to_owned();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients");
    let mut node = Command::new("node");
    node.env("PACKAGES", counterparts::node("browser", &PACKAGES)).env("CHROMIUM", counterparts::chromium());
    if let Ok(shots) = std::env::var("SHOTS") {
        node.env("SHOTS", Path::new(&shots).join(business));
    }
    node.arg(scripts.join(script)).arg(format!("http://{}", server.address)).arg(&server.key).arg(operator);
    let out = counterparts::succeeds(&mut node, STORY);
    server.stop();
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    assert_eq!(told["serious"], json!([]), "axe-core and the widths of the pages");
    let own_errors = told["console"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // A refused form is a failed request to the browser's console.
    let own_errors: Vec<&str> = own_errors.filter(|line| !line.contains("Failed to load resource")).collect();
    assert_eq!(
        own_errors,
        Vec::<&str>::new(),
        "no script fails, and the policy of the pages forbids nothing that they need"
    );
    told
}

// covers: SOL-30, SOL-50, SOL-51, SOL-52, SOL-53, SOL-55, PLG-80
#[test]
fn a_customer_goes_from_the_prices_to_a_running_instance_and_to_the_end_of_the_plan() {
    let told = play("solobase", "customer.mjs");
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
    assert_eq!((text("login"), text("kept")), ("/login", "ada@example.com"), "what was typed stays");
    assert!(text("wrong").contains("The address or the password is wrong."), "{told}");
    assert_eq!(text("weak"), "Expected 10 to 200 characters.", "the error stands at its field");
    assert_eq!(text("registered"), "/pricing", "the page from which the login was asked for");
    assert_eq!((&told["checkout"], text("paid")), (&json!(true), "/dashboard?success=true"));
    assert_eq!((text("invalid"), text("typed")), ("Expected 3 to 40 characters.", "My app"));
    assert_eq!(
        (text("instance"), &told["live"]),
        ("/instances/inst_ada", &json!(true)),
        "without loading the page again"
    );
    assert_eq!(told["steps"], json!(["Database done", "Bucket done", "Compute done"]));
    assert!(text("address").starts_with("http://solobase-ada.localhost:"), "{told}");
    assert!(["Instances", "1 of 2", "0 of 10 GB"].iter().all(|part| text("usage").contains(part)), "{told}");
    assert!(text("limit").contains("Your plan has 2 instances, and all of them are in use."), "{told}");
    assert_eq!((text("upgrade"), &told["portal"]), ("Get Professional", &json!(true)));
    assert_eq!(text("canceled"), "The subscription ends with the paid period.");
    assert_eq!((text("returned"), text("status")), ("/instances/inst_ada", "Archived"));
    assert_eq!(text("loggedOut"), "/");
}

#[test]
#[ignore = "needs a browser; `cargo xtask test clients` runs it"]
fn an_operator_sees_events_accounts_and_what_is_stuck_and_acts_by_a_click() {
    let told = play("solobase", "operator.mjs");
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
    assert_eq!((text("anonymous"), text("first"), text("dashboard")), ("/login", "/admin", "/admin"));
    assert!(text("overview").contains("No step waits for a person."), "{told}");
    assert_eq!(told["searched"], 1);
    assert!(text("event").contains("user:ada") && text("event").contains("It requested none."), "{told}");
    assert_eq!((text("account"), text("suspended")), ("/admin/accounts/user:ada", "The instance is suspended."));
}

#[test]
#[ignore = "needs a browser; `cargo xtask test clients` runs it"]
fn a_user_has_a_team_webhooks_and_the_own_data() {
    let told = play("solobase", "account.mjs");
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
    assert_eq!((text("organization"), text("role")), ("Choir", "Expected owner, member, viewer."));
    assert_eq!(text("invited"), "The invitation is on its way.");
    assert_eq!((&told["secret"], &told["again"]), (&json!(true), &json!(false)), "a secret is shown once");
    assert_eq!(told["confirmed"], true, "the address is not proved yet");
    assert_eq!((text("kept"), text("left"), text("ended")), ("/do/forget_me", "/", "/login"));
}

#[test]
#[ignore = "needs a browser; `cargo xtask test clients` runs it"]
fn what_goes_wrong_is_told_where_it_helps() {
    let told = play("solobase", "failures.mjs");
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
    assert!(
        text("without").contains("You need a plan for this.") && text("without").contains("See the plans"),
        "{told}"
    );
    assert_eq!((&told["declined"], &told["secure"]), (&json!(true), &json!(true)));
    assert_eq!(text("paid"), "/dashboard?success=true");
    assert_eq!(text("taken"), "`choir` is taken. Choose another one.");
    assert_eq!(text("made"), "/instances/inst_orchestra");
}
