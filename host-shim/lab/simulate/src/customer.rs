//! What one customer does at Stripe, and the story that comes of it, whatever the business sells.
//!
//! Stripe is the local Stripe. A move that makes no sense where it comes is left out, as is one that Stripe refuses, so
//! that any list of moves is a story.

use crate::moves::Move;
use crate::sandbox::{BAD_CARD, GOOD_CARD, Offer, SandboxError, Stripe};
use crate::story::{Segment, Told, VERSIONS};
use extension_contract::Account;
use host_provider_api::scripted::short_hash;
use local_stripe::object::Object;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const DAY_S: i64 = 86_400;
/// Events further apart than this are told in parts of their own, in seconds: an invoice is open for an hour before it
/// is paid.
const TOGETHER_S: i64 = 2 * 3_600;
const TOGETHER_MS: i64 = TOGETHER_S * 1_000;

/// The types of events that every endpoint needs.
const NEEDED: [&str; 16] = [
    "charge.failed",
    "charge.refunded",
    "charge.succeeded",
    "checkout.session.completed",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.voided",
    "invoice_payment.paid",
    "refund.created",
    "refund.failed",
];

/// Types that tell what others tell as well, and the flag of the first move by which the endpoint hears of them.
const MORE: [(u32, &[&str]); 5] = [
    (5, &["customer.created", "customer.updated"]),
    (7, &["invoice.created", "customer.subscription.trial_will_end"]),
    (8, &["invoice.finalized", "invoice.updated", "charge.refund.updated", "refund.updated"]),
    (9, &["payment_intent.created", "payment_intent.succeeded", "payment_intent.payment_failed"]),
    (10, &["invoice.payment_succeeded", "charge.updated", "checkout.session.expired"]),
];

/// What is paid in a checkout.
pub struct Checkout<'c> {
    /// Number of the ware.
    pub ware: usize,
    /// How many.
    pub quantity: i64,
    /// Whether it is a subscription.
    pub recurs: bool,
    /// Stripe's name of the card.
    pub card: &'c str,
    /// Whether it begins with 14 days of trial.
    pub trial: bool,
    /// Whether the session's metadata are those of the subscription as well.
    pub hands_on: bool,
    /// Our purchase; none of a checkout that others make.
    pub purchase: Option<&'c str>,
}

/// A customer, and what has been told of them.
pub struct Customer {
    /// Whose customer it is.
    pub account: Account,
    /// Who acts for the account.
    pub name: String,
    /// The local Stripe of this customer.
    pub stripe: Stripe,
    /// Its id at Stripe.
    pub id: String,
    /// The card that subscriptions of the customer are charged with.
    card: &'static str,
    commands: usize,
    /// The API versions that it all is told in.
    versions: Vec<&'static str>,
    /// Whether others move the clock: then nothing that is done here waits.
    is_moved: bool,
    /// Commands of the open segment.
    open: Vec<Told>,
    /// The event that was told last.
    last: Option<Told>,
    /// Segments that were taken.
    taken: usize,
    /// What was told, and not taken.
    pub segments: Vec<Segment>,
}

impl Customer {
    /// A customer of what is on sale. The flags of the first move say of what the endpoint hears, beside what it needs.
    ///
    /// # Errors
    /// The local Stripe refuses what is on sale, or a type of events.
    pub fn new<K>(
        account: Account,
        offers: &[Offer],
        first: Option<&Move<K>>,
        also: &[&str],
    ) -> Result<Self, SandboxError> {
        let name = match &account {
            Account::User(name) | Account::Organization(name) => name.clone(),
            Account::Platform => "platform".to_owned(),
        };
        let more = MORE.iter().filter(|(bit, _)| first.is_some_and(|first| first.flag(*bit)));
        let more = more.flat_map(|(_, kinds)| kinds.iter().copied()).filter(|kind| !also.contains(kind));
        let heard: Vec<&str> = NEEDED.into_iter().chain(also.iter().copied()).chain(more).collect();
        let mut stripe = Stripe::selling(&name, &heard, offers)?;
        let owner = format!("metadata[{}]", owner_key(&account));
        let form = [
            ("email", "customer@example.com"),
            (owner.as_str(), name.as_str()),
            ("payment_method", GOOD_CARD),
            ("invoice_settings[default_payment_method]", GOOD_CARD),
        ];
        let id = stripe.post("/v1/customers", &form);
        let (open, segments, versions) = (Vec::new(), Vec::new(), VERSIONS.to_vec());
        Ok(Customer {
            account,
            name,
            stripe,
            id,
            card: GOOD_CARD,
            commands: 0,
            versions,
            is_moved: false,
            open,
            last: None,
            taken: 0,
            segments,
        })
    }

