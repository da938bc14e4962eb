//! Plays the actions of one customer at a local Stripe, for any business, and collects the resulting story.
//!
//! A move that does not apply, or that Stripe refuses, is skipped, so any list of moves is a valid story.

use crate::moves::Move;
use crate::sandbox::{BAD_CARD, GOOD_CARD, Offer, SandboxError, Stripe};
use crate::story::{Incoming, Segment, VERSIONS, mixed_versions};
use extension_contract::Account;
use host_provider_api::scripted::short_hash;
use local_stripe::object::Object;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const DAY_S: i64 = 86_400;
/// Events that are further apart than this many seconds form separate segments. An invoice is open for an hour before
/// it is paid; its events stay in one segment.
const TOGETHER_S: i64 = 2 * 3_600;
const TOGETHER_MS: i64 = TOGETHER_S * 1_000;

/// Event types that every endpoint needs.
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

/// Additional event types. Each group has the flag of the first move that enables the group at the endpoint.
const MORE: [(u32, &[&str]); 5] = [
    (5, &["customer.created", "customer.updated"]),
    (7, &["invoice.created", "customer.subscription.trial_will_end"]),
    (8, &["invoice.finalized", "invoice.updated", "charge.refund.updated", "refund.updated"]),
    (9, &["payment_intent.created", "payment_intent.succeeded", "payment_intent.payment_failed"]),
    (10, &["invoice.payment_succeeded", "charge.updated", "checkout.session.expired"]),
];

/// Lets Stripe compute the taxes of a subscription or a checkout.
const TAXED: (&str, &str) = ("automatic_tax[enabled]", "true");

/// A checkout that is paid.
pub struct Checkout<'c> {
    /// Index of the ware.
    pub ware: usize,
    /// Quantity.
    pub quantity: i64,
    /// True for a subscription.
    pub recurs: bool,
    /// Stripe's id of the card.
    pub card: &'c str,
    /// True if the subscription begins with a trial of 14 days.
    pub trial: bool,
    /// True if the metadata of the session is copied to the subscription.
    pub hands_on: bool,
    /// Id of our purchase; None for a checkout made elsewhere.
    pub purchase: Option<&'c str>,
    /// Stripe's id of the coupon.
    pub coupon: Option<&'c str>,
}

/// A customer with the story so far.
pub struct Customer {
    /// Account of the customer.
    pub account: Account,
    /// Name of the actor of the account.
    pub name: String,
    /// The local Stripe of this customer.
    pub stripe: Stripe,
    /// Id of the customer at Stripe.
    pub id: String,
    /// Card that subscriptions are charged to.
    card: &'static str,
    commands: usize,
    /// API versions of the bodies.
    versions: Vec<&'static str>,
    /// True if Stripe computes taxes for what the customer buys.
    is_taxed: bool,
    /// True if each event has another API version.
    is_mixed: bool,
    /// True if the caller advances the clock; then moves do not wait.
    is_moved: bool,
    /// Commands and other bodies of the current segment.
    open: Vec<Incoming>,
    /// The last event.
    last: Option<Incoming>,
    /// Number of taken segments.
    taken: usize,
    /// Segments that the caller has not taken.
    pub segments: Vec<Segment>,
}

impl Customer {
    /// Creates a customer. The flags of the first move select the additional event types of the endpoint.
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses an offer or an event type.
    pub fn new<K>(
        account: Account,
        offers: &[Offer],
        first: Option<&Move<K>>,
        also: &[&str],
    ) -> Result<Self, SandboxError> {
        Self::new_in("usd", account, offers, first, also)
    }

