//! Lists the endings that a story can have.

use super::{Ending, Relation};
use crate::compose::Composer;
use crate::plan::Act;
use crate::tale::Tale;
use crate::told::{Item, Offer, Subscription, Told};
use extension_contract::Timestamp;
use host_provider_api::scripted::ScriptedAnswer;
use host_scenario::error::ReplayError;
use host_scenario::model::Action;
use host_scenario::time;
use serde_json::{Value, json};

const SECOND: i64 = 1000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// Maximum number of a story's subscriptions for which endings are generated.
const SUBSCRIPTIONS: usize = 2;

/// The state of a story after its last act.
pub(crate) struct Story<'s> {
    pub tale: &'s Tale,
    pub told: Told,
    pub offers: Vec<Offer>,
    pub acts: &'s [Act],
    /// The clock after the last act, in milliseconds since the epoch.
    pub end: Timestamp,
}

/// Returns all endings of a story.
pub(crate) fn all(composer: &mut Composer, story: &Story<'_>) -> Result<Vec<Ending>, ReplayError> {
    let mut list = List { composer, story, found: Vec::new() };
    let subscriptions: Vec<Subscription> =
        story.told.paid_subscriptions().filter(|one| is_known(one, story)).take(SUBSCRIPTIONS).cloned().collect();
    for subscription in &subscriptions {
        list.unpaid_changes(subscription)?;
        list.unpaid_beginnings(subscription)?;
        list.of_renewals(subscription)?;
        list.further_payments(subscription)?;
        list.trials(subscription)?;
    }
    list.money_that_comes_back()?;
    list.closings()?;
    Ok(list.found)
}

/// Returns whether a subscription is within its period, and all of its prices are in the catalog.
fn is_known(subscription: &Subscription, story: &Story<'_>) -> bool {
    let (start, end) = subscription.period;
    let is_sold = |item: &Item| story.offers.iter().any(|offer| offer.price == item.price);
    start * SECOND <= story.end && story.end + 12 * HOUR < end * SECOND && subscription.items.iter().all(is_sold)
}

/// The outcome of an invoice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paid {
    At(Timestamp),
    Failed,
    Open,
    Void,
}

struct List<'l, 's> {
    composer: &'l mut Composer,
    story: &'l Story<'s>,
    found: Vec<Ending>,
}

type Acts = Result<Act, ReplayError>;

impl List<'_, '_> {
    fn add(&mut self, name: &str, relation: Relation, with: Vec<Act>, without: Vec<Act>) {
        let last = with.iter().chain(&without).map(|act| act.clock).max().unwrap_or(self.story.end);
        let (from, name) = (self.story.acts.len(), name.to_owned());
        self.found.push(Ending { name, relation, from, with, without, until: last + HOUR });
    }

    fn amount(&self, price: &str) -> i64 {
        self.story.offers.iter().find(|offer| offer.price == price).map_or(1000, |offer| offer.amount)
    }

    /// Creates an event for a subscription with these items.
    fn tells(&mut self, kind: &str, of: &Subscription, at: Timestamp) -> Acts {
        let (start, end) = of.period;
        let items: Vec<Value> = of
            .items
            .iter()
            .map(|item| json!({"id": item.id, "price": item.price, "quantity": item.quantity}))
            .collect();
        let set = json!({
            "id": of.id, "customer": of.customer, "status": of.status, "metadata": of.metadata, "items": items,
            "period": [time::text(start * SECOND), time::text(end * SECOND)],
        });
        self.composer.stripe(&format!("customer.subscription.{kind}"), &set, at)
    }

