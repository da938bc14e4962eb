//! What people do at our side and at Stripe's, and what comes of it: moves in, a story out.
//!
//! Stripe is the local Stripe. A move that makes no sense where it comes is left out, as is one that Stripe refuses, so
//! that any list of moves is a story.

use crate::books::Books;
use crate::moves::{Kind, Move};
use crate::sandbox::{BAD_CARD, GOOD_CARD, NO_REFUND_CARD, Stripe, product};
use crate::story::{Segment, Story, Told};
use host_providers::scripted::short_hash;
use local_stripe::object::Object;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const DAY_S: i64 = 86_400;
/// Events further apart than this are told in parts of their own, in seconds: an invoice is open for an hour before it
/// is paid.
const TOGETHER_S: i64 = 2 * 3_600;
const TOGETHER_MS: i64 = TOGETHER_S * 1_000;

/// The types of events that an endpoint of Solobase's needs.
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

/// A story of the account `user:NAME`.
pub fn story(name: &str, moves: &[Move]) -> Story {
    let mut people = People::new(name, moves.first());
    for each in moves {
        people.play(each);
    }
    people.end_segment();
    let People { stripe, segments, .. } = people;
    Story { account: format!("user:{name}"), segments, books: Books::of(&stripe) }
}

struct People {
    name: String,
    stripe: Stripe,
    customer: String,
    /// The card that subscriptions of the customer are charged with.
    card: &'static str,
    commands: usize,
    /// A purchase of ours that nobody paid yet, and the number of its plan.
    ordered: Option<(String, usize)>,
    instances: Vec<String>,
    /// Commands of the open segment.
    open: Vec<Told>,
    segments: Vec<Segment>,
}

impl People {
    fn new(name: &str, first: Option<&Move>) -> Self {
        let more = MORE.iter().filter(|(bit, _)| first.is_some_and(|first| first.flag(*bit)));
        let heard: Vec<&str> = NEEDED.into_iter().chain(more.flat_map(|(_, kinds)| kinds.iter().copied())).collect();
        let mut stripe = Stripe::new(name, &heard);
        let form = [
            ("email", "customer@example.com"),
            ("metadata[user_id]", name),
            ("payment_method", GOOD_CARD),
            ("invoice_settings[default_payment_method]", GOOD_CARD),
        ];
        let customer = stripe.post("/v1/customers", &form);
        People {
            name: name.to_owned(),
            stripe,
            customer,
            card: GOOD_CARD,
            commands: 0,
            ordered: None,
            instances: Vec::new(),
            open: Vec::new(),
            segments: Vec::new(),
        }
    }

    fn play(&mut self, each: &Move) {
        self.end_segment();
        self.stripe.wait(each.pause_s());
        self.end_segment();
        match each.kind {
            Kind::Order => self.order(each),
            Kind::Buy => self.buy(each),
            Kind::Renew => self.renew(each),
            Kind::Retry => self.retry(each),
            Kind::GiveUp => self.give_up(each),
            Kind::Expire => self.expire(),
            Kind::ChangePlan => self.change_plan(each),
            Kind::CancelAtEnd => self.cancel_at_end(each),
            Kind::Undo => self.undo(each),
            Kind::End => self.end(each),
            Kind::Refund => self.refund(each),
            Kind::Make => self.make(each),
            Kind::Delete => self.delete(each),
            Kind::TryAgain => self.try_again(each),
            Kind::Twin => self.twin(),
            Kind::Wait => {}
        }
    }