    /// Creates a customer whose prices are in a currency; see [`Customer::new`].
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses an offer or an event type.
    pub(crate) fn new_in<K>(
        currency: &str,
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
        let event_types: Vec<&str> = NEEDED.into_iter().chain(also.iter().copied()).chain(more).collect();
        let stripe = Stripe::selling_in(currency, &name, &event_types, offers)?;
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
            is_taxed: false,
            is_mixed: false,
            is_moved: false,
            open,
            last: None,
            taken: 0,
            segments,
        })
    }

    /// Lets Stripe compute taxes, which are part of the prices or are added to them.
    pub(crate) fn taxed(&mut self, behavior: &str) {
        self.is_taxed = true;
        crate::taxes::register(&self.stripe, behavior);
        let address = [("address[country]", crate::taxes::COUNTRY), ("address[postal_code]", "10115")];
        self.stripe.post(&format!("/v1/customers/{}", self.id), &address);
    }

    /// Leaves the clock to the caller, and uses only one API version; several in one stream of events for `None`.
    pub fn moved_by_others(mut self, version: Option<&'static str>) -> Self {
        (self.is_moved, self.is_mixed) = (true, version.is_none());
        self.versions = version.map_or_else(|| mixed_versions("").to_vec(), |version| vec![version]);
        self
    }

    /// Advances the clock, unless the caller advances it.
    fn wait(&mut self, seconds: i64) {
        if !self.is_moved {
            self.stripe.wait(seconds);
        }
    }

    /// Number of segments so far, including taken segments.
    pub fn number(&self) -> usize {
        self.taken + self.segments.len()
    }

    /// Takes the segments since the last call.
    pub fn take_segments(&mut self) -> Vec<Segment> {
        self.taken += self.segments.len();
        std::mem::take(&mut self.segments)
    }

    /// Metadata key that names the owner of an object: `user_id` or `organization_id`.
    pub fn owner_key(&self) -> &'static str {
        owner_key(&self.account)
    }

    /// The next id of a command.
    fn next_id(&mut self) -> String {
        self.commands += 1;
        format!("cmd_{}{}", self.name, self.commands)
    }

    /// The actor of the account.
    fn actor(&self) -> Value {
        match &self.account {
            Account::Organization(_) => json!({"kind": "user", "id": self.name, "roles": ["owner"]}),
            _ => json!({"kind": "user", "id": self.name}),
        }
    }

    /// Sends a command of the account's owner. Returns its id.
    pub fn command(&mut self, kind: &str, payload: Value) -> String {
        let actor = self.actor();
        self.command_by(&actor, kind, payload)
    }

    /// Sends a command of an actor. Returns its id.
    pub fn command_by(&mut self, actor: &Value, kind: &str, payload: Value) -> String {
        let account = self.account.to_string();
        self.send(json!({"command": kind, "account": account, "actor": actor, "payload": payload}))
    }

    /// Sends a body that is not an event of Stripe, with a new id. Returns the id.
    pub fn send(&mut self, mut body: Value) -> String {
        let id = self.next_id();
        (body["id"], body["timestamp"]) = (json!(id), json!(self.stripe.now_s()));
        self.open.push(Incoming::of(&id, &self.versions, |_| body.to_string()));
        id
    }

    /// Ends the segment: all events since the last segment arrive, then the commands.
    pub fn end_segment(&mut self) {
        let now = self.stripe.now_s() * 1_000;
        let mut new: Vec<Segment> = Vec::new();
        for event in self.stripe.take_events() {
            let clock = event.created_s * 1_000;
            let mixed = mixed_versions(&event.id);
            let versions = if self.is_mixed { &mixed[..] } else { &self.versions };
            let incoming = Incoming::of(&event.id, versions, |version| self.stripe.event_body(&event, version));
            self.last = Some(incoming.clone());
            match new.last_mut().filter(|last| clock - last.clock <= TOGETHER_MS) {
                Some(last) => {
                    last.clock = clock;
                    last.events.push(incoming);
                }
                None => new.push(Segment { clock, events: vec![incoming], commands: Vec::new() }),
            }
        }
        let commands = std::mem::take(&mut self.open);
        match new.last_mut().filter(|last| now - last.clock <= TOGETHER_MS) {
            Some(last) => (last.clock, last.commands) = (now, commands),
            None => new.push(Segment { clock: now, events: Vec::new(), commands }),
        }
        self.segments.append(&mut new);
    }

    /// Returns the subscription that the move selects among those that `fits` accepts; the oldest is the first.
    pub fn pick<K>(&self, each: &Move<K>, fits: impl Fn(&Object) -> bool) -> Option<Object> {
        let mut fitting: Vec<_> = self.stripe.all("subscription").into_iter().filter(|sub| fits(sub)).collect();
        fitting.reverse();
        Some(Object::clone(&fitting[each.of(fitting.len())?]))
    }

    /// Creates a subscription without a checkout.
    pub fn subscribe(&mut self, plan: usize, card: &'static str, trial: bool, coupon: Option<&str>) {
        self.use_card(card);
        let (customer, price, name) = (self.id.clone(), self.stripe.price(plan), self.name.clone());
        let owner = format!("metadata[{}]", self.owner_key());
        let mut form = vec![("customer", customer.as_str()), ("items[0][price]", price.as_str()), (&owner, &name)];
        if trial {
            form.push(("trial_period_days", "14"));
        }
        form.extend(coupon.map(|coupon| ("discounts[0][coupon]", coupon)));
        form.extend(self.is_taxed.then_some(TAXED));
        self.stripe.post("/v1/subscriptions", &form);
    }

    /// Creates a subscription without a checkout, with these members of the request.
    pub(crate) fn subscribe_with(&mut self, card: &'static str, members: &[(&str, &str)]) {
        self.use_card(card);
        let (customer, name) = (self.id.clone(), self.name.clone());
        let owner = format!("metadata[{}]", self.owner_key());
        let mut form = [&[("customer", customer.as_str()), (&owner, &name)], members].concat();
        form.extend(self.is_taxed.then_some(TAXED));
        self.stripe.post("/v1/subscriptions", &form);
    }

    /// Creates a checkout and pays it. Returns Stripe's id of the session.
    pub fn check_out(&mut self, wanted: &Checkout<'_>) -> String {
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
        form.extend(wanted.coupon.map(|coupon| ("discounts[0][coupon]", coupon)));
        form.extend(self.is_taxed.then_some(TAXED));
        let session = self.stripe.post("/v1/checkout/sessions", &form);
        let token = wanted.card.replace("pm_card_", "tok_");
        let typed = self.stripe.post("/v1/payment_methods", &[("type", "card"), ("card[token]", &token)]);
        self.stripe.post(&format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", &typed)]);
        if let Some(purchase) = wanted.purchase {
            self.stripe.rename(&session, session_of(purchase));
        }
        session
    }

    /// Charges the customer with this card from now on.
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

    /// Sets the card, and waits for the next period. The flags decide whether the card can be charged.
    pub fn renew<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, goes_on) else { return };
        self.use_card(if pays(each) { GOOD_CARD } else { BAD_CARD });
        self.wait(period_end_s(&subscription) - self.stripe.now_s() + TOGETHER_S);
    }

    /// Attempts to pay an open invoice again.
    pub fn retry<K>(&mut self, each: &Move<K>) {
        let fits = |sub: &Object| matches!(sub.text("status"), "past_due" | "incomplete" | "unpaid");
        let Some(subscription) = self.pick(each, fits) else { return };
        let card = if each.flag(0) || subscription.text("status") == "unpaid" { GOOD_CARD } else { BAD_CARD };
        self.use_card(card);
        self.stripe.post(&format!("/v1/invoices/{}/pay", subscription.text("latest_invoice")), &[]);
    }

    /// Ends the payment attempts of a past-due subscription. The flags decide whether it becomes unpaid, is cancelled,
    /// or is cancelled with its invoice written off.
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

    /// Waits until a subscription with an unpaid first invoice expires.
    pub fn expire(&mut self) {
        if self.stripe.all("subscription").iter().any(|sub| sub.text("status") == "incomplete") {
            self.wait(DAY_S);
        }
    }

    /// Sets a subscription to be cancelled at the end of its period.
    pub fn cancel_at_end<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, goes_on) else { return };
        if !each.flag(0) {
            self.command("subscription.cancel", json!({"id": subscription.id(), "at_period_end": true}));
            self.end_segment();
        }
        self.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &[("cancel_at_period_end", "true")]);
    }

    /// Withdraws a cancellation.
    pub fn undo<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, |sub| lives(sub) && sub.is("cancel_at_period_end")) else { return };
        self.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &[("cancel_at_period_end", "false")]);
    }

    /// Ends a subscription: waits for the end of its period if it is set to be cancelled then, else cancels it at once.
    pub fn end<K>(&mut self, each: &Move<K>) {
        let Some(subscription) = self.pick(each, |sub| lives(sub) && sub.text("status") != "incomplete") else {
            return;
        };
        match subscription.is("cancel_at_period_end") {
            true => self.wait(period_end_s(&subscription) - self.stripe.now_s() + TOGETHER_S),
            false => _ = self.stripe.delete(&format!("/v1/subscriptions/{}", subscription.id())),
        }
    }

    /// Refunds a charge, in part or completely.
    pub fn refund<K>(&mut self, each: &Move<K>) {
        let left = |charge: &Object| charge.int("amount") - charge.int("amount_refunded");
        let all = self.stripe.all("charge");
        let fitting: Vec<_> = all.iter().filter(|charge| charge.is("paid") && left(charge) > 0).collect();
        let Some(index) = each.of(fitting.len()) else { return };
        let charge = fitting[index];
        let amount = if each.flag(0) { left(charge) } else { (left(charge) / 3).max(1) };
        self.stripe.post("/v1/refunds", &[("charge", charge.id()), ("amount", &amount.to_string())]);
    }

    /// Repeats the last event under another id.
    pub fn twin(&mut self) {
        if let Some(twin) = self.last.as_ref().map(|event| event.under(format!("{}_twin{}", event.id, self.number()))) {
            let clock = self.stripe.now_s() * 1_000;
            self.last = Some(twin.clone());
            self.segments.push(Segment { clock, events: vec![twin], commands: Vec::new() });
        }
    }
}

