//! Checks money from nothing but the bodies of Stripe's events and the requested effects. No row of the extension is read, so a fault in
//! the extension's ledger cannot hide a fault in its payments.

use extension_contract::{EffectFailureClass, Payload};
use host_replay::rig::Rig;
use host_scenario::error::ReplayError;
use host_store::{EffectRow, EffectState};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The effect that invoices use.
pub(super) const INVOICE: &str = "stripe.invoice.create";

/// Effects that move money, with the payload members that contain the object and the amount.
const MOVES: [(&str, &[&str], &str); 4] = [
    ("stripe.refund.create", &["payment_intent", "charge", "invoice", "subscription"], "amount_minor"),
    ("stripe.transfer.create", &["destination"], "amount_minor"),
    (INVOICE, &["month"], "total_minor"),
    ("stripe.credit.create", &["customer"], "amount_minor"),
];

/// A movement of money that the extension requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Movement {
    /// Account of the request.
    pub account: String,
    /// Kind of the effect.
    pub kind: String,
    /// The payment, invoice or connected account.
    pub object: String,
    /// Minor units; `None` for the object's full amount.
    pub amount: Option<i64>,
    /// Currency; empty if the request does not contain it.
    pub currency: String,
}

/// Returns the requested movements that were neither cancelled nor refused by the provider, in order.
pub(super) fn movements(host: &Rig) -> Result<Vec<Movement>, ReplayError> {
    let refused = refused(host)?;
    requested(host, |account, key| !refused.contains(&(account.to_owned(), key.to_owned())))
}

/// Returns the requested movements that were not cancelled, including those that the provider refused, in order.
pub(super) fn amounts(host: &Rig) -> Result<Vec<Movement>, ReplayError> {
    requested(host, |_, _| true)
}

/// Returns the requested movements that were not cancelled and that `counts` selects by account and key, in order.
fn requested(host: &Rig, counts: impl Fn(&str, &str) -> bool) -> Result<Vec<Movement>, ReplayError> {
    let mut by_key = BTreeMap::new();
    for scope in host.store().scopes(None)? {
        let account = scope.account.to_string();
        for row in host.store().effects_of(&scope, 0, usize::MAX)? {
            // A repeated request under the same key is one movement.
            if let Some(movement) = movement(&account, &row).filter(|_| counts(&account, &row.effect.key)) {
                by_key.insert((scope.account.clone(), row.effect.key), movement);
            }
        }
    }
    let mut found: Vec<Movement> = by_key.into_values().collect();
    found.sort();
    Ok(found)
}

/// Returns the account and key of the requests that the provider refused: they moved nothing.
fn refused(host: &Rig) -> Result<BTreeSet<(String, String)>, ReplayError> {
    let mut found = BTreeSet::new();
    for row in host.store().inbox_after(None, 0, usize::MAX)? {
        if let (Payload::EffectResult(report), Some(account)) = (&row.event.payload, &row.event.account)
            && report.answer.as_ref().is_err_and(|failure| failure.class == EffectFailureClass::Final)
        {
            found.insert((account.to_string(), report.key.clone()));
        }
    }
    Ok(found)
}

fn movement(account: &str, row: &EffectRow) -> Option<Movement> {
    let (kind, objects, amount) = MOVES.iter().find(|(kind, ..)| *kind == row.effect.kind)?;
    // A later request of the same movement replaces an earlier one.
    if row.state == EffectState::Cancelled {
        return None;
    }
    let payload: Value = serde_json::from_str(&row.effect.payload).ok()?;
    let object = objects.iter().find_map(|name| payload.get(*name)?.as_str()).unwrap_or_default();
    let amount = payload.get(*amount).and_then(Value::as_i64);
    let currency = payload["currency"].as_str().unwrap_or_default().to_owned();
    Some(Movement {
        account: account.to_owned(),
        kind: (*kind).to_owned(),
        object: object.to_owned(),
        amount,
        currency,
    })
}