    /// Creates an event for an invoice of a subscription with these lines: price and amount.
    fn bills(
        &mut self,
        id: &str,
        of: &Subscription,
        reason: &str,
        lines: &[(String, i64)],
        paid: Paid,
        at: Timestamp,
    ) -> Acts {
        let total: i64 = lines.iter().map(|(_, amount)| *amount).sum();
        let (start, end) = of.period;
        let is_change = reason == "subscription_update";
        let lines: Vec<Value> = lines
            .iter()
            .enumerate()
            .map(|(number, (price, amount))| {
                json!({"id": format!("il_{id}_{number}"), "price": price, "amount": amount, "proration": is_change,
                    "subscription": of.id})
            })
            .collect();
        let mut set = json!({
            "id": format!("in_explored_{id}"), "customer": of.customer, "subscription": of.id, "billing_reason": reason,
            "amount": total, "lines": lines, "period": [time::text(start * SECOND), time::text(end * SECOND)],
            "payment_intent": format!("pi_explored_{id}"), "charge": format!("ch_explored_{id}"),
        });
        let kind = match paid {
            Paid::At(paid_at) => {
                set["status_transitions.paid_at"] = json!(time::text(paid_at));
                "invoice.paid"
            }
            Paid::Failed => "invoice.payment_failed",
            Paid::Open => "invoice.finalized",
            Paid::Void => "invoice.voided",
        };
        if !matches!(paid, Paid::At(_)) {
            let members = set.as_object_mut().into_iter();
            members.for_each(|set| set.retain(|name, _| !matches!(name.as_str(), "payment_intent" | "charge")));
            set["paid"] = json!(false);
        }
        if paid == Paid::Void {
            set["status"] = json!("void");
        }
        self.composer.stripe(kind, &set, at)
    }

    fn lines(&self, of: &Subscription) -> Vec<(String, i64)> {
        of.items.iter().map(|item| (item.price.clone(), self.amount(&item.price) * item.quantity)).collect()
    }

    /// The payment for the current period, unless the story already contains one.
    fn paid_first(&mut self, of: &Subscription) -> Result<Vec<Act>, ReplayError> {
        let is_told = self.story.told.invoices.values().any(|invoice| invoice.subscription.as_ref() == Some(&of.id));
        if is_told {
            return Ok(Vec::new());
        }
        let at = self.story.end + SECOND;
        Ok(vec![self.bills("first", of, "subscription_create", &self.lines(of), Paid::At(at), at)?])
    }

    /// Prices of the same type and interval that cost more than an item's price.
    fn dearer(&self, than: &Item) -> Option<Offer> {
        let held = self.story.offers.iter().find(|offer| offer.price == than.price)?;
        let is_dearer = |offer: &&Offer| {
            offer.product_type == held.product_type && offer.interval == held.interval && offer.amount > held.amount
        };
        self.story.offers.iter().filter(is_dearer).max_by_key(|offer| offer.amount).cloned()
    }

    /// A price with the subscription's interval, of a type that the subscription does not have.
    fn further(&self, of: &Subscription) -> Option<Offer> {
        let first = self.story.offers.iter().find(|offer| offer.price == of.items[0].price)?;
        let has = |offer: &Offer| of.items.iter().any(|item| item.price == offer.price);
        let others = self.story.offers.iter().filter(|offer| {
            offer.product_type != first.product_type
                && offer.interval == first.interval
                && offer.amount > 0
                && !has(offer)
        });
        others.max_by_key(|offer| offer.amount).cloned()
    }

    /// A card fails during a change: what was paid for before stays, and the change grants nothing.
    fn unpaid_changes(&mut self, held: &Subscription) -> Result<(), ReplayError> {
        let mut changes: Vec<(&str, Subscription, Vec<String>)> = Vec::new();
        let mut more = held.clone();
        more.items.iter_mut().for_each(|item| item.quantity = item.quantity * 3 + 1);
        changes.push(("a larger quantity", more, held.items.iter().map(|item| item.price.clone()).collect()));
        if let Some(offer) = self.dearer(&held.items[0]) {
            let mut dearer = held.clone();
            dearer.items[0].price.clone_from(&offer.price);
            changes.push(("a dearer price", dearer, vec![offer.price]));
        }
        if let Some(offer) = self.further(held) {
            let mut further = held.clone();
            further.items.push(Item { id: "si_explored".to_owned(), price: offer.price.clone(), quantity: 9 });
            changes.push(("a further item", further, vec![offer.price]));
        }
        for (change, changed, prices) in changes {
            for status in ["active", "past_due"] {
                let changed = Subscription { status: status.to_owned(), ..changed.clone() };
                let without = self.paid_first(held)?;
                let at = self.story.end + HOUR;
                let mut with = without.clone();
                with.push(self.tells("updated", &changed, at)?);
                let lines: Vec<(String, i64)> =
                    prices.iter().map(|price| (price.clone(), self.amount(price) + 100)).collect();
                with.push(self.bills("change", &changed, "subscription_update", &lines, Paid::Failed, at + SECOND)?);
                let name = format!("the card fails at {change} of {}, which is {status}", held.id);
                self.add(&name, Relation::Same, with, without);
            }
        }
        self.raise_that_is_taken_back(held)
    }

