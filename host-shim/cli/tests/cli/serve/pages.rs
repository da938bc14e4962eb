//! The pages of a server in local mode, used in a browser: Chromium, with axe-core. A plain run checks each state at the width of a phone;
//! `cargo xtask test clients` at two widths in two colour schemes. `SHOTS=FOLDER` photographs them.

use super::{Running, args, environment, log_of};
use crate::run::in_business;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The last version for Node 18 and 20, and the checks of accessibility.
const PACKAGES: [&str; 2] = ["puppeteer-core@24.8.2", "axe-core@4.10.3"];
/// The story of a customer, who also keeps it as a file.
const CUSTOMER: &str = include_str!("clients/customer.mjs");
/// Time limit of a story.
const STORY: Duration = Duration::from_secs(300);

/// The stories: business, script.
const STORIES: [(&str, &str); 13] = [
    ("solobase", "customer.mjs"),
    ("solobase", "failures.mjs"),
    ("solobase", "account.mjs"),
    ("solobase", "operator.mjs"),
    ("solobase", "recover.mjs"),
    ("tesslate", "tesslate.mjs"),
    ("twobot", "twobot.mjs"),
    ("saas-plugins", "plugins.mjs"),
    ("podcasts", "podcasts.mjs"),
    ("per-seat", "team.mjs"),
    ("writing-desk", "currency.mjs"),
    ("orchestra", "orchestra.mjs"),
    ("orchestra", "waking.mjs"),
];
/// The forms that no story can send with success, each with the test that sends it.
const ELSEWHERE: [(&str, &str); 10] = [
    ("complete_step", "over_http::pages::a_step_is_returned_to_its_provider_and_reported_at_the_overview"),
    ("end_credit", "over_http::console::an_operator_gives_a_customer_credit_with_a_reason_and_ends_it"),
    ("end_session", "over_http::self_service::a_user_sees_where_the_user_is_logged_in_and_logs_others_out"),
    ("extend_trial", "over_http::console::an_operator_extends_a_trial_and_refunds_a_part_of_a_purchase"),
    ("grant_credit", "over_http::console::an_operator_gives_a_customer_credit_with_a_reason_and_ends_it"),
    ("refund_purchase", "over_http::console::an_operator_extends_a_trial_and_refunds_a_part_of_a_purchase"),
    ("finish_step", "over_http::pages::a_step_other_than_the_database_is_reported_by_a_form"),
    ("log_out_everywhere", "over_http::pages::a_user_logs_out_on_all_devices_by_a_form"),
    ("return_step", "over_http::pages::a_step_is_returned_to_its_provider_and_reported_at_the_overview"),
    ("sync_usage", "over_http::pages::the_usage_page_synchronises_and_lists_each_request"),
];

/// Plays a story at a new server. Returns what the story has seen.
fn play(business: &str, script: &str) -> Value {
    play_with(business, script, false)
}

/// Plays a story; if it is whole, each state is checked at two widths in two schemes.
fn play_with(business: &str, script: &str, is_whole: bool) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut program = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    program.args(args(business, &data, &["--local"])).envs(environment());
    // With a token, a provider would make Orchestra's databases, for which a person is needed in its story.
    program.env_remove("SUPABASE_ACCESS_TOKEN");
    let (mut server, lines) = Running::spawn_and_read(program, &log_of(&data));
    let operator = lines.iter().find_map(|line| line.strip_prefix("operator  ")).unwrap_or_default();
    server.key = std::fs::read_to_string(data.join("operator.key")).expect("the operator's key").trim().to_owned();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients");
    let mut node = Command::new("node");
    node.env("PACKAGES", counterparts::node("browser", &PACKAGES)).env("CHROMIUM", counterparts::chromium());
    if let Ok(shots) = std::env::var("SHOTS") {
        node.env("SHOTS", Path::new(&shots).join(business));
    }
    if is_whole {
        node.env("WHOLE", "1");
    }
    node.arg(scripts.join(script)).arg(format!("http://{}", server.address)).arg(&server.key).arg(operator).arg(&data);
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

