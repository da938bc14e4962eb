//! Determines what must happen at Stripe after an account is closed: its subscriptions end, the rest of a paid year
//! goes back, and so does what is bought later.

use crate::judge::Difference;
use crate::oracle::left;
use crate::sandbox::Stripe;
use local_stripe::object::Object;
use std::collections::BTreeMap;

/// Length of the shortest year, in seconds.
const YEAR_S: i64 = 365 * 86_400;

/// The state of the account's payments at the closing.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Time of the closing, in seconds since the epoch.
    at_s: i64,
    /// Amount of each payment for a subscription's current period that goes back, by charge, in minor units.
    back: BTreeMap<String, i64>,
    /// Our ids of the open checkouts.
    open: Vec<String>,
    /// Refunded amount of these payments before the closing, by charge.
    before: BTreeMap<String, i64>,
}

/// The invoice of a charge, with its subscription.
fn sold(stripe: &Stripe, charge: &Object) -> Option<(Object, Object)> {
    let invoice = stripe.all("invoice").into_iter().find(|invoice| invoice.id() == charge.text("_invoice"))?;
    let id = invoice.text_at("parent.subscription_details.subscription")?.to_owned();
    let subscription = stripe.all("subscription").into_iter().find(|subscription| subscription.id() == id)?;
    Some((Object::clone(&invoice), Object::clone(&subscription)))
}

/// Sum of all refunds of a charge, also of those that failed.
pub(crate) fn asked(stripe: &Stripe, charge: &str) -> i64 {
    let refunds = stripe.all("refund").into_iter();
    refunds.filter(|refund| refund.text("charge") == charge).map(|refund| refund.int("amount")).sum()
}

/// True if a payment was ever disputed; Stripe refuses its refunds.
fn is_disputed(stripe: &Stripe, charge: &str) -> bool {
    stripe.all("dispute").iter().any(|dispute| dispute.text("charge") == charge)
}

impl Closing {
    /// Reads the payments at the time of the closing. `open` are our ids of the open checkouts.
    pub(crate) fn of(stripe: &Stripe, open: Vec<String>) -> Self {
        let at_s = stripe.now_s();
        let (mut back, mut payments) = (BTreeMap::new(), BTreeMap::<String, Vec<String>>::new());
        for charge in stripe.all("charge").iter().filter(|charge| charge.is("paid")) {
            let Some((invoice, subscription)) = sold(stripe, charge) else { continue };
            let items = subscription.list_at("items");
            let second = |name: &str| items.first().and_then(|item| item[name].as_i64()).unwrap_or_default();
            let (start_s, end_s) = (second("current_period_start"), second("current_period_end"));
            let is_current = invoice.int_at("status_transitions.paid_at").is_some_and(|paid_at| paid_at >= start_s);
            // The credit for the unused rest of another price pays for a part.
            let is_unsure = invoice.list_at("lines").len() != 1 || is_disputed(stripe, charge.id());
            if !is_current || items.len() != 1 || is_unsure {
                continue;
            }
            let is_year = end_s - start_s >= YEAR_S && subscription.text("status") == "active" && end_s > at_s;
            let rest =
                i128::from(left(stripe, charge).0) * i128::from(end_s - at_s) / i128::from((end_s - start_s).max(1));
            // The part is at most the amount, which has 64 bits.
            let rest = if is_year { i64::try_from(rest).expect("a part of an amount") } else { 0 };
            payments.entry(subscription.id().to_owned()).or_default().push(charge.id().to_owned());
            back.insert(charge.id().to_owned(), rest);
        }
        // If several payments paid for a period, Stripe refunds one of them for all.
        for several in payments.values().filter(|payments| payments.len() > 1) {
            for charge in several {
                back.remove(charge);
            }
        }
        let before = back.keys().map(|charge| (charge.clone(), asked(stripe, charge))).collect();
        Closing { at_s, back, open, before }
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
        for (charge, rest) in &self.back {
            let returned = asked(stripe, charge) - self.before.get(charge).copied().unwrap_or(0);
            if (returned - rest).abs() > 1 {
                let what = format!("refund of the rest of {charge} after the closing");
                return Err(Difference::new(what, rest.to_string(), returned.to_string()));
            }
        }
        for charge in stripe.all("charge").iter().filter(|charge| charge.is("paid")) {
            let is_later =
                sold(stripe, charge).is_some_and(|(_, subscription)| subscription.int("created") > self.at_s);
            let returned = asked(stripe, charge.id());
            if is_later && !is_disputed(stripe, charge.id()) && returned != charge.int("amount") {
                let what = format!("refund of {}, paid for a subscription after the closing", charge.id());
                return Err(Difference::new(what, charge.int("amount").to_string(), returned.to_string()));
            }
        }
        Ok(())
    }
}
