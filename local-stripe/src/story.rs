//! Named stories: sequences of calls whose events can be written to files.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::calendar::DAY_S;
use crate::event::Event;
use crate::sandbox::{Sandbox, json_of, own_request};
use crate::settings::{Dunning, DunningEnd, START_S, Settings};
use crate::version::Version;

/// The reason why a story can't be run.
#[derive(Debug, Error)]
pub enum StoryError {
    /// No story has this name.
    #[error("no story has the name {0}")]
    Unknown(String),
    /// A call of the story was refused, which is a bug of the sandbox.
    #[error("{method} {path} answered {status}: {message}")]
    Refused {
        /// The method of the call.
        method: String,
        /// The path of the call.
        path: String,
        /// The status of the response.
        status: u16,
        /// The message of the response.
        message: String,
    },
    /// A file can't be written.
    #[error("{path} can't be written: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
}

/// A named story.
#[derive(Debug)]
pub struct Story {
    /// The name.
    pub name: &'static str,
    /// A one-line summary.
    pub about: &'static str,
    play: fn(&mut Player) -> Result<(), StoryError>,
}

/// All stories.
pub const STORIES: &[Story] = &[
    Story {
        name: "subscribe",
        about: "a checkout is paid, the subscription renews once, then is cancelled at the period's end",
        play: subscribe,
    },
    Story { name: "trial", about: "14 days of trial with its $0 invoice, then the first payment", play: trial },
    Story {
        name: "upgrade-failed-payment",
        about: "an upgrade is invoiced at once, the card fails, a new card pays",
        play: upgrade,
    },
    Story {
        name: "dunning-unpaid",
        about: "a renewal fails, every retry fails, the subscription becomes unpaid",
        play: dunning,
    },
    Story { name: "refund", about: "a payment is refunded partially, then fully", play: refund },
    Story { name: "dispute", about: "one dispute is won, another lost", play: dispute },
];

/// Makes the calls of a story and returns the sandbox.
///
/// # Errors
/// No story has this name, or a call was refused.
pub fn play(name: &str, seed: u64, version: &Version) -> Result<Sandbox, StoryError> {
    let story = STORIES.iter().find(|s| s.name == name).ok_or_else(|| StoryError::Unknown(name.into()))?;
    let settings = Settings {
        seed,
        version: version.clone(),
        dunning: Dunning { retry_days: vec![3, 5, 7], end: DunningEnd::Unpaid },
        ..Settings::default()
    };
    let mut player = Player { sandbox: Sandbox::new(settings) };
    (story.play)(&mut player)?;
    Ok(player.sandbox)
}

/// Writes a story's events as numbered JSON files to a folder, and returns the number of events.
///
/// # Errors
/// The story can't be run, or a file can't be written.
pub fn write(name: &str, version: &Version, seed: u64, out: &Path) -> Result<usize, StoryError> {
    let sandbox = play(name, seed, version)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| StoryError::Write { path, error }
    };
    std::fs::create_dir_all(out).map_err(failed(out))?;
    let events = sandbox.state().events();
    for (n, event) in events.iter().enumerate() {
        let path = out.join(file_name(n + 1, event));
        let text = serde_json::to_string_pretty(&event.render(version)).unwrap_or_default();
        std::fs::write(&path, text + "\n").map_err(failed(&path))?;
    }
    Ok(events.len())
}

fn file_name(number: usize, event: &Event) -> String {
    format!("{number:03}-{}.json", event.kind)
}

struct Player {
    sandbox: Sandbox,
}

impl Player {
    fn call(&mut self, method: &str, path: &str, form: &[(&str, &str)]) -> Result<Value, StoryError> {
        let response = self.sandbox.handle(&own_request(method, path, form));
        let answer = json_of(&response);
        // A declined card is a valid step of a story.
        if response.status != 200 && response.status != 402 {
            let message = answer["error"]["message"].as_str().unwrap_or_default().to_owned();
            return Err(StoryError::Refused {
                method: method.into(),
                path: path.into(),
                status: response.status,
                message,
            });
        }
        Ok(answer)
    }

    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<String, StoryError> {
        let answer = self.call("POST", path, form)?;
        Ok(answer["id"].as_str().unwrap_or_default().to_owned())
    }

    fn price(&mut self, name: &str, amount: &str, recurring: bool) -> Result<String, StoryError> {
        let product = self.post("/v1/products", &[("name", name)])?;
        let mut form = vec![("product", product.as_str()), ("currency", "usd"), ("unit_amount", amount)];
        if recurring {
            form.push(("recurring[interval]", "month"));
        }
        self.post("/v1/prices", &form)
    }

    fn customer(&mut self, card: &str) -> Result<String, StoryError> {
        let form = [
            ("email", "buyer@example.com"),
            ("name", "Example Buyer"),
            ("payment_method", card),
            ("invoice_settings[default_payment_method]", card),
        ];
        self.post("/v1/customers", &form)
    }