// covers: SOL-30, SOL-50, SOL-51, SOL-52, SOL-53, SOL-55, PLG-80, D-12
#[test]
fn a_customer_goes_from_the_prices_to_a_running_instance_and_to_the_end_of_the_plan() {
    let told = play("solobase", "customer.mjs");
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
    assert_eq!((text("login"), text("kept")), ("/login", "ada@example.com"), "what was typed stays");
    assert!(text("wrong").contains("The address or the password is wrong."), "{told}");
    assert_eq!(text("weak"), "Expected 10 to 200 characters.", "the error stands at its field");
    assert!(text("chosen").contains("Subscribe to Starter") && text("chosen").contains("$15.00 per month"), "{told}");
    assert_eq!(text("registered"), "/subscribe", "the chosen plan is kept");
    assert_eq!(told["next"], json!(["See the plans"]), "one next step");
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
    assert!(text("limit").contains("Instances: your plan allows 2, and all of them are in use."), "{told}");
    assert_eq!(text("renamed"), "Rob");
    assert_eq!((text("notDeleted"), text("deleted")), ("Write the name as it stands above.", "/dashboard"));
    assert_eq!((text("upgrade"), &told["portal"]), ("Get Professional", &json!(true)));
    assert_eq!(text("canceled"), "The subscription ends with the paid period.");
    assert_eq!(text("stays"), "You keep your plan.");
    assert_eq!((text("returned"), text("status")), ("/instances/inst_ada", "Archived"));
    assert!(told["note"]["wrong"].as_str().is_some_and(|wrong| wrong.contains("first note")), "{told}");
    assert_eq!(told["note"]["kept"], "Kept <here>", "what was typed stays");
    assert_eq!(told["note"]["shown"], json!(["first", "Kept <here>", "customer.mjs"]));
    assert_eq!(told["note"]["file"], json!(CUSTOMER.chars().take(30).collect::<String>()));
    for (name, head) in [("awaySuspended", "Suspended"), ("awayArchived", "Archived")] {
        let [status, told_head, link] = &told[name].as_array().expect("a list")[..] else { panic!("{told}") };
        assert_eq!((status, told_head), (&json!(503), &json!(head)));
        assert!(link.as_str().is_some_and(|link| link.ends_with("/instances/inst_ada")), "{link}");
    }
    assert_eq!(text("loggedOut"), "/");
}

// covers: PLG-82
#[test]
fn an_operator_sees_events_accounts_and_what_is_stuck_and_acts_by_a_click() {
    let told = play("solobase", "operator.mjs");
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
    assert_eq!((text("anonymous"), text("first"), text("dashboard")), ("/login", "/admin", "/admin"));
    assert!(text("overview").contains("No step waits for a person."), "{told}");
    assert_eq!(told["searched"], 1);
    assert!(text("event").contains("user:ada") && text("event").contains("It requested none."), "{told}");
    assert_eq!(text("redriven"), "The event was run again.");
    assert!(text("onboarding").contains("1 of 1 On average") && text("onboarding").contains("Applied"), "{told}");
    assert!(
        text("mail").starts_with("Thank you. Solobase has received your payment.\n\n- For: Starter\n- Period: "),
        "{told}"
    );
    assert!(text("mail").contains("\n- Amount: $15.00\n"), "{told}");
    assert!(text("figures").contains("$15.00") && text("revenue").contains("user:ada"), "{told}");
    assert_eq!(text("canceled"), "The subscription is being cancelled.");
    assert_eq!(text("moons"), "Such as 3d or 12h, at most 400 days.");
    assert_eq!(told["advanced"], json!(["The clock was advanced.", 3]));
    assert_eq!((text("account"), text("suspended")), ("/admin/accounts/user:ada", "The instance is suspended."));
    assert!(text("given").contains("+3") && text("given").contains("A partner"), "{told}");
}