    /// An upgrade is paid, a further one is not, and then the quantity drops below both: the unpaid upgrade leaves no trace.
    fn raise_that_is_taken_back(&mut self, held: &Subscription) -> Result<(), ReplayError> {
        let of = |more: i64| {
            let mut changed = held.clone();
            changed.items.iter_mut().for_each(|item| item.quantity += more);
            changed
        };
        let (raised, unpaid, less) = (of(4), of(8), of(2));
        let mut with = self.paid_first(held)?;
        let at = self.story.end + HOUR;
        let line = |amount: i64| [(held.items[0].price.clone(), amount)];
        with.push(self.tells("updated", &raised, at)?);
        with.push(self.bills("raise", &raised, "subscription_update", &line(400), Paid::At(at), at + SECOND)?);
        let mut without = with.clone();
        with.push(self.tells("updated", &unpaid, at + 60 * SECOND)?);
        let failed =
            self.bills("unpaid", &unpaid, "subscription_update", &line(500), Paid::Failed, at + 61 * SECOND)?;
        with.push(failed);
        let fewer = self.tells("updated", &less, at + 2 * HOUR)?;
        with.push(fewer.clone());
        without.push(fewer);
        let name = format!("the card fails at a raise of {}, which is taken back", held.id);
        self.add(&name, Relation::Same, with, without);
        Ok(())
    }

    /// A subscription whose first invoice is never paid grants nothing.
    fn unpaid_beginnings(&mut self, held: &Subscription) -> Result<(), ReplayError> {
        let offer = self.story.offers.iter().filter(|offer| offer.interval == "month" || offer.interval == "year");
        let Some(offer) = offer.max_by_key(|offer| offer.amount).cloned() else { return Ok(()) };
        let item = Item { id: "si_explored".to_owned(), price: offer.price.clone(), quantity: 1 };
        let begun = Subscription { id: "sub_explored".to_owned(), items: vec![item], ..held.clone() };
        for (how, paid) in [("voided", Paid::Void), ("open", Paid::Open)] {
            let at = self.story.end + HOUR;
            let lines = [(offer.price.clone(), offer.amount)];
            let with = vec![
                self.tells("created", &begun, at)?,
                self.bills("begun", &begun, "subscription_create", &lines, paid, at + SECOND)?,
            ];
            let name = format!("the first invoice of a further subscription is {how}");
            self.add(&name, Relation::NotMore, with, Vec::new());
        }
        Ok(())
    }

