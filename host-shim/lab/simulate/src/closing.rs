//! Determines what must happen at Stripe after an account is closed: its subscriptions end, the rest of a paid year
//! goes back, and so does what is bought later.

use crate::chargebacks::left;
use crate::judge::Difference;
use crate::sandbox::{Stripe, step_minor};
use local_stripe::object::Object;
use serde_json::Value;

/// Length of the shortest year, in seconds.
const YEAR_S: i64 = 365 * 86_400;
/// Time after the closing by which every event has arrived and every subscription has ended, in seconds.
const TOLD_S: i64 = 4 * 86_400;

/// What goes back of a subscription's payments for its current period.
#[derive(Clone, Debug)]
struct Back {
    subscription: String,
    /// The payments, each with the amount for the rest of the period, in minor units.
    payments: Vec<(String, i64)>,
    /// The amount for the rest of the period if the subscription ends when all events have arrived.
    least: i64,
    /// The amount if disputes and refunds from before the closing take nothing of the payments.
    most: i64,
    /// What the rest of the period is worth, if a balance of the customer paid a part of it or got back a part, or the rest of another
    /// period did.
    worth: Option<i64>,
    /// Amount that had gone back before the closing, in minor units.
    before: i64,
}

/// The state of the account's payments at the closing.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Time of the closing, in seconds since the epoch.
    at_s: i64,
    /// What goes back, by subscription.
    back: Vec<Back>,
    /// Our ids of the open checkouts.
    open: Vec<String>,
    /// True if the host received events from before the closing after it. Then the subscription ends later, and a
    /// payment that the host did not know may go back as a whole.
    is_told_late: bool,
}

/// The invoice of a charge, with its subscription.
fn sold(stripe: &Stripe, charge: &Object) -> Option<(Object, Object)> {
    let invoice = stripe.all("invoice").into_iter().find(|invoice| invoice.id() == charge.as_charge().invoice)?;
    let id = invoice.text_at("parent.subscription_details.subscription")?.to_owned();
    let subscription = stripe.all("subscription").into_iter().find(|subscription| subscription.id() == id)?;
    Some((Object::clone(&invoice), Object::clone(&subscription)))
}

/// Sum of all refunds of a charge, also of those that failed.
pub(crate) fn asked(stripe: &Stripe, charge: &str) -> i64 {
    let refunds = stripe.all("refund").into_iter();
    refunds.filter(|refund| refund.text("charge") == charge).map(|refund| refund.int("amount")).sum()
}

/// Sum of the refunds of a charge that gave money back.
fn returned(stripe: &Stripe, charge: &str) -> i64 {
    let refunds = stripe.all("refund").into_iter();
    let own = refunds.filter(|refund| refund.text("charge") == charge);
    let done = own.filter(|refund| !matches!(refund.text("status"), "failed" | "canceled"));
    done.map(|refund| refund.int("amount")).sum()
}

/// True if a refund of the payment failed, so that none can succeed.
fn refuses_refunds(stripe: &Stripe, charge: &str) -> bool {
    stripe.all("refund").iter().any(|refund| refund.text("charge") == charge && refund.text("status") == "failed")
}

/// True if a payment was ever disputed; Stripe refuses its refunds.
fn is_disputed(stripe: &Stripe, charge: &str) -> bool {
    stripe.all("dispute").iter().any(|dispute| dispute.text("charge") == charge)
}

/// The part of an amount that pays for the time from `at_s` on, according to the periods of the invoice's lines.
fn rest_of(invoice: &Object, amount: i64, at_s: i64) -> i64 {
    let lines = invoice.list_at("lines");
    let all: i64 = lines.iter().filter_map(|line| line["amount"].as_i64()).sum();
    let rest = |line: &Value| {
        let [start_s, end_s] = ["start", "end"].map(|name| line["period"][name].as_i64().unwrap_or_default());
        let left_s = (end_s - at_s).clamp(0, (end_s - start_s).max(0));
        line["amount"].as_i64().unwrap_or_default() as f64 * left_s as f64 / (end_s - start_s).max(1) as f64
    };
    if all <= 0 {
        return 0;
    }
    // Amounts of the simulation are far below the precision of the division.
    let part: f64 = lines.iter().map(rest).sum::<f64>() / all as f64;
    (amount as f64 * part.clamp(0.0, 1.0)) as i64
}