#[test]
fn a_user_has_a_team_webhooks_and_the_own_data() {
    let told = play("solobase", "account.mjs");
    assert_eq!(told["api"], true, "the API of a business without routes of its own is that of the server");
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
    assert_eq!((text("organization"), &told["roles"]), ("Choir", &json!(["member", "viewer", "owner"])));
    assert_has(&told, "visitor", &["Join Choir", "bob@example.com has been invited", "Sign up"]);
    assert_eq!(text("filledIn"), "bob@example.com");
    assert_has(&told, "named", &["Ada Lovelace"]);
    assert_eq!((text("weak"), &told["reloaded"]), ("Expected 10 to 200 characters.", &json!(0)), "shown once");
    assert_eq!(text("changed"), "Your password is changed, and all other devices are logged out.");
    assert_eq!(text("asked"), "We sent a link to the new address. Open it to finish the change.");
    assert_has(&told, "moved", &["ada@new.example", "Confirmed"]);
    assert_eq!((&told["devices"], text("phone")), (&json!([true]), "/login"));
    assert!(text("unproved").contains("Only then can you make an organization and invite people."), "{told}");
    assert_has(&told, "elsewhere", &["Log in to confirm", "Or set a new password"]);
    assert_eq!((text("invited"), text("withdrawn")), ("The invitation is on its way.", "The invitation is withdrawn."));
    assert_has(&told, "invitation", &["Join Choir", "with the role owner"]);
    assert!(text("joined").contains("Choir"), "{told}");
    assert_has(&told, "usedInvitation", &["does not work for bob@example.com", "Ask an owner of the organization"]);
    assert_eq!((&told["members"], text("removed")), (&json!(2), "The member is removed."));
    assert_eq!((&told["secret"], &told["again"]), (&json!(true), &json!(false)), "a secret is shown once");
    let resent = ("The message is sent again.", "The failed messages are sent again.");
    assert_eq!((text("resent"), text("resentAll")), resent);
    assert_eq!((&told["rotated"], text("disabled"), text("enabled")), (&json!(true), "Disabled", "Enabled"));
    assert_eq!(told["confirmed"], true, "the address is not proved yet");
    let proved = ("A mail with a link is on its way.", "Thank you, the address is confirmed.");
    assert_eq!((text("mailed"), text("proved")), proved);
    assert!(text("forgot").contains("a mail with a link is on its way"), "{told}");
    assert_eq!(text("reset"), "/dashboard");
    assert_eq!((text("kept"), text("left"), text("ended")), ("/account", "/", "/login"));
}

// covers: BOT-44
#[test]
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

#[test]
fn what_a_provider_refused_is_tried_again_by_a_click_and_the_customers_page_goes_on() {
    let told = play("solobase", "recover.mjs");
    assert_has(&told, "again", &["function.ensure", "user:", "Queued", "Is a directory", "Try now"]);
    assert_eq!(text(&told, "gaveUp"), "The effect has failed for good, and the business knows it.");
    assert_eq!((text(&told, "now"), &told["goesOn"]), ("The next attempt begins now.", &json!(true)));
    assert_eq!((text(&told, "failed"), text(&told, "status")), ("Error", "Running"));
    assert_has(&told, "stuck", &["Choir", "inst_choir"]);
    assert_eq!(text(&told, "triedAtAccount"), "The failed steps are tried again.");
    assert_eq!(text(&told, "triedAll"), "The failed steps of up to 50 accounts are tried again.");
    assert_eq!((text(&told, "tried"), &told["live"]), ("The failed steps are tried again.", &json!(true)));
}

/// Returns the names of the forms in the heads of the pages and blocks of a folder.
fn forms(folder: &Path) -> BTreeSet<String> {
    let (mut found, mut is_form) = (BTreeSet::new(), false);
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(forms(&entry));
        } else if entry.extension().is_some_and(|ending| ending == "html") {
            let text = std::fs::read_to_string(&entry).expect("a page");
            let head =
                text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or("", |(head, _)| head);
            for line in head.lines() {
                match line.strip_prefix("  ") {
                    Some(name) if is_form && !name.starts_with(' ') => {
                        found.extend(name.split_once(':').map(|(name, _)| name.to_owned()));
                    }
                    Some(_) => {}
                    None => is_form = line == "do:",
                }
            }
        }
    }
    found
}