    fn new_card(&mut self, customer: &str, card: &str) -> Result<(), StoryError> {
        let method = self.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", customer)])?;
        self.post(&format!("/v1/customers/{customer}"), &[("invoice_settings[default_payment_method]", &method)])?;
        Ok(())
    }

    fn subscribe(&mut self, customer: &str, price: &str, more: &[(&str, &str)]) -> Result<Value, StoryError> {
        let form: Vec<(&str, &str)> =
            [("customer", customer), ("items[0][price]", price)].into_iter().chain(more.iter().copied()).collect();
        self.call("POST", "/v1/subscriptions", &form)
    }

    fn until_day(&mut self, day: i64) -> Result<(), StoryError> {
        let time = (START_S + day * DAY_S).to_string();
        self.call("POST", "/_sandbox/clock", &[("advance_to", &time)])?;
        Ok(())
    }
}

fn subscribe(player: &mut Player) -> Result<(), StoryError> {
    let price = player.price("Pro", "2000", true)?;
    let form = [
        ("mode", "subscription"),
        ("line_items[0][price]", price.as_str()),
        ("line_items[0][quantity]", "1"),
        ("success_url", "https://example.com/done?session={CHECKOUT_SESSION_ID}"),
        ("client_reference_id", "account_1"),
        ("subscription_data[metadata][account]", "account_1"),
    ];
    let session = player.post("/v1/checkout/sessions", &form)?;
    let card = [
        ("type", "card"),
        ("card[token]", "tok_visa"),
        ("billing_details[email]", "buyer@example.com"),
        ("billing_details[name]", "Example Buyer"),
    ];
    let method = player.post("/v1/payment_methods", &card)?;
    player.post(&format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", &method)])?;
    let paid = player.call("GET", &format!("/v1/checkout/sessions/{session}"), &[])?;
    let subscription = paid["subscription"].as_str().unwrap_or_default().to_owned();
    player.until_day(31)?;
    player.post(&format!("/v1/subscriptions/{subscription}"), &[("cancel_at_period_end", "true")])?;
    player.until_day(62)
}

fn trial(player: &mut Player) -> Result<(), StoryError> {
    let price = player.price("Pro", "2000", true)?;
    let customer = player.customer("pm_card_visa")?;
    player.subscribe(&customer, &price, &[("trial_period_days", "14")])?;
    player.until_day(15)
}

fn upgrade(player: &mut Player) -> Result<(), StoryError> {
    let (pro, team) = (player.price("Pro", "2000", true)?, player.price("Team", "5000", true)?);
    let customer = player.customer("pm_card_visa")?;
    let subscription = player.subscribe(&customer, &pro, &[])?;
    let item = subscription["items"]["data"][0]["id"].as_str().unwrap_or_default().to_owned();
    let id = subscription["id"].as_str().unwrap_or_default().to_owned();
    player.new_card(&customer, "pm_card_chargeCustomerFail")?;
    player.until_day(10)?;
    let form =
        [("items[0][id]", item.as_str()), ("items[0][price]", team.as_str()), ("proration_behavior", "always_invoice")];
    let changed = player.call("POST", &format!("/v1/subscriptions/{id}"), &form)?;
    player.new_card(&customer, "pm_card_visa")?;
    let invoice = changed["latest_invoice"].as_str().unwrap_or_default().to_owned();
    player.post(&format!("/v1/invoices/{invoice}/pay"), &[])?;
    Ok(())
}

fn dunning(player: &mut Player) -> Result<(), StoryError> {
    let price = player.price("Pro", "2000", true)?;
    let customer = player.customer("pm_card_visa")?;
    player.subscribe(&customer, &price, &[])?;
    player.new_card(&customer, "pm_card_chargeCustomerFail")?;
    player.until_day(62)
}

fn refund(player: &mut Player) -> Result<(), StoryError> {
    let form = [("amount", "1999"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")];
    let intent = player.post("/v1/payment_intents", &form)?;
    player.until_day(1)?;
    player
        .post("/v1/refunds", &[("payment_intent", &intent), ("amount", "500"), ("reason", "requested_by_customer")])?;
    player.until_day(2)?;
    player.post("/v1/refunds", &[("payment_intent", &intent)])?;
    Ok(())
}

fn dispute(player: &mut Player) -> Result<(), StoryError> {
    for (day, evidence) in [(1, "winning_evidence"), (2, "losing_evidence")] {
        let form =
            [("amount", "1999"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_createDispute")];
        let intent = player.post("/v1/payment_intents", &form)?;
        player.until_day(day)?;
        let found = player.call("GET", "/v1/disputes", &[("payment_intent", &intent)])?;
        let dispute = found["data"][0]["id"].as_str().unwrap_or_default().to_owned();
        player.post(
            &format!("/v1/disputes/{dispute}"),
            &[("evidence[uncategorized_text]", evidence), ("submit", "true")],
        )?;
    }
    Ok(())
}