/// What the rest of a subscription's year is worth, from all its invoices of the current period: a fall of the quantity
/// gives to the customer's balance, which pays later invoices, and after a change of the interval the unused time of a month pays for a
/// part of the year. None if neither took part.
fn worth(stripe: &Stripe, subscription: &Object, at_s: i64) -> Option<i64> {
    let item = subscription.list_at("items").first()?;
    let (start_s, end) = (item["current_period_start"].as_i64()?, &item["current_period_end"]);
    let all = stripe.all("invoice").into_iter().filter(|invoice| {
        invoice.text_at("parent.subscription_details.subscription") == Some(subscription.id())
            && invoice.int_at("status_transitions.paid_at").is_some_and(|paid_at| paid_at >= start_s)
    });
    let net = |line: &Value| {
        let taken = line["discount_amounts"].as_array().into_iter().flatten();
        let taken: i64 = taken.filter_map(|taken| taken["amount"].as_i64()).sum();
        line["amount"].as_i64().unwrap_or_default() - taken
    };
    let (mut worth, mut took_part) = (0.0, false);
    for invoice in all {
        let lines = invoice.list_at("lines");
        let pays = |line: &&Value| line["period"]["end"] != *end && line["amount"].as_i64().is_some_and(|it| it < 0);
        took_part |= invoice.int("total") != invoice.int("amount_paid") || lines.iter().any(|line| pays(&line));
        // Lines are without the taxes that are added to them, and payments are with them.
        let untaxed: i64 = lines.iter().map(net).sum();
        let taxed = if untaxed > 0 { (invoice.int("total") as f64 / untaxed as f64).max(1.0) } else { 1.0 };
        for line in lines.iter().filter(|line| !pays(line)) {
            let [start_s, end_s] = ["start", "end"].map(|name| line["period"][name].as_i64().unwrap_or_default());
            let left_s = (end_s - at_s).clamp(0, (end_s - start_s).max(0));
            worth += net(line) as f64 * taxed * left_s as f64 / (end_s - start_s).max(1) as f64;
        }
    }
    took_part.then_some(worth.max(0.0) as i64)
}

impl Closing {
    /// Reads the payments at the time of the closing. `open` are our ids of the open checkouts.
    pub(crate) fn of(stripe: &Stripe, open: Vec<String>) -> Self {
        let at_s = stripe.now_s();
        let mut back: Vec<Back> = Vec::new();
        for charge in stripe.all("charge").iter().filter(|charge| charge.is("paid")) {
            let Some((invoice, subscription)) = sold(stripe, charge) else { continue };
            let items = subscription.list_at("items");
            let second = |name: &str| items.first().and_then(|item| item[name].as_i64()).unwrap_or_default();
            let (start_s, end_s) = (second("current_period_start"), second("current_period_end"));
            let is_current = invoice.int_at("status_transitions.paid_at").is_some_and(|paid_at| paid_at >= start_s);
            let has_ended = matches!(subscription.text("status"), "canceled" | "incomplete_expired");
            if !is_current || has_ended || end_s <= at_s {
                continue;
            }
            let is_year = end_s - start_s >= YEAR_S;
            let amount = |amount: i64, at_s: i64| if is_year { rest_of(&invoice, amount, at_s) } else { 0 };
            let at = back.iter().position(|it| it.subscription == subscription.id()).unwrap_or_else(|| {
                let id = subscription.id().to_owned();
                back.push(Back {
                    subscription: id,
                    payments: Vec::new(),
                    least: 0,
                    most: 0,
                    worth: worth(stripe, &subscription, at_s),
                    before: 0,
                });
                back.len() - 1
            });
            let (left, whole) = left(stripe, charge);
            let of_subscription = &mut back[at];
            of_subscription.payments.push((charge.id().to_owned(), amount(left, at_s)));
            of_subscription.least += amount(left, at_s + TOLD_S);
            of_subscription.most += amount(whole, at_s);
            of_subscription.before += returned(stripe, charge.id());
        }
        Closing { at_s, back, open, is_told_late: false }
    }