/// A payment according to the bodies of Stripe's events: the received and refunded amounts, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    received: i64,
    /// The amount that each payment intent received, for the case that one body gives the names of several payments.
    intents: BTreeMap<String, i64>,
    currency: String,
    /// The amounts that the bank took back, by dispute id, each with the time of the newest event about it.
    disputed: BTreeMap<String, (i64, i64)>,
    /// Refunds by their ids.
    refunds: BTreeMap<String, i64>,
    /// Refunds that failed, by their ids.
    failed: BTreeMap<String, i64>,
}

impl Told {
    /// The amount received. Bodies can show that two payments are one.
    fn received(&self) -> i128 {
        i128::from(self.received).max(sum(self.intents.values().copied()))
    }

    /// The amount that went back, without refunds that failed afterwards.
    fn back(&self) -> i128 {
        sum(self.refunds.iter().filter(|(id, _)| !self.failed.contains_key(*id)).map(|(_, minor)| *minor))
    }
}

/// The payments in the bodies of Stripe's events. A payment has several names: its intent, charge and invoice.
#[derive(Default)]
pub(super) struct Payments {
    told: Vec<Told>,
    names: BTreeMap<String, usize>,
    /// Invoices by their subscription.
    subscriptions: BTreeMap<String, BTreeSet<String>>,
}

impl Payments {
    /// Reads the bodies of all delivered events.
    pub fn delivered(host: &Rig) -> Result<Payments, ReplayError> {
        let mut payments = Payments::default();
        for row in host.store().inbox_after(None, 0, usize::MAX)? {
            if let Payload::Payment(bytes) = &row.event.payload
                && let Ok(body) = serde_json::from_slice::<Value>(bytes)
            {
                let kind = body["type"].as_str().unwrap_or(&row.event.kind).to_owned();
                payments.read(&kind, &body["data"]["object"], body["created"].as_i64().unwrap_or(0));
            }
        }
        Ok(payments)
    }

    fn read(&mut self, kind: &str, object: &Value, at: i64) {
        let id = |member: &str| {
            let value = object.get(member)?;
            value.as_str().or_else(|| value.get("id")?.as_str()).map(str::to_owned)
        };
        let minor = |member: &str| object.get(member).and_then(Value::as_i64).unwrap_or(0);
        let is = |member: &str, text: &str| object.get(member).and_then(Value::as_str) == Some(text);
        let currency = object["currency"].as_str().unwrap_or_default();
        match object["object"].as_str().unwrap_or_default() {
            "payment_intent" if kind == "payment_intent.succeeded" => {
                let charge = id("latest_charge");
                self.receive([id("id"), charge, id("invoice")], minor("amount_received"), currency);
            }
            "charge" if object["paid"] != false && kind != "charge.failed" => {
                self.receive([id("payment_intent"), id("id"), id("invoice")], minor("amount"), currency);
                for refund in object["refunds"]["data"].as_array().into_iter().flatten() {
                    self.refund([id("payment_intent"), id("id")], refund);
                }
            }
            "invoice" if is("status", "paid") => {
                let listed = object["payments"]["data"].as_array().into_iter().flatten();
                let intents = listed.filter_map(|paid| paid["payment"]["payment_intent"].as_str().map(str::to_owned));
                let of_parent = &object["parent"]["subscription_details"]["subscription"];
                if let (Some(of), Some(invoice)) =
                    (id("subscription").or(of_parent.as_str().map(str::to_owned)), id("id"))
                {
                    self.subscriptions.entry(of).or_default().insert(invoice);
                }
                let names = [id("id"), id("payment_intent"), id("charge")].into_iter().chain(intents.map(Some));
                self.receive(names, minor("amount_paid"), currency);
            }
            "checkout.session" if is("payment_status", "paid") && !is("mode", "setup") => {
                self.receive([id("payment_intent"), id("invoice")], minor("amount_total"), currency);
            }
            "dispute" => {
                let place = self.place([id("payment_intent"), id("charge")]);
                let is_back = is("status", "won") || kind == "charge.dispute.funds_reinstated";
                if let (Some(place), Some(dispute)) = (place, id("id")) {
                    let amount = if is_back { 0 } else { minor("amount") };
                    let known = self.told[place].disputed.entry(dispute).or_insert((at, amount));
                    *known = (*known).max((at, amount));
                    if known.0 == at && is_back {
                        known.1 = 0;
                    }
                }
            }
            "refund" => self.refund([id("payment_intent"), id("charge")], object),
            _ => {}
        }
    }