    /// All that has happened arrives, and then what was commanded.
    fn end_segment(&mut self) {
        let now = self.stripe.now_s() * 1_000;
        let mut new: Vec<Segment> = Vec::new();
        for event in self.stripe.take_events() {
            let clock = event.created_s * 1_000;
            let told = Told::of(&event.id, |version| self.stripe.tell(&event, version));
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

    fn command(&mut self, kind: &str, payload: Value) -> String {
        self.commands += 1;
        let id = format!("cmd_{}{}", self.name, self.commands);
        let body = json!({
            "id": id, "command": kind, "account": format!("user:{}", self.name), "timestamp": self.stripe.now_s(),
            "actor": {"kind": "user", "id": self.name}, "payload": payload,
        });
        self.open.push(Told::of(&id, |_| body.clone()));
        id
    }

    /// One of the subscriptions that fit, the oldest being the first.
    fn pick(&self, each: &Move, fits: impl Fn(&Object) -> bool) -> Option<Object> {
        let mut fitting: Vec<_> = self.stripe.all("subscription").into_iter().filter(|sub| fits(sub)).collect();
        fitting.reverse();
        Some(Object::clone(&fitting[each.of(fitting.len())?]))
    }

    // What people do at our side.

    fn order(&mut self, each: &Move) {
        if self.ordered.is_some() || self.stripe.all("subscription").iter().any(|sub| lives(sub)) {
            return;
        }
        let plan = usize::from(each.pick);
        let mut payload = json!({"plan_id": product(plan)});
        if each.flag(0) {
            let subdomain = self.new_subdomain();
            payload["product"] =
                json!({"product_type": "instance", "name": "Ordered", "metadata": {"subdomain": subdomain}});
        }
        let command = self.command("purchase.create", payload);
        let digest = Sha256::digest(command.as_bytes());
        let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.ordered = Some((format!("pur_{hash}"), plan));
    }

    fn new_subdomain(&mut self) -> String {
        let subdomain = format!("site-{}-{}", self.name.to_lowercase(), self.instances.len());
        self.instances.push(subdomain.clone());
        subdomain
    }

    fn make(&mut self, each: &Move) {
        // Now and then a name that is in use.
        let again = each.flags & 7 == 0 && !self.instances.is_empty();
        let subdomain = if again { self.instances[0].clone() } else { self.new_subdomain() };
        let payload = json!({"product_type": "instance", "name": "Site", "metadata": {"subdomain": subdomain}});
        self.command("product.create", payload);
    }

    fn delete(&mut self, each: &Move) {
        if let Some(index) = each.of(self.instances.len()) {
            let subdomain = &self.instances[index];
            let payload = json!({"id": format!("inst_{subdomain}"), "confirm": subdomain});
            self.command("instance.delete", payload);
        }
    }

    fn try_again(&mut self, each: &Move) {
        if let Some(index) = each.of(self.instances.len()) {
            let payload = json!({"id": format!("inst_{}", self.instances[index])});
            self.command("instance.retry", payload);
        }
    }

    // What they do at Stripe.

    fn buy(&mut self, each: &Move) {
        if self.stripe.all("subscription").iter().filter(|sub| lives(sub)).count() >= 2 {
            return;
        }
        let (trial, declined) = (each.flag(0) && each.flag(1), !each.flag(0) && each.flag(1) && each.flag(2));
        let (purchase, plan) = match self.ordered.take() {
            Some((purchase, plan)) => (Some(purchase), plan),
            None => (None, usize::from(each.pick)),
        };
        let card = match (declined, each.flag(11) && each.flag(12)) {
            (true, _) => BAD_CARD,
            (false, true) => NO_REFUND_CARD,
            (false, false) => GOOD_CARD,
        };
        if !declined && (purchase.is_some() || each.flag(3)) {
            self.check_out(each, plan, card, trial, purchase);
        } else {
            self.subscribe(plan, card, trial);
        }
    }

    /// A subscription that somebody makes by hand.
    fn subscribe(&mut self, plan: usize, card: &'static str, trial: bool) {
        self.use_card(card);
        let (customer, price, name) = (self.customer.clone(), self.stripe.price(plan), self.name.clone());
        let mut form =
            vec![("customer", customer.as_str()), ("items[0][price]", price.as_str()), ("metadata[user_id]", &name)];
        if trial {
            form.push(("trial_period_days", "14"));
        }
        self.stripe.post("/v1/subscriptions", &form);
    }

    fn check_out(&mut self, each: &Move, plan: usize, card: &str, trial: bool, purchase: Option<String>) {
        let (customer, price, name) = (self.customer.clone(), self.stripe.price(plan), self.name.clone());
        let mut form = vec![
            ("mode", "subscription"),
            ("customer", customer.as_str()),
            ("line_items[0][price]", price.as_str()),
            ("line_items[0][quantity]", "1"),
            ("success_url", "https://example.com/success"),
            ("metadata[user_id]", &name),
        ];
        // Sessions that others make don't always hand their metadata on to the subscription.
        if purchase.is_some() || each.flag(4) {
            form.push(("subscription_data[metadata][user_id]", &name));
        }
        if let Some(purchase) = &purchase {
            form.push(("metadata[purchase_id]", purchase));
            form.push(("subscription_data[metadata][purchase_id]", purchase));
        }
        if trial {
            form.push(("subscription_data[trial_period_days]", "14"));
        }
        let session = self.stripe.post("/v1/checkout/sessions", &form);
        let token = card.replace("pm_card_", "tok_");
        let typed = self.stripe.post("/v1/payment_methods", &[("type", "card"), ("card[token]", &token)]);
        self.stripe.post(&format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", &typed)]);
        if let Some(purchase) = purchase {
            // The session that our provider was asked for: its id derives from the key of that effect.
            self.stripe.rename(&session, format!("cs_{}", short_hash(&format!("checkout:{purchase}"))));
        }
    }

    /// From now on the customer is charged with that card.
    fn use_card(&mut self, card: &'static str) {
        if self.card == card {
            return;
        }
        self.card = card;
        let attached = self.stripe.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", &self.customer)]);
        let form = [("invoice_settings[default_payment_method]", attached.as_str())];
        self.stripe.post(&format!("/v1/customers/{}", self.customer), &form);
        for subscription in self.stripe.all("subscription") {
            if lives(&subscription) && !subscription.get("default_payment_method").is_null() {
                let path = format!("/v1/subscriptions/{}", subscription.id());
                self.stripe.post(&path, &[("default_payment_method", &attached)]);
            }
        }
    }

    fn renew(&mut self, each: &Move) {
        let Some(subscription) = self.pick(each, goes_on) else { return };
        self.use_card(if pays(each) { GOOD_CARD } else { BAD_CARD });
        self.stripe.wait(period_end_s(&subscription) - self.stripe.now_s() + TOGETHER_S);
    }

    fn retry(&mut self, each: &Move) {
        let fits = |sub: &Object| matches!(sub.text("status"), "past_due" | "incomplete" | "unpaid");
        let Some(subscription) = self.pick(each, fits) else { return };
        let card = if each.flag(0) || subscription.text("status") == "unpaid" { GOOD_CARD } else { BAD_CARD };
        self.use_card(card);
        self.stripe.post(&format!("/v1/invoices/{}/pay", subscription.text("latest_invoice")), &[]);
    }

    fn give_up(&mut self, each: &Move) {
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
        self.stripe.wait(20 * DAY_S);
    }

    fn expire(&mut self) {
        if self.stripe.all("subscription").iter().any(|sub| sub.text("status") == "incomplete") {
            self.stripe.wait(DAY_S);
        }
    }

    fn change_plan(&mut self, each: &Move) {
        let Some(subscription) = self.pick(each, |sub| sub.text("status") == "active") else { return };
        let Some(item) = subscription.list_at("items").first() else { return };
        let (id, price) = (item["id"].as_str().unwrap_or_default(), item["price"]["id"].as_str().unwrap_or_default());
        let other = self.stripe.price(self.stripe.plan(price) + 1 + usize::from(each.pick / 8 % 2));
        self.use_card(if pays(each) { GOOD_CARD } else { BAD_CARD });
        let form = [("items[0][id]", id), ("items[0][price]", &other), ("proration_behavior", "always_invoice")];
        self.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &form);
    }

    fn cancel_at_end(&mut self, each: &Move) {
        let Some(subscription) = self.pick(each, goes_on) else { return };
        if !each.flag(0) {
            self.command("subscription.cancel", json!({"id": subscription.id(), "at_period_end": true}));
            self.end_segment();
        }
        self.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &[("cancel_at_period_end", "true")]);
    }

    fn undo(&mut self, each: &Move) {
        let Some(subscription) = self.pick(each, |sub| lives(sub) && sub.is("cancel_at_period_end")) else { return };
        self.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &[("cancel_at_period_end", "false")]);
    }

