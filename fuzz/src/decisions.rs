//! Builds decisions from the bytes of an input. A decision can be invalid in every way that its types allow.

use extension_contract::{
    Account, Change, ClaimChange, Decision, DeferReason, Effect, IgnoreReason, Money, Outcome, Price, ProductValues,
    PurchaseStatus, PurchaseValues, RecordKey, Reference, Refusal, Reply, RetryPolicy, RowKey, Write,
};

/// Reads values from bytes. After the end of the bytes, it reads zeros.
pub struct Bytes<'b>(pub &'b [u8]);

/// Strings, most of which have a meaning to a host.
const TEXTS: [&str; 16] = [
    "",
    "a",
    "{}",
    "[]",
    "{",
    "notes",
    "others",
    "usd",
    "mail.send",
    "timer.at",
    "account.send",
    "payment.event",
    "account.erase",
    "name:x",
    "stripe-customer:cus_1",
    "\u{0}\u{202e}",
];

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// Returns a number in `0..of`.
    fn pick(&mut self, of: u8) -> u8 {
        self.byte() % of
    }

    fn number(&mut self) -> i64 {
        match self.pick(6) {
            0 => 0,
            1 => 1,
            2 => i64::MAX,
            3 => i64::MIN,
            4 => 1_767_225_600_000,
            _ => i64::from(self.byte()) - 128,
        }
    }

    fn text(&mut self) -> String {
        match self.byte() {
            known @ 0..=199 => TEXTS[usize::from(known) % TEXTS.len()].to_owned(),
            200..=239 => {
                let length = usize::from(self.pick(12)).min(self.0.len());
                let (text, rest) = self.0.split_at(length);
                self.0 = rest;
                String::from_utf8_lossy(text).into_owned()
            }
            // Lengths around the maximum length of a key.
            long => "k".repeat(usize::from(long) + 8),
        }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(make(self)) } else { None }
    }

    fn list<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = match self.pick(8) {
            many @ 0..=6 => many % 4,
            _ => 40,
        };
        (0..count).map(|_| make(self)).collect()
    }

    fn account(&mut self) -> Account {
        match self.pick(3) {
            0 => Account::Platform,
            1 => Account::User(self.text()),
            _ => Account::Organization(self.text()),
        }
    }

    fn money(&mut self) -> Money {
        Money { amount_minor: self.number(), currency: self.text() }
    }

    fn key(&mut self) -> RowKey {
        match self.pick(5) {
            0 => RowKey::Product(self.text()),
            1 => RowKey::Price(self.text()),
            2 => RowKey::Purchase(self.text()),
            3 => RowKey::Subscription(self.text()),
            _ => RowKey::Record(RecordKey { collection: self.text(), id: self.text() }),
        }
    }

    fn write(&mut self) -> Write {
        match self.pick(5) {
            0 => Write::Product(ProductValues {
                product_type: self.text(),
                name: self.text(),
                description: self.text(),
                active: self.flag(),
                price: self.maybe(Self::money),
                interval: None,
                filters: self.list(|bytes| (bytes.text(), bytes.text())),
                metadata: self.text(),
            }),
            1 => Write::Price(Price {
                id: self.text(),
                product_id: self.text(),
                product_type: self.text(),
                family: self.maybe(Self::text),
                amount: self.money(),
                interval: None,
                active: self.flag(),
                grants: Vec::new(),
                terms: self.text(),
            }),
            2 => Write::Purchase(PurchaseValues {
                provider: self.text(),
                session_id: self.maybe(Self::text),
                payment_intent_id: self.maybe(Self::text),
                subscription_id: self.maybe(Self::text),
                status: PurchaseStatus::Paid,
                items: Vec::new(),
                amount: self.money(),
                tax: self.money(),
                total: self.money(),
                refunded: self.money(),
                metadata: self.text(),
            }),
            3 => Write::Record(self.text()),
            _ => Write::Remove,
        }
    }

    fn change(&mut self) -> Change {
        Change {
            key: self.key(),
            expected: self.byte().into(),
            write: self.write(),
            live: self.flag(),
            references: self.list(|bytes| match bytes.flag() {
                true => Reference::Row(bytes.key()),
                false => Reference::Name(bytes.text()),
            }),
            fingerprint: self.maybe(Self::text),
        }
    }

    fn claim(&mut self) -> ClaimChange {
        match self.flag() {
            true => ClaimChange::Take { key: self.text(), until: self.maybe(Self::number) },
            false => ClaimChange::Release { key: self.text(), blocked_until: self.maybe(Self::number) },
        }
    }

    fn effect(&mut self) -> Effect {
        Effect {
            kind: self.text(),
            to: self.maybe(Self::account),
            key: self.text(),
            generation: self.byte().into(),
            payload: self.text(),
            context: self.text(),
            reply_to: self.maybe(Self::text),
            ordering_key: self.maybe(Self::text),
            not_before: self.maybe(Self::number),
            deadline: self.maybe(Self::number),
            retry: self.maybe(|bytes| RetryPolicy { delays_ms: bytes.list(|bytes| u32::from(bytes.byte()) << 20) }),
        }
    }

    fn outcome(&mut self) -> Outcome {
        match self.pick(7) {
            0 => Outcome::Duplicate(self.text()),
            1 => Outcome::Ignored(IgnoreReason::NoChange),
            2 => Outcome::Deferred(DeferReason::Claim(self.list(Self::text))),
            3 => Outcome::Deferred(DeferReason::Fact(self.text())),
            4 => Outcome::Rejected(Refusal::Forbidden(self.text())),
            _ => Outcome::Applied,
        }
    }

    /// Builds one decision.
    pub fn decision(&mut self) -> Decision {
        Decision {
            outcome: self.outcome(),
            reply: self.maybe(|bytes| match bytes.flag() {
                true => Reply::Answer(bytes.text()),
                false => Reply::Refused(Refusal::NotFound(bytes.text())),
            }),
            changes: self.list(Self::change),
            facts: self.list(Self::text),
            claims: self.list(Self::claim),
            effects: self.list(Self::effect),
            cancel: self.list(Self::text),
        }
    }
}
