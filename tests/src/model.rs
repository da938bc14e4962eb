//! A small model of Stripe and of the people around it: moves in, a story out.
//!
//! It keeps what Stripe would know (subscriptions, invoices, payments) and tells of each change with the events that
//! Stripe sends for it. A move that makes no sense where it comes is left out, so that any list of moves is a story.
//! No two views of one object share a second unless Stripe's own order tells them apart.

use crate::story::{Segment, Story};
use crate::world::START_MS;
use host_providers::scripted::short_hash;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const DAY: i64 = 86_400;
const MONTH: i64 = 30 * DAY;
/// Pauses between moves, in seconds.
const PAUSES: [i64; 6] = [60, 3_600, DAY, 4 * DAY, 9 * DAY, 33 * DAY];

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Our own command `purchase.create`, perhaps with an instance that waits for it.
    Order,
    /// A checkout, or a subscription made by hand; paid, failed or on trial.
    Buy,
    /// The next period begins; paid or failed.
    Renew,
    /// Another attempt at an open invoice.
    Retry,
    /// No more attempts: unpaid, or cancelled.
    GiveUp,
    /// The first payment never came.
    Expire,
    /// Another plan, paid at once or failed.
    ChangePlan,
    /// To be cancelled at the end of the period, by our command or at Stripe's.
    CancelAtEnd,
    /// Not to be cancelled after all.
    Undo,
    /// The end of a subscription: of its period, or at once.
    End,
    /// Money goes back, in part or all that is left.
    Refund,
    /// A refund comes back.
    RefundFails,
    /// The command that makes an instance.
    Make,
    /// The command that deletes one.
    Delete,
    /// The command that tries one again.
    TryAgain,
    /// The last event's fact once more, as an event of another id.
    Twin,
    /// Time passes.
    Wait,
}

const KINDS: [(u32, Kind); 17] = [
    (3, Kind::Order),
    (6, Kind::Buy),
    (6, Kind::Renew),
    (4, Kind::Retry),
    (3, Kind::GiveUp),
    (2, Kind::Expire),
    (4, Kind::ChangePlan),
    (3, Kind::CancelAtEnd),
    (2, Kind::Undo),
    (4, Kind::End),
    (5, Kind::Refund),
    (2, Kind::RefundFails),
    (5, Kind::Make),
    (2, Kind::Delete),
    (1, Kind::TryAgain),
    (3, Kind::Twin),
    (2, Kind::Wait),
];

/// One thing that happens, with what it depends on.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// What.
    pub kind: Kind,
    /// Which of several, and how much.
    pub pick: u8,
    /// Ways in which it can happen.
    pub flags: u16,
    /// Which pause comes before it.
    pub pause: u8,
}

/// One move.
pub fn a_move() -> impl Strategy<Value = Move> {
    let kinds = proptest::sample::select(
        KINDS.iter().flat_map(|(weight, kind)| std::iter::repeat_n(*kind, *weight as usize)).collect::<Vec<_>>(),
    );
    (kinds, any::<u8>(), any::<u16>(), 0..PAUSES.len() as u8).prop_map(|(kind, pick, flags, pause)| Move {
        kind,
        pick,
        flags,
        pause,
    })
}

/// Moves that begin with a purchase.
pub fn moves(most: usize) -> impl Strategy<Value = Vec<Move>> {
    let first = (any::<bool>(), any::<u8>(), any::<u16>()).prop_map(|(ours, pick, flags)| {
        let kind = if ours { Kind::Order } else { Kind::Buy };
        Move { kind, pick, flags, pause: 0 }
    });
    (first, proptest::collection::vec(a_move(), 1..most)).prop_map(|(first, rest)| {
        let mut all = vec![first];
        if first.kind == Kind::Order {
            all.push(Move { kind: Kind::Buy, pause: 0, ..first });
        }
        all.extend(rest);
        all
    })
}