    /// Notes that the host does not know all events from before the closing.
    pub(crate) fn is_told_late(&mut self) {
        self.is_told_late = true;
    }

    /// Checks the account's Stripe. Call it only if no effect is at work.
    ///
    /// # Errors
    ///
    /// Returns the first difference.
    pub(crate) fn check(&self, stripe: &Stripe) -> Result<(), Difference> {
        let lives = |it: &Object| !matches!(it.text("status"), "canceled" | "incomplete_expired");
        if let Some(living) = stripe.all("subscription").iter().find(|subscription| lives(subscription)) {
            let what = format!("{} of a closed account at Stripe", living.id());
            return Err(Difference::new(what, "canceled", living.text("status")));
        }
        if let Some(open) = self.open.iter().find(|session| !stripe.is_expired(session)) {
            return Err(Difference::new(format!("checkout {open} of a closed account"), "expired", "open"));
        }
        self.back.iter().try_for_each(|back| self.check_rest(stripe, back))?;
        for charge in stripe.all("charge").iter().filter(|charge| charge.is("paid")) {
            let is_later =
                sold(stripe, charge).is_some_and(|(_, subscription)| subscription.int("created") > self.at_s);
            let is_refundable = !is_disputed(stripe, charge.id()) && !refuses_refunds(stripe, charge.id());
            let back = returned(stripe, charge.id());
            if is_later && is_refundable && back != charge.int("amount") {
                let what = format!("refund of {}, paid for a subscription after the closing", charge.id());
                return Err(Difference::new(what, charge.int("amount").to_string(), back.to_string()));
            }
        }
        Ok(())
    }

    /// Checks that the rest of a subscription's period went back, over any of its payments. What a payment that Stripe
    /// does not refund has paid for may go back over the others. Operators are told of a refund that failed.
    fn check_rest(&self, stripe: &Stripe, back: &Back) -> Result<(), Difference> {
        let charges = || back.payments.iter().map(|(charge, _)| charge.as_str());
        let went = charges().map(|charge| returned(stripe, charge)).sum::<i64>() - back.before;
        let failed = charges().map(|charge| asked(stripe, charge) - returned(stripe, charge)).sum::<i64>();
        let is_refundable = |charge: &str| !is_disputed(stripe, charge) && !refuses_refunds(stripe, charge);
        let rest: i64 = back.payments.iter().map(|(_, rest)| rest).sum();
        let refundable = back.payments.iter().filter(|(charge, _)| is_refundable(charge)).map(|(_, rest)| rest).sum();
        let all_are = charges().all(is_refundable);
        let received = || charges().filter_map(|id| stripe.all("charge").into_iter().find(|it| it.id() == id));
        let (low, high) = (rest.min(back.worth.unwrap_or(rest)), rest.max(back.worth.unwrap_or(rest)));
        let (least, most) = match (self.is_told_late, all_are) {
            (false, true) => (low, high),
            (false, false) => (low.min(refundable), high.max(back.most)),
            (true, true) => (back.least, received().map(|charge| charge.int("amount")).sum()),
            (true, false) => (0, received().map(|charge| charge.int("amount")).sum()),
        };
        // Each payment's part is rounded.
        let slack = back.payments.len() as i64 * step_minor(stripe.currency());
        if went + failed < least - slack || went > most + slack {
            let what = format!("refund of the rest of {} after the closing", back.subscription);
            return Err(Difference::new(what, format!("{least} to {most}"), went.to_string()));
        }
        Ok(())
    }
}