/// Our id of the session of a purchase: our provider derives it from the key of the effect.
pub fn session_of(purchase: &str) -> String {
    format!("cs_{}", short_hash(&format!("checkout:{purchase}")))
}

fn owner_key(account: &Account) -> &'static str {
    match account {
        Account::Organization(_) => "organization_id",
        _ => "user_id",
    }
}

/// Our id of an object created by a command: a hash of the command's id.
pub fn id_after(prefix: &str, command: &str) -> String {
    let digest = Sha256::digest(command.as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}_{hash}")
}

/// True if a subscription has not ended.
pub fn lives(subscription: &Object) -> bool {
    !matches!(subscription.text("status"), "canceled" | "incomplete_expired")
}

/// True if a subscription will renew.
pub fn goes_on(subscription: &Object) -> bool {
    matches!(subscription.text("status"), "active" | "trialing") && !subscription.is("cancel_at_period_end")
}

/// True if the card of a move can be charged.
pub fn pays<K>(each: &Move<K>) -> bool {
    each.flag(0) || each.flag(1)
}

/// End of the period, in seconds since the epoch.
pub fn period_end_s(subscription: &Object) -> i64 {
    subscription.list_at("items").first().and_then(|item| item["current_period_end"].as_i64()).unwrap_or_default()
}