    /// Endings at and after a renewal.
    fn of_renewals(&mut self, held: &Subscription) -> Result<(), ReplayError> {
        let (start, end) = held.period;
        let next = Subscription { period: (end, end + (end - start)), ..held.clone() };
        let at = end * SECOND;
        // A more expensive price begins with the period, and its invoice is open.
        if let Some(offer) = self.dearer(&held.items[0]) {
            let mut dearer = next.clone();
            dearer.items[0].price.clone_from(&offer.price);
            let without = self.paid_first(held)?;
            let mut with = without.clone();
            with.push(self.tells("updated", &dearer, at)?);
            let line = [(offer.price.clone(), offer.amount)];
            with.push(self.bills("dearer", &dearer, "subscription_cycle", &line, Paid::Open, at + SECOND)?);
            self.add(
                &format!("the renewal of {} at a dearer price is open", held.id),
                Relation::NotMore,
                with,
                without,
            );
        }
        // Nothing can be bought any longer.
        let mut none = next.clone();
        none.items.iter_mut().for_each(|item| item.quantity = 0);
        let paid = self.paid_first(held)?;
        let (mut with, mut without) = (paid.clone(), paid);
        with.push(self.tells("updated", &none, at)?);
        let nothing: Vec<(String, i64)> = held.items.iter().map(|item| (item.price.clone(), 0)).collect();
        with.push(self.bills("none", &none, "subscription_cycle", &nothing, Paid::At(at), at + SECOND)?);
        let ended = Subscription { status: "canceled".to_owned(), ..held.clone() };
        without.push(self.tells("deleted", &ended, at)?);
        self.add(&format!("a quantity of nothing of {} is renewed", held.id), Relation::NotMore, with, without);

        // The old period is paid late and then disputed; the new one is paid.
        let mut with = vec![self.tells("updated", &next, at)?];
        let late = at + DAY;
        with.push(self.bills("late", held, "subscription_cycle", &self.lines(held), Paid::At(late), late)?);
        let renewed = at + 2 * DAY;
        with.push(self.bills("new", &next, "subscription_cycle", &self.lines(held), Paid::At(renewed), renewed)?);
        let without = with.clone();
        let amount: i64 = self.lines(held).iter().map(|(_, amount)| *amount).sum();
        let dispute = json!({"id": "dp_explored", "payment_intent": "pi_explored_late", "charge": "ch_explored_late",
            "amount": amount, "status": "needs_response"});
        with.push(self.composer.stripe("charge.dispute.created", &dispute, at + 3 * DAY)?);
        self.add(
            &format!("the last period of {} was paid late and is disputed", held.id),
            Relation::Same,
            with,
            without,
        );

        self.difference_of_an_earlier_period(held, &next)?;
        self.manual_invoice(held)
    }

    /// The invoice for the difference of an upgrade stays open, and the whole next period is paid.
    fn difference_of_an_earlier_period(&mut self, held: &Subscription, next: &Subscription) -> Result<(), ReplayError> {
        let of = |subscription: &Subscription, status: &str| {
            let mut changed = Subscription { status: status.to_owned(), ..subscription.clone() };
            changed.items.iter_mut().for_each(|item| item.quantity += 4);
            changed
        };
        let (at, renewal) = (self.story.end + HOUR, next.period.0 * SECOND);
        let mut without = self.paid_first(held)?;
        let mut with = without.clone();
        let line = [(held.items[0].price.clone(), 400)];
        with.push(self.tells("updated", &of(held, "past_due"), at)?);
        let late = of(held, "past_due");
        with.push(self.bills("difference", &late, "subscription_update", &line, Paid::Failed, at + SECOND)?);
        with.push(self.tells("updated", &of(next, "past_due"), renewal)?);
        without.push(self.tells("updated", &of(next, "active"), renewal)?);
        let renewed = of(next, "active");
        let lines = self.lines(&renewed);
        let paid =
            self.bills("whole", &renewed, "subscription_cycle", &lines, Paid::At(renewal + HOUR), renewal + HOUR)?;
        let active = self.tells("updated", &renewed, renewal + HOUR + SECOND)?;
        for acts in [&mut with, &mut without] {
            acts.extend([paid.clone(), active.clone()]);
        }
        let name = format!("a difference of {} stays open, and the whole next period is paid", held.id);
        self.add(&name, Relation::Same, with, without);
        Ok(())
    }