    /// Returns the index of the payment with these names. Two payments that turn out to be the same are merged.
    fn place(&mut self, names: impl IntoIterator<Item = Option<String>>) -> Option<usize> {
        let names: Vec<String> = names.into_iter().flatten().collect();
        let mut known: Vec<usize> = names.iter().filter_map(|name| self.names.get(name).copied()).collect();
        known.sort_unstable();
        known.dedup();
        let place = match known.first() {
            Some(place) => *place,
            None if names.is_empty() => return None,
            None => {
                self.told.push(Told::default());
                self.told.len() - 1
            }
        };
        for other in known.into_iter().skip(1) {
            let Told { received, intents, currency, disputed, refunds, failed } = std::mem::take(&mut self.told[other]);
            let into = &mut self.told[place];
            into.received = into.received.max(received);
            into.intents.extend(intents);
            into.currency = if into.currency.is_empty() { currency } else { std::mem::take(&mut into.currency) };
            into.disputed.extend(disputed);
            into.refunds.extend(refunds);
            into.failed.extend(failed);
            self.names.values_mut().filter(|known| **known == other).for_each(|known| *known = place);
        }
        for name in names {
            self.names.insert(name, place);
        }
        Some(place)
    }

    fn receive(&mut self, names: impl IntoIterator<Item = Option<String>>, minor: i64, currency: &str) {
        let names: Vec<Option<String>> = names.into_iter().collect();
        let intent = names.iter().flatten().find(|name| name.starts_with("pi_")).cloned();
        if let Some(place) = self.place(names) {
            // Several bodies describe the same payment.
            let told = &mut self.told[place];
            told.intents.extend(intent.map(|intent| (intent, minor)));
            told.received = told.received.max(minor);
            told.currency = currency.to_owned();
        }
    }

    fn refund(&mut self, names: [Option<String>; 2], refund: &Value) {
        let (Some(id), Some(minor)) = (refund["id"].as_str(), refund["amount"].as_i64()) else { return };
        let has_failed = refund["status"] == "failed" || refund["status"] == "canceled";
        if let Some(place) = self.place(names) {
            let told = &mut self.told[place];
            // The amount of a refund never changes.
            let of = if has_failed { &mut told.failed } else { &mut told.refunds };
            of.entry(id.to_owned()).or_insert(minor);
        }
    }

    /// Returns the first rule that the movements break: more of a payment is refunded than was received, a payment that occurs in no body
    /// is refunded, or more is passed on than was received at all.
    pub fn broken_by(&self, movements: &[Movement]) -> Option<String> {
        // An amount has 64 bits, so a sum of amounts may need more.
        let mut asked: BTreeMap<usize, i128> = BTreeMap::new();
        for movement in movements.iter().filter(|movement| movement.kind == "stripe.refund.create") {
            // Without an amount, Stripe refunds the rest.
            let minor = i128::from(movement.amount.unwrap_or(0));
            if let Some(place) = self.names.get(&movement.object) {
                *asked.entry(*place).or_default() += minor;
                continue;
            }
            // The provider chooses the payments of a subscription.
            let of_subscription = self.subscriptions.get(&movement.object).into_iter().flatten();
            let places: BTreeSet<usize> = of_subscription.filter_map(|name| self.names.get(name).copied()).collect();
            let received = sum(places.iter().map(|place| self.told[*place].received));
            if places.is_empty() {
                return Some(format!("{} is given back, and no event says that it was paid", movement.object));
            }
            if minor > received {
                return Some(format!("{minor} of {received} received for {} is given back", movement.object));
            }
        }
        for (name, place) in &self.names {
            let told = &self.told[*place];
            // Amounts that go back without our request are Stripe's responsibility.
            let Some(asked) = asked.get(place) else { continue };
            let asked = asked - sum(told.failed.values().copied());
            let back = asked.max(told.back());
            if back > i128::from(told.received) {
                return Some(format!("{back} of {} received by {name} is given back", told.received));
            }
        }
        self.broken_in_sum(movements)
    }