#[test]
#[ignore = "takes minutes; `cargo xtask test clients` runs it"]
fn every_state_of_every_story_is_right_at_two_widths_in_two_schemes_and_every_form_was_sent() {
    let mut sent: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (business, script) in STORIES {
        let told = play_with(business, script, true);
        let names = told["forms"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned));
        sent.entry(business).or_default().extend(names);
    }
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/business/built-in/pages");
    let of_all: BTreeSet<String> = sent.values().flatten().cloned().collect();
    let mut never_sent = vec![("built in", forms(&pages).difference(&of_all).cloned().collect::<Vec<_>>())];
    for (business, sent) in &sent {
        // A business without pages of its own has the built-in ones.
        let pages = in_business(business).join("pages");
        let own = if pages.is_dir() { forms(&pages) } else { BTreeSet::new() };
        never_sent.push((business, own.difference(sent).cloned().collect()));
    }
    for (_, forms) in &mut never_sent {
        forms.retain(|form| ELSEWHERE.iter().all(|(name, _)| form != name));
    }
    never_sent.retain(|(_, forms)| !forms.is_empty());
    assert_eq!(never_sent, Vec::new(), "forms that no story has sent with success");
}

#[test]
fn the_business_of_the_tutorial_sells_a_plan_an_add_on_and_credits_without_any_configuration() {
    let told = play("podcasts", "podcasts.mjs");
    assert_eq!(told["plans"], json!(["Free", "Studio", "Team"]));
    let add_ons = told["addOns"].as_array().expect("a list").iter().filter_map(Value::as_str).collect::<Vec<_>>();
    assert_eq!(
        add_ons,
        [
            "One more show $4.00 per month Shows 1 Quantity Buy One more show",
            "Ten dollars of transcription $10.00 Credits $10.00 Buy Ten dollars of transcription",
        ]
    );
    assert_eq!((text(&told, "registered"), &told["checkout"]), ("/subscribe", &json!(true)));
    assert_eq!(text(&told, "subscribed"), "/dashboard?success=true&session_id=ID");
    assert!(!text(&told, "said").contains("Studio"), "only what this checkout has paid: {told}");
    assert_eq!(told["nouns"], json!(["Shows", "Create a show"]));
    assert_eq!(told["leaves"], json!(["/pricing?canceled=1"]));
    let purchases =
        ["Ten dollars of transcription | $10.00 | Paid", "2 × One more show | $8.00 | Paid", "Studio | $0.00 | Paid"];
    assert_has(&told, "due", &["14 days free", "Total due today $0.00", "$12.00 per month"]);
    assert_eq!(told["purchases"], json!(purchases));
    assert_eq!((&told["portal"], &told["back"], text(&told, "create")), (&json!(true), &json!(true), "Create a show"));
    assert_eq!(told["opened"]["host"], "show-wedding-feed.localhost");
    assert!(told["opened"]["shows"].as_str().is_some_and(|shown| shown.contains("show-wedding-feed")), "{told}");
}

#[test]
fn an_organization_buys_seats_and_sees_what_a_change_costs_before_it_pays() {
    let told = play("per-seat", "team.mjs");
    assert_eq!(told["accounts"], json!(["ada@example.com", "Choir"]));
    assert_eq!(text(&told, "switched"), "/dashboard?account=organization%3AID&switch=1");
    let offered =
        json!(["Start with Free", "Try Pro for 14 days", "Subscribe to Company", "Contact us about Enterprise"]);
    assert_eq!((&told["offered"], &told["ownOffers"]), (&offered, &offered));
    let held = json!(["See your plan", "Downgrade to Pro", "Change Company", "Contact us about Enterprise"]);
    assert_eq!((&told["held"], &told["mark"]), (&held, &json!(["Recommended", "Your plan"])));
    // Two seats more, right after the purchase: 2 × 14.00. A month of 7 seats is 98.00.
    assert_has(
        &told,
        "cost",
        &["Company × 7", "You'll pay $28.00 today", "you'll pay $98.00 every month", "Pay and change"],
    );
    assert_eq!(text(&told, "changed"), "/billing?changed=now&account=organization%3AID");
    // Two seats of Pro are 16.00.
    assert_has(&told, "smaller", &["Pro × 2", "You pay nothing today", "you'll pay $16.00 every month"]);
    assert_has(&told, "own", &["You have no paid plan."]);
}