    /// A manual invoice fails days before an upgrade that is not paid.
    fn manual_invoice(&mut self, held: &Subscription) -> Result<(), ReplayError> {
        let at = self.story.end + HOUR;
        let mut without = self.paid_first(held)?;
        let mut with = without.clone();
        let line = [("price_of_a_training".to_owned(), 20_000)];
        with.push(self.bills("manual", held, "manual", &line, Paid::Failed, at)?);
        let mut raised = Subscription { status: "past_due".to_owned(), ..held.clone() };
        raised.items.iter_mut().for_each(|item| item.quantity += 4);
        let later = at + 5 * DAY;
        let line = [(held.items[0].price.clone(), 400)];
        let more = [
            self.tells("updated", &raised, later)?,
            self.bills("raised", &raised, "subscription_update", &line, Paid::Failed, later + SECOND)?,
        ];
        for acts in [&mut with, &mut without] {
            acts.extend(more.iter().cloned());
        }
        self.add(&format!("a manual invoice of {} fails before a raise", held.id), Relation::Same, with, without);
        if let Some(ending) = self.found.last_mut() {
            ending.until = later + 4 * DAY;
        }
        Ok(())
    }

    /// Whoever pays for something gets it, or the money is refunded, or operators are notified.
    fn further_payments(&mut self, held: &Subscription) -> Result<(), ReplayError> {
        // A subscription whose session is being looked up waits for Stripe's answer, which no story provides.
        if self.story.tale.scenario.given.config.iter().any(|(key, value)| key == "look_up_sessions" && value == "true")
        {
            return Ok(());
        }
        let mut types: Vec<String> = Vec::new();
        for offer in self.story.offers.clone() {
            let recurs = offer.interval == "month" || offer.interval == "year";
            if !recurs || offer.amount == 0 || types.contains(&offer.product_type) {
                continue;
            }
            types.push(offer.product_type.clone());
            let item = Item { id: "si_explored".to_owned(), price: offer.price.clone(), quantity: 1 };
            let bought = Subscription { id: "sub_explored".to_owned(), items: vec![item], ..held.clone() };
            let at = self.story.end + HOUR;
            let lines = [(offer.price.clone(), offer.amount)];
            let paid = Paid::At(at + SECOND);
            let with = vec![
                self.tells("created", &bought, at)?,
                self.bills("bought", &bought, "subscription_create", &lines, paid, at + SECOND)?,
            ];
            self.add(
                &format!("a further subscription to {} is paid", offer.product),
                Relation::Given,
                with,
                Vec::new(),
            );
        }
        Ok(())
    }

    /// A trial's warning is sent only if money will be charged.
    fn trials(&mut self, held: &Subscription) -> Result<(), ReplayError> {
        let at = self.story.end + HOUR;
        let (start, end) = (at / SECOND, at / SECOND + 14 * 24 * 3600);
        let trial = |status: &str| Subscription {
            id: "sub_explored".to_owned(),
            status: status.to_owned(),
            period: (start, end),
            ..held.clone()
        };
        let warning = |list: &mut Self, of: &Subscription, ends: bool, told: Timestamp| {
            let set = json!({
                "id": of.id, "customer": of.customer, "status": "trialing", "metadata": of.metadata,
                "price": of.items[0].price, "trial": [time::text(start * SECOND), time::text(end * SECOND)],
                "period": [time::text(start * SECOND), time::text(end * SECOND)], "cancel_at_period_end": ends,
            });
            list.composer.stripe("customer.subscription.trial_will_end", &set, told)
        };
        let created = self.tells("created", &trial("trialing"), at)?;
        let set = json!({
            "id": "sub_explored", "customer": held.customer, "status": "trialing", "metadata": held.metadata,
            "price": held.items[0].price, "trial": [time::text(start * SECOND), time::text(end * SECOND)],
            "period": [time::text(start * SECOND), time::text(end * SECOND)], "cancel_at_period_end": true,
        });
        let without = vec![created.clone(), self.composer.stripe("customer.subscription.updated", &set, at + DAY)?];
        let mut with = without.clone();
        with.push(warning(self, &trial("trialing"), true, at + 11 * DAY)?);
        self.add("a trial that ends without a payment is warned of", Relation::Silent, with, without);

        let mut paid = trial("active");
        paid.period = (end, end + 30 * 24 * 3600);
        let over = end * SECOND;
        let lines = self.lines(&paid);
        let without = vec![
            created,
            self.tells("updated", &paid, over)?,
            self.bills("trial", &paid, "subscription_cycle", &lines, Paid::At(over + HOUR), over + HOUR)?,
        ];
        let mut with = without.clone();
        // The first delivery failed because the server was down.
        let mut late = warning(self, &trial("trialing"), false, at + 11 * DAY)?;
        late.clock = over + 2 * HOUR;
        with.push(late);
        self.add("the warning of a trial's end comes after the end", Relation::Silent, with, without);
        Ok(())
    }