/// A story of the account `user:NAME`.
pub fn story(name: &str, moves: &[Move]) -> Story {
    let mut stripe = Stripe::new(name);
    for each in moves {
        stripe.play(each);
    }
    stripe.end_segment();
    Story { account: stripe.account(), segments: stripe.segments }
}

/// A plan on sale: product, Stripe's price, minor units a month.
struct Plan {
    product: &'static str,
    price: String,
    amount: i64,
}

fn plans() -> [Plan; 3] {
    // Starter has no price id in the catalog; the sync makes one, and the provider derives it from the effect's key.
    let synced = format!("price_{}", short_hash("sync:price:prod_starter:1500usd:month"));
    [
        Plan { product: "prod_hobby", price: "price_xyz789".to_owned(), amount: 500 },
        Plan { product: "prod_professional", price: "price_professional_monthly".to_owned(), amount: 7_900 },
        Plan { product: "prod_starter", price: synced, amount: 1_500 },
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Subscription {
    number: usize,
    plan: usize,
    status: &'static str,
    period: (i64, i64),
    trial: Option<(i64, i64)>,
    cancel_at_period_end: bool,
    ended_at: Option<i64>,
    names_owner: bool,
    purchase: Option<String>,
    /// The newest invoice, if it is open.
    open: Option<Invoice>,
}

#[derive(Clone, Debug, PartialEq)]
struct Invoice {
    number: usize,
    reason: &'static str,
    amount: i64,
    lines: Vec<(i64, String, bool)>,
    period: (i64, i64),
}

struct Payment {
    invoice: usize,
    amount: i64,
    refunds: Vec<Refund>,
}

struct Refund {
    id: String,
    amount: i64,
    failed: bool,
}

impl Payment {
    fn refunded(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }
}

struct Stripe {
    name: String,
    /// Seconds since the epoch.
    now: i64,
    events: usize,
    commands: usize,
    invoices: usize,
    ordered: Option<(String, usize)>,
    subscriptions: Vec<Subscription>,
    payments: Vec<Payment>,
    instances: Vec<String>,
    open: Segment,
    segments: Vec<Segment>,
}

fn at(seconds: i64) -> String {
    host_replay::time::text(seconds * 1_000)
}

impl Stripe {
    fn new(name: &str) -> Self {
        Stripe {
            name: name.to_owned(),
            now: START_MS / 1_000,
            events: 0,
            commands: 0,
            invoices: 0,
            ordered: None,
            subscriptions: Vec::new(),
            payments: Vec::new(),
            instances: Vec::new(),
            open: Segment::default(),
            segments: Vec::new(),
        }
    }

    fn account(&self) -> String {
        format!("user:{}", self.name)
    }

    fn id(&self, kind: &str, number: usize) -> String {
        format!("{kind}_{}{number}", self.name)
    }

    fn customer(&self) -> String {
        format!("cus_{}", self.name)
    }

    fn play(&mut self, each: &Move) {
        self.end_segment();
        self.now += PAUSES[each.pause as usize % PAUSES.len()];
        let flag = |bit: u32| each.flags >> bit & 1 == 1;
        match each.kind {
            Kind::Order => self.order(each.pick as usize, flag(0)),
            Kind::Buy => self.buy(each),
            Kind::Renew => self.renew(each),
            Kind::Retry => self.retry(each),
            Kind::GiveUp => self.give_up(each),
            Kind::Expire => self.expire(each),
            Kind::ChangePlan => self.change_plan(each),
            Kind::CancelAtEnd => self.cancel_at_end(each),
            Kind::Undo => self.undo(each),
            Kind::End => self.end(each),
            Kind::Refund => self.refund(each),
            Kind::RefundFails => self.refund_fails(each),
            Kind::Make => self.make(each),
            Kind::Delete => self.delete(each),
            Kind::TryAgain => self.try_again(each),
            Kind::Twin => self.twin(),
            Kind::Wait => {}
        }
    }

    /// All that has happened arrives.
    fn end_segment(&mut self) {
        self.now += 1;
        let mut segment = std::mem::take(&mut self.open);
        segment.clock = self.now * 1_000;
        self.segments.push(segment);
    }

    fn tell(&mut self, kind: &str, mut step: Value) {
        self.events += 1;
        step["stripe"] = json!(kind);
        step["id"] = json!(self.id("evt", self.events));
        step["at"] = json!(at(self.now));
        self.open.events.push(step);
    }

    fn command(&mut self, kind: &str, payload: Value) -> String {
        self.commands += 1;
        let id = self.id("cmd", self.commands);
        let step = json!({"command": kind, "id": id, "account": self.account(), "payload": payload});
        self.open.commands.push(step);
        id
    }

    /// One that fits, by number.
    fn pick(&self, each: &Move, fits: impl Fn(&Subscription) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.subscriptions.len()).filter(|i| fits(&self.subscriptions[*i])).collect();
        fitting.get(each.pick as usize % fitting.len().max(1)).copied()
    }

    // What people do at our side.

    fn order(&mut self, plan: usize, with_instance: bool) {
        let entitled = |s: &Subscription| !matches!(s.status, "canceled" | "incomplete_expired");
        if self.ordered.is_some() || self.subscriptions.iter().any(entitled) {
            return;
        }
        let plan = plan % plans().len();
        let mut payload = json!({"plan_id": plans()[plan].product});
        if with_instance {
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
        if let Some(subdomain) = self.instances.get(each.pick as usize % self.instances.len().max(1)).cloned() {
            self.command("instance.delete", json!({"id": format!("inst_{subdomain}"), "confirm": subdomain}));
        }
    }

    fn try_again(&mut self, each: &Move) {
        if let Some(subdomain) = self.instances.get(each.pick as usize % self.instances.len().max(1)).cloned() {
            self.command("instance.retry", json!({"id": format!("inst_{subdomain}")}));
        }
    }

    // What happens at Stripe.

    fn buy(&mut self, each: &Move) {
        let live = |s: &&Subscription| !matches!(s.status, "canceled" | "incomplete_expired");
        if self.subscriptions.iter().filter(live).count() >= 2 {
            return;
        }
        let flag = |bit: u32| each.flags >> bit & 1 == 1;
        let (trial, fails) = (flag(0) && flag(1), !flag(0) && flag(1) && flag(2));
        let (purchase, plan) = match self.ordered.take() {
            Some((purchase, plan)) => (Some(purchase), plan),
            None => (None, each.pick as usize % plans().len()),
        };
        let with_session = !fails && (purchase.is_some() || flag(3));
        let number = self.subscriptions.len() + 1;
        let length = if trial { 14 * DAY } else { MONTH };
        let period = (self.now, self.now + length);
        let amount = if trial { 0 } else { plans()[plan].amount };
        let invoice = self.new_invoice("subscription_create", amount, vec![(amount, plan, false)], period);
        let mut made = Subscription {
            number,
            plan,
            status: if trial { "trialing" } else { "incomplete" },
            period,
            trial: trial.then_some(period),
            cancel_at_period_end: false,
            ended_at: None,
            names_owner: !with_session || flag(4),
            purchase: purchase.clone(),
            open: None,
        };
        if flag(5) {
            let customer = json!({"set": {"id": self.customer()}, "add": {"metadata.user_id": self.name}});
            self.tell("customer.created", customer);
        }
        self.tell_subscription("created", &made, None);
        self.tick(flag(6));
        self.open_invoice(&made, &invoice, flag(7), flag(8));
        self.tick(flag(6));
        if fails {
            made.open = Some(invoice.clone());
            self.tell_invoice("payment_failed", &made, &invoice, "open");
            self.subscriptions.push(made);
            return;
        }
        self.paid(&made, &invoice, flag(9), flag(10));
        if !trial {
            let before = made.clone();
            made.status = "active";
            self.tick(flag(6));
            self.tell_subscription("updated", &made, Some(&before));
        }
        if with_session {
            self.tell_session(&made, &invoice, trial, purchase);
        }
        self.subscriptions.push(made);
    }

    fn tick(&mut self, tight: bool) {
        if !tight {
            self.now += 1;
        }
    }

    fn renew(&mut self, each: &Move) {
        let fits = |s: &Subscription| matches!(s.status, "active" | "trialing") && !s.cancel_at_period_end;
        let Some(index) = self.pick(each, fits) else { return };
        let flag = |bit: u32| each.flags >> bit & 1 == 1;
        let before = self.subscriptions[index].clone();
        let mut after = before.clone();
        self.now = self.now.max(before.period.1);
        after.period = (before.period.1, before.period.1 + MONTH);
        after.status = "active";
        let plan = &plans()[before.plan];
        let invoice =
            self.new_invoice("subscription_cycle", plan.amount, vec![(plan.amount, before.plan, false)], after.period);
        self.tell_subscription("updated", &after, Some(&before));
        self.open_invoice(&after, &invoice, flag(7), flag(8));
        self.now += 3_600;
        self.settle_invoice(&mut after, invoice, flag(0) || flag(1), flag(9), flag(10));
        self.subscriptions[index] = after;
    }

    fn settle_invoice(&mut self, of: &mut Subscription, invoice: Invoice, pays: bool, intent: bool, succeeded: bool) {
        let before = of.clone();
        if pays {
            self.paid(of, &invoice, intent, succeeded);
            of.open = None;
            of.status = "active";
        } else {
            self.tell_invoice("payment_failed", of, &invoice, "open");
            of.open = Some(invoice);
            of.status = if of.status == "incomplete" { "incomplete" } else { "past_due" };
        }
        if of.status != before.status {
            self.now += 1;
            self.tell_subscription("updated", of, Some(&before));
        }
    }

    fn retry(&mut self, each: &Move) {
        let fits = |s: &Subscription| s.open.is_some() && matches!(s.status, "past_due" | "incomplete" | "unpaid");
        let Some(index) = self.pick(each, fits) else { return };
        let flag = |bit: u32| each.flags >> bit & 1 == 1;
        let mut after = self.subscriptions[index].clone();
        let Some(invoice) = after.open.clone() else { return };
        if after.status == "unpaid" || flag(0) {
            self.settle_invoice(&mut after, invoice, true, flag(9), flag(10));
        } else {
            self.tell_invoice("payment_failed", &after, &invoice, "open");
        }
        self.subscriptions[index] = after;
    }

    fn give_up(&mut self, each: &Move) {
        let Some(index) = self.pick(each, |s| s.status == "past_due") else { return };
        let before = self.subscriptions[index].clone();
        let mut after = before.clone();
        if each.flags & 1 == 0 {
            after.status = "unpaid";
            self.tell_subscription("updated", &after, Some(&before));
        } else {
            if let Some(invoice) = before.open.as_ref().filter(|_| each.flags & 2 == 0) {
                self.tell_invoice("marked_uncollectible", &before, invoice, "uncollectible");
            }
            self.cancelled(&mut after);
        }
        self.subscriptions[index] = after;
    }

    fn expire(&mut self, each: &Move) {
        let Some(index) = self.pick(each, |s| s.status == "incomplete") else { return };
        let before = self.subscriptions[index].clone();
        let mut after = before.clone();
        self.now += 23 * 3_600;
        after.status = "incomplete_expired";
        after.ended_at = Some(self.now);
        after.open = None;
        if let Some(invoice) = before.open.as_ref().filter(|_| each.flags & 1 == 0) {
            self.tell_invoice("voided", &before, invoice, "void");
        }
        self.tell_subscription("updated", &after, Some(&before));
        self.subscriptions[index] = after;
    }

    fn change_plan(&mut self, each: &Move) {
        let Some(index) = self.pick(each, |s| s.status == "active" && s.open.is_none()) else { return };
        let flag = |bit: u32| each.flags >> bit & 1 == 1;
        let before = self.subscriptions[index].clone();
        let mut after = before.clone();
        let plans = plans();
        after.plan = (before.plan + 1 + each.pick as usize / 8 % (plans.len() - 1)) % plans.len();
        self.tell_subscription("updated", &after, Some(&before));
        let (old, new) = (plans[before.plan].amount, plans[after.plan].amount);
        if new > old {
            // Half of the period is left.
            let lines = vec![(-old / 2, before.plan, true), (new / 2, after.plan, true)];
            let invoice = self.new_invoice("subscription_update", new / 2 - old / 2, lines, after.period);
            self.now += 1;
            self.open_invoice(&after, &invoice, flag(7), flag(8));
            self.settle_invoice(&mut after, invoice, flag(0) || flag(1), flag(9), flag(10));
        }
        self.subscriptions[index] = after;
    }

    fn cancel_at_end(&mut self, each: &Move) {
        let fits = |s: &Subscription| matches!(s.status, "active" | "trialing") && !s.cancel_at_period_end;
        let Some(index) = self.pick(each, fits) else { return };
        if each.flags & 1 == 0 {
            let id = self.id("sub", self.subscriptions[index].number);
            self.command("subscription.cancel", json!({"id": id, "at_period_end": true}));
            self.end_segment();
        }
        let before = self.subscriptions[index].clone();
        self.subscriptions[index].cancel_at_period_end = true;
        let after = self.subscriptions[index].clone();
        self.tell_subscription("updated", &after, Some(&before));
    }

    fn undo(&mut self, each: &Move) {
        let fits = |s: &Subscription| s.cancel_at_period_end && s.ended_at.is_none();
        let Some(index) = self.pick(each, fits) else { return };
        let before = self.subscriptions[index].clone();
        self.subscriptions[index].cancel_at_period_end = false;
        let after = self.subscriptions[index].clone();
        self.tell_subscription("updated", &after, Some(&before));
    }

    fn end(&mut self, each: &Move) {
        let fits = |s: &Subscription| s.ended_at.is_none() && s.status != "incomplete";
        let Some(index) = self.pick(each, fits) else { return };
        let mut after = self.subscriptions[index].clone();
        if after.cancel_at_period_end {
            self.now = self.now.max(after.period.1);
        }
        self.cancelled(&mut after);
        self.subscriptions[index] = after;
    }

    fn cancelled(&mut self, of: &mut Subscription) {
        of.status = "canceled";
        of.ended_at = Some(self.now);
        of.open = None;
        let ended = of.clone();
        self.tell_subscription("deleted", &ended, None);
    }

    fn refund(&mut self, each: &Move) {
        let fitting: Vec<usize> =
            (0..self.payments.len()).filter(|i| self.payments[*i].refunded() < self.payments[*i].amount).collect();
        let Some(index) = fitting.get(each.pick as usize % fitting.len().max(1)).copied() else { return };
        let flag = |bit: u32| each.flags >> bit & 1 == 1;
        let (number, left) = {
            let payment = &self.payments[index];
            (payment.refunds.len() + 1, payment.amount - payment.refunded())
        };
        let amount = if flag(0) { left } else { (left / 3).max(1) };
        let id = format!("{}_{number}", self.id("re", self.payments[index].invoice));
        self.payments[index].refunds.push(Refund { id: id.clone(), amount, failed: false });
        let refund = |status: &str, payment: &Payment, stripe: &Stripe| {
            json!({"set": {
                "id": id, "amount": amount, "status": status,
                "charge": stripe.id("ch", payment.invoice), "payment_intent": stripe.id("pi", payment.invoice),
            }})
        };
        let status = if flag(1) { "pending" } else { "succeeded" };
        let created = refund(status, &self.payments[index], self);
        self.tell("refund.created", created);
        let charge = self.charge(index);
        self.tell("charge.refunded", charge);
        if flag(1) {
            self.now += 1;
            let updated = refund("succeeded", &self.payments[index], self);
            self.tell("refund.updated", updated);
        }
    }

    /// A charge with all that was given back of it. Before 2022-11-15 it lists its refunds.
    fn charge(&self, index: usize) -> Value {
        let payment = &self.payments[index];
        let (charge, intent) = (self.id("ch", payment.invoice), self.id("pi", payment.invoice));
        let refunded = payment.refunded();
        let refunds: Vec<Value> = payment
            .refunds
            .iter()
            .rev()
            .map(|refund| {
                let status = if refund.failed { "failed" } else { "succeeded" };
                json!({
                    "id": refund.id, "object": "refund", "amount": refund.amount, "currency": "usd",
                    "charge": charge, "payment_intent": intent, "status": status,
                })
            })
            .collect();
        json!({
            "set": {
                "id": charge, "amount": payment.amount, "amount_captured": payment.amount,
                "amount_refunded": refunded, "refunded": refunded == payment.amount, "customer": self.customer(),
                "payment_intent": intent, "invoice": self.id("in", payment.invoice),
            },
            "set@2020-08-27": {"refunds.data": refunds},
        })
    }

    fn refund_fails(&mut self, each: &Move) {
        let fitting: Vec<(usize, usize)> = self
            .payments
            .iter()
            .enumerate()
            .flat_map(|(i, payment)| payment.refunds.iter().enumerate().map(move |(j, refund)| (i, j, refund)))
            .filter(|(_, _, refund)| !refund.failed)
            .map(|(i, j, _)| (i, j))
            .collect();
        let Some((i, j)) = fitting.get(each.pick as usize % fitting.len().max(1)).copied() else { return };
        self.payments[i].refunds[j].failed = true;
        let payment = &self.payments[i];
        let step = json!({"set": {
            "id": payment.refunds[j].id, "amount": payment.refunds[j].amount, "status": "failed",
            "charge": self.id("ch", payment.invoice), "payment_intent": self.id("pi", payment.invoice),
        }});
        self.tell("refund.failed", step);
    }

    fn twin(&mut self) {
        let told = self.segments.iter().rev().find_map(|segment| segment.events.last().cloned());
        if let Some(mut step) = told {
            self.events += 1;
            step["id"] = json!(self.id("evt", self.events));
            self.open.events.push(step);
        }
    }

    // How Stripe tells of it.

    fn tell_subscription(&mut self, verb: &str, of: &Subscription, before: Option<&Subscription>) {
        let mut step = json!({"set": self.view(of)});
        let mut add = Map::new();
        if of.names_owner {
            add.insert("metadata.user_id".to_owned(), json!(self.name));
        }
        if let Some(purchase) = &of.purchase {
            add.insert("metadata.purchase_id".to_owned(), json!(purchase));
        }
        step["add"] = Value::Object(add);
        if let Some(before) = before {
            let (old, new) = (self.view(before), self.view(of));
            let changed = old.into_iter().filter(|(key, value)| new.get(key) != Some(value));
            step["previous"] = Value::Object(changed.collect());
        }
        self.tell(&format!("customer.subscription.{verb}"), step);
    }

    fn view(&self, of: &Subscription) -> Map<String, Value> {
        let mut view = Map::new();
        let mut set = |key: &str, value: Value| view.insert(key.to_owned(), value);
        set("id", json!(self.id("sub", of.number)));
        set("customer", json!(self.customer()));
        set("status", json!(of.status));
        set("price", json!(plans()[of.plan].price));
        set("items.data[0].id", json!(self.id("si", of.number)));
        set("period", json!([at(of.period.0), at(of.period.1)]));
        set("cancel_at_period_end", json!(of.cancel_at_period_end));
        set("ended_at", json!(of.ended_at.map(at)));
        if let Some((start, end)) = of.trial {
            set("trial", json!([at(start), at(end)]));
        }
        view
    }

    fn new_invoice(
        &mut self,
        reason: &'static str,
        amount: i64,
        lines: Vec<(i64, usize, bool)>,
        period: (i64, i64),
    ) -> Invoice {
        self.invoices += 1;
        let lines = lines.into_iter().map(|(amount, plan, prorated)| (amount, plans()[plan].price.clone(), prorated));
        Invoice { number: self.invoices, reason, amount, lines: lines.collect(), period }
    }

    fn open_invoice(&mut self, of: &Subscription, invoice: &Invoice, created: bool, finalized: bool) {
        if created {
            self.tell_invoice("created", of, invoice, "draft");
        }
        if finalized {
            self.tell_invoice("finalized", of, invoice, "open");
        }
    }

    fn tell_invoice(&mut self, verb: &str, of: &Subscription, invoice: &Invoice, status: &str) {
        let paid = status == "paid";
        let lines: Vec<Value> = invoice
            .lines
            .iter()
            .map(|(amount, price, prorated)| {
                json!({"amount": amount, "price": price, "proration": prorated,
                    "subscription": self.id("sub", of.number), "subscription_item": self.id("si", of.number)})
            })
            .collect();
        let mut set = json!({
            "id": self.id("in", invoice.number), "customer": self.customer(), "lines": lines, "paid": paid,
            "subscription": self.id("sub", of.number), "billing_reason": invoice.reason,
            "amount_due": invoice.amount, "subtotal": invoice.amount, "total": invoice.amount,
            "period": [at(invoice.period.0), at(invoice.period.1)],
        });
        if paid {
            set["amount_paid"] = json!(invoice.amount);
            set["status_transitions.paid_at"] = json!(at(self.now));
            set["payment_intent"] = if invoice.amount > 0 { json!(self.id("pi", invoice.number)) } else { Value::Null };
        } else {
            set["status"] = json!(status);
        }
        let mut step = json!({"set": set});
        if of.names_owner {
            step["set"]["subscription_metadata"] = json!({"user_id": self.name});
        }
        self.tell(&format!("invoice.{verb}"), step);
    }

    /// An invoice is paid: the charge, what ties it to the invoice, and the invoice itself.
    fn paid(&mut self, of: &Subscription, invoice: &Invoice, intent: bool, succeeded: bool) {
        if invoice.amount > 0 {
            self.payments.push(Payment { invoice: invoice.number, amount: invoice.amount, refunds: Vec::new() });
            let number = invoice.number;
            let charge = self.charge(self.payments.len() - 1);
            self.tell("charge.succeeded", charge);
            let (id, pi) = (self.id("in", number), self.id("pi", number));
            let ties = json!({"only": ["2025-03-31.basil"], "set": {
                "id": self.id("inpay", number), "invoice": id, "payment.payment_intent": pi,
                "amount_paid": invoice.amount, "amount_requested": invoice.amount,
            }});
            self.tell("invoice_payment.paid", ties);
            if intent {
                let step = json!({"set": {
                    "id": pi, "amount": invoice.amount, "charge": self.id("ch", number), "invoice": id,
                    "customer": self.customer(),
                }});
                self.tell("payment_intent.succeeded", step);
            }
        }
        self.tell_invoice("paid", of, invoice, "paid");
        if succeeded {
            self.tell_invoice("payment_succeeded", of, invoice, "paid");
        }
    }

    fn tell_session(&mut self, of: &Subscription, invoice: &Invoice, trial: bool, purchase: Option<String>) {
        // The provider derives the session's id from the key of the effect that asks for it.
        let id = match &purchase {
            Some(purchase) => format!("cs_{}", short_hash(&format!("checkout:{purchase}"))),
            None => self.id("cs", of.number),
        };
        let mut add = json!({"metadata.user_id": self.name});
        if let Some(purchase) = &purchase {
            add["metadata.purchase_id"] = json!(purchase);
        }
        let step = json!({
            "set": {
                "id": id, "customer": self.customer(), "subscription": self.id("sub", of.number),
                "amount_subtotal": invoice.amount, "amount_total": invoice.amount,
                "payment_status": if trial { "no_payment_required" } else { "paid" },
            },
            "add": add,
        });
        self.tell("checkout.session.completed", step);
    }
}