    /// From now on others move the clock, and it all is told in one API version.
    pub fn moved_by_others(mut self, version: &'static str) -> Self {
        (self.is_moved, self.versions) = (true, vec![version]);
        self
    }

    /// Lets time pass, unless others move the clock.
    fn wait(&mut self, seconds: i64) {
        if !self.is_moved {
            self.stripe.wait(seconds);
        }
    }

    /// How many segments were told: a number that no later one has.
    pub fn number(&self) -> usize {
        self.taken + self.segments.len()
    }

    /// Takes the segments that were told.
    pub fn take_segments(&mut self) -> Vec<Segment> {
        self.taken += self.segments.len();
        std::mem::take(&mut self.segments)
    }

    /// Where the metadata of an object says whose it is.
    pub fn owner_key(&self) -> &'static str {
        owner_key(&self.account)
    }

    /// The next number of what people ask for.
    fn next_id(&mut self) -> String {
        self.commands += 1;
        format!("cmd_{}{}", self.name, self.commands)
    }

    /// Who acts for the account.
    fn actor(&self) -> Value {
        match &self.account {
            Account::Organization(_) => json!({"kind": "user", "id": self.name, "roles": ["owner"]}),
            _ => json!({"kind": "user", "id": self.name}),
        }
    }

    /// A command of the account's owner.
    pub fn command(&mut self, kind: &str, payload: Value) -> String {
        let actor = self.actor();
        self.command_by(&actor, kind, payload)
    }

    /// A command of somebody.
    pub fn command_by(&mut self, actor: &Value, kind: &str, payload: Value) -> String {
        let account = self.account.to_string();
        self.say(json!({"command": kind, "account": account, "actor": actor, "payload": payload}))
    }

    /// Something that comes in beside Stripe's events, with an id of its own.
    pub fn say(&mut self, mut body: Value) -> String {
        let id = self.next_id();
        (body["id"], body["timestamp"]) = (json!(id), json!(self.stripe.now_s()));
        self.open.push(Told::of(&id, &self.versions, |_| body.to_string()));
        id
    }

    /// All that has happened arrives, and then what was commanded.
    pub fn end_segment(&mut self) {
        let now = self.stripe.now_s() * 1_000;
        let mut new: Vec<Segment> = Vec::new();
        for event in self.stripe.take_events() {
            let clock = event.created_s * 1_000;
            let told = Told::of(&event.id, &self.versions, |version| self.stripe.tell(&event, version));
            self.last = Some(told.clone());
            match new.last_mut().filter(|last| clock - last.clock <= TOGETHER_MS) {
                Some(last) => {
                    last.clock = clock;
                    last.events.push(told);
                }
                None => new.push(Segment { clock, events: vec![told], commands: Vec::new() }),
            }
        }
        let commands = std::mem::take(&mut self.open);
        match new.last_mut().filter(|last| now - last.clock <= TOGETHER_MS) {
            Some(last) => (last.clock, last.commands) = (now, commands),
            None => new.push(Segment { clock: now, events: Vec::new(), commands }),
        }
        self.segments.append(&mut new);
    }

    /// One of the subscriptions that fit, the oldest being the first.
    pub fn pick<K>(&self, each: &Move<K>, fits: impl Fn(&Object) -> bool) -> Option<Object> {
        let mut fitting: Vec<_> = self.stripe.all("subscription").into_iter().filter(|sub| fits(sub)).collect();
        fitting.reverse();
        Some(Object::clone(&fitting[each.of(fitting.len())?]))
    }

    /// A subscription that somebody makes by hand.
    pub fn subscribe(&mut self, plan: usize, card: &'static str, trial: bool) {
        self.use_card(card);
        let (customer, price, name) = (self.id.clone(), self.stripe.price(plan), self.name.clone());
        let owner = format!("metadata[{}]", self.owner_key());
        let mut form = vec![("customer", customer.as_str()), ("items[0][price]", price.as_str()), (&owner, &name)];
        if trial {
            form.push(("trial_period_days", "14"));
        }
        self.stripe.post("/v1/subscriptions", &form);
    }

    /// A checkout that is paid on its page.
    pub fn check_out(&mut self, wanted: &Checkout<'_>) {
        let (customer, price, name) = (self.id.clone(), self.stripe.price(wanted.ware), self.name.clone());
        let key = self.owner_key();
        let (owner, handed_on) = (format!("metadata[{key}]"), format!("subscription_data[metadata][{key}]"));
        let quantity = wanted.quantity.to_string();
        let mut form = vec![
            ("mode", if wanted.recurs { "subscription" } else { "payment" }),
            ("customer", customer.as_str()),
            ("line_items[0][price]", price.as_str()),
            ("line_items[0][quantity]", &quantity),
            ("success_url", "https://example.com/success"),
            (&owner, &name),
        ];
        if wanted.hands_on && wanted.recurs {
            form.push((&handed_on, &name));
        }
        if let Some(purchase) = &wanted.purchase {
            form.push(("metadata[purchase_id]", purchase));
            let beside = match wanted.recurs {
                true => "subscription_data[metadata][purchase_id]",
                false => "payment_intent_data[metadata][purchase_id]",
            };
            form.push((beside, purchase));
        }
        if wanted.trial {
            form.push(("subscription_data[trial_period_days]", "14"));
        }
        let session = self.stripe.post("/v1/checkout/sessions", &form);
        let token = wanted.card.replace("pm_card_", "tok_");
        let typed = self.stripe.post("/v1/payment_methods", &[("type", "card"), ("card[token]", &token)]);
        self.stripe.post(&format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", &typed)]);
        if let Some(purchase) = wanted.purchase {
            // The session that our provider was asked for: its id derives from the key of that effect.
            self.stripe.rename(&session, format!("cs_{}", short_hash(&format!("checkout:{purchase}"))));
        }
    }

    /// From now on the customer is charged with that card.
    pub fn use_card(&mut self, card: &'static str) {
        if self.card == card {
            return;
        }
        self.card = card;
        let attached = self.stripe.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", &self.id)]);
        let form = [("invoice_settings[default_payment_method]", attached.as_str())];
        self.stripe.post(&format!("/v1/customers/{}", self.id), &form);
        for subscription in self.stripe.all("subscription") {
            if lives(&subscription) && !subscription.get("default_payment_method").is_null() {
                let path = format!("/v1/subscriptions/{}", subscription.id());
                self.stripe.post(&path, &[("default_payment_method", &attached)]);
            }
        }
    }

    /// Time until the next period begins; by the flags the card pays or fails.
    pub fn renew<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, goes_on) else { return };
        self.use_card(if pays(each) { GOOD_CARD } else { BAD_CARD });
        self.wait(period_end_s(&subscription) - self.stripe.now_s() + TOGETHER_S);
    }

    /// Another attempt at an open invoice.
    pub fn retry<K>(&mut self, each: &Move<K>) {
        let fits = |sub: &Object| matches!(sub.text("status"), "past_due" | "incomplete" | "unpaid");
        let Some(subscription) = self.pick(each, fits) else { return };
        let card = if each.flag(0) || subscription.text("status") == "unpaid" { GOOD_CARD } else { BAD_CARD };
        self.use_card(card);
        self.stripe.post(&format!("/v1/invoices/{}/pay", subscription.text("latest_invoice")), &[]);
    }

    /// No more attempts: unpaid, cancelled, or written off.
    pub fn give_up<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, |sub| sub.text("status") == "past_due") else { return };
        if each.flag(0) && each.flag(1) {
            let invoice = subscription.text("latest_invoice");
            self.stripe.post(&format!("/v1/invoices/{invoice}/mark_uncollectible"), &[]);
            self.stripe.delete(&format!("/v1/subscriptions/{}", subscription.id()));
            return;
        }
        let dunning = if each.flag(0) { "3,5,7:cancel" } else { "3,5,7:unpaid" };
        self.stripe.post("/_sandbox/settings", &[("dunning", dunning)]);
        self.use_card(BAD_CARD);
        self.wait(20 * DAY_S);
    }

    /// Time until a first payment that never came is given up.
    pub fn expire(&mut self) {
        if self.stripe.all("subscription").iter().any(|sub| sub.text("status") == "incomplete") {
            self.wait(DAY_S);
        }
    }

    /// To be cancelled at the end of the period.
    pub fn cancel_at_end<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, goes_on) else { return };
        if !each.flag(0) {
            self.command("subscription.cancel", json!({"id": subscription.id(), "at_period_end": true}));
            self.end_segment();
        }
        self.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &[("cancel_at_period_end", "true")]);
    }

    /// Not to be cancelled after all.
    pub fn undo<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, |sub| lives(sub) && sub.is("cancel_at_period_end")) else { return };
        self.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &[("cancel_at_period_end", "false")]);
    }

    /// The end: of the period where that is asked for, else at once.
    pub fn end<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, |sub| lives(sub) && sub.text("status") != "incomplete") else {
            return;
        };
        match subscription.is("cancel_at_period_end") {
            true => self.wait(period_end_s(&subscription) - self.stripe.now_s() + TOGETHER_S),
            false => _ = self.stripe.delete(&format!("/v1/subscriptions/{}", subscription.id())),
        }
    }

    /// Money goes back.
    pub fn refund<K>(&mut self, each: &Move<K>) {
        let left = |charge: &Object| charge.int("amount") - charge.int("amount_refunded");
        let all = self.stripe.all("charge");
        let fitting: Vec<_> = all.iter().filter(|charge| charge.is("paid") && left(charge) > 0).collect();
        let Some(index) = each.of(fitting.len()) else { return };
        let charge = fitting[index];
        let amount = if each.flag(0) { left(charge) } else { (left(charge) / 3).max(1) };
        self.stripe.post("/v1/refunds", &[("charge", charge.id()), ("amount", &amount.to_string())]);
    }

    /// The last event's fact once more, as an event of another id.
    pub fn twin(&mut self) {
        if let Some(twin) = self.last.as_ref().map(|event| event.under(format!("{}_twin{}", event.id, self.number()))) {
            let clock = self.stripe.now_s() * 1_000;
            self.last = Some(twin.clone());
            self.segments.push(Segment { clock, events: vec![twin], commands: Vec::new() });
        }
    }
}

fn owner_key(account: &Account) -> &'static str {
    match account {
        Account::Organization(_) => "organization_id",
        _ => "user_id",
    }
}

/// Our id of what a command makes: the command's id, hashed.
pub fn id_after(prefix: &str, command: &str) -> String {
    let digest = Sha256::digest(command.as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}_{hash}")
}

/// Whether a subscription has not ended.
pub fn lives(subscription: &Object) -> bool {
    !matches!(subscription.text("status"), "canceled" | "incomplete_expired")
}

/// It will be renewed.
pub fn goes_on(subscription: &Object) -> bool {
    matches!(subscription.text("status"), "active" | "trialing") && !subscription.is("cancel_at_period_end")
}

/// Whether the card of a move pays.
pub fn pays<K>(each: &Move<K>) -> bool {
    each.flag(0) || each.flag(1)
}

/// When the period ends, in seconds since the epoch.
pub fn period_end_s(subscription: &Object) -> i64 {
    subscription.list_at("items").first().and_then(|item| item["current_period_end"].as_i64()).unwrap_or_default()
}