    /// Money that Stripe returns without a request of ours.
    fn money_that_comes_back(&mut self) -> Result<(), ReplayError> {
        let at = self.story.end + HOUR;
        let paid =
            self.story.told.invoices.iter().find(|(_, invoice)| invoice.status == "paid" && invoice.total_minor > 0);
        if let Some((id, invoice)) = paid {
            let (total, currency) = (invoice.total_minor, invoice.currency.clone());
            let note = json!({
                "id": "cn_explored", "object": "credit_note", "amount": total, "created": at / SECOND, "currency": currency,
                "customer_balance_transaction": "cbtxn_explored", "invoice": id, "metadata": {}, "post_payment_amount": total,
                "pre_payment_amount": 0, "refunds": [], "status": "issued", "subtotal": total, "total": total,
                "type": "post_payment",
            });
            let with = vec![self.composer.raw("credit_note.created", None, note, at)?];
            self.add(&format!("the paid invoice {id} is credited to the balance"), Relation::Heard, with, Vec::new());
        }
        if let Some(connected) = self.story.told.connected.first().cloned() {
            let payout = json!({
                "id": "po_explored", "object": "payout", "amount": 500, "currency": "usd", "status": "failed",
                "failure_code": "account_closed", "failure_message": "The bank account has been closed",
            });
            let with = vec![self.composer.raw("payout.failed", Some(&connected), payout, at)?];
            self.add(&format!("a payout of {connected} comes back"), Relation::Heard, with, Vec::new());
        }
        let bodies = self.story.tale.case.deliveries.iter().flatten();
        let has_reversal =
            bodies.map(|told| String::from_utf8_lossy(&told.bytes)).any(|body| body.contains("transfer.reversed"));
        for (id, destination, amount, currency) in transfers(self.story).into_iter().filter(|_| !has_reversal) {
            let transfer = json!({
                "id": id, "object": "transfer", "amount": amount, "amount_reversed": amount, "reversed": true,
                "currency": currency, "destination": destination, "metadata": {},
            });
            let with = vec![self.composer.raw("transfer.reversed", None, transfer, at)?];
            self.add(&format!("the transfer {id} is reversed"), Relation::Heard, with, Vec::new());
        }
        Ok(())
    }

    /// Returns whether everything that an account has can be deleted at the providers and erased: the timers run, the catalog is the
    /// business's own, and no scripted answer makes a call fail permanently or never end.
    fn can_be_erased(&self) -> bool {
        let scenario = &self.story.tale.scenario;
        let mut actions = scenario.steps.iter().rev().map(|step| &step.action);
        let rests =
            matches!(actions.clone().find(|action| matches!(action, Action::Timers(_))), Some(Action::Timers(false)));
        let is_load = |action: &Action| matches!(action, Action::Command(command) if command.kind == "catalog.load");
        let fails = |answer: &ScriptedAnswer| matches!(answer, ScriptedAnswer::Final { .. } | ScriptedAnswer::Never);
        let mut answers = scenario.given.answers.iter().flat_map(|answers| &answers.list);
        !rests && !actions.any(is_load) && !answers.any(fails)
    }

