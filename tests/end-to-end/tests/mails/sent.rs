//! The mails that a business sends: those of its scenarios, those of the server, and those of no scenario.

use super::{folder, object};
use end_to_end::world::root;
use host_provider_api::{Call, CallOutcome, Provider, Registry};
use host_replay::live::LiveProviders;
use host_replay::run::{ReplayOptions, Silent, replay};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Number of scenarios that are played at the same time.
const THREADS: usize = 2;
/// Number of scenarios of a business that are played for each mail.
const TIMES: usize = 2;

/// A mail that was sent.
#[derive(Clone, Debug)]
pub struct SentMail {
    pub template: String,
    pub to: String,
    pub account: String,
    /// The values, with the secrets filled in.
    pub values: Value,
}

impl SentMail {
    pub fn is_for_operators(&self) -> bool {
        self.to == "admin"
    }
}

/// Keeps the mails that it should send.
#[derive(Default)]
struct Outbox(Mutex<Vec<SentMail>>);

impl Provider for Outbox {
    fn call(&self, call: &Call) -> CallOutcome {
        let text = |name: &str| call.text(name).unwrap_or_default().to_owned();
        let mut values = object(call.payload["values"].clone());
        let secrets = call.payload["secrets"].as_object().into_iter().flatten();
        values.extend(secrets.map(|(name, _)| (name.clone(), json!(format!("https://links.example/{name}?token=t")))));
        let account = call.scope.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
        let mail = SentMail { template: text("template"), to: text("to"), account, values: Value::Object(values) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        CallOutcome::Done(json!({"message_id": "m@example.com"}))
    }
}

/// Returns the word at the beginning of a text.
fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect()
}

/// Returns the scenarios in which a mail is expected, a few of each mail: all of them take more time than they show.
fn with_mails(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut chosen: BTreeMap<String, usize> = BTreeMap::new();
    let is_wanted = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).expect("a scenario");
        let after = |mark: &str| text.split(mark).skip(1).map(word).collect::<Vec<_>>();
        let names: BTreeSet<String> =
            [after("template: "), after(" mail:"), after("\"mail:")].concat().into_iter().collect();
        // It expects a mail by other words than its name.
        if names.is_empty() {
            return text.contains("mail.send") || text.contains("notices");
        }
        let is_new = names.iter().any(|name| chosen.get(name).is_none_or(|times| *times < TIMES));
        if is_new {
            names.into_iter().for_each(|name| *chosen.entry(name).or_default() += 1);
        }
        is_new
    };
    files.into_iter().filter(is_wanted).collect()
}

/// Returns the files of scenarios in a folder.
fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| match path.is_dir() {
            true => scenarios(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    files
}

/// Plays the scenarios of a business and returns the mails, each distinct one once.
pub fn sent_by(business: &str) -> Vec<SentMail> {
    let outbox = Arc::new(Outbox::default());
    let mut registry = Registry::default();
    registry.register(&["mail"], outbox.clone());
    let options = ReplayOptions {
        fixtures: Some(root().join("fixtures")),
        live: Some(LiveProviders::new(registry)),
        ..ReplayOptions::new(host_replay::native::runners())
    };
    let files = with_mails(scenarios(&folder(business).join("scenarios")));
    thread::scope(|threads| {
        for part in files.chunks(files.len().div_ceil(THREADS).max(1)) {
            let options = options.clone();
            threads.spawn(move || {
                for file in part {
                    // The answers of scripted mails are missing, so an expectation may fail; the mails are the same.
                    let played = replay(std::slice::from_ref(file), &mut io::empty(), &options, &mut Silent);
                    assert!(played.is_ok(), "{}: {:?}", file.display(), played.err());
                }
            });
        }
    });
    let mut known = BTreeSet::new();
    let mut sent = std::mem::take(&mut *outbox.0.lock().unwrap_or_else(PoisonError::into_inner));
    sent.sort_by(|a, b| (&a.template, &a.to, a.values.to_string()).cmp(&(&b.template, &b.to, b.values.to_string())));
    sent.retain(|mail| known.insert((mail.template.clone(), mail.to.clone(), mail.values.to_string())));
    sent
}

fn mail(template: &str, to: &str, values: Value) -> SentMail {
    SentMail { template: template.to_owned(), to: to.to_owned(), account: "user:ada".to_owned(), values }
}

/// The mails that the server sends of its own, whatever the business is.
pub fn of_server() -> Vec<SentMail> {
    let link = "https://links.example/auth?token=t";
    let endpoint = |description: Value, reason: &str| {
        let url = "https://ada.example/hook";
        json!({"endpoint": "we_1", "url": url, "description": description, "reason": reason})
    };
    vec![
        mail("account_claim", "ada@example.com", json!({"link": link})),
        mail("address_confirmation", "ada@example.com", json!({"link": link})),
        mail(
            "organization_invitation",
            "ada@example.com",
            json!({"link": link, "organization": "Choir", "role": "billing"}),
        ),
        mail("password_reset", "ada@example.com", json!({"link": link})),
        mail("webhook_disabled", "account", endpoint(Value::Null, "failing")),
        mail("webhook_disabled", "account", endpoint(Value::Null, "maker")),
        mail("webhook_disabled", "admin", endpoint(json!("Our own system"), "waiting")),
    ]
}

/// Built-in mails that no scenario sends, with the values that `docs/reference/effects.md` lists.
pub fn rare() -> Vec<SentMail> {
    let money = |of: &str, id: &str| json!({of: id, "amount_minor": 1799, "currency": "usd"});
    let mut note = money("credit_note", "cn_1");
    note["invoice"] = json!("in_1");
    vec![
        mail("campaign_failed", "admin", json!({"campaign": "cmp_1", "name": "Spring", "template": "news"})),
        mail("credit_note", "admin", note),
        mail("rest_by_hand", "admin", money("subscription", "sub_1")),
        mail("transfer_reversed", "admin", money("transfer", "tr_1")),
    ]
}