#[test]
fn a_visitor_from_austria_pays_in_euros_with_a_code_and_the_tax() {
    let told = play("writing-desk", "currency.mjs");
    assert_eq!(told["american"], json!(["USD", "$12.00 per month"]));
    assert_eq!(told["dollars"], json!(["USD", "12,00 $ per month"]), "whoever wants another currency follows a link");
    let austrian = &told["austrian"];
    assert_eq!((&austrian[0], text(&told, "euros")), (&json!("EUR"), "?currency=eur&code=TEN-OFF"));
    assert!(austrian[1].as_str().is_some_and(|price| price.contains("11,00")), "{told}");
    assert_has(&told, "use", &["up to 1,000 a month", "€0.045", "€0.035"]);
    // Six seats at 14.00, less 9.00, and 19 % of tax.
    assert_has(&told, "before", &["€84.00", "-€9.00"]);
    assert_has(&told, "due", &["Tax €14.25", "€89.25"]);
    assert_eq!(told["purchases"], json!(["6 × Newsroom | 89,25\u{a0}€ | Paid"]));
    assert_has(
        &told,
        "billing",
        &["Balance\n\n0,00\u{a0}€", "with 14,25\u{a0}€ tax", "after a discount of 9,00\u{a0}€"],
    );
    assert_eq!(told["later"][0], json!(0), "an account pays in one currency");
    assert!(told["later"][1].as_str().is_some_and(|price| price.contains("€11.00")), "{told}");
}

/// Returns a text that a story has seen.
fn text<'t>(told: &'t Value, name: &str) -> &'t str {
    told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}"))
}

fn assert_has(told: &Value, name: &str, parts: &[&str]) {
    let text = text(told, name);
    parts.iter().for_each(|part| assert!(text.contains(part), "{name} has `{part}`: {text}"));
}

// covers: TES-80, TES-81, TES-82, TES-83, TES-84, TES-85, TES-86, TES-87, TES-88, TES-89, TES-92, TES-104, TES-105
#[test]
fn tesslate_sells_plans_credits_slots_and_agents() {
    let told = play("tesslate", "tesslate.mjs");
    assert_eq!((&told["plans"], &told["compared"]), (&json!(["Free", "Premium"]), &json!(6)));
    assert_eq!((text(&told, "login"), text(&told, "returned")), ("/login", "/billing/plans"));
    assert_eq!(told["nav"], json!(["Projects", "Agents", "Billing", "Plans"]));
    assert_has(&told, "menu", &["Free", "0 of 1", "Credits", "Upgrade to Premium"]);
    assert_eq!(
        (text(&told, "full"), text(&told, "typed"), text(&told, "deployed")),
        ("Full", "Blog", "tesslate-shop.localhost")
    );
    for (reason, parts) in [
        (
            "projectLimit",
            ["All projects of your plan are in use.", "Premium has 5 for $5.00 a month", "Upgrade to Premium"],
        ),
        (
            "deployLimit",
            ["All deployments of your plan are in use.", "sells more slots for $10.00 each", "Upgrade to Premium"],
        ),
        ("featureLimit", ["Your plan does not include this", "This comes with Premium", "Upgrade to Premium"]),
    ] {
        assert_has(&told, reason, &parts);
    }
    assert_has(&told, "waiting", &["One moment", "The payment for Medium pack is on its way to us."]);
    assert_eq!(told["live"], true, "the page goes on by itself");
    assert_has(&told, "arrived", &["Thank you", "You have 1,000 credits now."]);
    let agents = told["agents"].as_array().expect("a list").iter().filter_map(Value::as_str).collect::<Vec<_>>();
    for (agent, parts) in agents.iter().zip([
        ["Linter", "Free", "Get it for free"],
        ["Muse", "$8.99 for the creator (90 %)", "Subscribe"],
        ["Quill", "90 % of this price for the creator", "pay as you go"],
        ["Smith", "$17.99 for the creator (90 %)", "Buy"],
    ]) {
        assert!(parts.iter().all(|part| agent.contains(part)), "{parts:?}: {agent}");
    }
    assert_eq!((agents.len(), &told["owned"]), (4, &json!(["Yours", "Yours", "Yours", "Yours"])));
    assert_eq!(told["unpaid"], json!(["Yours", "Yours", "Not paid yet"]));
    assert_has(&told, "amber", &["4 of 5", "Almost full"]);
    assert_has(&told, "slotRequired", &["Buy one more slot for $10.00", "Buy a slot"]);
    assert_has(&told, "slots", &["Premium", "5 of 6", "870"]);
    assert_has(&told, "sixth", &["6 of 6", "buy a slot for $10.00"]);
    assert_has(&told, "payouts", &["Your share is paid out a week after each sale."]);
    let paid = json!(["$10.00 Deploy slot", "$10.00 Medium pack", "$19.99 Smith", "$5.00 Premium", "$9.99 Muse"]);
    assert_eq!(told["transactions"], paid);
    assert_eq!(
        (text(&told, "asked"), &told["portal"], &told["status"]),
        ("Cancel Premium?", &json!(true), &json!(true))
    );
    assert_eq!(text(&told, "cancelled"), "Premium is cancelled. You keep it until the paid period ends.");
    // The use of models and agents, by day, model and agent.
    assert_eq!(told["figures"], json!(["$1.30", "$1.30", "175,000", "4"]));
    assert_eq!((&told["bars"], &told["ofAgent"]), (&json!(3), &json!(1)));
    assert_eq!(told["byModel"], json!([["Large", "55,000", "2", "$0.66"], ["Small", "120,000", "2", "$0.64"]]));
    assert_eq!(text(&told, "reversed"), "The last day is before the first day.");
}