    fn end(&mut self, each: &Move) {
        let Some(subscription) = self.pick(each, |sub| lives(sub) && sub.text("status") != "incomplete") else {
            return;
        };
        match subscription.is("cancel_at_period_end") {
            true => self.stripe.wait(period_end_s(&subscription) - self.stripe.now_s() + TOGETHER_S),
            false => _ = self.stripe.delete(&format!("/v1/subscriptions/{}", subscription.id())),
        }
    }

    fn refund(&mut self, each: &Move) {
        let left = |charge: &Object| charge.int("amount") - charge.int("amount_refunded");
        let all = self.stripe.all("charge");
        let fitting: Vec<_> = all.iter().filter(|charge| charge.is("paid") && left(charge) > 0).collect();
        let Some(index) = each.of(fitting.len()) else { return };
        let charge = fitting[index];
        let amount = if each.flag(0) { left(charge) } else { (left(charge) / 3).max(1) };
        self.stripe.post("/v1/refunds", &[("charge", charge.id()), ("amount", &amount.to_string())]);
    }

    fn twin(&mut self) {
        let told = self.segments.iter().rev().find_map(|segment| segment.events.last());
        if let Some(twin) = told.map(|event| event.under(format!("{}_twin{}", event.id, self.segments.len()))) {
            let clock = self.stripe.now_s() * 1_000;
            self.segments.push(Segment { clock, events: vec![twin], commands: Vec::new() });
        }
    }
}

fn lives(subscription: &Object) -> bool {
    !matches!(subscription.text("status"), "canceled" | "incomplete_expired")
}

/// It will be renewed.
fn goes_on(subscription: &Object) -> bool {
    matches!(subscription.text("status"), "active" | "trialing") && !subscription.is("cancel_at_period_end")
}

fn pays(each: &Move) -> bool {
    each.flag(0) || each.flag(1)
}

fn period_end_s(subscription: &Object) -> i64 {
    subscription.list_at("items").first().and_then(|item| item["current_period_end"].as_i64()).unwrap_or_default()
}