    /// Returns the first currency in which more is passed on, or more is refunded and credited, than was received.
    fn broken_in_sum(&self, movements: &[Movement]) -> Option<String> {
        let currencies: BTreeSet<&str> = movements.iter().map(|movement| movement.currency.as_str()).collect();
        currencies.into_iter().find_map(|currency| {
            // A request without a currency is in the currency that all payments share.
            let is_of = |other: &str| currency.is_empty() || other.is_empty() || other == currency;
            let received: i128 = self.told.iter().filter(|told| is_of(&told.currency)).map(Told::received).sum();
            let asked = |kinds: &[&str]| {
                let of_kind = |of: &&Movement| kinds.contains(&of.kind.as_str()) && of.currency == currency;
                sum(movements.iter().filter(of_kind).filter_map(|movement| movement.amount))
            };
            let paid_on = asked(&["stripe.transfer.create"]);
            if paid_on > received {
                return Some(format!("{paid_on} is paid on of {received} received"));
            }
            let failed = self.told.iter().filter(|told| is_of(&told.currency)).flat_map(|told| told.failed.values());
            let back = asked(&["stripe.refund.create", "stripe.credit.create"]) - sum(failed.copied());
            (back > received).then(|| format!("{back} goes back or is credited of {received} received"))
        })
    }

    /// Returns the amounts that remain by currency: received, less what was refunded and what the bank took back.
    pub fn kept(&self) -> BTreeMap<String, i128> {
        let mut kept: BTreeMap<String, i128> = BTreeMap::new();
        for told in &self.told {
            let received = told.received();
            let back = (told.back() + sum(told.disputed.values().map(|(_, amount)| *amount))).min(received);
            *kept.entry(told.currency.clone()).or_default() += received - back;
        }
        kept
    }
}

/// Returns the sum of some amounts.
pub(super) fn sum(amounts: impl Iterator<Item = i64>) -> i128 {
    amounts.map(i128::from).sum()
}

impl fmt::Display for Movement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.amount.map_or_else(|| "all".to_owned(), |minor| minor.to_string());
        write!(f, "{} {} of {} for {}", self.kind, amount, self.object, self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refund(object: &str, amount: i64) -> Movement {
        let (account, kind) = ("user:a".to_owned(), "stripe.refund.create".to_owned());
        Movement { account, kind, object: object.to_owned(), amount: Some(amount), currency: "usd".to_owned() }
    }

    #[test]
    fn sums_of_more_than_64_bits_are_compared() {
        // Given two invoices of the largest amount, and refunds of both
        let mut payments = Payments::default();
        for id in ["in_1", "in_2"] {
            let invoice =
                json!({"object": "invoice", "id": id, "status": "paid", "amount_paid": i64::MAX, "currency": "usd"});
            payments.read("invoice.paid", &invoice, 0);
        }
        let back = [refund("in_1", i64::MAX), refund("in_2", i64::MAX)];
        assert_eq!(payments.broken_by(&back), None);
        // When one more minor unit is refunded, Then the law is broken
        let more = payments.broken_by(&[back.as_slice(), &[refund("in_2", 1)]].concat());
        let expected = "9223372036854775808 of 9223372036854775807 received by in_2 is given back";
        assert_eq!(more.as_deref(), Some(expected));
    }

    #[test]
    fn transfers_of_more_than_64_bits_are_compared() {
        let transfer = |amount| Movement { kind: "stripe.transfer.create".to_owned(), ..refund("acct_1", amount) };
        let more = Payments::default().broken_by(&[transfer(i64::MAX), transfer(i64::MAX)]);
        assert_eq!(more.as_deref(), Some("18446744073709551614 is paid on of 0 received"));
    }
}