// covers: BOT-05, BOT-46
#[test]
fn twobot_sells_add_ons_to_users_and_boosters_to_organizations() {
    let told = play("twobot", "twobot.mjs");
    let prices = |name: &str| {
        let rows = told[name].as_array().expect("a list").iter().filter_map(Value::as_str);
        let price = |row: &str| row.split(" | ").nth(4).and_then(|cell| cell.split(' ').next()).map(str::to_owned);
        rows.filter_map(price).collect::<Vec<_>>()
    };
    assert_eq!(prices("monthly"), ["$5.00", "$9.00", "$15.00", "$29.00", "$49.00"]);
    assert_eq!(prices("yearly"), ["$50.00", "$90.00", "$150.00", "$290.00", "$490.00"]);
    assert_eq!(text(&told, "label"), "Yearly 17% off");
    assert_eq!(text(&told, "canceled"), "You left the checkout. Nothing was paid, and everything stays as it was.");
    assert_eq!(text(&told, "paid"), "/dashboard/settings/billing/workspace?success=true");
    assert_eq!(told["bought"], json!(["RAM 1 GB", "CPU 0.5", "Storage 10 GB", "Executions Unlimited"]));
    assert_has(&told, "locked", &["has no boosters"]);
    assert_eq!(told["withoutBoosters"], 0);
    let paid = "/dashboard/settings/organization/billing/workspace?account=organization:ID&success=true";
    assert_eq!((text(&told, "planPaid"), text(&told, "boosterPaid")), (paid, paid));
    assert_eq!((&told["portals"], &told["subscribed"]), (&json!([true, true]), &json!(true)));
    let pool = ["RAM 16 GB 0 GB in use", "CPU 8 0 in use", "Storage 170 GB 0 GB in use", "Executions Unlimited"];
    assert_eq!(told["pool"], json!(pool));
    assert_has(&told, "foreign", &["Forbidden"]);
}