    /// The account is closed: a payment that is reported later is refunded, and in the end nothing is left.
    fn closings(&mut self) -> Result<(), ReplayError> {
        let Some(_) = &self.story.tale.scenario.given.account else { return Ok(()) };
        let at = self.story.end + HOUR;
        let living: Vec<Subscription> = self
            .story
            .told
            .subscriptions
            .values()
            .filter(|subscription| subscription.status != "canceled" && subscription.status != "incomplete_expired")
            .cloned()
            .collect();
        let mut ended = Vec::new();
        for subscription in &living {
            let subscription = Subscription { status: "canceled".to_owned(), ..subscription.clone() };
            ended.push(self.tells("deleted", &subscription, at + 60 * SECOND)?);
        }
        let close = self.composer.command("account.close", None, json!({}), at)?;
        let closing: Vec<Act> = [close.clone()].into_iter().chain(ended.clone()).collect();
        if self.can_be_erased() {
            self.add("the account is closed", Relation::Erased, closing.clone(), closing);
            if let Some(ending) = self.found.last_mut() {
                ending.until = at + 700 * DAY;
            }
        }
        // The last payment is reported after the account was closed.
        let scenario = &self.story.tale.scenario;
        let is_payment = |act: &Act| match &scenario.steps[act.step].action {
            Action::Stripe(step) => step.kind == "invoice.paid",
            _ => false,
        };
        let Some(last) = self.story.acts.iter().rposition(is_payment) else { return Ok(()) };
        let payment = &self.story.acts[last];
        if !pays_for_now(self.story, payment.step) {
            return Ok(());
        }
        let rest: Vec<Act> = self.story.acts[last + 1..].to_vec();
        // A refund waits until its payment is known.
        let goes_back = |act: &Act| match &scenario.steps[act.step].action {
            Action::Stripe(step) => step.kind.contains("refund") || step.kind.contains("dispute"),
            // A refund of a payment that is not known yet is refused, and rightly so.
            Action::Command(command) => command.kind == "purchase.refund",
            _ => false,
        };
        if rest.iter().any(goes_back) {
            return Ok(());
        }
        let without: Vec<Act> =
            self.story.acts[last..].iter().cloned().chain([close.clone()]).chain(ended.clone()).collect();
        let late = Act::at(payment.step, at + 30 * SECOND);
        let with: Vec<Act> = rest.into_iter().chain([close, late]).chain(ended).collect();
        self.found.push(Ending {
            name: "the last payment is told after the closing".to_owned(),
            relation: Relation::SameMoney,
            from: last,
            with,
            without,
            until: at + 3 * DAY,
        });
        Ok(())
    }
}

/// Returns whether the invoice in a step was paid for the current period of a subscription.
fn pays_for_now(story: &Story<'_>, step: usize) -> bool {
    let body =
        story.tale.case.deliveries[step].as_ref().and_then(|told| serde_json::from_slice::<Value>(&told.bytes).ok());
    let Some(body) = body else { return false };
    let invoice = story.told.invoices.get(body["data"]["object"]["id"].as_str().unwrap_or_default());
    let subscription = invoice.and_then(|invoice| story.told.subscriptions.get(invoice.subscription.as_ref()?));
    let is_fresh = |of: &Subscription| of.period.0 * SECOND <= story.end && story.end + 5 * DAY < of.period.1 * SECOND;
    invoice.is_some_and(|invoice| invoice.total_minor > 0) && subscription.is_some_and(is_fresh)
}

/// Returns the transfers that occur in a provider's scripted answers: id, destination, amount and currency.
fn transfers(story: &Story<'_>) -> Vec<(String, String, i64, String)> {
    let mut found = Vec::new();
    for answers in &story.tale.scenario.given.answers {
        if !answers.pattern.starts_with("transfer:") {
            continue;
        }
        let ids = answers.list.iter().filter_map(|answer| match answer {
            ScriptedAnswer::Ok(value) => value["id"].as_str().map(str::to_owned),
            _ => None,
        });
        let connected = story.told.connected.first().cloned().unwrap_or_default();
        found.extend(ids.map(|id| (id, connected.clone(), 100, "usd".to_owned())));
    }
    found.truncate(1);
    found
}