// covers: PLG-80, PLG-81, PLG-82
#[test]
fn the_plugin_shop_sells_downloads_and_sends_campaigns() {
    let told = play("saas-plugins", "plugins.mjs");
    assert_eq!((text(&told, "anonymous"), text(&told, "registered")), ("/login", "/dashboard"));
    assert_eq!(text(&told, "paid"), "/dashboard/billing?paid=1");
    assert_eq!(told["owned"], json!(["Sample Editor", "Sample Manual", "Sample Tool"]));
    assert_has(&told, "twice", &["You have it already"]);
    assert_eq!((&told["token"], &told["shownOnce"], &told["gone"]), (&json!(true), &json!(true), &json!(true)));
    assert_has(&told, "pull", &["/api/docker/pull/prod_sample_editor", "docker load"]);
    let missing = json!([409, "download_unavailable"]);
    assert_eq!(told["missing"], json!([missing, missing]));
    assert_eq!(told["delivered"], json!([[200, "the manual"], [200, "the layers"]]), "the tokens were not spent");
    assert_eq!(told["spent"], json!([401, "token_redeemed"]));
    assert_eq!(told["revoked"], json!(["The token is revoked. It no longer works.", 2]));
    assert_eq!(told["forbidden"], json!([403, 403, 403]));
    assert_eq!(told["customers"].as_array().map(Vec::len), Some(4));
    assert_has(&told, "unknown", &["`none` is not a template"]);
    assert_has(&told, "all", &["Would go to 4 recipients."]);
    assert_has(&told, "some", &["Would go to 1 recipient."]);
    assert_has(&told, "sent", &["For editors", "Sent", "1 recipient."]);
    assert_has(&told, "scheduled", &["Goes out at 2099-01-02 09:00:00 UTC."]);
    assert_has(&told, "canceled", &["Canceled"]);
    let mails = told["mails"].as_array().expect("a list");
    let has = |name: &str, by: &str| mails.contains(&json!([name, by]));
    assert!(
        has("Welcome", "the business") && has("News", "the business") && has("Step waiting", "built in"),
        "{mails:?}"
    );
    assert_eq!(told["mail"], json!(["Welcome to Sample Plugins", "/api/operator/mails/welcome?html=true"]));
    assert_has(&told, "html", &["at Sample Plugins with [email].", "#6b2fb3"]);
    let sent = told["sentMails"].as_array().expect("a list");
    for mail in [
        ["ada@example.com", "Welcome to Sample Plugins"],
        ["ada@example.com", "For editors"],
        // The browser of this customer is German.
        ["eve@example.com", "Willkommen bei Sample Plugins"],
    ] {
        assert!(sent.contains(&json!(mail)), "{mail:?}: {sent:?}");
    }
    let receipts =
        sent.iter().filter(|mail| mail[1].as_str().is_some_and(|words| words.starts_with("Your receipt from")));
    let mut receipts = receipts.peekable();
    assert!(receipts.peek().is_some() && receipts.all(|mail| mail[0] == "ada@example.com"), "{sent:?}");
}

// covers: ORC-31, ORC-34
#[test]
fn orchestra_shows_provisions_that_wait_for_a_person() {
    let told = play("orchestra", "orchestra.mjs");
    assert_has(&told, "none", &["No orchestra waits"]);
    assert_eq!(told["heads"], json!(["Orchestra", "Customer", "Step", "State", "Age", "Time left"]));
    assert_eq!(told["pending"], json!(["philharmonic", "ada@example.com", "Database", "Waiting"]));
    assert_eq!((&told["age"], &told["left"]), (&json!(true), &json!(true)));
    assert_has(&told, "refused", &["The database was refused"]);
    assert_has(&told, "atField", &["This is not the URL of a database with its password."]);
    assert_has(&told, "accepted", &["The database is accepted."]);
    assert_eq!(
        told["mails"],
        json!(["Welcome to Stagesub: your orchestra is ready"]),
        "one mail says that it is ready"
    );
    assert_eq!((text(&told, "provision"), &told["kept"]), ("/admin/provisions/philharmonic", &json!(false)));
    assert_eq!(told["late"], json!(["Overdue The last URL was refused", "25 h N min", "none, 1 h N min late"]));
    assert_has(&told, "waits", &["A person makes your database."]);
    assert_eq!((text(&told, "paid"), &told["forbidden"]), ("/welcome", &json!(403)));
}

// covers: ORC-31, ORC-42, ORC-61, ORC-67
#[test]
fn an_orchestra_gets_the_database_of_a_person_sleeps_and_is_woken_by_a_visit_and_by_its_owner() {
    let told = play("orchestra", "waking.mjs");
    assert_eq!(text(&told, "again"), "The provider tries the step again.");
    assert_eq!(text(&told, "entered"), "The database is accepted. Everything after it goes by itself.");
    assert_eq!(told["live"], true, "the customer's page goes on");
    assert_has(&told, "onboarding", &["0 % without a person", "1 of 2 steps done", "With a person 1"]);
    assert_eq!(told["running"], json!([421, "Not at this server"]));
    assert_eq!(told["visited"], json!([503, "Being restored"]));
    assert!(!text(&told, "visitor").contains("ada"), "a visitor learns nothing of the customer: {told}");
    assert_eq!(text(&told, "restored"), "The instance is being restored.");
}
